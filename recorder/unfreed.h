/*
 * unfreed.h - what was deleted, and the disk does not have back yet.
 *
 * A file that is deleted keeps its room as long as somebody has it open, and some file systems
 * give it back later anyway. Who deletes by what is free and looks again too soon would delete on
 * and on, to no avail.
 *
 * What is free and what the segments take make a sum. A deletion leaves it as it is; what it was
 * lowered by was not freed, and comes back when the sum does. Others who write to the disk lower it
 * too: so no more is waited for than a deletion lowered it by at once, and only for a while. Pure.
 */
#ifndef TDK_RECORDER_UNFREED_H
#define TDK_RECORDER_UNFREED_H

#include <stdint.h>

#include "base/clock.h"

#define UNFREED_PATIENCE_NS (300 * NS_PER_S)

struct unfreed {
    uint64_t sum;      /* before the first of them was deleted */
    uint64_t bytes;    /* that were not free when they were; 0: nothing is waited for */
    uint64_t since_ns; /* of the first; monotonic */
};

/* So many bytes were deleted: the sum before and right after. */
void unfreed_add(struct unfreed *unfreed, uint64_t deleted, uint64_t before, uint64_t after,
                 uint64_t now_ns);

/* How many of them are not free yet, by the sum of now; 0 also when they were waited for long
 * enough. */
uint64_t unfreed_bytes(struct unfreed *unfreed, uint64_t sum, uint64_t patience_ns,
                       uint64_t now_ns);

#endif
