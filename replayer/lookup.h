/*
 * lookup.h - methods with a single answer: tracks, symbols, count, coverage.
 *
 * Each is read on the pool into the bytes of its result; the loop only sends them. The loop's
 * thread.
 */
#ifndef TDK_REPLAYER_LOOKUP_H
#define TDK_REPLAYER_LOOKUP_H

#include "daemon/server.h"

struct replayer;

extern const struct method lookup_methods[];

/* The connection ends: what is read for it is read no further. */
void lookup_gone(struct replayer *replayer, const struct connection *connection);

/* All of them end: ECANCELED. */
void lookup_stop(struct replayer *replayer);

#endif
