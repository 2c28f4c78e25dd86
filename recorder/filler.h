/*
 * filler.h - the block that is being filled, at the end of a write.
 *
 * A write holds blocks of several inlets, back to back. The last one may still be open: it is begun
 * when its inlet needs room, sealed when the inlet is done with it, and dropped without a trace
 * when nothing went into it. The loop's thread; nothing is allocated.
 */
#ifndef TDK_RECORDER_FILLER_H
#define TDK_RECORDER_FILLER_H

#include "recorder/write.h"

struct filler {
    struct block_scratch *scratch; /* borrowed */
    struct write *write;
    size_t limit;     /* blocks may take so many bytes of the write */
    uint64_t segment; /* of the write; a track's first block in it bears the track's name */
    uint64_t now_ns;  /* wall time: a ts far ahead of it is not trusted */
    size_t need;      /* after FILL_FULL on an empty write: the room that the next frame takes */

    struct inlet *inlet; /* the open block's; NULL: no block is open */
    struct block block;
    struct track_state before;   /* what the inlet goes back to if the block is dropped */
    struct inlet_counts counted; /* likewise */
    bool content;                /* something is in it besides the track's name */
    bool named;                  /* the track's name is in it */
    bool begins;                 /* an epoch begins in it */
};

/* What became of the next frame or run of frames. */
enum fill_step {
    STEP_ON,   /* go on with the next */
    STEP_DRY,  /* there is none */
    STEP_FULL, /* it does not fit into this write any more */
};

/* Makes sure that a block of this inlet is open, with room for a payload of `size` bytes if it had
 * to be begun. STEP_FULL: the write has no room for it; filler->need is what it takes. STEP_DRY:
 * the inlet was quarantined. */
enum fill_step filler_need(struct filler *filler, struct inlet *inlet, uint32_t size);

/* Seal the open block and add it to the write's pieces; drop it if nothing is in it. */
void filler_end(struct filler *filler);
void filler_drop(struct filler *filler);

/* Bytes that the next block of this write may take. */
size_t filler_room(const struct filler *filler);

#endif
