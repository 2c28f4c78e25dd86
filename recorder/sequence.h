/*
 * sequence.h - what a frame read from a ring is to its tape: next, already there, after a loss, or
 * wrong.
 *
 * (track, epoch, seq) names a tick for ever, so this is where nothing is lost and nothing doubled:
 * a recorder that comes back finds in the ring what it had written but not yet released, and passes
 * over it; a hole is a loss of exactly so many; a repeat breaks the ring's rules.
 *
 * Pure: no I/O, no allocation, one owner at a time.
 */
#ifndef TDK_RECORDER_SEQUENCE_H
#define TDK_RECORDER_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/tick.h"

/* Sequence numbers refused in a row, beyond which nobody counts: 300 days at ten million a second.
 * Such a number is a lie, not a loss. */
#define SEQUENCE_HOLE_MAX (UINT64_C(1) << 48)

struct sequence {
    uint64_t ring_epoch; /* of the frames that come now, as the ring calls it; 0: none yet */
    uint64_t epoch;      /* the same as the tape calls it; 0: not begun there */
    uint64_t next_seq;   /* 0: whichever comes first; we joined in the middle */
    uint64_t last_epoch; /* the highest that this track has on the tape */
    bool passing;        /* frames up to next_seq may be on the tape already */
    bool stale; /* the tape went on to a later epoch: what it has not of this one begins another */
};

enum sequence_verdict {
    SEQUENCE_NEXT,
    SEQUENCE_PASS,  /* it is on the tape: pass over it */
    SEQUENCE_HOLE,  /* next after a loss of `lost` */
    SEQUENCE_BEGIN, /* the first of an epoch that the tape must begin before it */
    SEQUENCE_WRONG, /* no honest producer does that */
};

/* What the tape has of a ring's epoch. */
struct sequence_known {
    uint64_t epoch;      /* as the tape calls it; 0: it has nothing of it */
    uint64_t next_seq;   /* behind its last tick or loss */
    uint64_t last_epoch; /* the track's highest, 0: none */
};

/* A ring was attached; the frame at its cursor is of `ring_epoch` (0: nobody has published yet). */
void sequence_attach(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known);

/* A tick is next in the ring. On SEQUENCE_HOLE *lost were lost before it. Nothing moves. */
enum sequence_verdict sequence_look(const struct sequence *s, uint64_t seq, uint64_t *lost);

/* It was taken (or its loss told): the next one is expected. */
void sequence_take(struct sequence *s, uint64_t next_seq);

/* The tape begins an epoch for the ring's. Returns what the tape calls it: the same, unless the
 * tape is already past that number. */
uint64_t sequence_begin(struct sequence *s);

/* An EPOCH frame is next in the ring. SEQUENCE_WRONG; SEQUENCE_HOLE: the epoch that ends here lost
 * *lost at its end; SEQUENCE_NEXT. Nothing moves. */
enum sequence_verdict sequence_turn(const struct sequence *s, const struct tdk_epoch *told,
                                    uint64_t *lost);

/* The EPOCH frame is behind us. `known`: what the tape has of the new epoch. */
void sequence_turned(struct sequence *s, uint64_t ring_epoch, const struct sequence_known *known);

#endif
