/*
 * canary.h - what a canary's tick says: that its recorder records, and until when it is believed.
 *
 * One frame of type CANARY_TYPE on the track TDK_CANARY_TRACK each period; its ts is when it was
 * published. docs/tape-format.md is the promise.
 */
#ifndef TDK_TAPE_CANARY_H
#define TDK_TAPE_CANARY_H

#include <stdint.h>

#include "tapedeck/tick.h"

#define CANARY_TYPE TDK_TYPE_OPAQUE

struct canary_tick {
    uint64_t period_ns; /* until the next; 0: none will come, the recorder stops in order */
};

#endif
