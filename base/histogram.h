/*
 * histogram.h - how often each value occurred: exact below 64, within 1.6 % above, for any u64.
 *
 * A bucket's width is a 64th of its power of two, as in HdrHistogram. Adding takes a few
 * instructions and never allocates. It lives in the caller's memory (30 KiB). One writer at a time.
 * All zeros is an empty one.
 */
#ifndef TDK_BASE_HISTOGRAM_H
#define TDK_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6u
#define HISTOGRAM_BUCKETS  ((65u - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count, min, max; /* min: no meaning while count is 0 */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest value that at least this share of all values does not exceed. It is rounded up to
 * the end of its bucket, but never above the largest value. The share is in parts per million:
 * p99.9 is 999000. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t parts_per_million);

#endif
