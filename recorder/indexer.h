/*
 * indexer.h - keeps the tape's index up with what is safe.
 *
 * A commit that fails (a full disk, mostly) takes nothing away: what was put stays gathered,
 * readers are told that the index is behind and make their own from the segments, and the same
 * commit is tried each second until it succeeds. When it cannot succeed any more, or too much has
 * gathered, the index is given up for this life; readers still have the segments, and whoever
 * writes next builds it anew. The journal's: its jobs on the pool, one at a time; the state is any
 * thread's.
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
    uint64_t retry_ns;      /* the next commit of what is behind, or look at what was deleted */
    size_t gathered;        /* bytes of the first commit that failed */
    uint64_t tidied_ns;     /* when readers that died were last forgotten */
    struct index_held held; /* found then, and not told yet */
    uint64_t free_size;     /* of the index, when last nobody held its pages */
    bool is_stuck;          /* what was deleted could not leave it, and is to another time */
    bool stuck_told;        /* by the log */
    int told;               /* the state that the log has told */
};

void indexer_init(struct indexer *indexer, struct ledger *ledger);

enum indexer_state indexer_state(const struct indexer *indexer);

/* ---- on the pool: begin, blocks, end ---- */

void indexer_begin(struct indexer *indexer);
void indexer_put(struct indexer *indexer, const struct block_ref *ref);

/* And the segment they are in, as it is now; and all that the catalogue has learned. */
void indexer_end(struct indexer *indexer, const struct segment_writer *segment, bool sealed);

/* What is behind, once more. */
void indexer_retry(struct indexer *indexer);

/* What was deleted leaves the index; when it is OK. False: not all of it, now: once more, then. */
bool indexer_follow(struct indexer *indexer);

/* ---- on the loop, when no job runs ---- */

/* Is there something behind whose time has come? */
bool indexer_is_due(const struct indexer *indexer, uint64_t now_ns);

/* May what was deleted leave the index now? While something is behind it waits. */
bool indexer_may_follow(const struct indexer *indexer, uint64_t now_ns);

/* The log hears of it when the state has changed. */
void indexer_tell(struct indexer *indexer);

#endif
