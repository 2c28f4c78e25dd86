/*
 * fill.h - frames from one inlet's ring into blocks of a write.
 *
 * The one place where a ring's frames become a tape's: what is already there is passed over, a hole
 * becomes a LOSS frame, an EPOCH frame ends one block and begins the next, the rest is copied in
 * runs. Nothing waits and nothing allocates. The loop's thread.
 */
#ifndef TDK_RECORDER_FILL_H
#define TDK_RECORDER_FILL_H

#include "recorder/filler.h"

enum fill_stop {
    FILL_DRY,  /* all of the ring is taken */
    FILL_FULL, /* the write takes no more of it */
};

/* As much of the inlet as goes in, at most a ring's capacity. An inlet that breaks the rules is
 * quarantined on the way; what was good before that is kept. */
enum fill_stop fill_inlet(struct filler *filler, struct inlet *inlet);

/* The loss at the end of an inlet that has run dry, if it is known. False: no room for it. */
bool fill_end(struct filler *filler, struct inlet *inlet);

/* A control frame of our own (CLOCK, MARK) into the track; ts 0: that of its last tick. False: no
 * room. A ring of which nothing is on this tape gets none. */
bool fill_control(struct filler *filler, struct inlet *inlet, uint8_t type, uint64_t ts,
                  const void *payload, uint32_t size);

#endif
