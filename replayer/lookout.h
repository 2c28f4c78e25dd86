/*
 * lookout.h - how fresh is the tape? The recorder's canary tells.
 *
 * It looks for the newest tick of the track TDK_CANARY_TRACK as any query would, in the queue with
 * the other reads: the age of that tick is the time from a ring to an answer. It looks four times a
 * second while there is a canary, and seldom otherwise. The loop's thread, except for the reading.
 */
#ifndef TDK_REPLAYER_LOOKOUT_H
#define TDK_REPLAYER_LOOKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "replayer/jobs.h"
#include "tapedeck/tape.h"

struct replayer;

struct lookout {
    struct job job;
    struct replayer *replayer; /* borrowed */
    bool is_looking;
    uint64_t due_ns; /* monotonic */
    uint64_t seen;   /* ts of the newest tick; 0: none */
    bool expects;    /* that tick said that there would be a next one */

    /* what the job found */
    uint64_t found;
    bool found_expects;
};

void lookout_init(struct lookout *lookout, struct replayer *replayer);
void lookout_tend(struct lookout *lookout, uint64_t now_ns);

/* ns since the newest tick was published, by the wall clock. 0: no next one is expected. */
uint64_t lookout_age(const struct lookout *lookout, uint64_t wall_ns);

#endif
