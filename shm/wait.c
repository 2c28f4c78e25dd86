/*
 * Parking without a fence in the producer.
 *
 *   sleeper                                   the other side, per tick
 *   raises `wanted`                           stores its position
 *   membarrier()                              looks at `wanted`
 *   looks at the position once more
 *   sleeps while `wanted` is up               lowers it and wakes, if it is up
 *
 * A store may still wait in the processor while a later load is done, so without a fence on both
 * sides each could miss the other. membarrier() makes every running thread of every registered
 * process pass a full fence. So the side that is about to waste milliseconds pays for both. If
 * either side does not have it, we sleep in short slices instead.
 */
#include "shm/wait.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/ring_private.h"

#define SPINS_BEFORE_SLEEP 2000u             /* some microseconds: a wake-up costs more than that */
#define SLICE_NS           (100 * NS_PER_MS) /* lost when a peer dies between store and wake-up */
#define SLICE_NS_UNFENCED  (1 * NS_PER_MS)
#define SLICE_NS_TAP       (NS_PER_MS / 4)

uint32_t wait_register(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

static bool fence_the_others(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}

void tdk_ring_wake(uint32_t *wanted)
{
    if (__atomic_exchange_n(wanted, 0, __ATOMIC_SEQ_CST) != 0)
        syscall(SYS_futex, wanted, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

struct wait {
    struct tdk_ring *ring;
    bool (*ready)(struct tdk_ring *ring, size_t span);
    size_t span;
    uint32_t *wanted;      /* NULL: nobody wakes us */
    const uint32_t *wakes; /* can the other side be fenced? */
    enum tdk_ring_wait how;
    uint64_t deadline; /* on the monotonic clock */
};

static void sleep_parked(const struct wait *w, uint64_t ns)
{
    __atomic_store_n(w->wanted, 1, __ATOMIC_SEQ_CST);
    bool fenced = fence_the_others() && __atomic_load_n(w->wakes, __ATOMIC_RELAXED) == 1;
    uint64_t slice = fenced ? SLICE_NS : SLICE_NS_UNFENCED;
    struct timespec t = timespec_of(ns < slice ? ns : slice);
    if (!w->ready(w->ring, w->span))
        syscall(SYS_futex, w->wanted, FUTEX_WAIT, 1, &t, NULL, 0);
    __atomic_store_n(w->wanted, 0, __ATOMIC_RELAXED);
}

static void wait_once(const struct wait *w, unsigned turn, uint64_t left)
{
    if (w->how == TDK_WAIT_SPIN || (w->how == TDK_WAIT_PARK && turn < SPINS_BEFORE_SLEEP)) {
        clock_relax();
    } else if (w->how == TDK_WAIT_YIELD) {
        sched_yield();
    } else if (w->wanted) {
        sleep_parked(w, left);
    } else {
        struct timespec t = timespec_of(left < SLICE_NS_TAP ? left : SLICE_NS_TAP);
        nanosleep(&t, NULL);
    }
}

static bool wait_until(const struct wait *w)
{
    for (unsigned turn = 0; !w->ready(w->ring, w->span); turn++) {
        uint64_t now = clock_mono();
        if (now >= w->deadline || w->ring->more->hostile)
            return false;
        wait_once(w, turn, w->deadline - now);
    }
    return true;
}

static uint64_t deadline_after(uint64_t ns)
{
    uint64_t now = clock_mono();
    return ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
}

static bool frame_is_there(struct tdk_ring *ring, size_t span)
{
    (void)span;
    if (ring->role == TDK_RING_TAP)
        return __atomic_load_n(&ring->shared->produced, __ATOMIC_ACQUIRE) != ring->cursor;
    return ring->cursor != ring->seen || tdk_ring_refill(ring);
}

/* The flag of the producer that is at the ring now. A later producer is taken for the same one; at
 * worst that costs one slice. */
static const uint32_t *producer_wakes(const struct tdk_ring_shared *shared)
{
    uint64_t generation = __atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE);
    return &shared->epochs[generation & 1].wakes;
}

bool tdk_ring_wait_frame(struct tdk_ring *ring, enum tdk_ring_wait how, uint64_t ns)
{
    assert(ring->role != TDK_RING_PRODUCER);
    const struct wait w = {
        .ring = ring,
        .ready = frame_is_there,
        .wanted = ring->role == TDK_RING_TAP ? NULL : &ring->shared->frame_wanted,
        .wakes = producer_wakes(ring->shared),
        .how = how,
        .deadline = deadline_after(ns),
    };
    return wait_until(&w);
}

static bool room_is_there(struct tdk_ring *ring, size_t span)
{
    return tdk_ring_has_room(ring, span);
}

bool tdk_ring_wait_room(struct tdk_ring *ring, uint32_t size, uint64_t ns)
{
    assert(ring->role == TDK_RING_PRODUCER);
    const struct wait w = {
        .ring = ring,
        .ready = room_is_there,
        .span = tdk_frame_span(size),
        .wanted = &ring->shared->room_wanted,
        .wakes = &ring->shared->consumer_wakes,
        .how = TDK_WAIT_PARK,
        .deadline = deadline_after(ns),
    };
    if (ring->position != __atomic_load_n(&ring->shared->produced, __ATOMIC_RELAXED))
        tdk_ring_publish(ring);
    return w.span <= (ring->mask + 1) / 2 && wait_until(&w);
}
