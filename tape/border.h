/*
 * border.h - where a track's next epoch begins: what its EPOCH frame says of the epochs before it.
 *
 * The frame names the epoch before it and the last seq of that. So it tells of ticks that were the
 * last of their epoch, and of an epoch of which nothing is left: no later seq does. The block with
 * which the epoch begins is read for it.
 */
#ifndef TDK_TAPE_BORDER_H
#define TDK_TAPE_BORDER_H

#include "tape/hole.h"
#include "tape/tape.h"

struct border {
    const struct epoch_ref *before; /* borrowed; NULL: the track's first epoch begins here */
    const struct epoch_ref *behind; /* borrowed */
};

/* Is anything missing in front of the border that may be of the times of `select`? 1: *hole are the
 * seqs, of *epoch: the one before the border, or one that is not on the tape at all. 0: nothing, as
 * far as is known. What was deleted on purpose is not told apart. -ENOMEM, -EMFILE ... */
int border_look(const struct border *border, struct tdk_tape *tape, struct view *view,
                const struct select *select, uint64_t *epoch, struct hole *hole,
                struct tdk_err *err);

#endif
