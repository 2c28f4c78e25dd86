#include "tape/prime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/err.h"
#include "tape/prime_inner.h"

/* ---- kinds ---- */

static bool *passes(struct select *select, const struct tdk_type_filter *kind)
{
    return &(kind->type == TDK_TYPE_DBN ? select->dbn : select->wide)[kind->rtype];
}

/* Narrow the types that the query lets pass to those that hold state: nothing else needs to be
 * looked at. */
static uint32_t narrow_types(struct select *select)
{
    uint32_t wanted = 0;
    for (unsigned i = 0; i < KINDS_COUNT; i++)
        if (!select->by_type || select->types[kinds[i].type] || *passes(select, &kinds[i]))
            wanted |= UINT32_C(1) << i;
    select->by_type = true;
    memset(select->types, 0, sizeof select->types);
    memset(select->dbn, 0, sizeof select->dbn);
    memset(select->wide, 0, sizeof select->wide);
    for (unsigned i = 0; i < KINDS_COUNT; i++)
        *passes(select, &kinds[i]) = (wanted >> i & 1) != 0;
    return wanted;
}

/* ---- what is found ---- */

static int keep(struct prime *p, const struct stream *stream, const struct tdk_frame *tick)
{
    size_t span = tdk_frame_span(tick->size);
    void *frames = array_grow(p->frames, &p->frames_room, p->frames_size + span, 1);
    if (frames == NULL)
        return -ENOMEM;
    p->frames = frames;
    void *states = array_grow(p->states, &p->state_room, p->state_count + 1, sizeof *p->states);
    if (states == NULL)
        return -ENOMEM;
    p->states = states;
    p->states[p->state_count++] = (struct state){
        .track = stream->track, .epoch = stream->ref.epoch, .offset = p->frames_size};
    struct tdk_frame *copy = (void *)(p->frames + p->frames_size);
    memcpy(copy, tick, span);
    copy->flags |= TDK_FLAG_PROLOGUE;
    p->frames_size += span;
    return 0;
}

/* Ticks come from the last to the first: the first tick that is met of each kind is the one to
 * keep. */
static int meet(struct prime *p, const struct stream *stream, const struct tdk_frame *tick)
{
    uint32_t kind = kinds_of(&p->table, tick), instrument_id = frame_instrument(tick);
    if (instrument_id == 0 || (prime_missing(p, instrument_id) & kind) == 0)
        return 0;
    int rc = known_add(&p->known, instrument_id, kind);
    return rc == 0 ? keep(p, stream, tick) : rc;
}

/* ---- blocks ---- */

int prime_want(struct prime *p, const struct pick *pick)
{
    void *items = array_grow(p->picks.items, &p->picks_room, p->picks.count + 1, sizeof *pick);
    if (items == NULL)
        return -ENOMEM;
    p->picks.items = items;
    p->picks.items[p->picks.count++] = *pick;
    return 0;
}

static int want_missing(struct prime *p, const struct pick *pick)
{
    bool lacks = pick->instrument_id != 0 && prime_missing(p, pick->instrument_id) != 0;
    return lacks ? prime_want(p, pick) : 0;
}

static int want_asked(struct prime *p, const struct stream *stream)
{
    const struct picks *here = &stream->search.here;
    int rc = 0;
    p->picks.timed = here->timed;
    for (size_t i = 0; i < here->count && rc == 0; i++)
        if (filter_may_hold(stream->ref.filter, here->items[i].instrument_id))
            rc = want_missing(p, &here->items[i]);
    return rc;
}

static int want_listed(struct prime *p, const struct block_view *view)
{
    int rc = 0;
    p->picks.timed = false;
    uint32_t count = directory_instruments(view);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        struct pick pick = {.instrument_id = directory_instrument(view, i), .to = UINT64_MAX};
        rc = want_missing(p, &pick);
    }
    return rc;
}

/* Find the instruments of which the block may add something. If the list cannot be read, reading
 * the block will say why. */
static int find_wanted(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    const struct block_view *view;
    int rc = 0;
    p->picks.count = 0;
    stream->only = &p->picks;
    if (p->answer.select.by_symbol)
        rc = want_asked(p, stream);
    else if (stream_entries(stream, &view, NULL) == 0)
        rc = want_listed(p, view);
    else
        stream->only = NULL;
    return rc < 0 ? err_set(err, rc, "look for the state before a range") : 0;
}

int prime_meet_block(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    int rc = stream_load(stream, err);
    if (rc <= 0)
        return rc == TDK_ECORRUPT ? 0 : rc; /* counted; the blocks before it are still there */
    const struct tdk_frame *frame;
    for (rc = 0; rc == 0 && (frame = stream_peek(stream)) != NULL; stream_step(stream))
        if (tdk_frame_is_tick(frame))
            rc = meet(p, stream, frame);
    return rc < 0 ? err_set(err, rc, "keep the state before a range") : 0;
}

static int look_into(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    int rc = find_wanted(p, stream, err);
    if (rc < 0 || (stream->only != NULL && p->picks.count == 0))
        return rc;
    return prime_meet_block(p, stream, err);
}

