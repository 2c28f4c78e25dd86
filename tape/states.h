/*
 * states.h - which instruments are in each block of a segment, and what state (tape/kinds.h) they
 * have there.
 *
 * With it, a look back in time goes straight to the block that holds the last trade of a symbol,
 * and a query passes over blocks without the symbol. The segment's writer gathers it block by
 * block, sealing puts it behind the catalogue (docs/tape-format.md, 4), and from there the index
 * learns which segments have an instrument.
 *
 * The maker makes one pass over a block's frames, on the thread that is told of written blocks. It
 * never fails: if it cannot keep something, the list is left out and readers look through the
 * blocks instead. A maker has one owner at a time; states that were opened may be read by any
 * thread.
 */
#ifndef TDK_TAPE_STATES_H
#define TDK_TAPE_STATES_H

#include "tape/block.h"
#include "tape/known.h"

/* Bytes of a segment's list, unpacked. A larger one is not stored. */
#define STATES_MAX         ((size_t)64 << 20)
#define STATES_INDEXED_MAX 65536u /* instruments of a segment that the index takes; likewise */

/* ---- making ---- */

struct states_maker;

struct states_maker *states_maker_open(void);        /* NULL: no memory */
void states_maker_close(struct states_maker *maker); /* NULL is fine */
void states_maker_clear(struct states_maker *maker); /* for another segment */

/* Note the next block of the segment, in file order. It is unpacked, and was checked or just
 * sealed. */
void states_note(struct states_maker *maker, const struct block_view *view);

/* What was noted, if that is of so many blocks; borrowed until the next call. NULL: it is
 * incomplete. */
const void *states_made(const struct states_maker *maker, size_t blocks, size_t *size);

/* Take the same out of the maker, for reading. states->kinds 0: it is incomplete. */
struct states;
void states_take(struct states_maker *maker, size_t blocks, struct states *states);

/* ---- reading ---- */

struct states {
    unsigned char *bytes; /* ours */
    uint32_t *starts;     /* where each block begins in them; ours */
    size_t blocks;
    uint32_t kinds; /* the kinds that were looked for; 0: there is nothing */
};

/* Check and open a list. `bytes` is malloc'ed, and owned here even if this fails. TDK_ECORRUPT,
 * -ENOMEM. */
int states_open(struct states *states, void *bytes, size_t size, size_t blocks, uint32_t kinds);
void states_close(struct states *states); /* twice is fine */

/* Put the instruments of a block into `items`, ascending; it has room for BLOCK_ENTRIES_MAX.
 * Returns how many. Instruments without state are listed only if states->kinds has KINDS_PRESENT;
 * then all of them have that bit. */
size_t states_of_block(const struct states *states, size_t block, struct known *items);

/* Is one of these instruments (ascending) in the block? */
bool states_have(const struct states *states, size_t block, const uint32_t *instruments,
                 size_t count);

/* Call `each` with what the segment has of each instrument in each epoch. `refs`: its blocks. A
 * value other than 0 from `each` ends the walk, and is returned. -ENOMEM. */
int states_each(const struct states *states, const struct block_ref *refs,
                int (*each)(const struct state_ref *state, void *context), void *context);

/* Put the same into the index, between its begin and commit. *kinds: what the segment's ref is to
 * say; 0: there are too many instruments, and none was put. */
int states_put(const struct states *states, const struct block_ref *refs, struct index *index,
               uint16_t *kinds, struct tdk_err *err);

#endif
