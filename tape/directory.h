/*
 * directory.h - which ticks of a block are of one instrument.
 *
 * After a block's frames lie, for each instrument, the ordinals of its ticks (format.h), so that a
 * symbol query touches only those ticks. Building needs the caller's scratch; reading is in place.
 * Everything is pure and bounds-checked: a directory that contradicts itself is TDK_ECORRUPT.
 */
#ifndef TDK_TAPE_DIRECTORY_H
#define TDK_TAPE_DIRECTORY_H

#include <stdbool.h>

#include "tape/format.h"
#include "tape/scatter.h"
#include "tapedeck/tick.h"

/* ---- building ---- */

#define DIRECTORY_SLOTS (2 * BLOCK_ENTRIES_MAX)

/* Upper bounds of a directory's size in bytes: fixed part, per tick, per instrument. */
#define DIRECTORY_ROOM       32
#define DIRECTORY_TICK_ROOM  3
#define DIRECTORY_ENTRY_ROOM 8

/*
 * What a block needs while it is being filled: about 850 KiB, one for each thread that fills
 * blocks. A slot counts only while its stamp is that of the block, so that a new block has nothing
 * to clear.
 */
struct directory_slot {
    uint32_t instrument_id;
    uint16_t entry;
    uint16_t stamp;
};
struct block_scratch {
    struct scatter scatter; /* over the slots */
    struct directory_slot slots[DIRECTORY_SLOTS];
    uint32_t instruments[BLOCK_ENTRIES_MAX]; /* of each entry, in the order first seen */
    uint32_t counts[BLOCK_ENTRIES_MAX];
    uint64_t sorted[BLOCK_ENTRIES_MAX];
    uint16_t entry_of[BLOCK_TICKS_MAX]; /* by ordinal */
    uint32_t anchors[BLOCK_TICKS_MAX / DIRECTORY_STRIDE];
    uint32_t sums[BLOCK_FRAMES_MAX / BLOCK_CHUNK]; /* of the frames, for block.c */
    uint32_t entries, ticks;
    uint16_t stamp;
};

/* Call once, before its first block; the pages are touched here. */
void block_scratch_init(struct block_scratch *scratch);

/* For block.c: forget the last block. */
void directory_begin(struct block_scratch *scratch);

/* The slot is another instrument's, or free. From there find the next one that is this
 * instrument's, or free. */
struct directory_slot *directory_slot_from(struct block_scratch *scratch,
                                           struct directory_slot *slot, uint32_t instrument_id);

/* The instrument's slot. A free slot has another stamp. */
static inline struct directory_slot *directory_slot(struct block_scratch *scratch,
                                                    uint32_t instrument_id)
{
    struct directory_slot *slot =
        &scratch->slots[scatter_of(&scratch->scatter, instrument_id) >> 17];
    return slot->instrument_id == instrument_id ? slot
                                                : directory_slot_from(scratch, slot, instrument_id);
}

/* The entry of an instrument, made if it is new. -1: there are BLOCK_ENTRIES_MAX others. */
int directory_entry_of(struct block_scratch *scratch, uint32_t instrument_id);

/* Note the entry of the next tick, which has this ordinal, and where its frame begins. The caller
 * advances `scratch->ticks` and the entry's count. */
static inline void directory_place(struct block_scratch *scratch, uint32_t ordinal, unsigned entry,
                                   size_t offset)
{
    scratch->entry_of[ordinal] = (uint16_t)entry;
    if (ordinal % DIRECTORY_STRIDE == 0)
        scratch->anchors[ordinal / DIRECTORY_STRIDE] = (uint32_t)offset;
}

/* The same, and the entry's count is advanced. */
static inline void directory_note(struct block_scratch *scratch, uint32_t ordinal, unsigned entry,
                                  size_t offset)
{
    scratch->counts[entry]++;
    directory_place(scratch, ordinal, entry, offset);
}

/* Write the directory after the frames. Returns its size, 0 without ticks. Completes the head's
 * filter and entries_crc. */
size_t directory_build(struct block_scratch *scratch, uint32_t uniform, unsigned char *bytes,
                       struct block_head *head);

/* ---- reading ---- */

/* One instrument's ticks in a block: directory_find() sets it, directory_next() walks it. */
struct directory_walk {
    const unsigned char *frames;
    size_t frames_size;
    const uint16_t *ordinals; /* NULL: every tick is the instrument's */
    const uint32_t *anchors;  /* NULL: uniform */
    uint32_t at, count;       /* places in ordinals */
    uint32_t uniform;
    uint32_t ticks;     /* in the block */
    uint32_t last;      /* the ordinal that the walk has reached */
    size_t last_offset; /* and its offset */
};

struct block_view;

/* Check the sizes of the directory and the bounds of its anchors: part of block_check(). */
int directory_check_bounds(const struct block_view *view);

/* Find the ticks of an instrument. Returns how many; 0: none. TDK_ECORRUPT. */
int64_t directory_find(const struct block_view *view, uint32_t instrument_id,
                       struct directory_walk *walk);

/* The instruments of a block, ascending: how many there are, and the one at a place. Also works for
 * a slice that has only the directory's entries. */
uint32_t directory_instruments(const struct block_view *view);
uint32_t directory_instrument(const struct block_view *view, uint32_t place);

/* The offset of the next tick in view->frames; -1: no more. TDK_ECORRUPT. */
int64_t directory_next(struct directory_walk *walk);

/* Does the directory match the frames exactly? 0 or TDK_ECORRUPT. For verify and tests. */
int directory_check(const struct block_view *view);

/* ---- the filter in a block's header ---- */

static inline uint32_t filter_mix(uint32_t instrument_id)
{
    uint32_t x = instrument_id * UINT32_C(0x9e3779b1);
    return x ^ x >> 15;
}

static inline void filter_add(uint64_t filter[2], uint32_t instrument_id)
{
    uint32_t x = filter_mix(instrument_id);
    filter[0] |= UINT64_C(1) << (x & 63);
    filter[1] |= UINT64_C(1) << (x >> 6 & 63);
}

/* False: no tick of this instrument is in the block. */
static inline bool filter_may_hold(const uint64_t filter[2], uint32_t instrument_id)
{
    uint32_t x = filter_mix(instrument_id);
    return (filter[0] >> (x & 63) & 1) != 0 && (filter[1] >> (x >> 6 & 63) & 1) != 0;
}

#endif
