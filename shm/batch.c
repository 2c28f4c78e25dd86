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

/*
 * Ticks are laid down in memory of our own and moved into the ring in one piece: from some 2 KiB on
 * by a copy that does not ask for the lines it overwrites. In a small ring the other side's
 * processor still has them, and each store to one waits for it. In a large one they are in nobody's
 * cache any more: to ask for them ahead and write in place is faster there.
 */
#define PIECE_MAX      8192u
#define PIECE_MIN      2048u
#define PIECE_RING_MAX ((uint64_t)16 << 20)

static void copy_words(void *to, const void *from, size_t words)
{
#if defined __x86_64__
    __asm__ __volatile__("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
    memcpy(to, from, words * 8);
#endif
}

/* Ticks `first` to `first` + n of a put, and what their frames have in common. */
struct part {
    const struct tdk_put *put;
    uint64_t first, n, seq; /* seq: of the first */
    uint64_t now;           /* of all, where the put tells no times */
};

/* Their frames, as a producer would have filled them, asking for what lies `ahead` bytes further.
 */
TDK_RING_INLINE void lay_down_sized(unsigned char *at, const struct part *p, size_t ahead,
                                    uint32_t size)
{
    const struct tdk_put *put = p->put;
    const unsigned char *payload = (const unsigned char *)put->payloads + p->first * put->stride;
    const struct tdk_frame head = {.size = size, .type = put->type, .flags = put->flags};
    const uint64_t *ts = put->ts == NULL ? NULL : put->ts + p->first;
    const uint64_t n = p->n, seq = p->seq, now = p->now, stride = put->stride;
    size_t span = tdk_frame_span(size);
    for (uint64_t i = 0; i < n; i++, at += span, payload += stride) {
        struct tdk_frame *frame = (struct tdk_frame *)(void *)at;
        __builtin_prefetch(at + ahead, 1);
        if (span > 64)
            __builtin_prefetch(at + ahead + 64, 1);
        if ((size & 7) != 0)
            memset(at + span - 8, 0, 8);
        memcpy(frame, &head, 8);
        frame->seq = seq + i;
        frame->ts = ts == NULL ? now : ts[i];
        memcpy(frame + 1, payload, size);
    }
}

/* A size that is known to the compiler is copied without a call; these are the usual ones. */
static void lay_down(unsigned char *at, const struct part *p, size_t ahead)
{
    switch (p->put->size) {
    case 32:
        lay_down_sized(at, p, ahead, 32);
        break;
    case 48:
        lay_down_sized(at, p, ahead, 48);
        break;
    case 64:
        lay_down_sized(at, p, ahead, 64);
        break;
    default:
        lay_down_sized(at, p, ahead, p->put->size);
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
    const struct part part = {put, first, n, ring->seq + 1, now};
    if (bytes < PIECE_MIN || bytes > sizeof piece || ring->mask >= PIECE_RING_MAX) {
        lay_down(room, &part, TDK_RING_AHEAD_WRITE);
    } else {
        lay_down(piece, &part, 0);
        copy_words(room, piece, bytes / 8);
    }
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
