/*
 * lookout.h - is what was published a moment ago on the tape? A recorder's canary tells.
 *
 * Looks for the newest tick of the track TDK_CANARY_TRACK as any query would, in the row with the
 * other reads: its age is the time from a ring to an answer. Four times a second while a canary is
 * there, seldom otherwise. The loop's thread, but for the reading.
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
    uint64_t seen;   /* ts of the newest there is; 0: none */
    bool expects;    /* it said that there would be a next one */

    /* of the job */
    uint64_t found;
    bool found_expects;
};

void lookout_init(struct lookout *lookout, struct replayer *replayer);
void lookout_tend(struct lookout *lookout, uint64_t now_ns);

/* ns since the newest was published, by the wall clock; 0: none is expected. */
uint64_t lookout_age(const struct lookout *lookout, uint64_t wall_ns);

#endif
