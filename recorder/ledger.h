/*
 * ledger.h - what the tape knows of its tracks, shared by the loop and the journal.
 *
 * The catalogue belongs to one thread at a time. The journal writes to it on the pool, and the loop
 * asks it when a ring is attached. A lock keeps them apart. It is held for a few lookups and puts,
 * and never while anybody waits for the disk.
 */
#ifndef TDK_RECORDER_LEDGER_H
#define TDK_RECORDER_LEDGER_H

#include <uv.h>

#include "recorder/sequence.h"
#include "tape/recover.h"

struct ledger {
    struct recovered *tape; /* borrowed */
    uv_mutex_t lock;        /* protects tape->catalog */
};

int ledger_init(struct ledger *ledger, struct recovered *tape);
void ledger_close(struct ledger *ledger);

/* The number of a track. A new track gets one. */
int ledger_track(struct ledger *ledger, const char *name, enum tdk_kind kind, uint16_t *number,
                 struct tdk_err *err);

/* Copy the last epoch of a track. False: it has none. */
bool ledger_last_epoch(struct ledger *ledger, const char *name, struct epoch_ref *epoch);

/* Copy the epoch of a track that a ring calls `ring_epoch`. False: it is not on the tape. */
bool ledger_find_epoch(struct ledger *ledger, const char *name, const uint8_t ring_uuid[16],
                       uint64_t ring_epoch, struct epoch_ref *epoch);

/* ---- the journal's ---- */

/* A block is on the tape: note what its frames tell, and that it is there. */
int ledger_learn(struct ledger *ledger, const struct block_view *view, const struct block_ref *ref,
                 struct tdk_err *err);

/* Put what has changed since the last time into the index. Within a transaction. */
int ledger_store(struct ledger *ledger, struct tdk_err *err);

/* The catalogue for a segment's foot: see catalog_encode(). */
int ledger_encode(struct ledger *ledger, const struct block_ref *refs, size_t count, void **bytes,
                  size_t *size, struct tdk_err *err);

/* Take what was deleted out of index and catalogue: see recover_follow(). */
int ledger_follow(struct ledger *ledger, struct tdk_err *err);

#endif
