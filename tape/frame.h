/*
 * frame.h - what a frame on a tape says about itself: instrument, event time, its place in time.
 *
 * Writer and reader must agree on these to the bit, so the code is here once. It is for frames that
 * passed block_check() or were added by block.c: a DBN or wide payload without TDK_FLAG_INVALID is
 * whole. Inline, pure.
 */
#ifndef TDK_TAPE_FRAME_H
#define TDK_TAPE_FRAME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "tapedeck/dbn.h"
#include "tapedeck/tick.h"

/* True: the payload is a whole DBN or wide record. */
static inline bool frame_is_record(const struct tdk_frame *frame)
{
    return frame->type - 1u <= TDK_TYPE_WIDE - 1u && (frame->flags & TDK_FLAG_INVALID) == 0;
}

/* The instrument that a tick is about; 0: not known (opaque, or a payload that fails its check). */
static inline uint32_t frame_instrument(const struct tdk_frame *frame)
{
    return frame_is_record(frame) ? load_u32(tdk_frame_payload(frame) + 4) : 0;
}

/* When the event happened: the record's own time if it has one, else when it was received. */
static inline uint64_t frame_event_ts(const struct tdk_frame *frame)
{
    if (!frame_is_record(frame))
        return frame->ts;
    uint64_t ts = load_u64(tdk_frame_payload(frame) + 8);
    return ts == TDK_TS_UNDEFINED ? frame->ts : ts;
}

/* Where a frame comes when tracks are merged: a tick by its time; a control frame at once, behind
 * what its track had before it. Its own time is that of whoever wrote it, often years after the
 * ticks beside it, and must not hold them back. */
static inline uint64_t frame_merge_ts(const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) ? frame->ts : 0;
}

/* The record's type; -1: the payload is no record. */
static inline int frame_rtype(const struct tdk_frame *frame)
{
    return frame_is_record(frame) ? tdk_frame_payload(frame)[1] : -1;
}

#endif
