/*
 * hole.h - ticks that are not on the tape, and of which it does not say that they were lost.
 *
 * Blocks account for every seq, so where one's first does not follow the last of the one before it,
 * a block or a whole segment is missing. An index that knew it leads to a file that is not there;
 * one made from the segments that are left does not know, and the seqs alone tell. Only epochs
 * whose counts do not add up are looked at.
 */
#ifndef TDK_TAPE_HOLE_H
#define TDK_TAPE_HOLE_H

#include "index/index.h"
#include "tape/select.h"

struct hole {
    uint64_t first_seq, last_seq;
    uint64_t from, to; /* between these times, as far as is known */
};

/* Is it the tape's own fault that something cannot be read, not ours or the machine's? */
bool code_is_damage(int code);

/* Control frames only: nothing that a seq or a time of its own names. Packing makes such blocks. */
bool block_is_bare(const struct block_ref *ref);

/* Does the epoch's count of ticks and losses leave seqs over? */
bool epoch_has_hole(const struct epoch_ref *epoch);

/* Is there a hole between two blocks that a query met one after the other, bare ones passed over
 * (NULL: none before, none behind), which may have held what it asks for? 1: *hole; 0. */
int hole_between(struct index *index, const struct select *select, const struct epoch_ref *epoch,
                 const struct block_ref *before, const struct block_ref *behind, struct hole *hole,
                 struct tdk_err *err);

#endif
