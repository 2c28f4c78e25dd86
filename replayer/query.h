/*
 * query.h - streams: a range of the tape to one connection, as fast as it grants and takes.
 *
 *   query -> OPENING -> RUNNING: fill (on the pool) -> send -> fill ... -> end
 *
 * A stream has several batches: while some are on their way, the next is read. It reads no further
 * than its client has granted, and than there is memory for: `outstanding` of all streams together.
 * Damage is told in its place between the data, and what lies behind it goes on. The loop's thread.
 */
#ifndef TDK_REPLAYER_QUERY_H
#define TDK_REPLAYER_QUERY_H

#include "daemon/server.h"

struct replayer;

extern const struct method query_methods[]; /* query, credit, cancel */

/* The connection ends: its streams do, too. */
void query_gone(struct replayer *replayer, struct connection *connection);

/* Now and then: a sign of life on streams that say nothing. */
void query_tend(struct replayer *replayer);

/* All streams end: ECANCELED. */
void query_stop(struct replayer *replayer);

#endif
