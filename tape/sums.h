/*
 * sums.h - the checksums of a block's frames, one for each BLOCK_CHUNK bytes.
 *
 * With them a reader checks the parts of a block that it takes, without reading the rest. They lie
 * after the directory (format.h), under head.tail_crc. Pure; any thread.
 */
#ifndef TDK_TAPE_SUMS_H
#define TDK_TAPE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tape/format.h"

/* The size of the sums of `frames_size` bytes of frames, including padding. */
static inline size_t sums_size(size_t frames_size)
{
    return align_up((frames_size + BLOCK_CHUNK - 1) / BLOCK_CHUNK * sizeof(uint32_t), 8);
}

/* Are these `size` bytes unchanged? They begin at chunk `first` of a block's frames, and end with a
 * whole chunk or with the frames. `sums` are all those of the block, checked by its tail_crc
 * before. */
bool sums_check(const void *bytes, size_t size, size_t first, const void *sums);

#endif
