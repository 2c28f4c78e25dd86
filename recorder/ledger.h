/*
 * ledger.h - what the tape knows of its tracks, shared by the loop and the journal.
 *
 * The catalogue belongs to one thread at a time. The journal writes into it on the pool, the loop
 * asks when a ring is attached; a lock that is held for some lookups, never over I/O, keeps them
 * apart.
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

#endif
