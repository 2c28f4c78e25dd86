/* unread.c - how many ticks wait in a ring. Its frames are counted from outside and nobody is
 * disturbed. */
#include <errno.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "shm/region.h"

struct walk {
    const struct region *region;
    uint64_t at, end; /* positions: what is left to read */
    unsigned char bytes[64 << 10];
    size_t first, size; /* what is not used yet of `bytes` */
};

/* Have at least a head, or what is left, in one piece. False: the file cannot be read. */
static bool refill(struct walk *w)
{
    size_t mask = w->region->capacity - 1;
    memmove(w->bytes, w->bytes + w->first, w->size);
    w->first = 0;
    while (w->size < sizeof(struct tdk_frame) && w->at < w->end) {
        size_t offset = w->at & mask, room = sizeof w->bytes - w->size;
        size_t piece = w->region->capacity - offset; /* up to where the data wraps */
        piece = piece < room ? piece : room;
        piece = piece < w->end - w->at ? piece : (size_t)(w->end - w->at);
        ssize_t n = pread(w->region->fd, w->bytes + w->size, piece,
                          (off_t)(w->region->header_size + offset));
        if (n <= 0)
            return false;
        w->size += (size_t)n;
        w->at += (uint64_t)n;
    }
    return true;
}

/* Move past `span` bytes, whether they are read yet or not. */
static void skip(struct walk *w, size_t span)
{
    size_t here = span < w->size ? span : w->size;
    w->first += here;
    w->size -= here;
    w->at += span - here;
}

static uint64_t count(struct walk *w)
{
    uint64_t ticks = 0;
    while (w->size >= sizeof(struct tdk_frame) || w->at < w->end) {
        struct tdk_frame head;
        if (w->size < sizeof head && (!refill(w) || w->size < sizeof head))
            break;
        memcpy(&head, w->bytes + w->first, sizeof head);
        /* It was overwritten while we looked, or was never right. There is no more to be
         * learned. */
        if (head.size > w->region->head.payload_max ||
            tdk_frame_span(head.size) > w->size + (w->end - w->at))
            break;
        if (head.type == TDK_TYPE_EPOCH)
            ticks = 0;
        ticks += tdk_frame_is_tick(&head) != 0;
        skip(w, tdk_frame_span(head.size));
    }
    return ticks;
}

int tdk_ring_unread(const char *name, uint64_t *ticks, struct tdk_err *err)
{
    struct region region;
    struct tdk_ring_shared now;
    int rc = region_open(&region, name, false, err);
    if (rc < 0)
        return rc;
    struct walk walk = {.region = &region};
    if (pread(region.fd, &now, sizeof now, 0) != (ssize_t)sizeof now) {
        rc = err_set(err, -EIO, "read ring %s", name);
    } else {
        walk.at = now.consumed;
        walk.end = now.produced;
        if (now.produced - now.consumed > region.capacity)
            walk.end = walk.at; /* it breaks its own rules: nothing can be counted */
        *ticks = count(&walk);
    }
    region_close(&region);
    return rc;
}
