/*
 * canary.h - a tick of the recorder's own now and then, to see how fresh the tape is.
 *
 * It goes the way of every tick: a ring, the pump, a write, a sync, the index. A replayer that
 * looks for it on the tape (replayer/lookout.h) measures all of that at once. Both ends of the ring
 * are ours. It is removed at an orderly end, and made anew if somebody else removes it. The loop's
 * thread.
 */
#ifndef TDK_RECORDER_CANARY_H
#define TDK_RECORDER_CANARY_H

#include "recorder/inlet.h"

struct canary {
    uint64_t period_ns; /* 0: no canary is wanted */
    char name[TDK_NAME_MAX + 1];
    const struct config *config; /* borrowed */
    const struct inlet *inlet;   /* borrowed: the other end */
    struct tdk_ring *ring; /* owned, as its producer; NULL: it was removed and is being made anew */
    uint8_t uuid[16];      /* of that ring */
    bool told;             /* it was reported that the ring cannot be made */
    uint64_t due_ns;       /* monotonic */
};

/* Make the ring, and record it by one of the spare inlets. Does nothing if the period is 0. */
int canary_open(struct canary *canary, const struct config *config, const uint8_t tape_id[16],
                struct inlet *inlets, unsigned count, struct tdk_err *err);

void canary_tend(struct canary *canary, uint64_t now_ns);

/* Put in the last tick, which says that it is the last. Before the pump ends. */
void canary_stop(struct canary *canary);

/* After the inlets are closed. A canary of zeros is fine. `remove`: all of the ring is on the tape,
 * so remove it. */
void canary_close(struct canary *canary, bool remove);

#endif
