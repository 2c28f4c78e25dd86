#include "tapedeck/tape.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "tape/cursor.h"
#include "tape/follow.h"
#include "tape/maxima.h"
#include "tape/merge.h"
#include "tape/run.h"

/* After runs with fewer ticks than this, ticks are woven. */
enum { TURN_MAX = 16 };

/* With fewer ticks than this left up to the limit nothing is woven: a caller that makes room for
 * what cursor_weave_size() returns may not have that much to spare. */
enum { WEAVE_LEFT_MIN = 4096 };

struct tdk_cursor {
    struct answer answer;
    struct stream *streams; /* one for each track, by name */
    size_t stream_count;
    struct merge merge;
    uint64_t left;   /* ticks up to the limit */
    uint64_t lowest; /* the earliest min_ts of the blocks whose ticks were returned */
    bool count_only;
    bool is_begun;
    size_t counting;                /* the stream that is being counted */
    uint64_t lost_told;             /* see tape_next_lost() */
    struct tdk_err failed;          /* what ended it; code 0: nothing did */
    uint64_t patience_ns, begun_ns; /* of the call that reads; 0: no end of it */
    struct lease lease;             /* on what it may yet read */
    struct scratch copy;            /* reverse: frames the other way round */
    bool takes_turns;               /* the last run was short: tracks take turns */
    size_t run_span;                /* of its frames; 0: not known */
};

/* ---- open ---- */

static int open_streams(struct tdk_cursor *cursor, struct track **tracks, size_t count,
                        struct tdk_err *err)
{
    cursor->streams = calloc(count + 1, sizeof *cursor->streams);
    cursor->merge.heap = calloc(count + 1, sizeof *cursor->merge.heap);
    if (cursor->streams == NULL || cursor->merge.heap == NULL)
        return err_set(err, -ENOMEM, "open cursor");
    for (size_t i = 0; i < count; i++) {
        int rc = stream_open(&cursor->streams[i], &cursor->answer, tracks[i], err);
        if (rc < 0)
            return rc;
        cursor->stream_count++;
    }
    return 0;
}

/* A bound of the stream's next key. Forward: nothing that the stream will return is earlier.
 * Reverse: nothing has a higher key. Where time goes back, nothing is known before the block has
 * been read: possibly nothing in it passes, and what comes after it is earlier. */
static uint64_t bound_of(const struct stream *stream)
{
    if (stream->ref.count == 0) /* a loss whose time is not known, for example */
        return stream->answer->reverse ? UINT64_MAX : 0;
    if (stream->answer->reverse)
        return stream_highest(stream);
    return stream->is_ordered ? stream->ref.min_ts : 0;
}

/* Nothing is read yet, except that a cursor that goes back looks into the blocks of tracks whose
 * time went back. That takes long, so the first read does it, not the opening, for which other
 * requests wait. Each stream comes to the top of the heap once, and then looks for its first block.
 */
static int begin(struct tdk_cursor *cursor, struct tdk_err *err)
{
    bool reverse = cursor->answer.reverse;
    cursor->is_begun = true;
    cursor->merge.reverse = reverse;
    for (size_t i = 0; i < cursor->stream_count; i++) {
        struct stream *stream = &cursor->streams[i];
        stream->is_ordered = stream_is_ordered(stream);
        if (reverse && cursor->stream_count > 1 && !stream->is_ordered) {
            int rc = stream_find_maxima(stream, err);
            if (rc < 0)
                return rc;
        }
        merge_add(&cursor->merge, stream, (unsigned)i, reverse ? UINT64_MAX : 0);
    }
    return 0;
}

