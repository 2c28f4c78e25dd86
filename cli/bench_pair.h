/*
 * bench_pair.h - two processes that start together: one puts in, one takes out.
 *
 * The child is the producer, the caller the consumer; each may be pinned to a processor. What both
 * need to know of each other lies in a page they share.
 */
#ifndef TDK_CLI_BENCH_PAIR_H
#define TDK_CLI_BENCH_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/err.h"

struct bench_pair {
    int cpus[2];      /* of producer and consumer; -1: wherever */
    uint32_t ready;   /* sides that have attached */
    uint64_t gone_ns; /* when both had */
    uint32_t failed;  /* one side has given up: the other must not wait for it */
};

/* "0,1": producer's and consumer's processor; NULL: neither is pinned. TDK_EVALUE. */
int bench_pair_cpus(const char *text, int cpus[2], struct tdk_err *err);

/* Pin the calling process; a processor that is not there is told, with what there is. */
int bench_pair_pin(int cpu, struct tdk_err *err);

/* Called by either side when it has attached: returns when the other one has, too. False: it never
 * will. */
bool bench_pair_meet(struct bench_pair *pair);

/* Whoever waits for the other side looks now and then: it has failed, or we were interrupted. */
bool bench_pair_is_over(struct bench_pair *pair);

/* What who waited for the other side says then. -ECANCELED. */
int bench_pair_say_over(struct tdk_err *err);

typedef int bench_side_cb(struct bench_pair *pair, void *context, struct tdk_err *err);

/* Fork; run both sides; wait for the child. 0 when both returned 0, else the first failure: the
 * child's text comes through the shared page. */
int bench_pair_run(const int cpus[2], bench_side_cb *produce, bench_side_cb *consume, void *context,
                   struct tdk_err *err);

#endif
