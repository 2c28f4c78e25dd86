/*
 * hole.h - finds ticks that are not on the tape, although the tape does not say that they were
 * lost.
 *
 * Blocks account for every seq. So where the first seq of a block does not follow the last of the
 * one before it, a block or a whole segment is missing. An index that knew of it leads to a file
 * that does not exist; an index made from the segments that are left does not know of it, and only
 * the seqs tell. Only epochs whose counts do not add up are looked at.
 */
#ifndef TDK_TAPE_HOLE_H
#define TDK_TAPE_HOLE_H

#include "index/index.h"
#include "tape/select.h"

struct hole {
    uint64_t first_seq, last_seq;
    uint64_t from, to; /* the ticks lay between these times, as far as is known */
};

/* Does this error mean that the tape is damaged, and not that we or the machine failed? */
bool code_is_damage(int code);

/* Has the block only control frames, and so no seq or time of its own? Packing makes such blocks.
 */
bool block_is_bare(const struct block_ref *ref);

/* Are there more seqs in the epoch than its ticks and losses account for? */
bool epoch_has_hole(const struct epoch_ref *epoch);

/* The time from which on an epoch's ticks are, by the epoch before it in this list; 0: not known.
 */
uint64_t epoch_since(const struct epoch_ref *epoch, const struct epoch_ref *first);

/* Is there a hole between two blocks that a query met one after the other (not counting bare ones),
 * and may it have held what the query asks for? NULL: no block before, no block behind. `since`:
 * see above. 1: *hole; 0. */
int hole_between(struct index *index, const struct select *select, const struct epoch_ref *epoch,
                 uint64_t since, const struct block_ref *before, const struct block_ref *behind,
                 struct hole *hole, struct tdk_err *err);

#endif