/* places NULL: from the beginning. */
static int open_cursor(struct tdk_cursor **cursor, struct tdk_tape *tape,
                       const struct tdk_query *query, const struct places *places,
                       struct tdk_err *err)
{
    struct tdk_cursor *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "open cursor");
    c->answer.tape = tape;
    c->answer.reverse = query->reverse;
    c->count_only = query->count_only;
    c->left = query->limit == 0 ? UINT64_MAX : query->limit;
    c->lowest = UINT64_MAX;
    c->lost_told = places == NULL ? 0 : UINT64_MAX; /* whoever began before the places was told */

    struct track **tracks = NULL;
    size_t count = 0;
    int rc = select_init(&c->answer.select, query, err);
    if (rc == 0 && places == NULL)
        tape_lease(tape, &c->lease, query->axis, c->answer.select.from, c->answer.select.last);
    if (rc == 0) /* after the lease: what the view has, stays */
        rc = tape_view_of(tape, query->written, &c->answer.view, err);
    if (rc == 0)
        rc = search_tracks(tape, c->answer.view, query, &tracks, &count, err);
    if (rc == 0)
        rc = open_streams(c, tracks, count, err);
    for (size_t i = 0; i < c->stream_count && places != NULL && rc == 0; i++) {
        const struct place *place = places_find(places, c->streams[i].track);
        if (place != NULL)
            search_begin_behind(&c->streams[i].search, place);
    }
    free(tracks);
    if (rc < 0) {
        tdk_cursor_close(c);
        return rc;
    }
    *cursor = c;
    return 0;
}

int tdk_cursor_open(struct tdk_cursor **cursor, struct tdk_tape *tape,
                    const struct tdk_query *query, struct tdk_err *err)
{
    return open_cursor(cursor, tape, query, NULL, err);
}

int cursor_open_behind(struct tdk_cursor **cursor, struct tdk_tape *tape,
                       const struct tdk_query *query, const struct places *places,
                       struct tdk_err *err)
{
    return open_cursor(cursor, tape, query, places, err);
}

int places_move(struct places *places, const struct tdk_cursor *cursor, struct tdk_err *err)
{
    for (size_t i = 0; i < cursor->stream_count; i++) {
        const struct stream *stream = &cursor->streams[i];
        struct place *place = places_need(places, stream->track);
        if (place == NULL)
            return err_set(err, -ENOMEM, "follow tape");
        *place = search_end(&stream->search);
    }
    return 0;
}

void tdk_cursor_close(struct tdk_cursor *cursor)
{
    if (cursor == NULL)
        return;
    for (size_t i = 0; i < cursor->stream_count; i++)
        stream_close(&cursor->streams[i]);
    free(cursor->streams);
    free(cursor->merge.heap);
    scratch_close(&cursor->copy);
    select_close(&cursor->answer.select);
    view_drop(cursor->answer.view);
    lease_give(&cursor->answer.tape->leases, &cursor->lease);
    free(cursor);
}

/* ---- the merge ---- */

/* A block was read: may this call read another? */
static int check_time(const struct tdk_cursor *cursor, struct tdk_err *err)
{
    if (cursor->patience_ns == 0 || clock_mono() - cursor->begun_ns < cursor->patience_ns)
        return 0;
    return err_say(err, -EAGAIN, "read tape: nothing yet");
}

/* Nothing of it passed: is it wanted at all any more? */
static int go_on(const struct tdk_cursor *cursor, struct tdk_err *err)
{
    int rc = answer_go_on(&cursor->answer, err);
    return rc < 0 ? rc : check_time(cursor, err);
}

/*
 * The stream on top is not loaded, so its key is only a bound, or is not known at all. Find its
 * next block. If that may be the next of all, read it. 0, or an error.
 */
static int settle(struct tdk_cursor *cursor, struct stream *stream, struct tdk_err *err)
{
    struct merge *merge = &cursor->merge;
    cursor->answer.stats.lost += stream->lost; /* losses after its last run */
    stream->lost = 0;
    if (!stream->has_block) {
        int rc = stream_next_block(stream, err);
        stream->has_block = rc == 1;
        if (rc == 0)
            merge_drop(merge);
        else if (rc == 1)
            merge_move(merge, bound_of(stream));
        return rc < 0 ? rc : 0;
    }
    stream->has_block = false; /* whatever comes of loading it */
    int rc = stream_load(stream, err);
    if (rc == 0)
        return go_on(cursor, err);
    if (rc == 1 && cursor->answer.reverse && cursor->stream_count > 1)
        rc = stream_key_list(stream, err);
    uint64_t key;
    if (rc >= 0 && run_next_key(stream, &key))
        merge_move(merge, key);
    return rc < 0 ? rc : check_time(cursor, err);
}

