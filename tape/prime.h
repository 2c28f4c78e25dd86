/*
 * prime.h - the state at the beginning of a range: for each instrument the last tick, from before
 * the range, of each kind that holds state.
 *
 * Kinds are the rtypes of definitions, status, symbol mappings, trades, quotes and books by level
 * (mbp, bbo, wide). An order (mbo) is no state by itself. What is found is a copy, flagged
 * TDK_FLAG_PROLOGUE, in the order in which a query would return it.
 *
 * Segments say which of their blocks have state of which instrument, and the index says which
 * segments do (states.h). So only a few blocks are read, however long the tape is. Where that is
 * not recorded (a segment that is being recorded, or was recorded before there was such a list;
 * times on the event axis; `back_ns`; an epoch with a hole), blocks are walked backwards from the
 * last one before the range. Then only the list of a block's instruments is read, unless the block
 * may hold something that was not found yet.
 *
 * Memory: what is found, and one block. One thread at a time.
 */
#ifndef TDK_TAPE_PRIME_H
#define TDK_TAPE_PRIME_H

#include <stdbool.h>

#include "tapedeck/tape.h"

struct prime_options {
    uint64_t back_ns;               /* how far back before the range to look; 0: no limit */
    bool (*stopped)(void *context); /* asked before each block; true: -ECANCELED. May be NULL */
    void *context;
};

struct prime;

/* Of the query, its from, axis, tracks, symbols and types are used. The tape is borrowed until
 * close. TDK_ENOTRACK, -ENOMEM, -ECANCELED. */
int prime_open(struct prime **prime, struct tdk_tape *tape, const struct tdk_query *query,
               const struct prime_options *options, struct tdk_err *err);
void prime_close(struct prime *prime); /* NULL is fine */

/* The next tick, as a run of one. False: that was all, and the next call begins anew. */
bool prime_next(struct prime *prime, struct tdk_run *run);

/* The number of blocks that were read. */
uint64_t prime_blocks(const struct prime *prime);

/* The number of parts of the tape that could not be read on the way. What they held was not
 * found. */
uint64_t prime_damaged(const struct prime *prime);

#endif
