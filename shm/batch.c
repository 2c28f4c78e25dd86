#include "tapedeck/ring.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "shm/ring_private.h"

/* ---- out of a ring ---- */

/* Where the frames begin that lie in a copy, without padding; *size becomes what the whole ones
 * take. -1: a head that cannot be. */
static int64_t find_frames(const struct tdk_ring *ring, const unsigned char *bytes, size_t *size,
                           uint64_t *offsets)
{
    size_t at = 0;
    int64_t count = 0;
    while (*size - at >= sizeof(struct tdk_frame)) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)(bytes + at);
        if (frame->size > ring->payload_max)
            return -1;
        size_t span = tdk_frame_span(frame->size);
        if (span > *size - at)
            break;
        if (frame->type != TDK_TYPE_PADDING)
            offsets[count++] = at;
        at += span;
    }
    *size = at;
    return count;
}

static int64_t copy_tapped(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *offsets,
                           size_t *size, uint64_t *missed)
{
    int64_t taken = tdk_ring_tap(ring, buffer, room, missed);
    if (taken <= 0)
        return taken;
    size_t bytes = (size_t)taken;
    int64_t count = find_frames(ring, buffer, &bytes, offsets);
    *size = bytes;
    return count; /* tdk_ring_tap() has looked at each head: it is not -1 */
}

int64_t tdk_ring_copy(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *offsets,
                      size_t *size, uint64_t *missed)
{
    *size = 0;
    if (ring->role == TDK_RING_TAP)
        return copy_tapped(ring, buffer, room, offsets, size, missed);
    assert(ring->role == TDK_RING_CONSUMER);
    *missed = 0;
    for (;;) {
        size_t fill, bytes;
        const void *from = tdk_ring_peek(ring, &fill);
        if (tdk_ring_hostile(ring) != NULL)
            return TDK_EHOSTILE;
        if (fill == 0)
            return 0;
        bytes = (fill < room ? fill : room) & ~(size_t)7;
        memcpy(buffer, from, bytes);
        int64_t count = find_frames(ring, buffer, &bytes, offsets);
        if (tdk_ring_hostile(ring) != NULL) /* its file was cut, and we have copied zeros */
            return TDK_EHOSTILE;
        if (count < 0 || (bytes == 0 && fill <= room)) {
            ring_set_hostile(ring, "a frame has a size that cannot be");
            return TDK_EHOSTILE;
        }
        if (bytes == 0)
            return -ENOBUFS;
        tdk_ring_skip(ring, bytes);
        *size = bytes;
        if (count > 0)
            return count;
    }
}

void tdk_ring_give(struct tdk_ring *ring)
{
    if (ring->role == TDK_RING_CONSUMER)
        tdk_ring_release_to(ring, tdk_ring_position(ring));
}

/* ---- into a ring ---- */

/* Ticks are laid down in memory of our own and moved into the ring in one piece. From some 2 KiB on
 * that piece goes by a copy that does not ask for the lines it overwrites, which the other side's
 * processor has: one after the other, each store to such a line waits for it. */
#define PIECE_MAX 8192u
#define PIECE_MIN 2048u

static void copy_words(void *to, const void *from, size_t words)
{
#if defined __x86_64__
    __asm__ __volatile__("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
    memcpy(to, from, words * 8);
#endif
}

/* Frames for ticks first to first + n of `put`, as a producer would have filled them. */
TDK_RING_INLINE void lay_down_sized(unsigned char *at, const struct tdk_put *put, uint64_t first,
                                    uint64_t n, uint64_t seq, uint64_t now, uint32_t size)
{
    const unsigned char *payload = (const unsigned char *)put->payloads + first * put->stride;
    const struct tdk_frame head = {.size = size, .type = put->type, .flags = put->flags};
    const uint64_t *ts = put->ts == NULL ? NULL : put->ts + first;
    size_t span = tdk_frame_span(size);
    for (uint64_t i = 0; i < n; i++, at += span, payload += put->stride) {
        struct tdk_frame *frame = (struct tdk_frame *)(void *)at;
        if ((size & 7) != 0)
            memset(at + span - 8, 0, 8);
        memcpy(frame, &head, 8);
        frame->seq = seq + i;
        frame->ts = ts == NULL ? now : ts[i];
        memcpy(frame + 1, payload, size);
    }
}

/* A size that is known to the compiler is copied without a call; these are the usual ones. */
static void lay_down(unsigned char *at, const struct tdk_put *put, uint64_t first, uint64_t n,
                     uint64_t seq, uint64_t now)
{
    switch (put->size) {
    case 32:
        lay_down_sized(at, put, first, n, seq, now, 32);
        break;
    case 48:
        lay_down_sized(at, put, first, n, seq, now, 48);
        break;
    case 64:
        lay_down_sized(at, put, first, n, seq, now, 64);
        break;
    default:
        lay_down_sized(at, put, first, n, seq, now, put->size);
        break;
    }
}

/* All n in one piece, if there is room for them. */
static bool put_piece(struct tdk_ring *ring, const struct tdk_put *put, uint64_t first, uint64_t n,
                      uint64_t now)
{
    _Alignas(64) unsigned char piece[PIECE_MAX];
    size_t bytes = (size_t)n * tdk_frame_span(put->size);
    void *room = tdk_ring_claim_run(ring, bytes);
    if (room == NULL)
        return false;
    bool aside = bytes >= PIECE_MIN && bytes <= sizeof piece;
    for (size_t at = 0; !aside && at < bytes && at < PIECE_MIN; at += 64)
        __builtin_prefetch((char *)room + TDK_RING_AHEAD_WRITE + at, 1);
    lay_down(aside ? piece : room, put, first, n, ring->seq + 1, now);
    if (aside)
        copy_words(room, piece, bytes / 8);
    ring->seq += n;
    return true;
}

/* One by one, where there is not room for all: those that are refused have spent their seq; the
 * first that was waited for in vain has spent nothing, and ends it. Returns ticks. */
static uint64_t put_singly(struct tdk_ring *ring, const struct tdk_put *put, uint64_t first,
                           uint64_t n, uint64_t now, uint64_t wait_ns)
{
    uint64_t done = 0;
    for (uint64_t i = first; i < first + n; i++) {
        if (tdk_ring_has_room(ring, tdk_frame_span(put->size)) ||
            (wait_ns > 0 && tdk_ring_wait_room(ring, put->size, wait_ns)))
            done += put_piece(ring, put, i, 1, now);
        else if (wait_ns > 0)
            break;
        else
            tdk_ring_refuse(ring);
    }
    return done;
}

int64_t tdk_ring_put(struct tdk_ring *ring, const struct tdk_put *put, uint64_t wait_ns)
{
    assert(ring->role == TDK_RING_PRODUCER);
    if (put->size > ring->payload_max || put->type == TDK_TYPE_PADDING ||
        tdk_type_is_control(put->type))
        return TDK_EVALUE;
    if (tdk_ring_hostile(ring) != NULL)
        return TDK_EHOSTILE;
    uint64_t now = put->ts == NULL ? clock_wall() : 0, done = 0, first = 0;
    uint64_t most = PIECE_MAX / tdk_frame_span(put->size);
    most += most == 0; /* larger than a piece: one at a time, in place */
    while (first < put->count) {
        uint64_t left = put->count - first, n = left < most ? left : most, taken = n;
        if (!put_piece(ring, put, first, n, now))
            taken = put_singly(ring, put, first, n, now, wait_ns);
        tdk_ring_publish(ring); /* so that the other side can begin */
        done += taken;
        if (taken < n && wait_ns > 0)
            break;
        first += n;
    }
    return (int64_t)done;
}