/* The last key with which the stream on top still comes before all others. */
static uint64_t horizon_of(const struct merge *merge)
{
    const struct merge_entry *top = &merge->heap[0], *second = merge_second(merge);
    if (second == NULL)
        return merge->reverse ? 0 : UINT64_MAX;
    if ((top->rank < second->rank) != merge->reverse)
        return second->key;
    return merge->reverse ? second->key + 1 : second->key - 1;
}

static int take(struct tdk_cursor *cursor, struct stream *stream, struct tdk_run *run,
                struct tdk_err *err)
{
    struct tdk_cursor_stats *stats = &cursor->answer.stats;
    const struct run_limit limit = {.horizon = horizon_of(&cursor->merge), .ticks = cursor->left};
    cursor->run_span = stream_tick_span(stream);
    int rc = run_take(stream, &limit, &cursor->copy, run, &stats->lost, err);
    if (rc < 0)
        return rc;
    stats->ticks += run->ticks;
    stats->bytes += run->size;
    cursor->left -= run->ticks;
    if (run->ticks > 0)
        cursor->lowest = min_u64(cursor->lowest, stream->ref.min_ts);
    stream->told_epoch = run->epoch;
    cursor->takes_turns = run->ticks < TURN_MAX;
    uint64_t key;
    if (cursor->left > 0 && run_next_key(stream, &key))
        merge_move(&cursor->merge, key);
    return 1;
}

