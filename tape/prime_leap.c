/* prime_leap.c - straight to the blocks that have something, where segments say which those are. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/err.h"
#include "tape/prime_inner.h"

enum { BATCH = 32 };

/* ---- what the index says ---- */

static int add_due(struct prime *p, const struct state_ref *state, uint32_t kinds_due)
{
    void *dues = array_grow(p->dues, &p->due_room, p->due_count + 1, sizeof *p->dues);
    if (dues == NULL)
        return -ENOMEM;
    p->dues = dues;
    p->dues[p->due_count++] = (struct due){state->segment, state->instrument_id, kinds_due};
    return 0;
}

/* For each kind that the instrument lacks, plan the newest segment that has it, from `upto` down to
 * above `floor`. */
static int plan_instrument(struct prime *p, const struct stream *stream, uint32_t instrument_id,
                           uint64_t upto, uint64_t floor, struct tdk_err *err)
{
    struct state_ref states[BATCH];
    uint32_t missing = instrument_id != 0 ? prime_missing(p, instrument_id) : 0;
    int n = BATCH, rc = 0;
    while (missing != 0 && n == BATCH && upto > floor) {
        n = index_states(p->answer.view->index, stream->track->ref.number, stream->ref.epoch,
                         instrument_id, upto, states, BATCH, err);
        if (n < 0)
            return n;
        for (int i = 0; i < n && states[i].segment > floor && rc == 0; i++) {
            if ((states[i].kinds & missing) != 0)
                rc = add_due(p, &states[i], states[i].kinds & missing);
            missing &= ~states[i].kinds;
        }
        if (rc < 0)
            return err_set(err, rc, "look for the state before a range");
        if (n == BATCH)
            upto = states[n - 1].segment - 1;
    }
    return 0;
}

static int plan_asked(struct prime *p, const struct stream *stream, uint64_t upto, uint64_t floor,
                      struct tdk_err *err)
{
    const struct picks *here = &stream->search.here;
    int rc = 0;
    for (size_t i = 0; i < here->count && rc == 0; i++)
        if (i == 0 || here->items[i].instrument_id != here->items[i - 1].instrument_id)
            rc = plan_instrument(p, stream, here->items[i].instrument_id, upto, floor, err);
    return rc;
}

static int plan_all(struct prime *p, const struct stream *stream, uint64_t upto, uint64_t floor,
                    struct tdk_err *err)
{
    uint32_t id = 0;
    int rc;
    while ((rc = index_state_instrument(p->answer.view->index, stream->track->ref.number,
                                        stream->ref.epoch, id, &id, err)) == 1) {
        rc = plan_instrument(p, stream, id, upto, floor, err);
        if (rc < 0 || id++ == UINT32_MAX)
            break;
    }
    return rc < 0 ? rc : 0;
}

static int compare_dues(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    if (x->segment != y->segment)
        return x->segment > y->segment ? -1 : 1;
    return (x->instrument_id > y->instrument_id) - (x->instrument_id < y->instrument_id);
}

static int plan(struct prime *p, const struct stream *stream, uint64_t upto, uint64_t floor,
                struct tdk_err *err)
{
    p->due_count = 0;
    int rc = p->answer.select.by_symbol ? plan_asked(p, stream, upto, floor, err)
                                        : plan_all(p, stream, upto, floor, err);
    if (p->due_count > 0)
        qsort(p->dues, p->due_count, sizeof *p->dues, compare_dues);
    return rc;
}

/* ---- its blocks ---- */

static uint32_t find_item(const struct known *items, size_t count, uint32_t instrument_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].instrument_id < instrument_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && items[low].instrument_id == instrument_id ? items[low].kinds : 0;
}

/* Want what the block has of what is missing. */
static int want_told(struct prime *p, const struct stream *stream, size_t block)
{
    const struct picks *here = &stream->search.here;
    size_t count = states_of_block(&p->abstract.states, block, p->items);
    int rc = 0;
    p->picks.count = 0;
    p->picks.timed = p->answer.select.by_symbol && here->timed;
    for (size_t i = 0; i < count && rc == 0 && !p->answer.select.by_symbol; i++) {
        struct pick pick = {.instrument_id = p->items[i].instrument_id, .to = UINT64_MAX};
        if ((p->items[i].kinds & prime_missing(p, pick.instrument_id)) != 0)
            rc = prime_want(p, &pick);
    }
    for (size_t i = 0; i < here->count && rc == 0 && p->answer.select.by_symbol; i++) {
        uint32_t id = here->items[i].instrument_id;
        if ((find_item(p->items, count, id) & prime_missing(p, id)) != 0)
            rc = prime_want(p, &here->items[i]);
    }
    return rc;
}

