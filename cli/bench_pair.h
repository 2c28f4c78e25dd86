/*
 * bench_pair.h - two processes that start together: one produces, one consumes.
 *
 * The child is the producer, the caller the consumer. Each may be pinned to a processor. What they
 * must know of each other is in a shared page.
 */
#ifndef TDK_CLI_BENCH_PAIR_H
#define TDK_CLI_BENCH_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/err.h"

struct bench_pair {
    int cpus[2];      /* of producer and consumer; -1: not pinned */
    uint32_t ready;   /* how many sides have attached */
    uint64_t gone_ns; /* when both had attached */
    uint32_t failed;  /* one side has given up: the other must not wait for it */
};

/* Parse "0,1": the producer's and the consumer's processor. NULL: neither is pinned. TDK_EVALUE. */
int bench_pair_cpus(const char *text, int cpus[2], struct tdk_err *err);

/* Pin the calling process. If there is no such processor, err says so, and which ones there are. */
int bench_pair_pin(int cpu, struct tdk_err *err);

/* Each side calls this when it has attached. Returns when the other one has attached, too. False:
 * it never will. */
bool bench_pair_meet(struct bench_pair *pair);

/* For whoever waits for the other side, now and then: has it failed, or were we interrupted? */
bool bench_pair_is_over(struct bench_pair *pair);

/* The error of a side that waited in vain for the other. -ECANCELED. */
int bench_pair_say_over(struct tdk_err *err);

typedef int bench_side_cb(struct bench_pair *pair, void *context, struct tdk_err *err);

/* Fork, run both sides, and wait for the child. 0 when both returned 0, else the first failure. The
 * child's error text comes through the shared page. */
int bench_pair_run(const int cpus[2], bench_side_cb *produce, bench_side_cb *consume, void *context,
                   struct tdk_err *err);

#endif
