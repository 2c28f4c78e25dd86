/*
 * live.h - what comes behind the end of a cursor: the tape as it grows, and the rings it is
 * recorded from.
 *
 * Each track is followed on the tape until what was told meets what its live ring still holds
 * (tail.h), then in that ring, within microseconds of its producer; back on the tape when the ring
 * has lapped us, is gone, or cannot be mapped. Each tick comes exactly once, in the order of its
 * track, whatever becomes of recorder and producer meanwhile. Tracks are merged by ts as far as
 * they have come. New tracks of the tape join in, unless tracks were asked for by name. What was
 * not told yet is kept from being deleted, and what was told is not.
 *
 * One thread at a time. Memory: a cursor's, and 1 MiB a tapped ring.
 */
#ifndef TDK_REPLAYER_LIVE_H
#define TDK_REPLAYER_LIVE_H

#include "tapedeck/tape.h"

struct live;

/* Behind `history`, a cursor of this tape and query at its end (or a reverse one, wherever it is).
 * It is not needed any more then: open, it would keep segments from being deleted. Tape and the
 * query's lists are borrowed until close. `limit`: ticks to tell; 0: no end. */
int live_open(struct live **live, struct tdk_tape *tape, const struct tdk_query *query,
              uint64_t limit, const struct tdk_cursor *history, struct tdk_err *err);
void live_close(struct live *live); /* NULL is fine */

/* 1: *run, borrowed until the next call. 0: nothing new now. TDK_ECORRUPT: a part of the tape could
 * not be read (told once), the next call goes on. */
int live_read(struct live *live, struct tdk_run *run, struct tdk_err *err);

/* Nothing was new: wait a little, less if something was new just before. */
void live_wait(struct live *live);

/* Each track is live, or at the tape's end without a ring to go on in: history ends here. */
bool live_is_caught(const struct live *live);

/* As many ticks as were asked for have been told. */
bool live_is_done(const struct live *live);

#endif
