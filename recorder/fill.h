/*
 * fill.h - put frames from one inlet's ring into blocks of a write.
 *
 * This is the one place where a ring's frames become a tape's. Frames that are on the tape already
 * are passed over; a hole becomes a LOSS frame; an EPOCH frame ends one block and begins the next;
 * the rest is copied in runs. Nothing waits and nothing allocates. The loop's thread.
 */
#ifndef TDK_RECORDER_FILL_H
#define TDK_RECORDER_FILL_H

#include "recorder/filler.h"

enum fill_stop {
    FILL_DRY,  /* all of the ring was taken */
    FILL_FULL, /* the write has no room for more of it */
};

/* Take as much of the inlet as the write has room for, at most a ring's capacity. An inlet that
 * breaks the rules is quarantined on the way; what came before that is kept. */
enum fill_stop fill_inlet(struct filler *filler, struct inlet *inlet);

/* Tell the loss at the end of an inlet that has run dry, if it is known. False: there is no room.
 */
bool fill_end(struct filler *filler, struct inlet *inlet);

/* Put a control frame of our own (CLOCK, MARK) into the track, unless nothing of this ring is on
 * the tape. ts 0: that of the last tick. False: there is no room. */
bool fill_control(struct filler *filler, struct inlet *inlet, uint8_t type, uint64_t ts,
                  const void *payload, uint32_t size);

#endif
