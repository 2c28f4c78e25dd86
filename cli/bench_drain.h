/*
 * bench_drain.h - what a recorder does to ticks, without a disk.
 *
 * Ticks go into a ring, 64 KiB at a time, and from there into blocks as on their way to a tape:
 * copied, checked, summed, sealed. Only the second half is timed. It runs on the processor that has
 * just published, so what it reads is in that processor's caches.
 */
#ifndef TDK_CLI_BENCH_DRAIN_H
#define TDK_CLI_BENCH_DRAIN_H

#include "cli/bench_feeds.h"

/* Drain all ticks of the feeds' first ring, which exists and is used by nobody. -ECANCELED;
 * TDK_EHOLE, TDK_ECORRUPT: what came out is not what went in. */
int bench_drain(const struct bench_feeds *feeds, uint64_t *elapsed_ns, struct tdk_err *err);

/* CRC-32C of a piece. One way sums each KiB of it, as blocks do, as fast as possible. The other
 * sums all of it, as three streams of the processor's instruction. */
typedef void bench_sum(const void *bytes, size_t size);
bench_sum bench_sum_chunks, bench_sum_three_ways;

/* The minimum: copy as many bytes from a piece of 64 KiB to where blocks are kept, and sum them
 * there. */
int bench_copy_alone(uint64_t bytes, bench_sum *sum, uint64_t *elapsed_ns, struct tdk_err *err);

#endif
