/*
 * column.h - one field of many ticks, as small numbers.
 *
 * From each value something near is subtracted: another field of the same tick, the value of the
 * tick before, or the lowest of all. What is left is divided by what divides all of it (a price in
 * 1e-9 becomes ticks). Its low bytes are then laid down plane by plane, so that similar bytes lie
 * together, or in as few bits as most of the values need, which is small without compression.
 * Values that would need more than the others are stored separately, as outliers.
 * docs/tape-format.md has the bytes. Pure; any thread.
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
#define COLUMN_BEHIND    16u /* bytes after a column that its reader may read */

/* column_head.mode */
enum column_mode {
    COLUMN_DELTA = 1,   /* minus the value before in its strand; for the first, minus the base */
    COLUMN_CARRIED = 2, /* with COLUMN_DELTA: across strands */
    COLUMN_ZIGZAG = 4,  /* signed: 0, -1, 1, -2, ... */
    COLUMN_BASE = 8,    /* u64 base follows the head; else it is 0 */
    COLUMN_SCALE = 16,  /* u64 scale follows; else it is 1 */
    COLUMN_TABLE = 32,  /* in bits only: the bits are places in a table of values */
};

struct column_head {
    uint8_t mode;
    uint8_t ref;   /* number of the field that was subtracted; COLUMN_NO_REF */
    uint8_t width; /* bytes of each value, 0 to 8; with a table of each entry, 1 to 4 */
    uint8_t bits;  /* of each value, 1 to COLUMN_BITS_MAX; 0: the values lie in planes */
    uint16_t outliers;
    uint16_t entries; /* of the table, 1 to COLUMN_TABLE_MAX */
};

/* Where strands begin: the values that are the first of their strand. */
struct column_strands {
    const uint16_t *starts; /* ascending, the first is 0 */
    uint32_t count;
};

/* A field that may be subtracted from a column's values. */
struct column_ref {
    uint8_t number;
    const uint64_t *values;
};

/* Working memory of column_write(); borrowed during the call. */
struct column_scratch {
    uint64_t left[COLUMN_TICKS_MAX], best[COLUMN_TICKS_MAX];
    bool divides[COLUMN_TICKS_MAX];
    uint8_t index[COLUMN_TICKS_MAX]; /* of each value in the table */
    uint32_t table[COLUMN_TABLE_MAX];
};

/* Bytes that column_write() may need. */
static inline size_t column_bound(uint32_t count)
{
    return sizeof(struct column_head) + 16 + (size_t)count * 8;
}

/* How many bytes each form took. */
struct column_sizes {
    size_t planes, bits;
};

/*
 * Write `count` values (1 to COLUMN_TICKS_MAX) of `size` bytes (1, 2, 4, 8), in the way that takes
 * the fewest bytes: into `planes` in planes, for a caller that compresses them; into `bits` in
 * bits, or in planes where these are smaller, for a caller that does not. `bits` NULL: not wanted.
 */
struct column_sizes column_write(struct column_scratch *scratch, const uint64_t *values,
                                 uint32_t count, uint8_t size, const struct column_ref *refs,
                                 size_t ref_count, const struct column_strands *strands,
                                 unsigned char *planes, unsigned char *bits);

/*
 * Read a column's head from untrusted bytes. Returns the bytes that the whole column takes. 0: this
 * is not a column of `count` values of `size` bytes within `have` bytes.
 */
size_t column_check(const unsigned char *bytes, size_t have, uint32_t count,
                    struct column_head *head);

#define COLUMN_ROWS 128u /* values that are read together: a multiple of 4 */

/* A column that passed column_check() and is being read, in place, from its first value on. */
struct column {
    struct column_head head;
    const unsigned char *places, *outliers;
    const unsigned char *values; /* planes, or bits */
    uint32_t count;
    uint32_t strand; /* the next one that begins */
    uint64_t base, scale;
    uint64_t more;   /* what is added to each value: the base, unless they are differences */
    uint64_t before; /* when they are differences, the value before the next one */
    uint64_t table[COLUMN_TABLE_MAX];
};

/* True: the column has no values of its own. */
static inline bool column_is_empty(const struct column_head *head)
{
    return head->width == 0 && head->bits == 0 && head->outliers == 0;
}

void column_open(struct column *column, const unsigned char *bytes, const struct column_head *head,
                 uint32_t count);

/* Read the values [begin, end), before field column_head.ref is added to them. At most COLUMN_ROWS
 * at once, and each call goes on where the one before ended. */
void column_read(struct column *column, uint32_t begin, uint32_t end,
                 const struct column_strands *strands, uint64_t *values);

#endif
