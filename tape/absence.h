/*
 * absence.h - can the blocks that the index lists be read at all?
 *
 * This is for answers that read no blocks. A segment that was removed, cut short, or moved to a
 * disk that is not mounted is still in the index, and a count by the index alone would include it.
 * It opens the file of each segment that is met, and reads no block. One thread at a time.
 */
#ifndef TDK_TAPE_ABSENCE_H
#define TDK_TAPE_ABSENCE_H

#include "tape/tape.h"

/* All zeros: nothing was asked yet. */
struct absence {
    uint64_t segment;   /* the last one checked; 0: none */
    uint64_t size;      /* of its file */
    int code;           /* why it cannot be read; 0: it can */
    struct tdk_err err; /* in words */
};

/* 0, or why this block cannot be read: TDK_EAWAY, -ENOENT, TDK_ECORRUPT (the file is cut, or not
 * ours), as reading it would say. Does not find what only the block's bytes can tell. */
int absence_check(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref,
                  struct tdk_err *err);

#endif
