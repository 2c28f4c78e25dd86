/*
 * listing.h - which blocks hold the instruments that are asked for, where segments tell it.
 *
 * A block's filter passes over blocks of few instruments, and its directory tells the rest, at two
 * reads a block. Who found nothing in some blocks asks here first: the index says whether a segment
 * has any of the instruments at all, its list in which blocks. What does not tell may hold them.
 * One thread at a time.
 */
#ifndef TDK_TAPE_LISTING_H
#define TDK_TAPE_LISTING_H

#include "tape/abstract.h"
#include "tape/select.h"

struct listing {
    uint32_t *ids; /* of the instruments, ascending, each once; ours */
    size_t count, room;
    uint64_t segment; /* the last that was asked about; 0: none */
    enum {
        LISTING_UNKNOWN,
        LISTING_NOTHING, /* it has none of them */
        LISTING_KNOWN,   /* the abstract tells */
    } says;
    struct abstract abstract; /* of that, or another one */
};

void listing_close(struct listing *listing); /* of zeros is fine */

/* From here on these are asked for. What cannot be had in memory is not known. */
void listing_ask(struct listing *listing, const struct picks *picks);

/* False: none of them is in the block. May read the foot of its segment. */
bool listing_may_hold(struct listing *listing, struct tdk_tape *tape, struct index *index,
                      const struct block_ref *ref);

/* The same as far as it is known without asking. */
bool listing_is_thought_to_hold(const struct listing *listing, const struct block_ref *ref);

#endif
