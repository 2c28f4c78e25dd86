/*
 * piece.h - a run of frames cut into pieces that go into a ring as one copy.
 *
 * Pure. Frames come from a cursor, which has checked their heads.
 */
#ifndef TDK_REPLAYER_PIECE_H
#define TDK_REPLAYER_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/tick.h"

/* Of the tape's frames, those that a replay ring gets: ticks, LOSS, CLOCK, SYMBOL, MARK, INFO.
 * EPOCH is the ring's own business, TRACK is placed by the player; END and JOIN of an earlier play
 * would be taken for this one's. */
bool piece_takes(const struct tdk_frame *frame);

struct piece {
    const struct tdk_frame *first;
    size_t bytes;
    uint64_t ticks, lost; /* in it; told by its LOSS frames */
    uint64_t last_ts;     /* of its last tick that bears a time; 0: none */
};

/* As many frames from `at` on as fit `max` bytes and are taken, but at least one: `at` itself is
 * taken, the caller has asked. */
struct piece piece_from(const struct tdk_frame *at, const struct tdk_frame *end, size_t max);

/* The same of ticks that all have this span, as is known: no walk. */
struct piece piece_of_ticks(const struct tdk_frame *at, const struct tdk_frame *end, size_t max,
                            size_t span);

/* A tick whose time says something: neither absurd nor undefined. */
static inline bool piece_is_timed(const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) && (frame->flags & TDK_FLAG_TS_UNTRUSTED) == 0 &&
           frame->ts != TDK_TS_UNDEFINED;
}

/* Copy frames into a ring, and add `shift` (modulo 2^64) to the time of each that has one; a
 * control frame may have none (0). Nothing is read in the ring: whoever consumes it can write
 * there, too. */
void piece_copy(void *to, const struct tdk_frame *from, size_t bytes, uint64_t shift);

#endif
