#include "tapedeck/ring.h"

#include <errno.h>
#include <string.h>

#include "shm/ring_private.h"

/* Find where the frames of a copy begin, without padding. *size becomes what the whole frames take,
 * up to an END: what comes behind it is of another play. -1: a head is impossible. */
static int64_t find_frames(const struct tdk_ring *ring, const unsigned char *bytes, size_t *size,
                           uint64_t *offsets)
{
    size_t at = 0;
    int64_t count = 0;
    bool ended = false;
    while (!ended && *size - at >= sizeof(struct tdk_frame)) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)(bytes + at);
        if (frame->size > ring->payload_max)
            return -1;
        size_t span = tdk_frame_span(frame->size);
        if (span > *size - at)
            break;
        if (frame->type != TDK_TYPE_PADDING)
            offsets[count++] = at;
        ended = frame->type == TDK_TYPE_END;
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
    ring->cursor -= (uint64_t)taken - bytes; /* what is not given yet is for the next call */
    *size = bytes;
    return count; /* not -1: tdk_ring_tap() has checked each head */
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
            ring_set_hostile(ring, "a frame has an impossible size");
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
