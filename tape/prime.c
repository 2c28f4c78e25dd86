#include "tape/prime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/stream.h"

/* Of an instrument, what was found; by instrument in a table that is never more than half full. */
struct known {
    uint32_t instrument_id; /* 0: free, for that is no instrument */
    uint32_t kinds;         /* a bit each */
};

/* One tick that was found. */
struct state {
    const struct track *track;
    uint64_t epoch;
    uint64_t key;  /* the highest ts of the track's states up to this one: its place in the merge */
    size_t order;  /* by track, then as they came on it */
    size_t offset; /* of its frame in prime->frames */
};

struct prime {
    struct answer answer;
    struct prime_options options;
    uint32_t wanted_kinds;
    struct known *known; /* of the track that is walked; a power of two of them */
    size_t known_count, known_room;
    struct picks picks; /* of the block that is looked into: instruments that are not complete */
    size_t picks_room;
    unsigned char *frames;
    size_t frames_size, frames_room;
    struct state *states;
    size_t state_count, state_room;
    size_t at;
};

/* ---- kinds ---- */

static const struct tdk_type_filter kinds[] = {
    {TDK_TYPE_DBN, TDK_RTYPE_SYMBOL_MAPPING}, {TDK_TYPE_DBN, TDK_RTYPE_DEFINITION},
    {TDK_TYPE_DBN, TDK_RTYPE_STATUS},         {TDK_TYPE_DBN, TDK_RTYPE_TRADES},
    {TDK_TYPE_DBN, TDK_RTYPE_MBP_1},          {TDK_TYPE_DBN, TDK_RTYPE_MBP_10},
    {TDK_TYPE_DBN, TDK_RTYPE_CMBP_1},         {TDK_TYPE_DBN, TDK_RTYPE_TCBBO},
    {TDK_TYPE_DBN, TDK_RTYPE_BBO_1S},         {TDK_TYPE_DBN, TDK_RTYPE_BBO_1M},
    {TDK_TYPE_DBN, TDK_RTYPE_CBBO_1S},        {TDK_TYPE_DBN, TDK_RTYPE_CBBO_1M},
    {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_TRADE},    {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_QUOTE},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static uint32_t kind_of(const struct tdk_frame *tick)
{
    int rtype = frame_rtype(tick);
    for (unsigned i = 0; i < KINDS; i++)
        if (kinds[i].type == tick->type && kinds[i].rtype == rtype)
            return UINT32_C(1) << i;
    return 0;
}

static bool *passes(struct select *select, const struct tdk_type_filter *kind)
{
    return &(kind->type == TDK_TYPE_DBN ? select->dbn : select->wide)[kind->rtype];
}

/* Of the types that the query lets pass, those that hold state: nothing else is to be looked at. */
static uint32_t narrow_types(struct select *select)
{
    uint32_t wanted = 0;
    for (unsigned i = 0; i < KINDS; i++)
        if (!select->by_type || select->types[kinds[i].type] || *passes(select, &kinds[i]))
            wanted |= UINT32_C(1) << i;
    select->by_type = true;
    memset(select->types, 0, sizeof select->types);
    memset(select->dbn, 0, sizeof select->dbn);
    memset(select->wide, 0, sizeof select->wide);
    for (unsigned i = 0; i < KINDS; i++)
        *passes(select, &kinds[i]) = (wanted >> i & 1) != 0;
    return wanted;
}

/* ---- what is known of an instrument ---- */

static struct known *known_slot(const struct prime *p, uint32_t instrument_id)
{
    size_t at = filter_mix(instrument_id) & (p->known_room - 1);
    while (p->known[at].instrument_id != 0 && p->known[at].instrument_id != instrument_id)
        at = (at + 1) & (p->known_room - 1);
    return &p->known[at];
}

static int known_grow(struct prime *p)
{
    struct prime old = *p;
    p->known_room = old.known_room == 0 ? 256 : 2 * old.known_room;
    p->known = calloc(p->known_room, sizeof *p->known);
    if (p->known == NULL) {
        p->known = old.known;
        p->known_room = old.known_room;
        return -ENOMEM;
    }
    for (size_t i = 0; i < old.known_room; i++)
        if (old.known[i].instrument_id != 0)
            *known_slot(p, old.known[i].instrument_id) = old.known[i];
    free(old.known);
    return 0;
}

static bool is_complete(const struct prime *p, uint32_t instrument_id)
{
    return p->known_room > 0 && known_slot(p, instrument_id)->kinds == p->wanted_kinds;
}

/* ---- what is found ---- */

/* The list with room for `need` items, or NULL: then it is as it was. */
static void *grow(void *items, size_t *room, size_t need, size_t item)
{
    if (need <= *room)
        return items;
    size_t more = *room == 0 ? 64 : 2 * *room;
    if (more < need)
        more = need;
    void *grown = realloc(items, more * item);
    if (grown != NULL)
        *room = more;
    return grown;
}

static int keep(struct prime *p, const struct stream *stream, const struct tdk_frame *tick)
{
    size_t span = tdk_frame_span(tick->size);
    void *frames = grow(p->frames, &p->frames_room, p->frames_size + span, 1);
    if (frames == NULL)
        return -ENOMEM;
    p->frames = frames;
    void *states = grow(p->states, &p->state_room, p->state_count + 1, sizeof *p->states);
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

/* Ticks come from the last to the first: of each kind the first that is met is the one. */
static int meet(struct prime *p, const struct stream *stream, const struct tdk_frame *tick)
{
    uint32_t kind = kind_of(tick), instrument_id = frame_instrument(tick);
    if (kind == 0 || instrument_id == 0)
        return 0;
    if (2 * (p->known_count + 1) > p->known_room && known_grow(p) < 0)
        return -ENOMEM;
    struct known *known = known_slot(p, instrument_id);
    if ((known->kinds & kind) != 0)
        return 0;
    p->known_count += known->instrument_id == 0;
    known->instrument_id = instrument_id;
    known->kinds |= kind;
    return keep(p, stream, tick);
}

/* ---- blocks ---- */

static int want(struct prime *p, const struct pick *pick)
{
    if (pick->instrument_id == 0 || is_complete(p, pick->instrument_id))
        return 0;
    void *items = grow(p->picks.items, &p->picks_room, p->picks.count + 1, sizeof *pick);
    if (items == NULL)
        return -ENOMEM;
    p->picks.items = items;
    p->picks.items[p->picks.count++] = *pick;
    return 0;
}

static int want_asked(struct prime *p, const struct stream *stream)
{
    const struct picks *here = &stream->search.here;
    int rc = 0;
    p->picks.timed = here->timed;
    for (size_t i = 0; i < here->count && rc == 0; i++)
        if (filter_may_hold(stream->ref.filter, here->items[i].instrument_id))
            rc = want(p, &here->items[i]);
    return rc;
}

static int want_listed(struct prime *p, const struct block_view *view)
{
    int rc = 0;
    p->picks.timed = false;
    uint32_t count = directory_instruments(view);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        struct pick pick = {.instrument_id = directory_instrument(view, i), .to = UINT64_MAX};
        rc = want(p, &pick);
    }
    return rc;
}

/* What of the block may add something. Where the list cannot be had, reading the block tells why.
 */
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

static int look_into(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    int rc = find_wanted(p, stream, err);
    if (rc < 0 || (stream->only != NULL && p->picks.count == 0))
        return rc;
    rc = stream_load(stream, err);
    if (rc <= 0)
        return rc == TDK_ECORRUPT ? 0 : rc; /* counted, and the blocks before it are still there */
    const struct tdk_frame *frame;
    for (rc = 0; rc == 0 && (frame = stream_peek(stream)) != NULL; stream_step(stream))
        if (tdk_frame_is_tick(frame))
            rc = meet(p, stream, frame);
    return rc < 0 ? err_set(err, rc, "keep the state before a range") : 0;
}

/*
 * From the last block before the range to the first. A segment that can tell its last states
 * without its blocks would be asked here, and meet() each of them.
 */
static int walk(struct prime *p, struct stream *stream, struct tdk_err *err)
{
    for (;;) {
        if (p->options.stopped != NULL && p->options.stopped(p->options.context))
            return err_say(err, -ECANCELED, "stopped while looking for the state before the range");
        int rc = stream_next_block(stream, err);
        if (rc == 0)
            return 0;
        if (rc == 1)
            rc = look_into(p, stream, err);
        if (rc < 0 && rc != TDK_ECORRUPT)
            return rc;
    }
}

/* Found from the last to the first: put them in order, each where a merge would have it. */
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
    if (track->ref.kind == TDK_KIND_OPAQUE)
        return 0; /* nobody can say what is state in it */
    size_t first = p->state_count;
    p->known_count = 0;
    if (p->known_room > 0)
        memset(p->known, 0, p->known_room * sizeof *p->known);
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

int prime_open(struct prime **prime, struct tdk_tape *tape, const struct tdk_query *query,
               const struct prime_options *options, struct tdk_err *err)
{
    struct prime *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "look for the state before a range");
    p->options = *options;
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
    if (rc == 0 && query->from > 0 && p->wanted_kinds != 0)
        rc = walk_tracks(p, query, err);
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
    free(p->known);
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

uint64_t prime_damaged(const struct prime *p)
{
    return p->answer.stats.damaged_blocks;
}