int prime_ask(const struct prime *p, struct tdk_err *err)
{
    if (p->options.stopped != NULL && p->options.stopped(p->options.context))
        return err_say(err, -ECANCELED, "stopped while looking for the state before the range");
    return 0;
}

static int next_block(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    if (stream->ref.epoch == p->done_epoch && stream->ref.segment > p->done_above)
        return 0;
    int rc = p->may_leap ? prime_leap(p, stream, err) : 0;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return look_into(p, stream, err);
}

/* Walk from the last block before the range to the first. */
static int walk(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    for (;;) {
        int rc = prime_ask(p, err);
        if (rc < 0)
            return rc;
        rc = stream_next_block(stream, err);
        if (rc == 0)
            return 0;
        if (rc == 1)
            rc = next_block(p, stream, err);
        if (rc < 0 && rc != TDK_ECORRUPT)
            return rc;
    }
}

/* The states were found from the last to the first. Put them in order, and give each its key in a
 * merge. */
static void arrange(struct prime *p, size_t first)
{
    uint64_t key = 0;
    for (size_t i = first, j = p->state_count; i + 1 < j; i++) {
        struct state state = p->states[i];
        p->states[i] = p->states[--j];
        p->states[j] = state;
    }
    for (size_t i = first; i < p->state_count; i++) {
        struct state *state = &p->states[i];
        const struct tdk_frame *frame = (const void *)(p->frames + state->offset);
        if (frame->ts > key)
            key = frame->ts;
        state->key = key;
        state->order = i;
    }
}

static int walk_track(struct prime *p, const struct track *track, struct tdk_err *err)
{
    struct stream stream;
    size_t first = p->state_count;
    known_clear(&p->known);
    p->done_epoch = 0;
    int rc = stream_open(&stream, &p->answer, track, err);
    if (rc < 0)
        return rc;
    rc = walk(p, &stream, err);
    stream_close(&stream);
    arrange(p, first);
    return rc;
}

/* ---- open, next, close ---- */

static int compare_states(const void *a, const void *b)
{
    const struct state *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int walk_tracks(struct prime *p, const struct tdk_query *query, struct tdk_err *err)
{
    struct track **tracks = NULL;
    size_t count = 0;
    int rc = search_tracks(p->answer.tape, p->answer.view, query, &tracks, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = walk_track(p, tracks[i], err);
    free(tracks);
    if (p->state_count > 0)
        qsort(p->states, p->state_count, sizeof *p->states, compare_states);
    return rc;
}

/* Segments that are gone, or lost their end, may have had later states than those that were found.
 */
static void count_lost(struct prime *p, const struct tdk_query *before)
{
    struct tdk_query since = *before;
    struct tdk_lost_segments lost;
    uint64_t told = 0;
    if (p->state_count > 0 && before->axis == TDK_AXIS_RECV)
        since.from = max_u64(since.from, p->states[0].key);
    while (tape_next_lost(p->answer.tape, &since, &told, &lost))
        p->answer.stats.damaged_blocks++;
}

int prime_open(struct prime **prime, struct tdk_tape *tape, const struct tdk_query *query,
               const struct prime_options *options, struct tdk_err *err)
{
    struct prime *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "look for the state before a range");
    p->options = *options;
    kinds_table_fill(&p->table);
    /* By event time, or with a limit of how far back, blocks are looked through. */
    p->may_leap = options->back_ns == 0 && query->axis == TDK_AXIS_RECV;
    p->answer.tape = tape;
    p->answer.view = tape_view(tape);
    p->answer.reverse = true;
    struct tdk_query before = *query;
    before.to = query->from;
    before.from = options->back_ns == 0 || query->from <= options->back_ns
                      ? 0
                      : query->from - options->back_ns;
    before.control = false;
    int rc = select_init(&p->answer.select, &before, err);
    if (rc == 0)
        p->wanted_kinds = narrow_types(&p->answer.select);
    if (rc == 0 && query->from > 0 && p->wanted_kinds != 0) {
        rc = walk_tracks(p, query, err);
        count_lost(p, &before);
    }
    if (rc < 0) {
        prime_close(p);
        return rc;
    }
    *prime = p;
    return 0;
}

void prime_close(struct prime *p)
{
    if (p == NULL)
        return;
    select_close(&p->answer.select);
    view_drop(p->answer.view);
    picks_close(&p->picks);
    known_close(&p->known);
    prime_leap_close(p);
    free(p->frames);
    free(p->states);
    free(p);
}

bool prime_next(struct prime *p, struct tdk_run *run)
{
    if (p->at == p->state_count) {
        p->at = 0;
        return false;
    }
    const struct state *state = &p->states[p->at++];
    const struct tdk_frame *frame = (const void *)(p->frames + state->offset);
    *run = (struct tdk_run){.frames = frame,
                            .size = tdk_frame_span(frame->size),
                            .ticks = 1,
                            .epoch = state->epoch,
                            .track = state->track->ref.name,
                            .number = state->track->ref.number};
    return true;
}

uint64_t prime_blocks(const struct prime *p)
{
    return p->answer.stats.blocks_read;
}

uint64_t prime_damaged(const struct prime *p)
{
    return p->answer.stats.damaged_blocks;
}
