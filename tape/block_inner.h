/*
 * block_inner.h - what block.c, block_run.c and block_keep.c share: the tail of a block that is
 * being filled.
 *
 * block.c has the rules for one frame and everything that is not about runs. block_run.c copies
 * runs from rings and takes the ticks that need no second look.
 */
#ifndef TDK_TAPE_BLOCK_INNER_H
#define TDK_TAPE_BLOCK_INNER_H

#include "base/bytes.h"
#include "tape/block.h"

#define HEAD_SIZE sizeof(struct tdk_frame)
#define PIECE_MAX ((size_t)16 << 10) /* examined and summed while in the first-level cache */

static inline unsigned char *frames_of(const struct block *block)
{
    return block->bytes + sizeof(struct block_head);
}

/* Where the next frame goes, and how much memory is left there. */
static inline unsigned char *tail_of(const struct block *block)
{
    return frames_of(block) + block->used;
}

static inline size_t tail_room(const struct block *block)
{
    return block->room - sizeof(struct block_head) - block->used;
}

/* Zero the bytes after a payload whose size is not a multiple of 8. */
static inline void zero_padding(unsigned char *payload, uint32_t size)
{
    if (size % 8 == 0)
        return;
    unsigned char *last = payload + size / 8 * 8;
    store_u64(last, load_u64(last) & ((UINT64_C(1) << 8 * (size % 8)) - 1));
}

/* Sum the chunks that are full: they are still in the first-level cache, and nothing changes them
 * any more. */
void block_sum_chunks(struct block *block);

/* A frame of this span stands at the tail: count it as part of the block. */
void block_note_span(struct block *block, size_t span);

/* Extend the block's bounds to the time that a LOSS frame spans. */
void block_note_loss(struct block *block, const struct tdk_loss *loss);

/* A whole tick stands at the tail, its seq and size checked: make it part of the block. */
enum block_stop block_take_tick(struct block *block, struct tdk_frame *frame, size_t span);

#endif
