/*
 * unfreed.h - bytes that were deleted, but that the disk has not given back yet.
 *
 * A deleted file keeps its room as long as somebody has it open, and some file systems give it back
 * late anyway. A policy that deletes until enough is free, and looks again too soon, would delete
 * on and on for nothing.
 *
 * Take the sum of what is free and what the segments occupy. A deletion does not change it; if the
 * sum is lower afterwards, the difference was not freed, and comes back when the sum does. Others
 * who write to the disk lower the sum, too. So no more is waited for than the sum fell by right at
 * the deletion, and only for a while. Pure.
 */
#ifndef TDK_RECORDER_UNFREED_H
#define TDK_RECORDER_UNFREED_H

#include <stdint.h>

#include "base/clock.h"

#define UNFREED_PATIENCE_NS (300 * NS_PER_S)

struct unfreed {
    uint64_t sum;      /* before the first deletion */
    uint64_t bytes;    /* deleted and not freed at once; 0: nothing is waited for */
    uint64_t since_ns; /* when the first deletion was; monotonic */
};

/* So many bytes were deleted. `before`, `after`: the sum before that and right after it. */
void unfreed_add(struct unfreed *unfreed, uint64_t deleted, uint64_t before, uint64_t after,
                 uint64_t now_ns);

/* How many of them are still not free. `sum`: as it is now. 0 also when `patience_ns` is over. */
uint64_t unfreed_bytes(struct unfreed *unfreed, uint64_t sum, uint64_t patience_ns,
                       uint64_t now_ns);

#endif
