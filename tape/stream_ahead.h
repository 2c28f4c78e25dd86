/*
 * stream_ahead.h - where a stream scans, a scout reads the blocks that it will need next.
 */
#ifndef TDK_TAPE_STREAM_AHEAD_H
#define TDK_TAPE_STREAM_AHEAD_H

#include "tape/stream.h"

/* True: the stream has a scout, and its sieve now has the slice in which the scout read the
 * stream's next block. False: the scout did not read it, and the sieve has no slice. */
bool stream_meet(struct stream *stream);

/* Call before a block of a scan is read: the scout is sent for the blocks after it. */
void stream_go_ahead(struct stream *stream);

#endif
