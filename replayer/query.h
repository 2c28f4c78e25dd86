/*
 * query.h - streams: a range of the tape goes to one connection, as fast as that allows.
 *
 *   query -> OPENING -> RUNNING: fill (on the pool) -> send -> fill ... -> end
 *
 * A stream has several batches: while some are on their way, the next is read. It reads no further
 * than its client has granted, and than there is memory for (outstanding.h, for all streams
 * together). Damage is told at its place between the data, and the stream goes on behind it. The
 * loop's thread.
 */
#ifndef TDK_REPLAYER_QUERY_H
#define TDK_REPLAYER_QUERY_H

#include "daemon/server.h"

struct replayer;

extern const struct method query_methods[]; /* query, credit, cancel */

/* The connection has ended: end its streams. */
void query_gone(struct replayer *replayer, struct connection *connection);

/* To be called now and then: sends a sign of life on streams that have been silent. */
void query_tend(struct replayer *replayer);

/* End all streams with ECANCELED. */
void query_stop(struct replayer *replayer);

#endif
