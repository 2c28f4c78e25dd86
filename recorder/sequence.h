/*
 * sequence.h - how a frame from a ring stands to the tape: it is next, already there, behind a
 * loss, or wrong.
 *
 * (track, epoch, seq) names a tick for ever. By it this module makes sure that nothing is lost
 * unseen and nothing is recorded twice: a recorder that comes back finds in the ring what it had
 * written but not yet released, and passes over it; a hole is a loss of exactly so many ticks; a
 * repeat breaks the ring's rules.
 *
 * Pure: no I/O, no allocation, one owner at a time.
 */
#ifndef TDK_RECORDER_SEQUENCE_H
#define TDK_RECORDER_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/tick.h"

/* The longest hole that is believed to be a loss: 300 days of refused claims at ten million a
 * second. A longer one is a lie. */
#define SEQUENCE_HOLE_MAX (UINT64_C(1) << 48)

struct sequence {
    uint64_t ring_epoch; /* of the frames that come now, as the ring calls it; 0: none yet */
    uint64_t epoch;      /* the same as the tape calls it; 0: not begun there */
    uint64_t next_seq;   /* 0: any, because we joined in the middle */
    uint64_t last_epoch; /* the highest that this track has on the tape */
    bool passing;        /* frames below next_seq may be on the tape already */
    bool stale; /* the tape has a later epoch: the rest of this one goes into a new epoch */
};

enum sequence_verdict {
    SEQUENCE_NEXT,  /* it is the one that is expected */
    SEQUENCE_PASS,  /* it is on the tape: pass over it */
    SEQUENCE_HOLE,  /* it comes behind a loss of `lost` ticks */
    SEQUENCE_BEGIN, /* the tape must begin an epoch before it */
    SEQUENCE_WRONG, /* no honest producer does that */
};

/* What the tape has of a ring's epoch. */
struct sequence_known {
    uint64_t epoch;      /* as the tape numbers it; 0: it has nothing of it */
    uint64_t next_seq;   /* after its last tick or loss */
    uint64_t last_epoch; /* the track's highest, 0: none */
};

/* A ring was attached. The frame at its cursor is of `ring_epoch` (0: nobody has published yet). */
void sequence_attach(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known);

/* Judge the tick that is next in the ring. SEQUENCE_HOLE: *lost ticks were lost before it. Changes
 * nothing. */
enum sequence_verdict sequence_look(const struct sequence *s, uint64_t seq, uint64_t *lost);

/* Everything before `next_seq` was taken, or told as lost: that one is expected next. */
void sequence_take(struct sequence *s, uint64_t next_seq);

/* The tape begins an epoch for the ring's. Returns its number on the tape, which is the ring's
 * unless the tape already has that or a higher one. */
uint64_t sequence_begin(struct sequence *s);

/* Judge the EPOCH frame that is next in the ring. SEQUENCE_HOLE: the epoch that ends here lost
 * *lost ticks at its end. SEQUENCE_NEXT, SEQUENCE_WRONG. Changes nothing. */
enum sequence_verdict sequence_turn(const struct sequence *s, const struct tdk_epoch *told,
                                    uint64_t *lost);

/* The EPOCH frame was taken. `known`: what the tape has of the new epoch. */
void sequence_turned(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known);

#endif
