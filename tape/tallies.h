/*
 * tallies.h - what the directories of blocks told when somebody counted in them, for the next time.
 *
 * To count a symbol's day takes two reads of each block, and little else; with what they brought
 * kept, a thousand blocks are counted in a fraction of a millisecond. Kept is each directory's
 * entries, two KiB where two hundred instruments trade. Blocks never change, so nothing grows old;
 * when there is no more room what is new is not kept, so that a walk through a long tape does not
 * put out itself. Any thread.
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

/* The entries of this block's directory were read and checked: at least they are in the view. */
void tallies_keep(struct tallies *tallies, const struct block_ref *ref,
                  const struct block_view *view);

/* How many ticks of these instruments the block has. False: it is not known here. */
bool tallies_count(struct tallies *tallies, const struct block_ref *ref, const struct picks *picks,
                   uint64_t *ticks);

/* The same by a directory's entries. TDK_ECORRUPT. */
int tally_count(const struct block_view *view, const struct picks *picks, uint64_t *ticks);

#endif
