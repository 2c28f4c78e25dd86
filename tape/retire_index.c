/*
 * retire_index.c - take what is retired out of the index.
 *
 * All that an epoch loses, and what is left of it, go into one transaction. The segments go in the
 * last one, when none of their blocks is left. So the next attempt after a failure finds each epoch
 * either as it was or as it must become.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "tape/catalog_epoch.h"
#include "tape/format.h"
#include "tape/hole.h"
#include "tape/retire.h"

enum { BATCH = 64 };

struct leaving {
    struct index *index;
    const struct retired *retired;
    void (*left)(const struct epoch_ref *epoch, void *context);
    void *context;
    uint64_t *segments; /* those that the index knows and that are retired; ours */
    size_t count, room;
    uint64_t blocks; /* of those segments, that were not found yet */
    struct tdk_err *err;
};

/* What one epoch loses. */
struct toll {
    uint64_t blocks, ticks, bytes, lost, odd;
    bool rewritten; /* part of it may have been counted once but removed twice */
};

/* ---- which segments ---- */

static int note_segment(const struct segment_ref *segment, void *context)
{
    struct leaving *l = context;
    if (retired_find(l->retired, segment->number) == NULL)
        return 0;
    uint64_t *segments = array_grow(l->segments, &l->room, l->count + 1, sizeof *segments);
    if (segments == NULL)
        return err_set(l->err, -ENOMEM, "retire segments");
    l->segments = segments;
    l->segments[l->count++] = segment->number;
    l->blocks += segment->blocks;
    return 0;
}

/* ---- an epoch ---- */

static void pay(struct toll *toll, const struct block_ref *ref)
{
    toll->blocks++;
    toll->ticks += ref->count;
    toll->bytes += ref->frames_size;
    toll->lost += ref->lost;
    toll->odd += ref->odd;
    toll->rewritten = toll->rewritten || (ref->flags & BLOCK_REWRITTEN) != 0;
}

static bool is_leaving(const struct leaving *l, const struct block_ref *ref)
{
    return retired_find(l->retired, ref->segment) != NULL;
}

/* Blocks are in order of seq, and what is retired ends with its last extent. */
static int remove_blocks(struct leaving *l, const struct epoch_ref *epoch, uint64_t last_seq,
                         struct toll *toll)
{
    const struct index_range all = {.track = epoch->track, .epoch = epoch->epoch, .to = UINT64_MAX};
    struct block_ref refs[BATCH], last;
    int rc = 0, n = BATCH;
    for (bool first = true; n == BATCH && rc == 0; first = false) {
        n = index_find(l->index, &all, first ? NULL : &last, false, refs, BATCH, l->err);
        if (n < 0)
            rc = n;
        for (int i = 0; i < n && rc == 0; i++)
            if (is_leaving(l, &refs[i])) {
                pay(toll, &refs[i]);
                rc = index_remove_block(l->index, &refs[i], l->err);
            }
        if (n > 0)
            last = refs[n - 1];
        if (n == BATCH && last.first_seq > last_seq + 1)
            break;
    }
    return rc;
}

/* Remove what retired segments have of an instrument. */
static int remove_states_of(struct leaving *l, const struct epoch_ref *epoch,
                            uint32_t instrument_id)
{
    const struct retired_range *last = &l->retired->ranges[l->retired->range_count - 1];
    struct state_ref states[BATCH];
    uint64_t upto = last->last;
    int rc = 0, n = BATCH;
    while (n == BATCH && rc == 0) {
        n = index_states(l->index, epoch->track, epoch->epoch, instrument_id, upto, states, BATCH,
                         l->err);
        if (n < 0)
            return n;
        for (int i = 0; i < n && rc == 0; i++)
            if (retired_find(l->retired, states[i].segment) != NULL)
                rc = index_remove_state(l->index, &states[i], l->err);
        if (n == BATCH)
            upto = states[n - 1].segment - 1;
    }
    return rc;
}

