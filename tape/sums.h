/*
 * sums.h - the checksums of a block's frames, one for each BLOCK_CHUNK bytes.
 *
 * With them a reader checks what it takes of a block without reading the rest. They lie behind the
 * directory (format.h), under head.tail_crc. Pure; any thread.
 */
#ifndef TDK_TAPE_SUMS_H
#define TDK_TAPE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tape/format.h"

/* Bytes of the sums of so many bytes of frames, with their padding. */
static inline size_t sums_size(size_t frames_size)
{
    return align_up((frames_size + BLOCK_CHUNK - 1) / BLOCK_CHUNK * sizeof(uint32_t), 8);
}

/* Are these `size` bytes, which begin at chunk `first` of a block's frames, what they were? They
 * end with a whole chunk or with the frames. `sums` are all of the block's, already under its
 * tail_crc. */
bool sums_check(const void *bytes, size_t size, size_t first, const void *sums);

#endif
