/*
 * indexer.h - keeps the tape's index up to date with what is durable.
 *
 * A commit that fails, mostly because the disk is full, loses nothing. What was put in stays
 * gathered, and the same commit is tried every second until it succeeds. Meanwhile readers are told
 * that the index is behind, and make their own from the segments. When a commit cannot succeed any
 * more, or too much has gathered, the index is given up until the recorder starts again: readers
 * still have the segments, and the next writer builds the index anew. Used by the journal, in its
 * jobs on the pool, one at a time; any thread may ask for the state.
 */
#ifndef TDK_RECORDER_INDEXER_H
#define TDK_RECORDER_INDEXER_H

#include <stdatomic.h>

#include "recorder/ledger.h"
#include "tape/segment.h"

enum indexer_state { INDEXER_OK, INDEXER_BEHIND, INDEXER_GIVEN_UP };

struct indexer {
    struct recovered *tape; /* borrowed */
    struct ledger *ledger;  /* borrowed */
    _Atomic int state;      /* enum indexer_state */
    struct tdk_err err;     /* why it is not OK; the pool's while a job runs, else the loop's */
    uint64_t retry_ns;      /* when to commit again, or to look again at what was deleted */
    size_t gathered;        /* bytes of the first commit that failed */
    uint64_t tidied_ns;     /* when the entries of dead readers were last removed */
    struct index_held held; /* found then, and not logged yet */
    uint64_t free_size;     /* of the index, when nobody held its pages last */
    bool is_stuck;          /* what was deleted could not be taken out, and is tried again */
    bool stuck_told;        /* the log says so */
    int told;               /* the state that was logged last */
};

void indexer_init(struct indexer *indexer, struct ledger *ledger);

enum indexer_state indexer_state(const struct indexer *indexer);

/* ---- on the pool: begin, blocks, end ---- */

void indexer_begin(struct indexer *indexer);
void indexer_put(struct indexer *indexer, const struct block_ref *ref);

/* Put the segment of these blocks, as it is now, and all that the catalogue has learned; commit. */
void indexer_end(struct indexer *indexer, const struct segment_writer *segment, bool sealed);

/* Try again to commit what the index is behind with. */
void indexer_retry(struct indexer *indexer);

/* Take what was deleted out of the index; when its state is OK. False: not all of it could be taken
 * out now, so call it again later. */
bool indexer_follow(struct indexer *indexer);

/* ---- on the loop, when no job runs ---- */

/* Is the index behind, and is it time to try again? */
bool indexer_is_due(const struct indexer *indexer, uint64_t now_ns);

/* May what was deleted be taken out now? Not while the index is behind. */
bool indexer_may_follow(const struct indexer *indexer, uint64_t now_ns);

/* Log the state if it has changed. */
void indexer_log(struct indexer *indexer);

#endif
