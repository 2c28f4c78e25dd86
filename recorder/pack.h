/*
 * pack.h - the block of one inlet that is being filled in a write, behind those that are sealed
 * already.
 *
 * A block is begun when something needs room, sealed when its inlet is done with it, and dropped as
 * if it had never been when nothing came of it. The loop's thread; nothing is allocated.
 */
#ifndef TDK_RECORDER_PACK_H
#define TDK_RECORDER_PACK_H

#include "recorder/write.h"

struct filler {
    struct block_scratch *scratch; /* borrowed */
    struct write *write;
    size_t limit;     /* of the write's bytes that blocks may take */
    uint64_t segment; /* that it goes to: the first block of a track in it tells the track's name */
    uint64_t now_ns;  /* wall time, for judging times */
    size_t need;      /* after FILL_FULL on an empty write: the room that the next frame takes */

    struct block block;        /* being filled, of `inlet` */
    struct inlet *inlet;       /* NULL: no block is begun */
    struct track_state before; /* of the inlet, before the block: */
    struct inlet_counts counted;
    bool content; /* something is in it besides the track's name */
    bool named;   /* the track's name is in it */
    bool begins;  /* an epoch begins in it */
};

/* What became of the next frame or run of frames. */
enum fill_step {
    STEP_ON,   /* go on with the next */
    STEP_DRY,  /* there is none */
    STEP_FULL, /* it does not fit into this write any more */
};

/* A block of the inlet that had room for a frame with `size` bytes of payload when it was begun.
 * STEP_FULL: filler->need is what it takes. STEP_DRY: the inlet was quarantined. */
enum fill_step pack_need(struct filler *filler, struct inlet *inlet, uint32_t size);

/* Seal what was begun and put it on the write's list; or drop it when there is nothing in it. */
void pack_end(struct filler *filler);
void pack_drop(struct filler *filler);

/* Bytes that the next block of this write may take. */
size_t pack_room(const struct filler *filler);

#endif
