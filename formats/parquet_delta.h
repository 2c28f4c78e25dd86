/*
 * parquet_delta.h - Parquet's DELTA_BINARY_PACKED, which stores the difference from each number to
 * the next.
 *
 * It is for times and sequence numbers, which grow in small steps. A block has 128 differences in
 * four parts. In each part a difference takes as many bits as are needed for the part's largest
 * difference above the block's smallest. Pure; any thread.
 */
#ifndef TDK_FORMATS_PARQUET_DELTA_H
#define TDK_FORMATS_PARQUET_DELTA_H

#include "base/text_buffer.h"

/* Add `count` (at least 1) numbers of `width` 4 or 8 bytes to the end of `out`. Differences wrap
 * around in that width, as the format requires. False: it would be longer than `size_max`; `out` is
 * unchanged. */
bool parquet_delta(struct text_buffer *out, const void *values, size_t count, size_t width,
                   size_t size_max);

#endif