static int remove_states(struct leaving *l, const struct epoch_ref *epoch)
{
    uint32_t instrument_id = 0;
    int rc = 0, more = 1;
    while (more == 1 && rc == 0) {
        more = index_state_instrument(l->index, epoch->track, epoch->epoch, instrument_id,
                                      &instrument_id, l->err);
        if (more == 1)
            rc = remove_states_of(l, epoch, instrument_id);
        if (instrument_id++ == UINT32_MAX)
            break;
    }
    return more < 0 ? more : rc;
}

/* ---- what is left of it: the blocks that leave are still there, and do not count ---- */

static void take_bounds(struct epoch_ref *left, const struct block_ref *ref)
{
    if (ref->min_ts < left->min_ts)
        left->min_ts = ref->min_ts;
    if (ref->max_ts > left->max_ts)
        left->max_ts = ref->max_ts;
}

/* Walk from one end of the epoch inwards, until no block can reach beyond the bounds known so far.
 * running_max and step_back say how far one can. */
static int find_bounds(struct leaving *l, struct epoch_ref *left, bool reverse, bool *any)
{
    const struct index_range all = {.track = left->track, .epoch = left->epoch, .to = UINT64_MAX};
    struct block_ref refs[BATCH], last;
    int n = BATCH;
    bool met = false; /* a block that has seqs: control frames alone have none */
    *any = false;
    for (bool first = true; n == BATCH; first = false) {
        n = index_find(l->index, &all, first ? NULL : &last, reverse, refs, BATCH, l->err);
        if (n < 0)
            return n;
        for (int i = 0; i < n; i++) {
            const struct block_ref *ref = &refs[i];
            const bool counts = !block_is_bare(ref);
            if (is_leaving(l, ref))
                continue;
            if (counts && !met)
                *(reverse ? &left->last_seq : &left->first_seq) =
                    reverse ? ref->last_seq : ref->first_seq;
            else if (counts && reverse && ref->last_seq > left->last_seq)
                left->last_seq = ref->last_seq;
            met = met || counts;
            *any = true;
            take_bounds(left, ref);
            if (reverse ? ref->running_max <= left->max_ts
                        : left->min_ts != UINT64_MAX && ref->running_max >= left->step_back &&
                              ref->running_max - left->step_back >= left->min_ts)
                return 0;
        }
        if (n > 0)
            last = refs[n - 1];
    }
    return 0;
}

/* Count block by block, as when the index is built. */
static int recount_all(struct leaving *l, struct epoch_ref *left, bool *any)
{
    const struct index_range all = {.track = left->track, .epoch = left->epoch, .to = UINT64_MAX};
    struct block_ref refs[BATCH], last;
    struct epoch_ref fresh = {.epoch = left->epoch,
                              .ring_epoch = left->ring_epoch,
                              .first_seq = 1,
                              .min_ts = UINT64_MAX,
                              .min_event = UINT64_MAX,
                              .track = left->track};
    int n = BATCH;
    *any = false;
    memcpy(fresh.ring_uuid, left->ring_uuid, sizeof fresh.ring_uuid);
    for (bool first = true; n == BATCH; first = false) {
        n = index_find(l->index, &all, first ? NULL : &last, false, refs, BATCH, l->err);
        if (n < 0)
            return n;
        for (int i = 0; i < n; i++)
            if (!is_leaving(l, &refs[i])) {
                epoch_add_block(&fresh, &refs[i]);
                *any = true;
            }
        if (n > 0)
            last = refs[n - 1];
    }
    *left = fresh;
    return 0;
}

