/*
 * pack_write.h - a block that is being packed, shared by the files that pack it.
 *
 *   pack_write.c        which frames go by columns, and in what order; the outline; other forms
 *   pack_write_group.c  the frames in that order become groups
 */
#ifndef TDK_TAPE_PACK_WRITE_H
#define TDK_TAPE_PACK_WRITE_H

#include <zstd.h>

#include "base/scratch.h"
#include "tape/column.h"
#include "tape/pack.h"

enum { PACK_SHAPES_MAX = 256 };

/* Frames that may share a class. */
struct shape {
    struct pack_class class;
    uint32_t count;
    uint8_t number; /* as a class; see PACK_WHOLE, PACK_CLASSES */
};

struct packer {
    ZSTD_CCtx *zstd;
    int level;
    bool may_have_bits;

    const struct block_view *view; /* of the block that is being packed; borrowed */
    uint32_t frames;
    struct shape shapes[PACK_SHAPES_MAX];
    size_t shape_count;
    struct pack_class classes[PACK_CLASSES_MAX];
    uint32_t class_count;
    uint32_t offsets[PACK_FRAMES_MAX]; /* by place in the block */
    uint8_t shape_of[PACK_FRAMES_MAX];
    uint64_t stamps[PACK_FRAMES_MAX];
    uint64_t order[PACK_FRAMES_MAX],
        spare[PACK_FRAMES_MAX]; /* class u8, instrument u32, place u16 */

    struct pack_group groups[PACK_GROUPS_MAX];
    uint32_t group_count, strand_count;
    unsigned char *strands; /* varints */
    size_t strands_size;
    unsigned char *packed; /* all groups */
    size_t packed_size, packed_room;
    struct scratch raw, bits; /* one group; the same, its columns in bits */
    bool has_bits;            /* one of the groups has columns in bits */

    struct column_scratch scratch;
    uint16_t starts[COLUMN_TICKS_MAX];
    uint64_t values[PACK_FIELDS_MAX][COLUMN_TICKS_MAX];
};

/* Class, instrument and place in one number, so that sorting the numbers sorts the frames. */
#define ORDER(class, instrument, place)                                                            \
    ((uint64_t)(class) << 48 | (uint64_t)(instrument) << 16 | (uint64_t)(place))
#define ORDER_STRAND(order) ((order) >> 16)
#define ORDER_CLASS(order)  ((uint8_t)((order) >> 48))
#define ORDER_ID(order)     ((uint32_t)((order) >> 16))
#define ORDER_PLACE(order)  ((uint16_t)(order))

/* The i-th frame in order. */
static inline const struct tdk_frame *packer_frame(const struct packer *p, uint32_t i)
{
    return (const void *)(p->view->frames + p->offsets[ORDER_PLACE(p->order[i])]);
}

/* Where the strand ends that begins at `begin`. */
static inline uint32_t packer_strand_end(const struct packer *p, uint32_t begin)
{
    uint32_t i = begin + 1;
    while (i < p->frames && ORDER_STRAND(p->order[i]) == ORDER_STRAND(p->order[begin]))
        i++;
    return i;
}

/* Write p->groups and p->packed. False: they would be too many, or there is no memory. */
bool packer_write_groups(struct packer *p);

#endif
