/*
 * states.h - which instruments are in each block of a segment, and what state (tape/kinds.h) they
 * have there.
 *
 * What a look back in time needs to go straight to the block that holds the last trade of a symbol,
 * and a query to pass over blocks without it. Its writer gathers it block by block, sealing puts it
 * behind the catalogue (docs/tape-format.md, 4), and from there the index learns which segments
 * have something of an instrument.
 *
 * The maker costs one pass over a block's frames, on the thread that is told of written blocks. It
 * never fails: what it cannot keep is not told, and readers look through the blocks instead. One
 * owner at a time; what was opened, any thread.
 */
#ifndef TDK_TAPE_STATES_H
#define TDK_TAPE_STATES_H

#include "tape/block.h"
#include "tape/known.h"

#define STATES_MAX         ((size_t)64 << 20) /* bytes of a segment's, unpacked; more is not told */
#define STATES_INDEXED_MAX 65536u /* instruments of a segment that the index takes; likewise */

/* ---- making ---- */

struct states_maker;

struct states_maker *states_maker_open(void);        /* NULL: no memory */
void states_maker_close(struct states_maker *maker); /* NULL is fine */
void states_maker_clear(struct states_maker *maker); /* for another segment */

/* The next block of the segment, in file order: unpacked, and checked or just sealed. */
void states_note(struct states_maker *maker, const struct block_view *view);

/* What was noted of so many blocks; borrowed until the next call. NULL: it is not all there. */
const void *states_made(const struct states_maker *maker, size_t blocks, size_t *size);

/* The same to be read; the maker is cleared. states->kinds 0: it is not all there. */
struct states;
void states_take(struct states_maker *maker, size_t blocks, struct states *states);

/* ---- reading ---- */

struct states {
    unsigned char *bytes; /* ours */
    uint32_t *starts;     /* of each block among them; ours */
    size_t blocks;
    uint32_t kinds; /* that were looked for; 0: there is nothing */
};

/* Takes `bytes`, malloc'ed, whatever comes of it. TDK_ECORRUPT, -ENOMEM. */
int states_open(struct states *states, void *bytes, size_t size, size_t blocks, uint32_t kinds);
void states_close(struct states *states); /* twice is fine */

/* The instruments of a block, ascending; room for BLOCK_ENTRIES_MAX. How many. Those without state
 * only where states->kinds has KINDS_PRESENT, which each bears then. */
size_t states_of_block(const struct states *states, size_t block, struct known *items);

/* Is one of these (ascending) among them? */
bool states_have(const struct states *states, size_t block, const uint32_t *instruments,
                 size_t count);

/* What the segment has of each instrument of each epoch. `refs`: its blocks. Until `each` returns
 * not 0, which is then returned. -ENOMEM. */
int states_each(const struct states *states, const struct block_ref *refs,
                int (*each)(const struct state_ref *state, void *context), void *context);

/* The same into the index, between its begin and commit. *kinds: what the segment's ref is to tell;
 * 0: too many, none is put. */
int states_put(const struct states *states, const struct block_ref *refs, struct index *index,
               uint16_t *kinds, struct tdk_err *err);

#endif
