/*
 * prime.h - the state that a range begins with: for each instrument the last tick of each kind that
 * holds state, from before the range.
 *
 * Kinds are the rtypes of definitions, status, symbol mappings, trades, quotes and books by level
 * (mbp, bbo, wide). An order (mbo) is no state by itself. What is found is a copy, flagged
 * TDK_FLAG_PROLOGUE, in the order in which a query would give it.
 *
 * Segments tell which of their blocks have state of which instrument, and the index which segments
 * (states.h): so a few blocks are read, however long the tape is. Where that is not told (a segment
 * that is being recorded, or was before there was such a list; times on the event axis; `back_ns`;
 * an epoch with a hole) blocks are walked from the last before the range backwards. Of each only
 * the list of its instruments is read then, unless it may hold something that was not found yet.
 *
 * Memory: what is found, and a block. One thread at a time.
 */
#ifndef TDK_TAPE_PRIME_H
#define TDK_TAPE_PRIME_H

#include <stdbool.h>

#include "tapedeck/tape.h"

struct prime_options {
    uint64_t back_ns;               /* not further back than this before the range; 0: no limit */
    bool (*stopped)(void *context); /* asked before each block: -ECANCELED. May be NULL */
    void *context;
};

struct prime;

/* Of the query its from, axis, tracks, symbols and types count. The tape is borrowed until close.
 * TDK_ENOTRACK, -ENOMEM, -ECANCELED. */
int prime_open(struct prime **prime, struct tdk_tape *tape, const struct tdk_query *query,
               const struct prime_options *options, struct tdk_err *err);
void prime_close(struct prime *prime); /* NULL is fine */

/* The next tick, a run of one; false: that was all, and the next call begins anew. */
bool prime_next(struct prime *prime, struct tdk_run *run);

/* Blocks that were read for it. */
uint64_t prime_blocks(const struct prime *prime);

/* Parts of the tape that could not be read on the way: what they held was not found. */
uint64_t prime_damaged(const struct prime *prime);

#endif
