/*
 * column.h - one field of many ticks, as small numbers.
 *
 * The values of a column are told as what is left of them when something near is taken away:
 * another field of the same tick, the value of the tick before, the lowest of all; what is left is
 * divided by what divides all of it (a price in 1e-9 becomes ticks), and its low bytes are laid
 * down plane by plane, so that bytes that are alike lie together; or in as few bits as most of them
 * need, which is small without being compressed. Values that would need more than the others are
 * told apart. docs/tape-format.md has the bytes. Pure; any thread.
 */
#ifndef TDK_TAPE_COLUMN_H
#define TDK_TAPE_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COLUMN_TICKS_MAX 4096u /* values in one column */
#define COLUMN_NO_REF    0xffu
#define COLUMN_BITS_MAX  16u
#define COLUMN_TABLE_MAX 256u
#define COLUMN_BEHIND    16u /* bytes behind a column that its reader may read */

/* column_head.mode */
enum column_mode {
    COLUMN_DELTA = 1,   /* to the value before, of the same strand; the first's is the base */
    COLUMN_CARRIED = 2, /* with COLUMN_DELTA: of whatever strand */
    COLUMN_ZIGZAG = 4,  /* signed: 0, -1, 1, -2, ... */
    COLUMN_BASE = 8,    /* u64 base follows the head; else it is 0 */
    COLUMN_SCALE = 16,  /* u64 scale follows; else it is 1 */
    COLUMN_TABLE = 32,  /* of what is told in bits: these are places in a table of such values */
};

struct column_head {
    uint8_t mode;
    uint8_t ref;   /* number of the field that is taken away; COLUMN_NO_REF */
    uint8_t width; /* bytes of each value, 0 to 8; of each of the table, 1 to 4 */
    uint8_t bits;  /* of each value, 1 to COLUMN_BITS_MAX; 0: they lie in planes */
    uint16_t outliers;
    uint16_t entries; /* of the table, 1 to COLUMN_TABLE_MAX */
};

/* Where strands begin: value i is the first of its strand. */
struct column_strands {
    const uint16_t *starts; /* ascending, the first is 0 */
    uint32_t count;
};

/* A field that may be taken away from a column's values. */
struct column_ref {
    uint8_t number;
    const uint64_t *values;
};

/* What column_write() needs for itself; borrowed during the call. */
struct column_scratch {
    uint64_t left[COLUMN_TICKS_MAX], best[COLUMN_TICKS_MAX];
    bool divides[COLUMN_TICKS_MAX];
    uint8_t index[COLUMN_TICKS_MAX]; /* in the table */
    uint32_t table[COLUMN_TABLE_MAX];
};

/* Bytes that column_write() may need. */
static inline size_t column_bound(uint32_t count)
{
    return sizeof(struct column_head) + 16 + (size_t)count * 8;
}

/* How many bytes each took. */
struct column_sizes {
    size_t planes, bits;
};

/*
 * `count` values (1 to COLUMN_TICKS_MAX) of `size` bytes (1, 2, 4, 8), whatever way of those there
 * are takes fewest: in planes, for who compresses them; and in bits, or planes where these are
 * smaller, for who does not. bits is NULL: not wanted.
 */
struct column_sizes column_write(struct column_scratch *scratch, const uint64_t *values,
                                 uint32_t count, uint8_t size, const struct column_ref *refs,
                                 size_t ref_count, const struct column_strands *strands,
                                 unsigned char *planes, unsigned char *bits);

/*
 * Its head, from untrusted bytes. Returns the bytes that the whole column takes, 0: that is none of
 * `count` values of `size` bytes among `have` bytes.
 */
size_t column_check(const unsigned char *bytes, size_t have, uint32_t count,
                    struct column_head *head);

#define COLUMN_ROWS 128u /* values that are read together: a multiple of 4 */

/* One that passed and is being read, in place, from its first value on. */
struct column {
    struct column_head head;
    const unsigned char *places, *outliers;
    const unsigned char *values; /* planes, or bits */
    uint32_t count;
    uint32_t strand; /* the next one that begins */
    uint64_t base, scale;
    uint64_t more;   /* what is added to each: the base, where they are no differences */
    uint64_t before; /* the value before the next one, where they are */
    uint64_t table[COLUMN_TABLE_MAX];
};

/* Has it no values of its own? */
static inline bool column_is_empty(const struct column_head *head)
{
    return head->width == 0 && head->bits == 0 && head->outliers == 0;
}

void column_open(struct column *column, const unsigned char *bytes, const struct column_head *head,
                 uint32_t count);

/* Its values [begin, end), before column_head.ref is added to them. Up to COLUMN_ROWS at once, one
 * piece behind the other. */
void column_read(struct column *column, uint32_t begin, uint32_t end,
                 const struct column_strands *strands, uint64_t *values);

#endif
