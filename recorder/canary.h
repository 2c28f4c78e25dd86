/*
 * canary.h - a tick of the recorder's own now and then, to see how fresh the tape is.
 *
 * It goes the way of all ticks: a ring, the pump, a write, a sync, the index. Whoever looks for it
 * on the tape (replayer/lookout.h) so measures all of that at once. The ring is ours, both ends of
 * it; it is removed at an orderly end, and made anew when somebody else removes it. The loop's
 * thread.
 */
#ifndef TDK_RECORDER_CANARY_H
#define TDK_RECORDER_CANARY_H

#include "recorder/inlet.h"

struct canary {
    uint64_t period_ns; /* 0: nobody asked for one */
    char name[TDK_NAME_MAX + 1];
    const struct config *config; /* borrowed */
    const struct inlet *inlet;   /* borrowed: the other end */
    struct tdk_ring *ring;       /* ours, as its producer; NULL: it was removed, and is made anew */
    uint8_t uuid[16];            /* its */
    bool told;                   /* that it cannot be made */
    uint64_t due_ns;             /* monotonic */
};

/* The ring is made, and an inlet of those that are spare takes it. A period of 0: nothing. */
int canary_open(struct canary *canary, const struct config *config, const uint8_t tape_id[16],
                struct inlet *inlets, unsigned count, struct tdk_err *err);

void canary_tend(struct canary *canary, uint64_t now_ns);

/* The last tick, which says so. Before the pump ends. */
void canary_stop(struct canary *canary);

/* When the inlets are closed. Of zeros is fine. `remove`: what was in the ring is on the tape. */
void canary_close(struct canary *canary, bool remove);

#endif
