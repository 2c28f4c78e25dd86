/*
 * canary.h - the payload of a canary's tick: its recorder is recording, and when the next such tick
 * is due.
 *
 * Each period one frame of type CANARY_TYPE is published on the track TDK_CANARY_TRACK; its ts is
 * when it was published. docs/tape-format.md is the promise.
 */
#ifndef TDK_TAPE_CANARY_H
#define TDK_TAPE_CANARY_H

#include <stdint.h>

#include "tapedeck/tick.h"

#define CANARY_TYPE TDK_TYPE_OPAQUE

struct canary_tick {
    uint64_t period_ns; /* until the next tick; 0: none will come, the recorder stops in order */
};

#endif
