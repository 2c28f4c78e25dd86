#include "replayer/piece.h"

#include <string.h>

#include "base/bytes.h"

bool piece_takes(const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) || frame->type == TDK_TYPE_LOSS ||
           frame->type == TDK_TYPE_CLOCK || frame->type == TDK_TYPE_SYMBOL ||
           frame->type == TDK_TYPE_MARK || frame->type == TDK_TYPE_INFO;
}

static const struct tdk_frame *nth(const struct tdk_frame *first, size_t n, size_t span)
{
    return (const struct tdk_frame *)(const void *)((const unsigned char *)first + n * span);
}

/* Frames from `first` on that have its first word (size, track, type, flags): up to `size` bytes,
 * and at least one. This way it is known where the next frame begins before it is read. Most blocks
 * are ticks of one kind, and a walk that waits for each size costs a sixth of a play. */
static size_t count_alike(const struct tdk_frame *first, size_t size)
{
    const uint64_t word = load_u64(first);
    const size_t span = tdk_frame_span(first->size);
    size_t count = 1;
    while ((count + 1) * span <= size && load_u64(nth(first, count, span)) == word)
        count++;
    return count;
}

/* Add `count` ticks that have the same size, track, type and flags. */
static void add_ticks(struct piece *piece, const struct tdk_frame *first, size_t count)
{
    const size_t span = tdk_frame_span(first->size);
    piece->ticks += count;
    piece->bytes += count * span;
    while (count > 0 && !piece_is_timed(nth(first, count - 1, span)))
        count--;
    if (count > 0)
        piece->last_ts = nth(first, count - 1, span)->ts;
}

static void add_control(struct piece *piece, const struct tdk_frame *frame)
{
    piece->bytes += tdk_frame_span(frame->size);
    if (frame->type == TDK_TYPE_LOSS && frame->size >= sizeof(struct tdk_loss))
        piece->lost += ((const struct tdk_loss *)(frame + 1))->count;
}

struct piece piece_of_ticks(const struct tdk_frame *at, const struct tdk_frame *end, size_t max,
                            size_t span)
{
    const size_t all = (size_t)((const unsigned char *)end - (const unsigned char *)at);
    const size_t size = all < max ? all : max;
    struct piece piece = {.first = at};
    add_ticks(&piece, at, size < span ? 1 : size / span);
    return piece;
}

struct piece piece_from(const struct tdk_frame *at, const struct tdk_frame *end, size_t max)
{
    const size_t all = (size_t)((const unsigned char *)end - (const unsigned char *)at);
    const size_t size = all < max ? all : max;
    struct piece piece = {.first = at};
    do {
        size_t left = size > piece.bytes ? size - piece.bytes : 0;
        if (piece.bytes > 0 && tdk_frame_span(at->size) > left)
            break;
        if (tdk_frame_is_tick(at))
            add_ticks(&piece, at, count_alike(at, left));
        else
            add_control(&piece, at);
        at = nth(piece.first, 1, piece.bytes);
    } while (at < end && piece_takes(at));
    return piece;
}

static bool has_time(const struct tdk_frame *frame)
{
    return frame->ts != TDK_TS_UNDEFINED && (frame->ts != 0 || !tdk_type_is_control(frame->type));
}

void piece_copy_shifted(void *to, const struct tdk_frame *from, size_t bytes, uint64_t shift)
{
    memcpy(to, from, bytes);
    for (size_t at = 0; at < bytes;) {
        const struct tdk_frame *frame = nth(from, 1, at);
        struct tdk_frame *copy = (struct tdk_frame *)(void *)((unsigned char *)to + at);
        if (has_time(frame))
            copy->ts = frame->ts + shift;
        at += tdk_frame_span(frame->size);
    }
}
