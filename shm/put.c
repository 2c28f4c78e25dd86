#include "tapedeck/ring.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "shm/past_cache.h"
#include "shm/ring_private.h"

/*
 * Ticks are put in by pieces, in one of three ways.
 *
 * In place: the lines of the ring are prefetched and written. This is fast in a large ring, where
 * no other processor has the lines.
 *
 * Aside: the piece is built in our own memory and moved by one string instruction. From about 2 KiB
 * on, that instruction writes whole lines without fetching what was in them. So there is no wait
 * for lines that the other side's processor still has.
 *
 * Past the cache: as aside, but straight to memory (past_cache.h). This leaves no lines to be taken
 * away, but costs a fence.
 *
 * Which way is the fastest cannot be known, so it is tried (trial.h).
 */
#define PIECE_MAX 8192u
#define PIECE_MIN 2048u

enum { ASIDE, IN_PLACE, PAST_CACHE, WAYS };

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
    uint64_t first, n, seq; /* seq: of the first tick */
    uint64_t now;           /* for all ticks, if the put has no times */
};

/* Write their frames as a producer would have filled them, and prefetch what lies `ahead` bytes
 * further on. */
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
        tdk_ring_fetch(at + ahead);
        if (span > 64)
            tdk_ring_fetch(at + ahead + 64);
        if ((size & 7) != 0)
            memset(at + span - 8, 0, 8);
        memcpy(frame, &head, 8);
        frame->seq = seq + i;
        frame->ts = ts == NULL ? now : ts[i];
        memcpy(frame + 1, payload, size);
    }
}

/* If the compiler knows the size, it copies without a call. These are the usual sizes. */
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

static void fill_room(struct trial *trial, void *room, size_t bytes, const struct part *part)
{
    _Alignas(64) unsigned char piece[PIECE_MAX];
    bool timed;
    unsigned way = trial_next(trial, WAYS, &timed);
    uint64_t start = timed ? clock_mono() : 0;
    if (way == IN_PLACE) {
        lay_down(room, part, TDK_RING_AHEAD_WRITE);
    } else {
        lay_down(piece, part, 0);
        if (way == ASIDE)
            copy_words(room, piece, bytes / 8);
        else
            past_cache_copy(room, piece, bytes);
    }
    if (timed)
        trial_note(trial, WAYS, way, clock_mono() - start, bytes);
}

/* How many of `n` frames there is room for. */
static uint64_t count_fitting(struct tdk_ring *ring, size_t span, uint64_t n)
{
    if (tdk_ring_has_room(ring, n * span))
        return n;
    if (!tdk_ring_has_room(ring, span))
        return 0;
    uint64_t fitting = (ring->limit - ring->position) / span; /* more may have come meanwhile */
    return fitting < n ? fitting : n;
}

/* Put in one piece. There is room for it. */
static void put_piece(struct tdk_ring *ring, const struct part *part)
{
    size_t bytes = (size_t)part->n * tdk_frame_span(part->put->size);
    void *room = tdk_ring_claim_run(ring, bytes);
    assert(room != NULL);
    if (bytes < PIECE_MIN || bytes > PIECE_MAX)
        lay_down(room, part, TDK_RING_AHEAD_WRITE);
    else
        fill_room(&ring->more->filling, room, bytes, part);
    ring->seq += part->n;
    tdk_ring_publish(ring); /* so that the other side can begin */
}

int64_t tdk_ring_put(struct tdk_ring *ring, const struct tdk_put *put, uint64_t wait_ns)
{
    assert(ring->role == TDK_RING_PRODUCER);
    if (put->size > ring->payload_max || put->type == TDK_TYPE_PADDING ||
        tdk_type_is_control(put->type))
        return TDK_EVALUE;
    if (tdk_ring_hostile(ring) != NULL)
        return TDK_EHOSTILE;
    const size_t span = tdk_frame_span(put->size);
    const uint64_t most = span < PIECE_MAX ? PIECE_MAX / span : 1;
    const uint64_t now = put->ts == NULL ? clock_wall() : 0;
    uint64_t done = 0, first = 0;
    while (first < put->count) {
        uint64_t left = put->count - first;
        uint64_t n = count_fitting(ring, span, left < most ? left : most);
        if (n > 0) {
            put_piece(ring, &(struct part){put, first, n, ring->seq + 1, now});
        } else if (wait_ns == 0) {
            tdk_ring_refuse(ring);
            first++;
            continue;
        } else if (!tdk_ring_wait_room(ring, put->size, wait_ns)) {
            break;
        }
        done += n;
        first += n;
    }
    return (int64_t)done;
}