static int read_run(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err)
{
    int begun = cursor->is_begun ? 0 : begin(cursor, err);
    if (begun < 0)
        return begun;
    while (cursor->merge.count > 0 && cursor->left > 0) {
        struct stream *stream = cursor->merge.heap[0].stream;
        if (stream->loaded)
            return take(cursor, stream, run, err);
        int rc = settle(cursor, stream, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

size_t cursor_weave_size(const struct tdk_cursor *cursor, size_t max)
{
    if (!cursor->takes_turns || cursor->left < WEAVE_LEFT_MIN || cursor->failed.code != 0)
        return 0;
    return weave_size(&cursor->merge, cursor->stream_count, max);
}

void cursor_weave(struct tdk_cursor *cursor, struct woven *woven)
{
    struct tdk_cursor_stats *stats = &cursor->answer.stats;
    woven->limit = cursor->left;
    weave_ticks(&cursor->merge, cursor->stream_count, woven);
    cursor->left -= woven->ticks;
    cursor->takes_turns = woven->turns * TURN_MAX >= woven->ticks;
    stats->ticks += woven->ticks;
    stats->bytes += woven->size;
}

size_t cursor_run_span(const struct tdk_cursor *cursor)
{
    return cursor->run_span;
}

/* ---- counting: track by track, no order needed ---- */

static int count_run(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err)
{
    while (cursor->counting < cursor->stream_count && cursor->left > 0) {
        struct stream *stream = &cursor->streams[cursor->counting];
        uint64_t ticks = 0;
        int rc = stream_next_block(stream, err);
        if (rc == 1)
            rc = stream_count(stream, &ticks, err);
        else if (rc == 0)
            cursor->counting++;
        if (rc >= 0 && ticks == 0)
            rc = go_on(cursor, err);
        if (rc < 0)
            return rc;
        if (ticks == 0)
            continue;
        if (ticks > cursor->left)
            ticks = cursor->left;
        cursor->left -= ticks;
        cursor->answer.stats.ticks += ticks;
        *run = (struct tdk_run){.ticks = ticks,
                                .epoch = stream->ref.epoch,
                                .track = stream->track->ref.name,
                                .number = stream->track->ref.number};
        return 1;
    }
    return 0;
}

/* Every later call gets the same error. A batch returns what came before the error first. */
static int tell_failed(const struct tdk_cursor *cursor, struct tdk_err *err)
{
    if (err != NULL)
        *err = cursor->failed;
    return cursor->failed.code;
}

/* All was read that is wanted and can be: is it known that there was more? The last ticks up to a
 * limit reach no farther down than they come from. */
static int tell_lost(struct tdk_cursor *cursor, struct tdk_err *err)
{
    struct answer *answer = &cursor->answer;
    const uint64_t first = answer->select.from, last = answer->select.last;
    const struct tdk_query query = {.axis = answer->select.axis,
                                    .from =
                                        cursor->left > 0 ? first : max_u64(first, cursor->lowest),
                                    .to = last == UINT64_MAX ? last : last + 1};
    struct tdk_lost_segments lost;
    if (!tape_next_lost(answer->tape, &query, &cursor->lost_told, &lost))
        return 0;
    answer->stats.damaged_blocks++;
    answer->damage = (struct tdk_damage){.segment = lost.last, .track = ""};
    return tape_say_lost(&lost, err);
}

int cursor_read(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err)
{
    struct tdk_err own;
    if (cursor->failed.code != 0)
        return tell_failed(cursor, err);
    if (err == NULL)
        err = &own;
    int rc = cursor->count_only ? count_run(cursor, run, err) : read_run(cursor, run, err);
    /* When a limit ended a forward query, nothing after its ticks was asked for. When a limit ended
     * a reverse query, its ticks must be the last ones, so nothing may be missing after them. */
    if (rc == 0 && (cursor->left > 0 || (cursor->answer.reverse && !cursor->count_only)))
        rc = tell_lost(cursor, err);
    bool goes_on = rc == TDK_ECORRUPT || (rc == -EAGAIN && cursor->patience_ns != 0);
    if (rc < 0 && !goes_on)
        cursor_fail(cursor, rc, err);
    if (rc == 0) /* it reads nothing any more, though it may stay open for long */
        lease_give(&cursor->answer.tape->leases, &cursor->lease);
    return rc;
}

int tdk_cursor_read(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err)
{
    cursor_begin(cursor);
    return cursor_read(cursor, run, err);
}

void tdk_cursor_set_patience(struct tdk_cursor *cursor, uint64_t patience_ns)
{
    cursor->patience_ns = patience_ns;
}

void cursor_begin(struct tdk_cursor *cursor)
{
    if (cursor->patience_ns != 0)
        cursor->begun_ns = clock_mono();
}

bool cursor_counts(const struct tdk_cursor *cursor)
{
    return cursor->count_only;
}

void cursor_stop_when(struct tdk_cursor *cursor, bool (*stopped)(void *context), void *context)
{
    cursor->answer.stopped = stopped;
    cursor->answer.stop_context = context;
}

void cursor_fail(struct tdk_cursor *cursor, int code, const struct tdk_err *err)
{
    cursor->failed = *err;
    cursor->failed.code = code;
}

void tdk_cursor_damage(const struct tdk_cursor *cursor, struct tdk_damage *damage)
{
    *damage = cursor->answer.damage;
}

void tdk_cursor_stats(const struct tdk_cursor *cursor, struct tdk_cursor_stats *stats)
{
    *stats = cursor->answer.stats;
}

/* ---- explain ---- */

static int explain_track(struct tdk_cursor *cursor, const struct track *track, uint64_t *blocks,
                         uint64_t *bytes, struct tdk_err *err)
{
    struct search search;
    struct block_ref ref;
    int rc = search_open(&search, &cursor->answer, track, err);
    if (rc < 0)
        return rc;
    while ((rc = search_next(&search, &ref, err)) == 1 || rc == TDK_ECORRUPT) {
        if (rc == TDK_ECORRUPT)
            continue; /* what is missing will not be read */
        ++*blocks;
        *bytes += ref.span;
    }
    search_close(&search);
    return rc;
}

int tdk_cursor_explain(struct tdk_cursor *cursor, uint64_t *blocks, uint64_t *bytes,
                       struct tdk_err *err)
{
    const struct tdk_cursor_stats stats = cursor->answer.stats;
    uint64_t some_blocks = 0, some_bytes = 0;
    int rc = 0;
    for (size_t i = 0; i < cursor->stream_count && rc == 0; i++)
        rc = explain_track(cursor, cursor->streams[i].track, &some_blocks, &some_bytes, err);
    cursor->answer.stats = stats;
    if (rc == 0) {
        *blocks = some_blocks;
        *bytes = some_bytes;
    }
    return rc;
}