/* When nothing is left, *left says so. */
static int recount(struct leaving *l, struct epoch_ref *left, const struct toll *toll, bool *any)
{
    if (toll->rewritten || toll->ticks > left->ticks || toll->lost > left->lost)
        return recount_all(l, left, any);
    left->ticks -= toll->ticks;
    left->bytes -= toll->bytes;
    left->lost -= toll->lost;
    left->odd -= toll->odd < left->odd ? toll->odd : left->odd;
    left->min_ts = UINT64_MAX;
    left->max_ts = left->last_seq = 0;
    left->first_seq = 1;
    int rc = find_bounds(l, left, true, any);
    if (rc == 0 && *any)
        return find_bounds(l, left, false, any);
    left->ticks = left->lost = 0;
    return rc;
}

static int put_left(struct leaving *l, const struct epoch_ref *left, bool any)
{
    return any ? index_put_epoch(l->index, left, l->err)
               : index_remove_epoch(l->index, left->track, left->epoch, l->err);
}

static uint64_t last_retired(const struct retired *retired, uint16_t track, uint64_t epoch)
{
    const struct retired_extent *end, *at = retired_of(retired, track, epoch, &end);
    uint64_t last_seq = 0;
    for (; at < end && at->epoch == epoch; at++)
        last_seq = at->last_seq;
    return last_seq;
}

/* Remove what leaves this epoch, within the transaction. */
static int leave_epoch_now(struct leaving *l, struct epoch_ref *left, struct toll *toll)
{
    bool any;
    int rc = remove_blocks(l, left, last_retired(l->retired, left->track, left->epoch), toll);
    if (rc < 0 || toll->blocks == 0)
        return rc;
    rc = remove_states(l, left);
    if (rc == 0)
        rc = recount(l, left, toll, &any);
    return rc == 0 ? put_left(l, left, any) : rc;
}

static int leave_epoch(const struct epoch_ref *epoch, void *context)
{
    struct leaving *l = context;
    struct toll toll = {.blocks = 0};
    struct epoch_ref left = *epoch;
    if (l->blocks == 0)
        return 0; /* all blocks have been found */
    int rc = index_begin(l->index, l->err);
    if (rc == 0)
        rc = leave_epoch_now(l, &left, &toll);
    if (rc == 0 && toll.blocks > 0)
        rc = index_commit(l->index, l->err);
    if (rc < 0)
        index_abort(l->index);
    if (rc < 0 || toll.blocks == 0)
        return rc;
    l->blocks -= toll.blocks < l->blocks ? toll.blocks : l->blocks;
    if (l->left != NULL)
        l->left(&left, l->context);
    return 0;
}

static int leave_track(const struct track_ref *track, void *context)
{
    struct leaving *l = context;
    return index_epochs(l->index, track->number, leave_epoch, l, l->err);
}

/* ---- marks and segments ---- */

static int remove_mark(const struct mark_ref *mark, void *context)
{
    struct leaving *l = context;
    uint64_t first = mark->seq, last = mark->seq;
    if (retired_trim(l->retired, mark->track, mark->epoch, &first, &last))
        return 0;
    return index_remove_mark(l->index, mark, l->err);
}

static int leave_rest(struct leaving *l)
{
    int rc = index_begin(l->index, l->err);
    if (rc == 0)
        rc = index_marks(l->index, remove_mark, l, l->err);
    for (size_t i = 0; i < l->count && rc == 0; i++)
        rc = index_remove_segment(l->index, l->segments[i], l->err);
    if (rc == 0)
        rc = index_commit(l->index, l->err);
    if (rc < 0)
        index_abort(l->index);
    return rc;
}

int retire_index(struct index *index, const struct retired *retired,
                 void (*left)(const struct epoch_ref *epoch, void *context), void *context,
                 struct tdk_err *err)
{
    struct leaving l = {
        .index = index, .retired = retired, .left = left, .context = context, .err = err};
    if (retired->range_count == 0)
        return 0;
    int rc = index_segments(index, note_segment, &l, err);
    if (rc == 0 && l.count > 0)
        rc = index_tracks(index, leave_track, &l, err);
    if (rc == 0 && l.count > 0)
        rc = leave_rest(&l);
    free(l.segments);
    return rc;
}
