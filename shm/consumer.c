#include "shm/consumer.h"

#include <unistd.h>

#include "base/err.h"
#include "shm/epoch.h"
#include "shm/ring_private.h"
#include "shm/wait.h"

int consumer_open(struct tdk_ring *ring, struct tdk_err *err)
{
    struct tdk_ring_shared *shared = ring->shared;
    uint64_t capacity = ring->mask + 1;
    uint64_t consumed = __atomic_load_n(&shared->consumed, __ATOMIC_RELAXED);
    uint64_t produced = __atomic_load_n(&shared->produced, __ATOMIC_ACQUIRE);
    uint64_t high = __atomic_load_n(&shared->high_water, __ATOMIC_RELAXED);
    if (produced - consumed > capacity || ((produced | consumed) & 7) != 0)
        return err_say(err, TDK_EHOSTILE, "ring %s: its counters contradict each other",
                       ring->more->name);

    ring->cursor = ring->seen = ring->freed = ring->consumed = consumed;
    ring->high = high <= capacity ? high : 0;
    ring->lazy = capacity / 8;
    /* No frame has such a head, and if one had, it would not fit. */
    ring->head = UINT64_MAX;
    ring->head_span = UINT64_MAX;
    ring->linger_shift = linger_begin(&ring->more->linger);
    __atomic_store_n(&shared->consumer_pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&shared->consumer_wakes, wait_register(), __ATOMIC_RELAXED);
    ring->more->epoch = epoch_at_cursor(ring);
    return 0;
}

bool tdk_ring_refill_slow(struct tdk_ring *ring, uint64_t produced)
{
    uint64_t capacity = ring->mask + 1, fill = produced - ring->consumed;
    assert(ring->role == TDK_RING_CONSUMER);
    if (ring->more->hostile)
        return false;
    if (fill > capacity || produced - ring->cursor > capacity || (produced & 7) != 0) {
        ring_set_hostile(ring, "the producer published an impossible position");
        return false;
    }
    ring->high = fill;
    __atomic_store_n(&ring->shared->high_water, fill, __ATOMIC_RELAXED);
    ring->seen = produced;
    return true;
}

uint64_t tdk_ring_head_slow(struct tdk_ring *ring, uint64_t head, uint64_t left)
{
    uint32_t size = (uint32_t)head;
    uint64_t span = tdk_frame_span(size);
    if (ring->more->hostile) {
        ring->seen = ring->cursor;
        return 0;
    }
    if (size > ring->payload_max || span > left) {
        ring_set_hostile(ring, size > ring->payload_max
                                   ? "a frame is larger than the ring allows"
                                   : "a frame reaches beyond what is published");
        return 0;
    }
    ring->cursor += span; /* padding */
    return span;
}

static void wake_producer(struct tdk_ring_shared *shared)
{
    if (__atomic_load_n(&shared->room_wanted, __ATOMIC_RELAXED) != 0)
        tdk_ring_wake(&shared->room_wanted);
}

void tdk_ring_give_back(struct tdk_ring *ring)
{
    struct tdk_ring_shared *shared = ring->shared;
    assert(ring->role == TDK_RING_CONSUMER);
    /* Release: pairs with the acquire in look_at_consumer(). A producer that sees the new position
     * knows that we have read what lies before it. */
    __atomic_store_n(&shared->consumed, ring->freed, __ATOMIC_RELEASE);
    ring->consumed = ring->freed;
    wake_producer(shared);
}

/* Store it only if nobody has given back more since. A forked child that detaches is a consumer
 * too, as of the time of the fork, and a position never goes back. */
void consumer_close(struct tdk_ring *ring)
{
    uint64_t told = ring->consumed;
    if (ring->freed != told &&
        __atomic_compare_exchange_n(&ring->shared->consumed, &told, ring->freed, false,
                                    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        wake_producer(ring->shared);
}

void tdk_ring_release_to(struct tdk_ring *ring, uint64_t position)
{
    assert(position <= ring->cursor);
    if (position <= ring->consumed)
        return;
    ring->freed = position;
    tdk_ring_give_back(ring);
}
