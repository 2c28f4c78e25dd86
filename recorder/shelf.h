/*
 * shelf.h - what the tape knows of its tracks, shared by the loop and the journal.
 *
 * The catalogue belongs to one thread at a time. The journal writes into it on the pool, the loop
 * asks when a ring is attached; a lock that is held for some lookups, never over I/O, keeps them
 * apart.
 */
#ifndef TDK_RECORDER_SHELF_H
#define TDK_RECORDER_SHELF_H

#include <uv.h>

#include "recorder/sequence.h"
#include "tape/recover.h"

struct shelf {
    struct recovered *tape; /* borrowed */
    uv_mutex_t lock;        /* over tape->catalog */
};

int shelf_init(struct shelf *shelf, struct recovered *tape);
void shelf_close(struct shelf *shelf);

/* The track's number, made if it is new. */
int shelf_track(struct shelf *shelf, const char *name, enum tdk_kind kind, uint16_t *number,
                struct tdk_err *err);

/* The last epoch of a track by name, copied. False: it has none. */
bool shelf_last_epoch(struct shelf *shelf, const char *name, struct epoch_ref *epoch);

/* That epoch of a track which a ring calls `ring_epoch`, copied. False: it is not on the tape. */
bool shelf_find_epoch(struct shelf *shelf, const char *name, const uint8_t ring_uuid[16],
                      uint64_t ring_epoch, struct epoch_ref *epoch);

#endif
