/*
 * retain_plan.h - a policy laid on a tape as it is: what would go, and what keeps the rest.
 *
 * Reads the index, the holds, the marks, the leases and the disk's free space; the footers of some
 * of the segments where tracks have ages of their own. Nothing is changed. Blocking.
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

/* For who makes one plan after the other by one policy; {0} at first. When segments are due by the
 * ages of their tracks: with it a plan looks into some that it does not know and leaves the rest
 * for the next; without it into all that may be due. */
struct retain_memory {
    uint64_t unfreed; /* bytes that were deleted and count as free, though they are not yet; who
                         deletes sets it */
    struct retain_known {
        uint64_t number, due_ns;
    } * items; /* by number; ours */
    size_t count;
};
void retain_memory_close(struct retain_memory *memory);

/* `index`: of the tape, trusted or private. `memory` may be NULL. */
int retain_plan_make(struct retain_plan *plan, const struct folder *folder, struct index *index,
                     const struct retain_policy *policy, struct retain_memory *memory,
                     struct tdk_err *err);
void retain_plan_close(struct retain_plan *plan);

/* The numbers of those that go, oldest first; malloc'ed. NULL: no memory. */
uint64_t *retain_plan_going(const struct retain_plan *plan, size_t *count);

#endif
