/*
 * absence.h - can the blocks that the index tells of be read at all?
 *
 * For answers that read none: what was moved to a disk that is not mounted is in the index as
 * before, and a count by the index alone would call it there. A tape of which nothing was moved
 * costs one look at its folder; others one open file for each segment met. One thread at a time.
 */
#ifndef TDK_TAPE_ABSENCE_H
#define TDK_TAPE_ABSENCE_H

#include "tape/tape.h"

/* All zeros: nothing was asked yet. */
struct absence {
    bool looked, moved; /* was any segment of this tape moved? */
    uint64_t segment;   /* the last one asked about; 0: none */
    int code;           /* of that */
    struct tdk_err err; /* then */
};

/* 0, or TDK_EAWAY: it was moved, and its disk is not there. Whatever else is wrong with the segment
 * is told by who reads it. */
int absence_check(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref,
                  struct tdk_err *err);

#endif
