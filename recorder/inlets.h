/*
 * inlets.h - the inlets of a recorder: which ring has which of them.
 *
 * They are an array of fixed size. Those of the configuration come first; the others are for rings
 * that somebody asks for, or lends, while the recorder runs. An inlet that had a ring once is kept
 * for it. The loop's thread.
 */
#ifndef TDK_RECORDER_INLETS_H
#define TDK_RECORDER_INLETS_H

#include "recorder/inlet.h"

#define INLETS_SPARE   64u /* rings that can be attached while it runs */
#define INLETS_PASSING 32u /* of these, names that were only ever lent */

/* Set up `count` inlets: those of the configuration, and the rest detached. */
void inlets_init(struct inlet *all, unsigned count, const struct config *config,
                 struct ledger *ledger);

/* Record this ring from now on. It gets an inlet that no ring has had, or the one that it had
 * itself, because the counters of an inlet keep their names for ever. NULL: err says why. -EEXIST:
 * the ring is recorded already, or its track is recorded from another ring. TDK_EFULL: no inlet is
 * left. */
struct inlet *inlets_add(struct inlet *all, unsigned count, const struct config_ring *ring,
                         struct tdk_err *err);

/* Attach to a ring in memory that somebody lends us. The inlet is the one that waits for a ring of
 * that name, or one of its own. The caller keeps `file`. When the producer has gone, the ring is
 * read to its end and detached. NULL: err says why, as for inlets_add() and memory_attach(). At
 * most INLETS_PASSING inlets go to names that were only ever lent (else TDK_EFULL): the rest is
 * kept for clients that may attach rings. */
struct inlet *inlets_lend(struct inlet *all, unsigned count, const struct config_ring *ring,
                          int file, struct tdk_err *err);

/* The inlet of this ring, or NULL if nobody asks for the ring. */
struct inlet *inlets_find(struct inlet *all, unsigned count, const char *ring);

#endif
