/*
 * ring_private.h - what a handle holds beside the path of a tick, and how its files share it.
 */
#ifndef TDK_SHM_RING_PRIVATE_H
#define TDK_SHM_RING_PRIVATE_H

#include "shm/linger.h"
#include "shm/region.h"
#include "shm/trial.h"
#include "tapedeck/ring.h"

struct tdk_ring_private {
    struct region region;
    bool borrowed; /* the region is another handle's, who closes it */
    char name[TDK_NAME_MAX + 1];
    const char *hostile; /* NULL, or the rule that was broken */
    uint64_t epoch;      /* of a producer: its own; else as tdk_ring_epoch() says */
    uint64_t warm_from;  /* where tdk_ring_warm() began, and how many bytes from there on */
    size_t warmed;       /* it has touched the pages of */
    /* producer */
    struct tdk_ring_epoch_line *line; /* its own, in the shared page */
    uint64_t lost;                    /* what that line says */
    uint64_t released;                /* by the consumer, when we last looked */
    uint64_t reserved;                /* what the shared page says */
    uint64_t attached_ns;
    bool announced; /* the EPOCH frame of this epoch is in the ring */
    enum tdk_clock clock;
    struct trial filling; /* aside, in place or past the cache: put.c */
    /* consumer */
    struct linger linger;
};

/* Put `role` on a mapped region: takes the lock, begins an epoch or finds the cursor. On failure
 * the region is still the caller's. tdk_ring_attach() is region_open(), region_map() and this. */
int ring_open(struct tdk_ring **ring, const struct region *region, const char *name,
              enum tdk_ring_role role, struct tdk_err *err);

/* A second role on the mapping of `other`, which must outlive it: two threads of one process at the
 * two ends, as the thread sanitizer wants them. */
int ring_open_beside(struct tdk_ring **ring, struct tdk_ring *other, enum tdk_ring_role role,
                     struct tdk_err *err);

/* The other side broke a rule: nothing is found in this ring from here on. */
void ring_set_hostile(struct tdk_ring *ring, const char *rule);

/* A copy of the shared page that holds one epoch's words, not a mix of two. */
void ring_copy_shared(const struct tdk_ring_shared *shared, struct tdk_ring_shared *copy);

/* The current epoch's line in a copy, or NULL. */
static inline const struct tdk_ring_epoch_line *ring_epoch_line(const struct tdk_ring_shared *copy)
{
    return copy->generation ? &copy->epochs[copy->generation & 1] : NULL;
}

/* The last seq that a line's epoch spent, published or refused. */
static inline uint64_t ring_line_seq(const struct tdk_ring_epoch_line *line)
{
    return line->seq > line->refused_seq ? line->seq : line->refused_seq;
}

#endif
