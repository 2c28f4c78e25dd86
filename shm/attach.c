#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "shm/consumer.h"
#include "shm/guard.h"
#include "shm/producer.h"
#include "shm/ring_private.h"
#include "shm/role.h"
#include "shm/tap.h"

/* A handle and what belongs to it, in one piece. It is aligned to pairs of lines, so that the
 * handles of two threads never share one. */
struct handle {
    struct tdk_ring ring;
    struct tdk_ring_private more;
};

static struct tdk_ring *handle_new(const struct region *region, const char *name,
                                   enum tdk_ring_role role)
{
    struct handle *handle = NULL;
    if (posix_memalign((void **)&handle, 128, (sizeof *handle + 127) & ~(size_t)127) != 0)
        return NULL;
    *handle = (struct handle){
        .ring = {.data = region->base + region->header_size,
                 .mask = region->capacity - 1,
                 .shared = region_shared(region),
                 .payload_max = region->head.payload_max,
                 .role = (uint32_t)role,
                 .more = &handle->more},
        .more = {.region = *region},
    };
    snprintf(handle->more.name, sizeof handle->more.name, "%s", name);
    return &handle->ring;
}

static int say_busy(const struct region *region, const char *name, enum tdk_ring_role role,
                    struct tdk_err *err)
{
    struct tdk_ring_shared copy;
    ring_copy_shared(region_shared(region), &copy);
    const struct tdk_ring_epoch_line *line = ring_epoch_line(&copy);
    bool producer = role == TDK_RING_PRODUCER;
    uint32_t pid = producer ? (line ? line->pid : 0) : copy.consumer_pid;
    return err_say(err, TDK_EBUSY,
                   "ring %s already has a living %s (pid %u in its own pid namespace), and a ring "
                   "takes only one",
                   name, producer ? "producer" : "consumer", pid);
}

static int role_open(struct tdk_ring *ring, enum tdk_ring_role role, struct tdk_err *err)
{
    if (role == TDK_RING_PRODUCER)
        return producer_open(ring, err);
    if (role == TDK_RING_CONSUMER)
        return consumer_open(ring, err);
    tap_open(ring);
    return 0;
}

int ring_open(struct tdk_ring **ring, const struct region *region, const char *name,
              enum tdk_ring_role role, struct tdk_err *err)
{
    int rc = role_take(region->fd, role);
    if (rc == TDK_EBUSY)
        return say_busy(region, name, role, err);
    if (rc < 0)
        return err_set(err, rc, "lock ring %s", name);
    struct tdk_ring *r = handle_new(region, name, role);
    if (!r)
        return err_set(err, -ENOMEM, "attach to ring %s", name);
    guard_add(region->base, region->mapped, &r->more->hostile);
    rc = role_open(r, role, err);
    if (rc < 0) {
        guard_remove(region->base, &r->more->hostile);
        free(r);
        return rc;
    }
    *ring = r;
    return 0;
}

int ring_open_beside(struct tdk_ring **ring, struct tdk_ring *other, enum tdk_ring_role role,
                     struct tdk_err *err)
{
    int rc = ring_open(ring, &other->more->region, other->more->name, role, err);
    if (rc == 0)
        (*ring)->more->borrowed = true;
    return rc;
}

int tdk_ring_attach(struct tdk_ring **ring, const char *name, enum tdk_ring_role role,
                    struct tdk_err *err)
{
    struct region region;
    bool writable = role != TDK_RING_TAP;
    int rc = region_open(&region, name, writable, err);
    if (rc < 0)
        return err_advise(err, rc, TDK_ENORING, "`tapedeck ring create` creates it");
    rc = region_map(&region, writable, err);
    if (rc == 0)
        rc = ring_open(ring, &region, name, role, err);
    if (rc < 0)
        region_close(&region);
    return rc;
}

/* What a producer has claimed and not published is never seen. */
void tdk_ring_detach(struct tdk_ring *ring)
{
    if (!ring)
        return;
    if (ring->role == TDK_RING_CONSUMER)
        consumer_close(ring);
    guard_remove(ring->more->region.base, &ring->more->hostile);
    if (!ring->more->borrowed)
        region_close(&ring->more->region);
    free(ring);
}

void ring_set_hostile(struct tdk_ring *ring, const char *rule)
{
    if (!ring->more->hostile)
        ring->more->hostile = rule;
    /* From here on each fast path ends in the slow one, which checks `hostile`. */
    ring->limit = ring->position;
    ring->seen = ring->cursor;
    ring->high = 0;
}

const char *tdk_ring_hostile(const struct tdk_ring *ring)
{
    return ring->more->hostile;
}

uint64_t tdk_ring_epoch(const struct tdk_ring *ring)
{
    return ring->more->epoch;
}
