/*
 * recorded.h - is a ring one that a recorder reads? Then it is no ring to play into.
 *
 * A recorder that finds a replay in its ring believes nothing more that is in it, and leaves it
 * alone (quarantine): a play into it would end the recording of its feed. Asked are the counters
 * pages of the recorders that live. Any thread.
 */
#ifndef TDK_REPLAYER_RECORDED_H
#define TDK_REPLAYER_RECORDED_H

#include "tapedeck/err.h"

/* TDK_EBUSY: err says by whom. A page that cannot be read tells nothing: 0. */
int recorded_check(const char *ring, struct tdk_err *err);

#endif
