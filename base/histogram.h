/*
 * histogram.h - how often which value: exact below 64, within 1.6 % above, for any u64.
 *
 * A bucket's width is a 64th of its power of two, as in HdrHistogram; adding is a few instructions
 * and never allocates. The caller's memory (30 KiB). One writer at a time; all zeros is empty.
 */
#ifndef TDK_BASE_HISTOGRAM_H
#define TDK_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6u
#define HISTOGRAM_BUCKETS  ((65u - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count, min, max; /* min: meaningless while count is 0 */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest value that at least this share of all values do not exceed, rounded up to its
 * bucket's end but never above the largest; parts per million: p99.9 is 999000. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t parts_per_million);

#endif
