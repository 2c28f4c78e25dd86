/*
 * stream_ahead.h - the blocks that a stream will need next, read by a scout where it scans.
 */
#ifndef TDK_TAPE_STREAM_AHEAD_H
#define TDK_TAPE_STREAM_AHEAD_H

#include "tape/stream.h"

/* The stream has a scout, and in its sieve from here on the slice in which the scout read its next
 * block; false: it did not, and there is none. */
bool stream_meet(struct stream *stream);

/* A block of a scan is about to be read: those behind it are, too. */
void stream_go_ahead(struct stream *stream);

#endif
