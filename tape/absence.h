/*
 * absence.h - can the blocks that the index tells of be read at all?
 *
 * For answers that read none: a segment that was removed, cut short, or moved to a disk that is not
 * mounted is in the index as before, and a count by the index alone would call it there. One open
 * file for each segment that is met, and no block. One thread at a time.
 */
#ifndef TDK_TAPE_ABSENCE_H
#define TDK_TAPE_ABSENCE_H

#include "tape/tape.h"

/* All zeros: nothing was asked yet. */
struct absence {
    uint64_t segment;   /* the last one asked about; 0: none */
    uint64_t size;      /* of its file */
    int code;           /* why it cannot be had; 0: it can */
    struct tdk_err err; /* then */
};

/* 0, or why there can be no such block: TDK_EAWAY, -ENOENT, TDK_ECORRUPT (cut, or none of ours), as
 * who reads it would say. What only its bytes tell is left to that. */
int absence_check(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref,
                  struct tdk_err *err);

#endif
