/*
 * pace.h - when a tick is due: the tape's time against the monotonic clock.
 *
 * One anchor says which place of the tape is played at which moment; every other due time is worked
 * out from it, in 128 bits, so a play of a day drifts by nothing. The anchor moves only when the
 * player says so: a pause, a seek, another speed, a consumer that was slow, an idle stretch cut
 * short. Pure arithmetic: no clock is read, nothing allocated. One owner at a time.
 */
#ifndef TDK_REPLAYER_PACE_H
#define TDK_REPLAYER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/quantity.h"

struct pace {
    struct speed speed;
    uint64_t max_idle_ns; /* no wait is longer; 0: waits are as long as they were */
    bool paused;
    uint64_t paused_ns; /* when */
    /* The anchor: tick `anchor_tick`, stamped `anchor_ts`, is due at `anchor_ns`. */
    uint64_t anchor_ts, anchor_tick, anchor_ns;
    uint64_t last_due_ns; /* of the tick before: what an idle stretch is measured from */
};

/* Idle stretches are cut when the speed is a multiple of the tape's own; the numerator and
 * denominator of a speed other than max are not 0. */
void pace_init(struct pace *pace, const struct speed *speed, uint64_t max_idle_ns);

/* Here we are: tick number `tick` (from 0), stamped `ts`, is due at `now_ns`. Before the first
 * tick, and after a jump. */
void pace_anchor(struct pace *pace, uint64_t ts, uint64_t tick, uint64_t now_ns);

/* When this tick is due, on the clock the anchor was given in; UINT64_MAX: never. A time that went
 * back is due at once. Asked once a tick, in order. */
uint64_t pace_due(struct pace *pace, uint64_t ts, uint64_t tick);

/* The tape stood still for so long (a consumer was slow): everything is due that much later. */
void pace_shift(struct pace *pace, uint64_t stall_ns);

void pace_pause(struct pace *pace, uint64_t now_ns);
void pace_resume(struct pace *pace, uint64_t now_ns);

/* Another speed from now on; `ts` and `tick` are the next one's. A place of the tape that time has
 * already reached stays reached. */
void pace_speed(struct pace *pace, const struct speed *speed, uint64_t ts, uint64_t tick,
                uint64_t now_ns);

#endif
