/*
 * maxima.h - the exact reverse of a merge, even where time goes back inside a track.
 *
 * A merge goes by the heads of its streams. When a tick is earlier than one before it in its track,
 * the merge puts it right after that one: its place is given not by its own ts but by M, the
 * maximum of ts so far in the ticks that its track delivers. In reverse, the merge goes by (M,
 * rank) from the highest down. In a track whose ts never goes back, M is ts. Otherwise one pass
 * over the track beforehand notes M before each block. It uses the index alone, except for blocks
 * of which only a part passes.
 */
#ifndef TDK_TAPE_MAXIMA_H
#define TDK_TAPE_MAXIMA_H

#include "tape/stream.h"

/* True: the ts of what this stream may return never goes back. */
bool stream_is_ordered(const struct stream *stream);

/* Make stream->maxima. The stream must be at its beginning, and is there again afterwards. */
int stream_find_maxima(struct stream *stream, struct tdk_err *err);

/* Is the maximum known for the block that was found? It is not if blocks were packed since. */
bool stream_knows_maximum(const struct stream *stream);

/* Make the maxima anew while the stream stays where it is, because blocks were packed into
 * others. */
int stream_renew_maxima(struct stream *stream, struct tdk_err *err);

/* Put M of each entry of the loaded block's list into stream->keys. */
int stream_key_list(struct stream *stream, struct tdk_err *err);

/* The highest M in the next block, which is not loaded yet. */
uint64_t stream_highest(const struct stream *stream);

#endif
