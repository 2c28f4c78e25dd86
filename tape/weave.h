/*
 * weave.h - ticks of several streams, copied out in their order, many at a time.
 *
 * Where tracks take turns tick by tick a run has one tick or two, and what is done once a run - the
 * heap, its limits, the caller's bookkeeping - is done once a tick. A weave has the next ticks of
 * all streams side by side and does nothing but compare and copy. It takes only what is at hand:
 * ticks of loaded blocks, of epochs that a run has told of before. What comes next otherwise (a
 * block to be read, a control frame, an epoch) ends it, and is told by a run as ever: so the order
 * of a merge is that of its runs, whether some of them were woven or not. Forward only. Nothing is
 * allocated; one thread at a time.
 */
#ifndef TDK_TAPE_WEAVE_H
#define TDK_TAPE_WEAVE_H

#include "tape/merge.h"
#include "tape/stream.h"

/* A weave of more would cost more to set up than it saves. */
#define WEAVE_MAX 64u

/* Where ticks are copied to, and what they were. */
struct woven {
    void *bytes; /* whole frames; the caller's */
    size_t room;
    uint64_t limit; /* at most so many ticks */
    size_t size;    /* from here on the answer */
    uint64_t ticks;
    uint64_t turns;   /* how often another stream's tick came next */
    uint64_t last_ts; /* of the last tick whose time is to be believed; 0: none */
};

/* Bytes that a weave would copy at most, up to `max`. 0: what comes next is nothing for a weave.
 * Streams are `count`, by rank. */
size_t weave_size(const struct merge *merge, size_t count, size_t max);

/* weave_size() said that there is something. The heap is in order again behind it. */
void weave_ticks(struct merge *merge, size_t count, struct woven *woven);

#endif
