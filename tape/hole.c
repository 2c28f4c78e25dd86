#include "tape/hole.h"

#include <errno.h>

#include "base/bytes.h"

bool code_is_damage(int code)
{
    return code == TDK_ECORRUPT || code == TDK_EFOREIGN || code == TDK_EFORMAT ||
           code == TDK_EVERSION || code == TDK_ETRUNCATED || code == TDK_EAWAY || code == -ENOENT ||
           code == -EIO;
}

bool epoch_has_hole(const struct epoch_ref *epoch)
{
    return epoch->last_seq != 0 &&
           epoch->last_seq - epoch->first_seq + 1 != epoch->ticks + epoch->lost;
}

bool block_is_bare(const struct block_ref *ref)
{
    return ref->count == 0 && ref->lost == 0;
}

/* Find the next block that accounts for seqs, whatever its times. 1, 0, or an error. */
static int neighbour(struct index *index, const struct epoch_ref *epoch,
                     const struct block_ref *block, bool reverse, struct block_ref *found,
                     struct tdk_err *err)
{
    const struct index_range everything = {
        .track = epoch->track, .epoch = epoch->epoch, .to = UINT64_MAX};
    struct block_ref at = *block;
    int n;
    while ((n = index_find(index, &everything, &at, reverse, found, 1, err)) == 1 &&
           block_is_bare(found))
        at = *found;
    return n;
}

/* The two blocks are neighbours in the index. */
static bool is_hole(const struct select *select, const struct epoch_ref *epoch,
                    const struct block_ref *before, const struct block_ref *behind,
                    struct hole *hole)
{
    if (behind->first_seq <= before->last_seq + 1 || behind->first_seq > epoch->last_seq)
        return false;
    *hole = (struct hole){.first_seq = before->last_seq + 1,
                          .last_seq = behind->first_seq - 1,
                          .from = before->max_ts,
                          .to = behind->min_ts};
    if (hole->from > hole->to) { /* time went back, or one of them has no times */
        hole->from = before->min_ts < behind->min_ts ? before->min_ts : behind->min_ts;
        hole->to = before->max_ts > behind->max_ts ? before->max_ts : behind->max_ts;
    }
    return select->axis == TDK_AXIS_EVENT ||
           (hole->to >= select->from && hole->from <= select->last);
}

/* Is there a hole before the first existing block of an epoch? */
static bool is_beheaded(const struct select *select, const struct epoch_ref *epoch, uint64_t since,
                        const struct block_ref *first, struct hole *hole)
{
    /* Where time went back later, what came then says nothing of the beginning. */
    const uint64_t to =
        epoch->step_back != 0 ? max_u64(first->max_ts, epoch->min_ts) : epoch->min_ts;
    if (first->first_seq <= epoch->first_seq)
        return false;
    *hole = (struct hole){.first_seq = epoch->first_seq,
                          .last_seq = first->first_seq - 1,
                          .from = since != 0 ? since : epoch->min_ts,
                          .to = to};
    return select->axis == TDK_AXIS_EVENT || (to >= select->from && since <= select->last);
}

/* Is there a hole between a block and its neighbour? */
static int hole_beside(struct index *index, const struct select *select,
                       const struct epoch_ref *epoch, uint64_t since, const struct block_ref *block,
                       bool reverse, struct hole *hole, struct tdk_err *err)
{
    struct block_ref other;
    int rc = neighbour(index, epoch, block, reverse, &other, err);
    if (rc == 0 && reverse)
        return is_beheaded(select, epoch, since, block, hole);
    if (rc <= 0)
        return rc;
    return reverse ? is_hole(select, epoch, &other, block, hole)
                   : is_hole(select, epoch, block, &other, hole);
}

/* No block of the epoch has anything in the range. The block that had may be missing. */
static int hole_around(struct index *index, const struct select *select,
                       const struct epoch_ref *epoch, uint64_t since, struct hole *hole,
                       struct tdk_err *err)
{
    const struct block_ref place = {
        .track = epoch->track, .epoch = epoch->epoch, .running_max = select->from};
    struct block_ref behind;
    int rc = neighbour(index, epoch, &place, false, &behind, err);
    return rc == 1 ? hole_beside(index, select, epoch, since, &behind, true, hole, err) : rc;
}

uint64_t epoch_since(const struct epoch_ref *epoch, const struct epoch_ref *first)
{
    return epoch > first && epoch[-1].max_ts <= epoch->min_ts ? epoch[-1].max_ts : 0;
}

int hole_between(struct index *index, const struct select *select, const struct epoch_ref *epoch,
                 uint64_t since, const struct block_ref *before, const struct block_ref *behind,
                 struct hole *hole, struct tdk_err *err)
{
    if (before == NULL && behind == NULL)
        return hole_around(index, select, epoch, since, hole, err);
    if (before != NULL && behind != NULL && behind->first_seq <= before->last_seq + 1)
        return 0;
    int rc =
        before != NULL ? hole_beside(index, select, epoch, since, before, false, hole, err) : 0;
    if (rc == 0 && behind != NULL)
        rc = hole_beside(index, select, epoch, since, behind, true, hole, err);
    return rc;
}
