/*
 * pairing.h - the ticks of one track on two tapes, matched one by one.
 *
 * Two recorders of one feed give it other epochs, other seqs, other times; what stays is the order
 * and what a tick says. So ticks are matched in order by type and payload, byte for byte. Where the
 * heads differ the nearest place is looked for at which both go on alike, up to PAIRING_WINDOW
 * ticks (or some MiB) ahead on either side; what lies before it is on one tape only. Nothing alike
 * there: what was received earlier, less what the two clocks were apart by the last pairs, is on
 * one tape only. Before the first pair, one is looked for further on, once, to know that. Memory is
 * bounded whatever the tapes. One thread.
 */
#ifndef TDK_CLI_PAIRING_H
#define TDK_CLI_PAIRING_H

#include <stdint.h>

#include "tapedeck/tape.h"

#define PAIRING_WINDOW 65536u

enum pairing_side { SIDE_A, SIDE_B, SIDES };

struct pairing_tick {
    const struct tdk_frame *frame; /* borrowed until the callback returns */
    uint64_t epoch;
    uint64_t lost; /* ticks lost directly before it, or damaged there */
    uint32_t sum;  /* of its type and payload */
};

/* Ticks come in an order that agrees with both tapes. Between two ticks that both tapes have, the
 * ticks of only one tape are ordered by their times. Not 0 ends the walk and is returned. */
struct pairing_events {
    int (*both)(const struct pairing_tick *a, const struct pairing_tick *b, void *context,
                struct tdk_err *err);
    int (*only)(enum pairing_side side, const struct pairing_tick *tick, void *context,
                struct tdk_err *err);
    int (*progress)(uint64_t ticks, void *context); /* called now and then; may be NULL */
    void *context;
};

struct pairing_totals {
    uint64_t ticks[SIDES], lost[SIDES], damaged[SIDES];
    uint64_t lost_at_end[SIDES]; /* lost, and damaged, after the last tick */
    uint64_t uncounted;          /* damaged parts of which the number of ticks is not known */
    char damage[200];            /* the first that was found */
};

/* `tapes`: NULL for a tape that does not have this track. `query`: only from, to and axis count. */
int pairing_run(struct tdk_tape *const tapes[SIDES], const char *track,
                const struct tdk_query *query, const struct pairing_events *events,
                struct pairing_totals *totals, struct tdk_err *err);

#endif
