/*
 * belief.h - what time it is, as far as the host's clock can be believed.
 *
 * Retention deletes by age, and what is deleted is gone. A clock that is wrong for a few seconds
 * must not make a tape old. So a clock that is suddenly far ahead is not followed until it has
 * stayed there for a while: meanwhile the time goes on from where it was. A clock that goes back is
 * followed at once, because then less is old. Pure.
 */
#ifndef TDK_RECORDER_BELIEF_H
#define TDK_RECORDER_BELIEF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define BELIEF_AHEAD_NS (3600 * NS_PER_S) /* so far ahead is far */
#define BELIEF_AFTER_NS (3600 * NS_PER_S) /* so long it must have stayed there */

struct belief {
    uint64_t wall_ns, mono_ns; /* when the clock was believed last, and what it said */
    uint64_t since_ns;         /* monotonic: since when it is not; 0: it is */
};

/* `wall_ns`: some earlier time that is believed. */
void belief_init(struct belief *belief, uint64_t wall_ns, uint64_t mono_ns);

/* What time it is, if the host's clock says `wall_ns`. */
uint64_t belief_time(struct belief *belief, uint64_t wall_ns, uint64_t mono_ns);

/* Is the clock ahead, and not followed yet? */
bool belief_is_doubt(const struct belief *belief);

#endif
