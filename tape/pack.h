/*
 * pack.h - a block by columns: the form that blocks have in a packed segment.
 *
 * The frames are put in order of shape and instrument, and each of their fields becomes a column
 * (column.h). Their times stay in the order of the block (stamps.h). Some hundreds to some
 * thousands of ticks make a group. A group is compressed, or stored in bits, and has a checksum of
 * its own, so that one instrument's ticks can be read without the others'. Frames of a shape that
 * does not pay off are kept whole. What comes out of pack_all() is what went in, byte for byte.
 *
 *   struct pack_head      \
 *   struct pack_class x     | the outline: under block_head.entries_crc; it says
 *   struct pack_group x     | how many ticks each instrument has
 *   strands                /  class u8, instrument, count (varints: 7 bits a byte, low ones first)
 *   stamps                    under pack_head.stamps_crc
 *   groups                    each under its own crc
 *
 * A strand is the frames of one shape and one instrument. Strands are in order of class and
 * instrument. Groups follow each other through the strands, and a group is of one class. A class's
 * number is its place among struct pack_class plus PACK_CLASSES; below are the two classes whose
 * frames are kept whole. Pure but for malloc; one thread at a time.
 */
#ifndef TDK_TAPE_PACK_H
#define TDK_TAPE_PACK_H

#include <stdbool.h>

#include "tape/block.h"

#define PACK_FRAMES_MAX  65536u
#define PACK_CLASSES_MAX 64u
#define PACK_GROUPS_MAX  1024u
#define PACK_SIZE_MAX    1024u /* of a payload that is stored by columns */
#define PACK_FIELDS_MAX  160u

enum { PACK_CONTROL = 0, PACK_WHOLE = 1, PACK_CLASSES = 2 };

struct pack_head {
    uint32_t outline_size; /* including this head; a multiple of 8 */
    uint32_t stamps_size;  /* a multiple of 8 */
    uint32_t stamps_crc;
    uint32_t frames;
    uint32_t uniform; /* as in struct directory_head */
    uint32_t strands;
    uint32_t groups;
    uint32_t classes;
};
struct pack_class {
    uint32_t size; /* of the payload */
    uint8_t type;
    uint8_t rtype; /* of a record */
    uint8_t record;
    uint8_t zero;
};
struct pack_group {
    uint32_t count;       /* frames, at most COLUMN_TICKS_MAX */
    uint32_t stored, raw; /* bytes as stored (a zstd frame), and unpacked; equal: not compressed */
    uint32_t crc;
};
static_assert(sizeof(struct pack_head) == 32 && sizeof(struct pack_class) == 8 &&
                  sizeof(struct pack_group) == 16,
              "on disk");

/* ---- what fields a class has (pack_layout.c) ---- */

struct pack_field {
    uint16_t offset; /* in the frame */
    uint8_t size;    /* 1, 2, 4, 8 */
    bool is_known;   /* the instrument of a record: the strand gives it */
};
/* The first two are stored elsewhere. They are here so that they can be subtracted from others. */
enum { PACK_FIELD_TS = 0, PACK_FIELD_SEQ = 1, PACK_FIELD_FLAGS = 2 };

struct pack_layout {
    unsigned count;
    struct pack_field fields[PACK_FIELDS_MAX];
};
void pack_layout(const struct pack_class *class, struct pack_layout *layout);

/* ---- packing (pack_write.c, pack_write_group.c; what they share: pack_write.h) ---- */

struct packer;

/* All forms: groups are compressed, or have columns in bits where that is about as small
 * (BLOCK_BITS). Or only compressed ones. */
enum pack_forms { PACK_ALL_FORMS, PACK_COMPRESSED };

/* `level`: of zstd. NULL: no memory. */
struct packer *packer_open(int level, enum pack_forms forms);
void packer_close(struct packer *packer); /* NULL is fine */

/*
 * Pack a raw, sealed block in whatever way makes it smallest. Head (stored_size, codec, checksums
 * of the contents; block_finish() does the rest) and contents go into `out`, which has at least the
 * raw block's size. Returns head + stored bytes, a multiple of 8; never more than the raw block
 * has.
 */
size_t packer_pack(struct packer *packer, const struct block_view *view, size_t raw_size,
                   unsigned char *out);

/* ---- unpacking (pack_read.c, pack_parts.c; what they share: pack_inner.h) ---- */

struct pack; /* one packed block that is being read; reused for the next */

/* NULL: no memory. PACK_IN_PARTS is for a caller that needs little of each block: memory that this
 * does not need is not touched, because the first touch of a page costs more than all that is done
 * in it. Either kind can do both. */
enum pack_use { PACK_WHOLE_BLOCKS, PACK_IN_PARTS };
struct pack *pack_open(enum pack_use use);
void pack_close(struct pack *pack);
bool pack_is_for(const struct pack *pack, enum pack_use use);

/* The outline's size, from the first sizeof(struct pack_head) stored bytes; 0: this cannot be an
 * outline. */
size_t pack_outline_size(const struct block_head *head, const void *stored);

/*
 * Begin with a block whose outline is at `stored` and whose head is checked. *view shows the
 * directory's entries. `buffer` has frames_size + directory_size bytes, 8-aligned, for the whole
 * block; NULL: the pack's own memory is used, for parts of it. TDK_ECORRUPT, -ENOMEM.
 */
int pack_begin(struct pack *pack, const struct block_head *head, const unsigned char *stored,
               unsigned char *buffer, struct block_view *view, struct tdk_err *err);

/* Unpack everything into the buffer, from all stored bytes; then the whole view is there.
 * *is_right: the way the frames were made ensures that they are ticks of one span and of this
 * track, whole, each seq that the head claims once. If it is false, none of that was checked. */
int pack_all(struct pack *pack, bool *is_right, struct tdk_err *err);

/* How many stored bytes come before the groups: the outline and the times. */
size_t pack_front_size(const struct pack *pack);

/* True: it can be read in parts. */
bool pack_has_parts(const struct pack *pack);

/* Called when stored bytes [at, at + size) are needed. */
typedef int pack_need_cb(void *context, size_t at, size_t size, struct tdk_err *err);

/*
 * For a block that has parts: unpack the ticks of these instruments, in their order, side by side
 * in the pack's own memory. They replace those of the call before. *picked shows them until the
 * next call.
 */
struct picks;
struct pack_picked {
    const unsigned char *frames;
    uint32_t ticks;
};
int pack_pick(struct pack *pack, const struct picks *picks, pack_need_cb *need, void *context,
              struct pack_picked *picked, struct tdk_err *err);

#endif
