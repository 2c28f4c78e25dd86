/*
 * directory.h - which ticks of a block are of one instrument.
 *
 * Behind a block's frames lie, for each instrument, the ordinals of its ticks (format.h), so that
 * a symbol query touches only those. Building needs the caller's scratch; reading is in place.
 * Everything is pure and bounds-checked: a directory that contradicts itself is TDK_ECORRUPT.
 */
#ifndef TDK_TAPE_DIRECTORY_H
#define TDK_TAPE_DIRECTORY_H

#include <stdbool.h>

#include "tape/format.h"
#include "tapedeck/tick.h"

/* ---- building ---- */

#define DIRECTORY_SLOTS (2 * BLOCK_ENTRIES_MAX)

/*
 * What a block needs while it is being filled; about 700 KiB, one for each thread that fills
 * blocks. A slot counts only while its stamp is the block's, so that a new block clears nothing.
 */
struct directory_slot {
    uint32_t instrument_id;
    uint16_t entry;
    uint16_t stamp;
};
struct block_scratch {
    struct directory_slot slots[DIRECTORY_SLOTS];
    uint32_t instruments[BLOCK_ENTRIES_MAX]; /* of an entry, in order of first sight */
    uint32_t counts[BLOCK_ENTRIES_MAX];
    uint16_t order[BLOCK_ENTRIES_MAX];
    uint16_t entry_of[BLOCK_TICKS_MAX]; /* by ordinal */
    uint32_t anchors[BLOCK_TICKS_MAX / DIRECTORY_STRIDE];
    uint32_t entries, ticks;
    uint16_t stamp;
};

/* Once, before its first block; the pages are touched here. */
void block_scratch_init(struct block_scratch *scratch);

/* ---- reading ---- */

/* One instrument's ticks in a block: directory_find() sets it, directory_next() walks it. */
struct directory_walk {
    const unsigned char *frames;
    size_t frames_size;
    const uint16_t *ordinals; /* NULL: every tick is its */
    const uint32_t *anchors;  /* NULL: uniform */
    uint32_t at, count;       /* in ordinals */
    uint32_t uniform;
    uint32_t ticks;     /* in the block */
    uint32_t last;      /* ordinal walked to */
    size_t last_offset; /* and its offset */
};

struct block_view;

/* The ticks of an instrument. Returns how many, 0: none; TDK_ECORRUPT. */
int64_t directory_find(const struct block_view *view, uint32_t instrument_id,
                       struct directory_walk *walk);

/* The next one's offset in view->frames; -1: no more; TDK_ECORRUPT. */
int64_t directory_next(struct directory_walk *walk);

/* Does the directory say exactly what the frames are? 0 or TDK_ECORRUPT: for verify and tests. */
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
