/*
 * parquet_delta.h - Parquet's DELTA_BINARY_PACKED: how far each number is from the one before.
 *
 * For times and sequence numbers, which grow in small steps. Blocks of 128 differences in four
 * parts, each with as many bits a difference as its largest above the block's smallest needs. Pure;
 * any thread.
 */
#ifndef TDK_FORMATS_PARQUET_DELTA_H
#define TDK_FORMATS_PARQUET_DELTA_H

#include "base/text_buffer.h"

/* `count` (at least 1) numbers of `width` 4 or 8 bytes to the end of `out`. Differences wrap around
 * in that width, as the format has it. False: it would be longer than `size_max`; `out` is as it
 * was. */
bool parquet_delta(struct text_buffer *out, const void *values, size_t count, size_t width,
                   size_t size_max);

#endif
