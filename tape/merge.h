/*
 * merge.h - several streams as one, ordered by (key, rank of the track's name): a heap.
 *
 * Forward, the lowest key is on top, and a stream's key is the ts of its next tick; a control frame
 * comes at once (frame_merge_ts()). In reverse, the highest is on top, and a key is the maximum of
 * ts up to the stream's next frame: that makes it the exact reverse even where time goes back
 * inside a track (maxima.h). While a stream's next frame is not known, its key is a bound: the
 * frame cannot come before that. Pure; nothing is allocated.
 */
#ifndef TDK_TAPE_MERGE_H
#define TDK_TAPE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* Keys lie side by side, because a merge tick by tick compares little else. */
struct merge_entry {
    uint64_t key;
    unsigned rank;
    struct stream *stream; /* borrowed */
};

struct merge {
    struct merge_entry *heap; /* the caller's: room for all streams */
    size_t count;
    bool reverse;
};

void merge_add(struct merge *merge, struct stream *stream, unsigned rank, uint64_t key);
void merge_drop(struct merge *merge); /* the stream on top is at its end */

/* The stream on top has another key now. */
void merge_move(struct merge *merge, uint64_t key);

/* All streams have other keys now: keys[rank]. */
void merge_renew(struct merge *merge, const uint64_t *keys);

static inline bool merge_before(const struct merge *merge, const struct merge_entry *a,
                                const struct merge_entry *b)
{
    if (a->key != b->key)
        return (a->key < b->key) != merge->reverse;
    return (a->rank < b->rank) != merge->reverse;
}

/* The stream that is next after the one on top. NULL: there is no other. */
static inline const struct merge_entry *merge_second(const struct merge *merge)
{
    const struct merge_entry *heap = merge->heap;
    if (merge->count < 2)
        return NULL;
    return merge->count == 2 || merge_before(merge, &heap[1], &heap[2]) ? &heap[1] : &heap[2];
}

#endif
