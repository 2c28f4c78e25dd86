/*
 * weave.h - many ticks of several streams, copied out in their order at once.
 *
 * Where tracks take turns tick by tick, a run has one tick or two. Then what is done once a run
 * (the heap, its limits, the caller's bookkeeping) is done once a tick. A weave looks at the next
 * ticks of all streams side by side, and only compares and copies. It takes only what is at hand:
 * ticks of loaded blocks whose epoch a run has told before. Anything else that comes next (a block
 * to be read, a control frame, an epoch) ends the weave and is told by a run as usual. So the order
 * is the same with a weave as without. Forward only. Nothing is allocated; one thread at a time.
 */
#ifndef TDK_TAPE_WEAVE_H
#define TDK_TAPE_WEAVE_H

#include "tape/merge.h"
#include "tape/stream.h"

/* Most streams of a weave: with more, it costs more to set up than it saves. */
#define WEAVE_MAX 64u

/* Where ticks are copied to, and what was copied. */
struct woven {
    void *bytes; /* whole frames; the caller's */
    size_t room;
    uint64_t limit; /* at most so many ticks */
    size_t size;    /* from here on: the answer */
    uint64_t ticks;
    uint64_t turns;   /* how often the next tick was another stream's */
    uint64_t last_ts; /* of the last tick whose time is trusted; 0: none */
};

/* How many bytes a weave would copy at most, up to `max`. 0: what comes next is nothing for a
 * weave. `count`: how many streams there are. */
size_t weave_size(const struct merge *merge, size_t count, size_t max);

/* Weave; weave_size() must have been above 0. Afterwards the heap is in order again. */
void weave_ticks(struct merge *merge, size_t count, struct woven *woven);

#endif
