/*
 * tallies.h - keeps what the directories of blocks say about counts, for the next time.
 *
 * Counting a symbol's day takes two reads of each block, and little else. If what these brought is
 * kept, a thousand blocks are counted in a fraction of a millisecond. What is kept is the entries
 * of each directory: two KiB for two hundred instruments. Blocks never change, so nothing grows
 * old. When there is no more room, new entries are not kept, so that a walk through a long tape
 * does not push out its own. Any thread.
 */
#ifndef TDK_TAPE_TALLIES_H
#define TDK_TAPE_TALLIES_H

#include <pthread.h>

#include "tape/block.h"

enum {
    TALLIES_SLOTS = 8192,     /* a power of two */
    TALLIES_BYTES = 16 << 20, /* together */
};

struct picks;
struct tally;

struct tallies {
    pthread_mutex_t lock;
    struct tally **slots; /* by a block's place; NULL until the first is kept */
    size_t bytes;
};

void tallies_init(struct tallies *tallies);
void tallies_close(struct tallies *tallies);

/* Keep the entries of this block's directory: at least those are in the view, read and checked. */
void tallies_keep(struct tallies *tallies, const struct block_ref *ref,
                  const struct block_view *view);

/* How many ticks of these instruments does the block have? False: it is not known here. */
bool tallies_count(struct tallies *tallies, const struct block_ref *ref, const struct picks *picks,
                   uint64_t *ticks);

/* The same, by the entries of a directory in hand. TDK_ECORRUPT. */
int tally_count(const struct block_view *view, const struct picks *picks, uint64_t *ticks);

#endif
