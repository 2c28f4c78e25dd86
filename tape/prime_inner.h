/*
 * prime_inner.h - what prime.c and prime_leap.c share: what is wanted, and what was found of it.
 *
 * prime.c walks blocks and keeps the state that it meets. prime_leap.c goes straight to the blocks
 * that have something, where segments say which those are.
 */
#ifndef TDK_TAPE_PRIME_INNER_H
#define TDK_TAPE_PRIME_INNER_H

#include "tape/abstract.h"
#include "tape/kinds.h"
#include "tape/known.h"
#include "tape/prime.h"
#include "tape/segment.h"
#include "tape/stream.h"

/* The index says that a segment has these kinds of state of an instrument. */
struct due {
    uint64_t segment;
    uint32_t instrument_id;
    uint32_t kinds;
};

/* One tick that was found. */
struct state {
    const struct track *track;
    uint64_t epoch;
    uint64_t key;  /* the highest ts of the track's states up to this one: its key in the merge */
    size_t order;  /* by track, then as they came on the track */
    size_t offset; /* of its frame in prime->frames */
};

struct prime {
    struct answer answer;
    struct prime_options options;
    struct kinds_table table;
    uint32_t wanted_kinds;
    struct known_table known; /* what was found on the track that is being walked */
    /* Of the block that is looked into: the instruments that still lack something. */
    struct picks picks;
    size_t picks_room;
    unsigned char *frames;
    size_t frames_size, frames_room;
    struct state *states;
    size_t state_count, state_room;
    size_t at;

    bool may_leap;
    uint64_t done_epoch, done_above; /* of this epoch, all segments above done_above are done */
    struct due *dues;                /* the newest segment first */
    size_t due_count, due_room;
    struct abstract abstract; /* of the segment that is looked into */
    struct known *items;      /* instruments of a block; BLOCK_ENTRIES_MAX, made when needed */
};

/* Kinds that are wanted of an instrument and not found yet. */
static inline uint32_t prime_missing(const struct prime *p, uint32_t instrument_id)
{
    return p->wanted_kinds & ~known_kinds(&p->known, instrument_id);
}

/* Look for the instrument in the next block that is met. -ENOMEM. */
int prime_want(struct prime *p, const struct pick *pick);

/* Read stream->ref, and keep what is wanted of it. What cannot be read is counted, and is no
 * error. */
int prime_meet_block(struct prime *p, struct stream *stream, struct tdk_err *err);

/* Ask options.stopped. -ECANCELED: it said so. */
int prime_ask(const struct prime *p, struct tdk_err *err);

/*
 * stream->ref is the next block of its epoch. Find what is missing in its segment and in those
 * below, down to a segment that has no list. 1: done, and the stream goes on after it. 0: its own
 * segment has no list either, or must not be believed; nothing was done.
 */
int prime_leap(struct prime *p, struct stream *stream, struct tdk_err *err);
void prime_leap_close(struct prime *p);

#endif
