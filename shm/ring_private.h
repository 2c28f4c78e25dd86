/*
 * ring_private.h - the part of a ring's handle that no tick needs, shared by the files of shm/.
 */
#ifndef TDK_SHM_RING_PRIVATE_H
#define TDK_SHM_RING_PRIVATE_H

#include "shm/linger.h"
#include "shm/region.h"
#include "shm/trial.h"
#include "tapedeck/ring.h"

struct tdk_ring_private {
    struct region region;
    bool borrowed; /* the region belongs to another handle, which closes it */
    char name[TDK_NAME_MAX + 1];
    const char *hostile; /* NULL, or the rule that the other side broke */
    uint64_t epoch;      /* a producer's own epoch; for others what tdk_ring_epoch() says */
    uint64_t warm_from;  /* where tdk_ring_warm() began, */
    size_t warmed;       /* and how many bytes from there on it has touched */
    /* producer */
    struct tdk_ring_epoch_line *line; /* its own line in the shared page */
    uint64_t lost;                    /* what that line says */
    uint64_t released;                /* where the consumer was when we last looked */
    uint64_t reserved;                /* what the shared page says */
    uint64_t attached_ns;
    bool announced; /* the EPOCH frame of this epoch is in the ring */
    enum tdk_clock clock;
    struct trial filling, copying; /* which way is the fastest: put.c, producer_copy() */
    /* consumer */
    struct linger linger;
};

/* Make a handle for `role` on a mapped region: take the lock, then begin an epoch (producer) or
 * find the cursor (consumer). On failure the caller still owns the region. tdk_ring_attach() is
 * region_open(), region_map() and this. */
int ring_open(struct tdk_ring **ring, const struct region *region, const char *name,
              enum tdk_ring_role role, struct tdk_err *err);

/* Make a handle for a second role on the mapping of `other`, which must outlive it. For tests: the
 * thread sanitizer sees both ends of a ring only if they are threads of one process. */
int ring_open_beside(struct tdk_ring **ring, struct tdk_ring *other, enum tdk_ring_role role,
                     struct tdk_err *err);

/* The other side broke `rule`. From here on this handle finds nothing in the ring. */
void ring_set_hostile(struct tdk_ring *ring, const char *rule);

/* Copy the shared page such that all words of the current epoch belong together. */
void ring_copy_shared(const struct tdk_ring_shared *shared, struct tdk_ring_shared *copy);

/* The current epoch's line in such a copy. NULL: there has been no producer yet. */
static inline const struct tdk_ring_epoch_line *ring_epoch_line(const struct tdk_ring_shared *copy)
{
    return copy->generation ? &copy->epochs[copy->generation & 1] : NULL;
}

/* The last seq that this epoch spent, on a published tick or on a refused claim. */
static inline uint64_t ring_line_seq(const struct tdk_ring_epoch_line *line)
{
    return line->seq > line->refused_seq ? line->seq : line->refused_seq;
}

#endif
