/*
 * piece.h - cuts a run of frames into pieces that each go into a ring as one copy.
 *
 * Pure. The frames come from a cursor, which has checked their heads.
 */
#ifndef TDK_REPLAYER_PIECE_H
#define TDK_REPLAYER_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/tick.h"

/* Does a replay ring get this frame of the tape? It gets ticks, LOSS, CLOCK, SYMBOL, MARK and INFO.
 * EPOCH belongs to the ring itself, and the player puts TRACK in; END and JOIN of an earlier play
 * would be taken for this play's. */
bool piece_takes(const struct tdk_frame *frame);

struct piece {
    const struct tdk_frame *first;
    size_t bytes;
    uint64_t ticks, lost; /* its ticks; what its LOSS frames tell */
    uint64_t last_ts;     /* of its last tick with a usable time; 0: none */
};

/* As many frames from `at` on as piece_takes() and fit `max` bytes, but at least one: the caller
 * has checked that `at` itself is taken. */
struct piece piece_from(const struct tdk_frame *at, const struct tdk_frame *end, size_t max);

/* The same without a walk, where all frames are known to be ticks with this span. */
struct piece piece_of_ticks(const struct tdk_frame *at, const struct tdk_frame *end, size_t max,
                            size_t span);

/* Is it a tick with a usable time, neither absurd nor undefined? */
static inline bool piece_is_timed(const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) && (frame->flags & TDK_FLAG_TS_UNTRUSTED) == 0 &&
           frame->ts != TDK_TS_UNDEFINED;
}

/* Copy frames into a ring, and add `shift` (modulo 2^64) to the time of each that has one (a
 * control frame may have 0). Nothing is read back from the ring, because its consumer can write
 * there, too. */
void piece_copy_shifted(void *to, const struct tdk_frame *from, size_t bytes, uint64_t shift);

#endif
