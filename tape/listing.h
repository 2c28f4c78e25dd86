/*
 * listing.h - which blocks hold the instruments that are asked for, if their segments list it.
 *
 * A block's filter rules out blocks with few instruments, and its directory tells about the others,
 * at two reads per block. When a search has found nothing in some blocks, it asks here first: the
 * index says whether a segment has any of the instruments, and the segment's list says in which
 * blocks. A segment without a list may hold them anywhere. One thread at a time.
 */
#ifndef TDK_TAPE_LISTING_H
#define TDK_TAPE_LISTING_H

#include "tape/abstract.h"
#include "tape/select.h"

struct listing {
    uint32_t *ids; /* of the instruments, ascending, each once; ours */
    size_t count, room;
    uint64_t segment; /* the last one that was asked about; 0: none */
    enum {
        LISTING_UNKNOWN,
        LISTING_NOTHING, /* the segment has none of them */
        LISTING_KNOWN,   /* the abstract tells */
    } says;
    struct abstract abstract; /* of that segment, or of another one */
};

void listing_close(struct listing *listing); /* fine on zeros */

/* Ask for these instruments from here on. Without memory for them, nothing is known. */
void listing_ask(struct listing *listing, const struct picks *picks);

/* False: the block has none of the instruments. May read the foot of its segment. */
bool listing_may_hold(struct listing *listing, struct tdk_tape *tape, struct index *index,
                      const struct block_ref *ref);

/* The same, by what is known without reading anything. */
bool listing_is_thought_to_hold(const struct listing *listing, const struct block_ref *ref);

#endif
