/*
 * fill.h - the reading half of a stream: puts runs of a cursor into batches of whole frames.
 *
 * It works on the pool, one thread at a time; the loop looks at it in between.
 */
#ifndef TDK_REPLAYER_FILL_H
#define TDK_REPLAYER_FILL_H

#include <stdatomic.h>

#include "replayer/inquiry.h"
#include "tapedeck/digest.h"

struct replayer;

/* The bytes of a batch, 64-aligned. */
struct batch_memory {
    struct batch_memory *next;
    size_t room, size;
    uint64_t ticks, zero[4];
    unsigned char bytes[];
};
static_assert(offsetof(struct batch_memory, bytes) == 64, "frames lie as they do on a tape");

enum fill_end {
    FILL_MORE,   /* the batch is full, and there is more */
    FILL_DAMAGE, /* something cannot be read here: see `damage` and err; there may be more */
    FILL_END,
    FILL_FAILED, /* err says why; -ECANCELED: the stream is ending */
};

/* The TRACK frame that was put in last for a track's number. */
struct told {
    uint64_t epoch;    /* 0: none yet */
    const char *track; /* its name; borrowed from the tape */
};

struct fill {
    const atomic_bool *ending; /* borrowed; true: read nothing more */
    struct tdk_cursor *cursor; /* ours */
    struct tdk_digest *digest; /* ours; NULL: not asked for */
    struct told *told;         /* ours: indexed by a track's number */
    size_t told_count;
    bool control, begun;
    struct tdk_run run; /* the run at hand, and what of it is left: */
    size_t run_at;
    uint64_t run_ticks;

    struct batch_memory *into;
    size_t limit; /* bytes that may be in it */

    enum fill_end stop;
    size_t need; /* nothing more comes before `limit` is so many bytes; 0: any limit will do */
    struct tdk_damage damage;
    struct tdk_err err;
    uint64_t ticks, bytes; /* so far, without control frames */
};

int fill_open(struct fill *fill, struct replayer *replayer, struct inquiry *inquiry);
void fill_run(struct fill *fill);
void fill_close(struct fill *fill); /* a zeroed one is fine */

#endif
