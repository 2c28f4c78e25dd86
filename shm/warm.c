/*
 * warm.c - touch a ring's pages for the first time, before a tick has to pay for it.
 *
 * The pages are allocated and mapped by then. On a physical machine that is enough. A hypervisor
 * keeps page tables of its own for its guests: there, each page of each mapping costs 10 us and
 * more when a program first touches it, and no call into the guest's kernel avoids that.
 */
#include "shm/ring_private.h"

/* Only this much of the mirror is touched. Reads and writes go no further over the end of the data,
 * except for the longest runs. */
#define MIRROR_WARM ((size_t)2 << 20)

static void touch(const struct tdk_ring *ring, unsigned char *page)
{
    if (ring->role == TDK_RING_PRODUCER)
        (void)__atomic_fetch_or(page, 0, __ATOMIC_RELAXED); /* writes, and changes nothing */
    else
        (void)__atomic_load_n(page, __ATOMIC_RELAXED);
}

/* First round the data from where we stood, then the beginning of the mirror. */
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
