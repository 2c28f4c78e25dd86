/*
 * intervals.h - the digest of each interval of time in a range, in bounded memory.
 *
 * Ticks come nearly, but not quite, in order of time, and an interval's digest is that of its ticks
 * in the range's order. Some hundred intervals are open at a time. A tick that comes too late, for
 * an interval that is closed, breaks that interval. It is then computed anew in another pass over
 * the same range:
 *
 *     do
 *         for each run: intervals_add(&in, run, &err);
 *     while (intervals_again(&in, &err) > 0);
 *
 * One thread.
 */
#ifndef TDK_CLI_INTERVALS_H
#define TDK_CLI_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/digest.h"
#include "tapedeck/err.h"
#include "tapedeck/tape.h"

#define INTERVALS_OPEN_MAX 256u

struct interval {
    uint64_t number;           /* its first ns / by_ns */
    struct tdk_digest *digest; /* while it is open */
    uint64_t ticks;
    char hex[33]; /* once it is closed */
    bool broken;  /* a tick came after it was closed */
};

struct intervals {
    uint64_t by_ns;
    struct interval *items; /* ascending */
    size_t count, room, open, last;
    bool again; /* this pass is for broken ones only */
};

void intervals_init(struct intervals *intervals, uint64_t by_ns);
void intervals_close(struct intervals *intervals);

/* Add the ticks of a run. -ENOMEM. TDK_EFULL: more intervals than are allowed. */
int intervals_add(struct intervals *intervals, const struct tdk_run *run, struct tdk_err *err);

/* The range is at its end. 1: it must be read once more. 0: all items are complete. -ENOMEM. */
int intervals_again(struct intervals *intervals, struct tdk_err *err);

#endif