static bool may_be_in_time(const struct select *select, const struct block_ref *ref)
{
    return ref->min_ts <= select->last || (ref->odd > 0 && ref->odd_min <= select->last);
}

static bool is_found(const struct prime *p, const struct due *dues, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((dues[i].kinds & prime_missing(p, dues[i].instrument_id)) != 0)
            return false;
    return true;
}

/* Look into the segment from its last block down, until everything due is found. 1: it is. */
static int look_into_segment(struct prime *p, struct stream *stream, const struct due *dues,
                             size_t count, struct tdk_err *err)
{
    const struct abstract *a = &p->abstract;
    uint64_t epoch = stream->ref.epoch;
    int rc = 0;
    assert(a->blocks == 0 || a->refs != NULL);
    for (size_t i = a->blocks; i-- > 0 && rc == 0;) {
        const struct block_ref *ref = &a->refs[i];
        if (ref->track != stream->track->ref.number || ref->epoch != epoch ||
            !may_be_in_time(&p->answer.select, ref))
            continue;
        rc = want_told(p, stream, i);
        if (rc < 0)
            return err_set(err, rc, "look for the state before a range");
        if (p->picks.count == 0)
            continue;
        stream->ref = *ref;
        rc = prime_ask(p, err);
        if (rc == 0)
            rc = prime_meet_block(p, stream, err);
        if (rc == 0 && is_found(p, dues, count))
            return 1;
    }
    return rc;
}

/* ---- segment by segment ---- */

static size_t same_segment(const struct prime *p, size_t at)
{
    size_t end = at;
    while (end < p->due_count && p->dues[end].segment == p->dues[at].segment)
        end++;
    return end;
}

/*
 * Follow the plan, newest segment first. 1: everything that is there was found. 0: one segment did
 * not have what was due (what the index says of it lies after the range, or cannot be read); *upto
 * is below that segment, for another plan. TDK_ECORRUPT: the footer of a segment cannot be read;
 * *upto is that segment.
 */
static int follow_plan(struct prime *p, struct stream *stream, uint64_t *upto, struct tdk_err *err)
{
    for (size_t at = 0, end; at < p->due_count; at = end) {
        uint64_t number = p->dues[at].segment;
        end = same_segment(p, at);
        int rc = abstract_load(&p->abstract, p->answer.tape, number);
        bool gone = rc == -ENOENT && tape_is_retired(p->answer.tape, number);
        *upto = gone || rc == 0 ? number - 1 : number;
        if (rc < 0 && !gone)
            return rc == -ENOMEM ? err_set(err, rc, "look for the state before a range")
                                 : TDK_ECORRUPT;
        if (rc == 0)
            rc = look_into_segment(p, stream, &p->dues[at], end - at, err);
        if (rc < 0 && !gone)
            return rc;
        if (rc != 1)
            return 0;
    }
    return 1;
}

int prime_leap(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    uint64_t upto = stream->ref.segment, floor, epoch = stream->ref.epoch;
    if (stream->search.is_holed || !tape_has_states(p->answer.tape, upto, p->wanted_kinds, &floor))
        return 0;
    if (p->items == NULL)
        p->items = malloc(BLOCK_ENTRIES_MAX * sizeof *p->items);
    if (p->items == NULL)
        return err_set(err, -ENOMEM, "look for the state before a range");
    stream->only = &p->picks;
    stream->is_alone = true;
    int rc = 0;
    while (rc == 0 && upto > floor) {
        rc = plan(p, stream, upto, floor, err);
        if (rc == 0)
            rc = follow_plan(p, stream, &upto, err);
    }
    stream->is_alone = false;
    stream->ref.epoch = epoch;
    if (rc == TDK_ECORRUPT) { /* the rest is walked block by block */
        p->may_leap = false;
        floor = upto;
    } else if (rc < 0) {
        return rc;
    }
    if (floor == 0) {
        search_leave(&stream->search);
    } else {
        p->done_epoch = epoch;
        p->done_above = floor;
    }
    return 1;
}

void prime_leap_close(struct prime *p)
{
    abstract_close(&p->abstract);
    free(p->dues);
    free(p->items);
}
