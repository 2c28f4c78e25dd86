#include "shm/producer.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "shm/epoch.h"
#include "shm/past_cache.h"
#include "shm/ring_private.h"

int producer_open(struct tdk_ring *ring, struct tdk_err *err)
{
    struct tdk_ring_private *more = ring->more;
    uint64_t capacity = ring->mask + 1;
    uint64_t consumed = __atomic_load_n(&ring->shared->consumed, __ATOMIC_ACQUIRE);
    uint64_t produced = __atomic_load_n(&ring->shared->produced, __ATOMIC_RELAXED);
    uint64_t reserved = __atomic_load_n(&ring->shared->reserved, __ATOMIC_RELAXED);
    if (produced - consumed > capacity || ((produced | consumed) & 7) != 0 ||
        (reserved != 0 && reserved - consumed > capacity))
        return err_say(err, TDK_EHOSTILE, "ring %s: its counters contradict each other",
                       more->name);

    /* What a dead producer had claimed beyond `produced` was never published. It is overwritten. */
    ring->position = produced;
    ring->limit = produced; /* so the first claim goes the slow way, to put in the EPOCH frame */
    more->released = consumed;
    more->reserved = reserved > produced ? reserved : produced;
    return epoch_begin(ring, err);
}

/* Read how far the consumer has released. False: that is impossible. */
static bool look_at_consumer(struct tdk_ring *ring)
{
    struct tdk_ring_private *more = ring->more;
    uint64_t consumed = __atomic_load_n(&ring->shared->consumed, __ATOMIC_ACQUIRE);
    if (consumed < more->released || consumed > ring->position || (consumed & 7) != 0) {
        ring_set_hostile(ring, "the consumer released what it had not been given");
        return false;
    }
    more->released = consumed;
    return true;
}

uint64_t producer_fill(struct tdk_ring *ring)
{
    (void)look_at_consumer(ring);
    return ring->position - ring->more->released;
}

bool producer_make_room(struct tdk_ring *ring, size_t span)
{
    struct tdk_ring_private *more = ring->more;
    uint64_t capacity = ring->mask + 1;
    if (span > more->released + capacity - ring->position &&
        (!look_at_consumer(ring) || span > more->released + capacity - ring->position))
        return false;

    uint64_t step = capacity / 64 > span ? capacity / 64 : span;
    uint64_t end = more->released + capacity;
    uint64_t limit = end - ring->position < step ? end : ring->position + step;
    if (limit > more->reserved) {
        /* This is stored before the bytes are written. The fence keeps the bytes of the frames
         * behind this store, so a tap that has copied any of them finds it afterwards (tap.c). */
        __atomic_store_n(&ring->shared->reserved, limit, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        more->reserved = limit;
    }
    ring->limit = limit;
    return true;
}

bool tdk_ring_claim_slow(struct tdk_ring *ring, size_t span)
{
    assert(ring->role == TDK_RING_PRODUCER);
    if (ring->more->hostile)
        return false;
    if (!ring->more->announced && !epoch_announce(ring))
        return false;
    return producer_make_room(ring, span);
}

void tdk_ring_drop(struct tdk_ring *ring, uint64_t count)
{
    struct tdk_ring_private *more = ring->more;
    ring->seq += count;
    more->lost += count;
    __atomic_store_n(&more->line->refused_seq, ring->seq, __ATOMIC_RELAXED);
    __atomic_store_n(&more->line->lost, more->lost, __ATOMIC_RELAXED);
}

void producer_tell_played(struct tdk_ring *ring, uint64_t ticks)
{
    __atomic_store_n(&ring->more->line->played, ticks, __ATOMIC_RELAXED);
}

void tdk_ring_refuse(struct tdk_ring *ring)
{
    tdk_ring_drop(ring, 1);
}

void tdk_ring_set_clock(struct tdk_ring *ring, enum tdk_clock clock)
{
    ring->more->clock = clock;
}

void producer_copy(struct tdk_ring *ring, void *room, const void *frames, size_t bytes)
{
    enum { THROUGH_CACHE, PAST_CACHE, WAYS };
    enum { TRIED_MIN = 4096 }; /* less than that costs no more than to look at the clock */
    struct trial *trial = &ring->more->copying;
    bool timed = false;
    unsigned way = bytes < TRIED_MIN ? THROUGH_CACHE : trial_next(trial, WAYS, &timed);
    uint64_t start = timed ? clock_mono() : 0;
    if (way == PAST_CACHE)
        past_cache_copy(room, frames, bytes);
    else
        memcpy(room, frames, bytes);
    if (timed)
        trial_note(trial, WAYS, way, clock_mono() - start, bytes);
}
