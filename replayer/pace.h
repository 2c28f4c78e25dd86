/*
 * pace.h - when a tick is due: maps the tape's time to the monotonic clock.
 *
 * One anchor says which place of the tape is played at which moment. Every other due time is
 * computed from it, in 128 bits, so that even a play of a whole day does not drift. The anchor
 * moves only when the player says so: for a pause, a seek, another speed, a slow consumer, or an
 * idle stretch cut short. Pure arithmetic: it reads no clock and allocates nothing. One owner at a
 * time.
 */
#ifndef TDK_REPLAYER_PACE_H
#define TDK_REPLAYER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/quantity.h"

struct pace {
    struct speed speed;
    uint64_t max_idle_ns; /* the longest wait; 0: waits keep their length */
    bool paused;
    uint64_t paused_ns; /* when the pause began */
    /* The anchor: tick `anchor_tick`, stamped `anchor_ts`, is due at `anchor_ns`. */
    uint64_t anchor_ts, anchor_tick, anchor_ns;
    uint64_t last_due_ns; /* of the tick before: idle stretches are measured from it */
};

/* Idle stretches are cut only when the speed is a multiple of the tape's own. The numerator and
 * denominator of a speed other than max must not be 0. */
void pace_init(struct pace *pace, const struct speed *speed, uint64_t max_idle_ns);

/* Set the anchor: tick number `tick` (from 0), stamped `ts`, is due at `now_ns`. Call it before the
 * first tick, and after a jump. */
void pace_anchor(struct pace *pace, uint64_t ts, uint64_t tick, uint64_t now_ns);

/* When this tick is due, on the clock of the anchor; UINT64_MAX: never. A tick whose time went back
 * is due at once. Call it once for each tick, in order. */
uint64_t pace_due(struct pace *pace, uint64_t ts, uint64_t tick);

/* The tape stood still for `stall_ns` (a consumer was slow): everything is due that much later. */
void pace_shift(struct pace *pace, uint64_t stall_ns);

void pace_pause(struct pace *pace, uint64_t now_ns);
void pace_resume(struct pace *pace, uint64_t now_ns);

/* Play at another speed from now on. `ts` and `tick` are the next tick's. Tape time that has been
 * reached stays reached. */
void pace_speed(struct pace *pace, const struct speed *speed, uint64_t ts, uint64_t tick,
                uint64_t now_ns);

#endif
