/*
 * maxima.h - the exact reverse of a merge, also where time goes back inside a track.
 *
 * A merge by the heads of its streams puts a tick that is earlier than one before it in its track
 * right behind that one: its place is not by its own ts but by M, the maximum of ts so far of what
 * its track delivers. Reversed, the merge goes by (M, rank) from the highest down. Where the ts of
 * a track never go back, M is ts. Where they do, one pass over the track beforehand notes M in
 * front of each block: from the index alone, but for blocks of which only a part passes.
 */
#ifndef TDK_TAPE_MAXIMA_H
#define TDK_TAPE_MAXIMA_H

#include "tape/stream.h"

/* The ts of all that this stream may tell never go back. */
bool stream_is_ordered(const struct stream *stream);

/* Make stream->maxima. The stream must be at its beginning, and is again. */
int stream_find_maxima(struct stream *stream, struct tdk_err *err);

/* Is it known of the block that was found? Not when blocks were packed since. */
bool stream_knows_maximum(const struct stream *stream);

/* The same once more, while the stream stays where it is: blocks were packed into others. */
int stream_renew_maxima(struct stream *stream, struct tdk_err *err);

/* The block that was loaded: M of each entry of its list into stream->keys. */
int stream_key_list(struct stream *stream, struct tdk_err *err);

/* The highest M in a block that is not loaded yet. */
uint64_t stream_highest(const struct stream *stream);

#endif
