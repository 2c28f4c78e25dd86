/*
 * retain_plan.h - a policy applied to a tape as it is: what would go, and what keeps the rest.
 *
 * Reads the index, the holds, the marks, the leases and the disk's free space, and, where tracks
 * have ages of their own, the footers of some segments. Nothing is changed. Blocking.
 */
#ifndef TDK_TAPE_RETAIN_PLAN_H
#define TDK_TAPE_RETAIN_PLAN_H

#include "index/index.h"
#include "tape/folder.h"
#include "tape/retain.h"

struct retain_plan {
    struct retain_item *items; /* every segment that is there, by number; ours */
    size_t count;
    struct retain_verdict verdict;
    uint64_t now_ns, free_bytes; /* free on the file system of the segments */
};

/* For a caller that makes one plan after another with one policy; {0} at first. It keeps when
 * segments are due by the ages of their tracks. With it, a plan looks into some of the segments
 * that it does not know, and leaves the rest to the next plan. Without it, a plan looks into all
 * that may be due. */
struct retain_memory {
    /* Set by the caller, who deletes: bytes of deleted files that count as free, though they are
     * not free yet; and what time it is, 0: what the host's clock says. */
    uint64_t unfreed, now_ns;
    struct retain_known {
        uint64_t number, due_ns;
    } * items; /* by number; ours */
    size_t count;
};
void retain_memory_close(struct retain_memory *memory);

/* `index`: that of the tape, trusted or private. `memory` may be NULL. */
int retain_plan_make(struct retain_plan *plan, const struct folder *folder, struct index *index,
                     const struct retain_policy *policy, struct retain_memory *memory,
                     struct tdk_err *err);
void retain_plan_close(struct retain_plan *plan);

/* The numbers of the segments that go, oldest first; malloc'ed. NULL: no memory. */
uint64_t *retain_plan_going(const struct retain_plan *plan, size_t *count);

#endif
