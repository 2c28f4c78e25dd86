/*
 * fill.h - the reading half of a stream: runs of a cursor into batches of whole frames.
 *
 * On the pool, one thread at a time; the loop looks at it in between.
 */
#ifndef TDK_REPLAYER_FILL_H
#define TDK_REPLAYER_FILL_H

#include <stdatomic.h>

#include "replayer/inquiry.h"
#include "tapedeck/digest.h"

struct replayer;

/* A batch's bytes, 64-aligned. */
struct batch_memory {
    struct batch_memory *next;
    size_t room, size;
    uint64_t ticks, zero[4];
    unsigned char bytes[];
};
static_assert(offsetof(struct batch_memory, bytes) == 64, "frames lie as they do on a tape");

enum fill_end {
    FILL_MORE,   /* it is full: there is more */
    FILL_DAMAGE, /* here something cannot be read: `damage`, and err says it; there may be more */
    FILL_END,
    FILL_FAILED, /* err says why; -ECANCELED: it is ending */
};

/* What TRACK frame was put in last for a track's number. */
struct told {
    uint64_t epoch;    /* 0: none yet */
    const char *track; /* its name; borrowed from the tape */
};

struct fill {
    const atomic_bool *ending; /* borrowed: from when on nothing more is read */
    struct tdk_cursor *cursor; /* ours */
    struct tdk_digest *digest; /* ours; NULL: nobody wants it */
    struct told *told;         /* ours: by a track's number */
    size_t told_count;
    bool control, begun;
    struct tdk_run run; /* what is left of it: */
    size_t run_at;
    uint64_t run_ticks;

    struct batch_memory *into;
    size_t limit; /* that may be in it */

    enum fill_end stop;
    size_t need; /* bytes that must be allowed before anything more comes; 0: any */
    struct tdk_damage damage;
    struct tdk_err err;
    uint64_t ticks, bytes; /* so far, without control frames */
};

int fill_open(struct fill *fill, struct replayer *replayer, struct inquiry *inquiry);
void fill_run(struct fill *fill);
void fill_close(struct fill *fill); /* of zeros is fine */

#endif
