#include "replayer/piece.h"

bool piece_takes(const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) || frame->type == TDK_TYPE_LOSS ||
           frame->type == TDK_TYPE_CLOCK || frame->type == TDK_TYPE_SYMBOL ||
           frame->type == TDK_TYPE_MARK || frame->type == TDK_TYPE_INFO;
}

struct piece piece_from(const struct tdk_frame *at, const struct tdk_frame *end, size_t max)
{
    struct piece piece = {.first = at};
    do {
        size_t span = tdk_frame_span(at->size);
        if (piece.bytes > 0 && piece.bytes + span > max)
            break;
        piece.bytes += span;
        if (tdk_frame_is_tick(at)) {
            piece.ticks++;
            if (piece_is_timed(at))
                piece.last_ts = at->ts;
        } else if (at->type == TDK_TYPE_LOSS && at->size >= sizeof(struct tdk_loss))
            piece.lost += ((const struct tdk_loss *)(at + 1))->count;
        at = tdk_frame_after(at);
    } while (at < end && piece_takes(at));
    return piece;
}

void piece_shift(void *frames, size_t bytes, uint64_t shift)
{
    unsigned char *at = frames, *end = at + bytes;
    while (at < end) {
        struct tdk_frame *frame = (struct tdk_frame *)(void *)at;
        bool timeless =
            frame->ts == TDK_TS_UNDEFINED || (frame->ts == 0 && tdk_type_is_control(frame->type));
        if (!timeless)
            frame->ts += shift;
        at += tdk_frame_span(frame->size);
    }
}
