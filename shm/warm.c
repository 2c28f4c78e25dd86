/*
 * warm.c - the first touch of a ring's pages, before a tick has to pay for it.
 *
 * They are allocated and mapped by then, and on a machine of its own that is all there is to it.
 * Under a hypervisor that keeps its own page tables for its guests each page of each mapping costs
 * 10 us and more when a program first touches it, and no call into the guest's kernel spares it
 * that.
 */
#include "shm/ring_private.h"

/* Of the mirror only so much: how far over the end of the data anybody reads or writes, but for the
 * longest runs. */
#define MIRROR_WARM ((size_t)2 << 20)

static void touch(const struct tdk_ring *ring, unsigned char *page)
{
    if (ring->role == TDK_RING_PRODUCER)
        (void)__atomic_fetch_or(page, 0, __ATOMIC_RELAXED); /* to write, and leave it as it is */
    else
        (void)__atomic_load_n(page, __ATOMIC_RELAXED);
}

/* From where we stood round the data, then the beginning of the mirror. */
static unsigned char *page_at(const struct tdk_ring *ring, size_t offset)
{
    return ring->data +
           (offset > ring->mask ? offset : (ring->more->warm_from + offset) & ring->mask);
}

bool tdk_ring_warm(struct tdk_ring *ring, size_t size)
{
    struct tdk_ring_private *more = ring->more;
    size_t capacity = more->region.capacity, page = more->region.header_size;
    size_t end = capacity + (capacity < MIRROR_WARM ? capacity : MIRROR_WARM);
    if (more->warmed == 0)
        more->warm_from = ring->role == TDK_RING_PRODUCER ? ring->position : ring->cursor;
    size_t upto = size < end - more->warmed ? more->warmed + size : end;
    for (; more->warmed < upto && more->hostile == NULL; more->warmed += page)
        touch(ring, page_at(ring, more->warmed));
    return more->warmed < end && more->hostile == NULL;
}
