/*
 * live.h - what comes after the end of a cursor: the tape as it grows, and the rings that it is
 * recorded from.
 *
 * Each track is followed on the tape until that meets what its live ring still holds (tail.h). From
 * then on it is followed in the ring, within microseconds of its producer. It goes back to the tape
 * when the ring has lapped us, is gone, or cannot be mapped. Each tick comes exactly once, in the
 * order of its track, whatever happens to recorder and producer meanwhile. Tracks are merged by ts
 * as far as they have come. New tracks of the tape join in, unless tracks were asked for by name.
 * Segments that were not told yet cannot be deleted meanwhile; those that were told can.
 *
 * One thread at a time. Memory: a cursor's, and 1 MiB for each ring that is tapped.
 */
#ifndef TDK_REPLAYER_LIVE_H
#define TDK_REPLAYER_LIVE_H

#include "tapedeck/tape.h"

struct live;

/* Go on behind `history`: a cursor of this tape and query that is at its end, or one in reverse,
 * wherever it is. Close that cursor then, because it keeps segments from being deleted. The tape
 * and the query's lists are borrowed until close. `limit`: how many ticks to tell; 0: no end. */
int live_open(struct live **live, struct tdk_tape *tape, const struct tdk_query *query,
              uint64_t limit, const struct tdk_cursor *history, struct tdk_err *err);
void live_close(struct live *live); /* NULL is fine */

/* 1: *run is next, borrowed until the next call. 0: there is nothing new now. TDK_ECORRUPT: a part
 * of the tape cannot be read (this is told once); the next call goes on. */
int live_read(struct live *live, struct tdk_run *run, struct tdk_err *err);

/* Wait a little, because there was nothing new; less long if something was new just before. */
void live_wait(struct live *live);

/* Has history ended? Each track is live, or at the end of the tape without a ring to go on in. */
bool live_is_caught(const struct live *live);

/* Were all ticks told that `limit` allows? */
bool live_is_done(const struct live *live);

#endif
