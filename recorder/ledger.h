/*
 * ledger.h - what the tape knows of its tracks, shared by the loop and the journal.
 *
 * The catalogue belongs to one thread at a time. The journal writes into it on the pool, the loop
 * asks when a ring is attached; a lock keeps them apart that is held for some lookups and puts,
 * never while the disk is waited for.
 */
#ifndef TDK_RECORDER_LEDGER_H
#define TDK_RECORDER_LEDGER_H

#include <uv.h>

#include "recorder/sequence.h"
#include "tape/recover.h"

struct ledger {
    struct recovered *tape; /* borrowed */
    uv_mutex_t lock;        /* over tape->catalog */
};

int ledger_init(struct ledger *ledger, struct recovered *tape);
void ledger_close(struct ledger *ledger);

/* The track's number, made if it is new. */
int ledger_track(struct ledger *ledger, const char *name, enum tdk_kind kind, uint16_t *number,
                 struct tdk_err *err);

/* The last epoch of a track by name, copied. False: it has none. */
bool ledger_last_epoch(struct ledger *ledger, const char *name, struct epoch_ref *epoch);

/* That epoch of a track which a ring calls `ring_epoch`, copied. False: it is not on the tape. */
bool ledger_find_epoch(struct ledger *ledger, const char *name, const uint8_t ring_uuid[16],
                       uint64_t ring_epoch, struct epoch_ref *epoch);

/* ---- the journal's ---- */

/* A block is on the tape: what it tells, and that it is there. */
int ledger_learn(struct ledger *ledger, const struct block_view *view, const struct block_ref *ref,
                 struct tdk_err *err);

/* What changed since the last time, into the index; within a transaction. */
int ledger_store(struct ledger *ledger, struct tdk_err *err);

/* For a foot: see catalog_encode(). */
int ledger_encode(struct ledger *ledger, const struct block_ref *refs, size_t count, void **bytes,
                  size_t *size, struct tdk_err *err);

/* What was deleted leaves index and catalogue: see recover_follow(). */
int ledger_follow(struct ledger *ledger, struct tdk_err *err);

#endif
