/*
 * A tap copies first, and then checks whether what it copied was still there.
 *
 * The producer raises `reserved` before it writes the bytes up to it. A byte at position p is
 * overwritten by the one at p + capacity. So a copy that begins at p is whole if, after the copy,
 * `reserved` is at most p + capacity: no byte of it can have been touched. All that a tap costs the
 * producer is one store in each 64th of the ring.
 */
#include "shm/tap.h"

#include <errno.h>

#include "shm/epoch.h"
#include "shm/ring_private.h"

void tap_open(struct tdk_ring *ring)
{
    struct tdk_ring_shared copy;
    ring_copy_shared(ring->shared, &copy);
    if ((copy.produced & 7) != 0 || copy.produced < ring->cursor)
        ring_set_hostile(ring, "the producer published an impossible position");
    ring->cursor = copy.produced;
    ring->more->epoch = epoch_of_last(&copy);
}

void tdk_ring_tap_unreleased(struct tdk_ring *ring)
{
    assert(ring->role == TDK_RING_TAP);
    uint64_t consumed = __atomic_load_n(&ring->shared->consumed, __ATOMIC_ACQUIRE);
    if ((consumed & 7) != 0 || ring->cursor - consumed > ring->mask + 1)
        return;
    ring->cursor = consumed;
    ring->more->epoch = epoch_at_cursor(ring);
}

/* Copy word by word, each read once. The thread sanitizer must not look here: these bytes may be
 * written meanwhile by design, and `reserved` tells whether they were. The source is volatile and
 * not atomic, because the sanitizer checks every atomic. */
__attribute__((no_sanitize("thread"))) static void
copy_words(uint64_t *to, const volatile uint64_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++)
        to[i] = from[i];
}

static int64_t tap_lapped(struct tdk_ring *ring, uint64_t *missed)
{
    uint64_t before = ring->cursor;
    tap_open(ring);
    if (ring->more->hostile)
        return TDK_EHOSTILE;
    *missed = ring->cursor - before;
    return TDK_ELAPPED;
}

/* Bytes that whole frames take in our copy. 0 if not even the first is whole. TDK_EHOSTILE if a
 * head is impossible. */
static int64_t whole_frames(const struct tdk_ring *ring, const void *copy, size_t size)
{
    const unsigned char *bytes = copy;
    size_t done = 0;
    while (size - done >= sizeof(struct tdk_frame)) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)(bytes + done);
        if (frame->size > ring->payload_max)
            return TDK_EHOSTILE;
        size_t span = tdk_frame_span(frame->size);
        if (span > size - done)
            break;
        done += span;
    }
    return (int64_t)done;
}

int64_t tdk_ring_tap(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *missed)
{
    assert(ring->role == TDK_RING_TAP);
    uint64_t capacity = ring->mask + 1;
    uint64_t produced = __atomic_load_n(&ring->shared->produced, __ATOMIC_ACQUIRE);
    uint64_t fill = produced - ring->cursor;
    *missed = 0;
    if (ring->more->hostile)
        return TDK_EHOSTILE;
    if (fill == 0)
        return 0;
    if (fill > capacity || (produced & 7) != 0)
        return tap_lapped(ring, missed);

    size_t size = (fill < room ? (size_t)fill : room) & ~(size_t)7;
    copy_words(buffer, (const uint64_t *)(const void *)(ring->data + (ring->cursor & ring->mask)),
               size / 8);
    /* Acquire: pairs with the release in producer_make_room(). */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (ring->more->hostile) /* its file was cut, and we have copied zeros */
        return TDK_EHOSTILE;
    if (__atomic_load_n(&ring->shared->reserved, __ATOMIC_RELAXED) - ring->cursor > capacity)
        return tap_lapped(ring, missed);

    int64_t taken = whole_frames(ring, buffer, size);
    if (taken == 0)
        taken = size < fill ? -ENOBUFS : TDK_EHOSTILE;
    if (taken == TDK_EHOSTILE)
        ring_set_hostile(ring, "a frame has an impossible size");
    if (taken > 0)
        ring->cursor += (uint64_t)taken;
    return taken;
}
