/*
 * merge.h - several streams as one, by (key, rank of the track's name): a heap.
 *
 * Forward the lowest is on top, and a stream's key is the ts of its next frame. Reverse the highest
 * is, and a key is the maximum of ts up to its next frame: what makes it the exact reverse also
 * where time goes back inside a track (maxima.h). Pure; nothing is allocated.
 */
#ifndef TDK_TAPE_MERGE_H
#define TDK_TAPE_MERGE_H

#include "tape/stream.h"

struct merge {
    struct stream **heap; /* borrowed: room for all streams */
    size_t count;
    bool reverse;
};

void merge_add(struct merge *merge, struct stream *stream);
void merge_sink(struct merge *merge); /* the key of the one on top has changed */
void merge_drop(struct merge *merge); /* the one on top is at its end */

/* The one that would be on top without the one that is; NULL: there is no other. */
const struct stream *merge_second(const struct merge *merge);

/* Does a frame with this key, of the stream on top, come before all of `second`? */
static inline bool merge_before(const struct merge *merge, uint64_t key, unsigned rank,
                                const struct stream *second)
{
    if (key != second->key)
        return (key < second->key) != merge->reverse;
    return (rank < second->rank) != merge->reverse;
}

#endif
