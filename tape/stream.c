#include "tape/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/moment.h"
#include "tape/hole.h"

static bool is_reverse(const struct stream *stream)
{
    return stream->answer->reverse;
}

/* What a recorder tells of new symbols is not in what the tape has read of them before. */
static int find_picks(struct stream *stream, struct tdk_err *err)
{
    const struct answer *answer = stream->answer;
    const struct symbols *symbols;
    struct symbols *fresh = NULL;
    int rc;
    if (answer->view->live) {
        rc = symbols_read(answer->view, stream->track->ref.number, &fresh, err);
        symbols = fresh;
    } else {
        rc = tape_symbols(answer->tape, stream->track->ref.number, &symbols, err);
    }
    if (rc == 0)
        rc = select_picks(&answer->select, symbols, &stream->all, err);
    free(fresh);
    return rc;
}

int stream_open(struct stream *stream, struct answer *answer, const struct track *track,
                struct tdk_err *err)
{
    *stream = (struct stream){.answer = answer, .track = track};
    sieve_init(&stream->sieve, &answer->select);
    int rc =
        tape_epochs(answer->view, track->ref.number, &stream->epochs, &stream->epoch_count, err);
    if (rc == 0 && answer->select.by_symbol) {
        rc = find_picks(stream, err);
    }
    if (rc < 0)
        stream_close(stream);
    else
        stream_rewind(stream);
    return rc;
}

void stream_close(struct stream *stream)
{
    shelf_give(&stream->answer->tape->shelf, stream->sieve.slice);
    sieve_close(&stream->sieve);
    picks_close(&stream->all);
    picks_close(&stream->picks);
    free(stream->epochs);
    free(stream->maxima);
    free(stream->keys);
    stream->epochs = NULL;
    stream->maxima = NULL;
    stream->keys = NULL;
}

void stream_rewind(struct stream *stream)
{
    stream->epoch_at = is_reverse(stream) ? stream->epoch_count : 0;
    stream->in_epoch = false;
    stream->loaded = false;
    stream->lost = 0;
    stream->sieve.list_only = is_reverse(stream);
}

/* ---- epochs ---- */

static bool epoch_in_time(const struct select *select, const struct epoch_ref *epoch)
{
    if (select->axis == TDK_AXIS_EVENT)
        return epoch->max_event >= select->from && epoch->min_event <= select->last;
    return epoch->odd > 0 || (epoch->max_ts >= select->from && epoch->min_ts <= select->last);
}

/* May there be anything in it? */
static bool epoch_matters(const struct stream *stream, const struct epoch_ref *epoch)
{
    const struct select *select = &stream->answer->select;
    if (select->control || epoch->lost > 0)
        return true;
    return epoch->ticks > 0 && epoch_in_time(select, epoch) &&
           (!select->by_symbol || stream->picks.count > 0);
}

/* 1: in the next epoch that matters; 0: there is none. */
static int enter_epoch(struct stream *stream, struct tdk_err *err)
{
    bool reverse = is_reverse(stream);
    while (reverse ? stream->epoch_at > 0 : stream->epoch_at < stream->epoch_count) {
        const struct epoch_ref *epoch = &stream->epochs[stream->epoch_at - (reverse ? 1 : 0)];
        const struct select *select = &stream->answer->select;
        if (select->by_symbol) {
            int rc = picks_of_epoch(&stream->picks, select, &stream->all, epoch->epoch, err);
            if (rc < 0)
                return rc;
        }
        if (epoch_matters(stream, epoch)) {
            stream->in_epoch = true;
            stream->ref_count = stream->ref_at = 0;
            stream->refs_end = false;
            stream->seen = reverse ? UINT64_MAX : 0;
            stream->is_holed = epoch_has_hole(epoch);
            stream->is_held = false;
            stream->before.track = 0;
            return 1;
        }
        stream->epoch_at += reverse ? (size_t)-1 : 1;
    }
    return 0;
}

static const struct epoch_ref *current_epoch(const struct stream *stream)
{
    return &stream->epochs[stream->epoch_at - (is_reverse(stream) ? 1 : 0)];
}

static void leave_epoch(struct stream *stream)
{
    stream->in_epoch = false;
    stream->epoch_at += is_reverse(stream) ? (size_t)-1 : 1;
}

/* ---- blocks ---- */

static struct index_range range_of(const struct stream *stream)
{
    const struct select *select = &stream->answer->select;
    const struct epoch_ref *epoch = current_epoch(stream);
    return (struct index_range){
        .track = stream->track->ref.number,
        .axis = select->axis == TDK_AXIS_EVENT ? INDEX_AXIS_EVENT : INDEX_AXIS_RECV,
        .epoch = epoch->epoch,
        .from = select->from,
        .to = select->last == UINT64_MAX ? UINT64_MAX : select->last + 1,
        .step_back = epoch->step_back,
    };
}

static int fetch_refs(struct stream *stream, struct tdk_err *err)
{
    struct index_range range = range_of(stream);
    struct block_ref last;
    bool first = stream->ref_count == 0;
    if (!first)
        last = stream->refs[stream->ref_count - 1];
    int n = index_find(stream->answer->view->index, &range, first ? NULL : &last,
                       is_reverse(stream), stream->refs, STREAM_REFS, err);
    if (n < 0)
        return n;
    stream->ref_count = n;
    stream->ref_at = 0;
    stream->refs_end = n < STREAM_REFS;
    return 0;
}

/* The next one of the epoch; 0: that was all. */
static int next_ref(struct stream *stream, struct tdk_err *err)
{
    if (stream->ref_at == stream->ref_count) {
        int rc = stream->refs_end ? 0 : fetch_refs(stream, err);
        if (rc < 0)
            return rc;
        if (stream->ref_at == stream->ref_count)
            return 0;
    }
    stream->ref = stream->refs[stream->ref_at++];
    return 1;
}

static int tell_hole(const struct stream *stream, const struct hole *hole, struct tdk_err *err)
{
    char from[MOMENT_TEXT], to[MOMENT_TEXT];
    stream->answer->stats.damaged_blocks++;
    return err_say(
        err, TDK_ECORRUPT,
        "track %s epoch %llu: seqs %llu to %llu, between %s and %s, are missing from the "
        "tape",
        stream->track->ref.name, (unsigned long long)current_epoch(stream)->epoch,
        (unsigned long long)hole->first_seq, (unsigned long long)hole->last_seq,
        moment_text(from, hole->from), moment_text(to, hole->to));
}

/* Is something missing between the block met last and this one (found false: the end)? */
static int check_hole(struct stream *stream, bool found, struct tdk_err *err)
{
    const struct block_ref *last = stream->before.track != 0 ? &stream->before : NULL;
    const struct block_ref *next = found ? &stream->ref : NULL;
    struct hole hole;
    bool reverse = is_reverse(stream);
    int rc =
        hole_between(stream->answer->view->index, &stream->answer->select, current_epoch(stream),
                     reverse ? next : last, reverse ? last : next, &hole, err);
    if (found)
        stream->before = stream->ref;
    return rc == 1 ? tell_hole(stream, &hole, err) : rc;
}

/* next_ref(), and whether anything is missing in front of it. */
static int next_found(struct stream *stream, struct tdk_err *err)
{
    if (stream->is_held) {
        stream->is_held = false;
        return stream->held;
    }
    int rc = next_ref(stream, err);
    if (rc < 0 || !stream->is_holed)
        return rc;
    stream->held = rc;
    int hole = check_hole(stream, rc == 1, err);
    stream->is_held = hole == TDK_ECORRUPT;
    return hole < 0 ? hole : rc;
}

/* Written after the stream was opened. */
static bool is_later(const struct stream *stream, const struct block_ref *ref)
{
    return ref->first_seq > current_epoch(stream)->last_seq && (ref->count > 0 || ref->lost > 0);
}

/* The whole of it has been told already. */
static bool is_repeat(const struct stream *stream, const struct block_ref *ref)
{
    if (ref->count == 0 && ref->lost == 0)
        return false;
    return is_reverse(stream) ? ref->first_seq >= stream->seen : ref->last_seq <= stream->seen;
}

static bool may_hold(const struct stream *stream, const struct block_ref *ref)
{
    const struct select *select = &stream->answer->select;
    if ((ref->flags & BLOCK_HAS_LOSS) != 0 ||
        (select->control && (ref->flags & BLOCK_HAS_CONTROL) != 0))
        return true;
    return ref->count > 0 && (!select->by_symbol || picks_may_be_in(&stream->picks, ref->filter));
}

int stream_next_block(struct stream *stream, struct tdk_err *err)
{
    stream->loaded = false;
    if (stream->answer->select.from > stream->answer->select.last)
        return 0;
    for (;;) {
        int rc = stream->in_epoch ? 1 : enter_epoch(stream, err);
        if (rc <= 0)
            return rc;
        rc = next_found(stream, err);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            leave_epoch(stream);
            continue;
        }
        if (is_later(stream, &stream->ref) || is_repeat(stream, &stream->ref))
            continue;
        if (may_hold(stream, &stream->ref))
            return 1;
        stream->answer->stats.blocks_skipped++;
    }
}

/* ---- reading one ---- */

/* Sealing may have put it elsewhere since: what does the index say now? True: something else. */
static bool look_up_again(struct stream *stream)
{
    struct index_range range = range_of(stream);
    struct block_ref before = stream->ref, now;
    before.first_seq--; /* just in front of it, whatever is there */
    if (index_find(stream->answer->view->index, &range, &before, false, &now, 1, NULL) != 1 ||
        now.first_seq != stream->ref.first_seq ||
        (now.segment == stream->ref.segment && now.offset == stream->ref.offset &&
         now.stored_size == stream->ref.stored_size))
        return false;
    stream->ref = now;
    return true;
}

static int tell_damage(const struct stream *stream, struct tdk_err *err)
{
    const struct block_ref *ref = &stream->ref;
    char from[MOMENT_TEXT], to[MOMENT_TEXT];
    bool timed = ref->min_ts <= ref->max_ts;
    return err_wrap(err, TDK_ECORRUPT,
                    "segment %llu offset %llu: %u ticks of track %s from %s to %s cannot be read",
                    (unsigned long long)ref->segment, (unsigned long long)ref->offset, ref->count,
                    stream->track->ref.name, moment_text(from, timed ? ref->min_ts : ref->odd_min),
                    moment_text(to, timed ? ref->max_ts : ref->odd_max));
}

/* A reader that takes blocks whole, one after the other, will want the next. */
static void expect_next(struct stream *stream)
{
    const struct slice *slice = stream->sieve.slice;
    if (stream->ref_at == stream->ref_count || slice->state != SLICE_WHOLE)
        return;
    const struct block_ref *next = &stream->refs[stream->ref_at];
    if (next->segment == slice->ref.segment)
        handle_expect(slice->handle, next->offset, next->span);
}

/*
 * Few blocks are asked for: each gets a slice of its own, maybe one that holds it from the last
 * time. Many: one slice for all, so that they pass through the same memory, which stays in the
 * cache.
 */
static int find_slice(struct stream *stream, struct tdk_err *err)
{
    enum { FEW = 8 };
    struct sieve *sieve = &stream->sieve;
    bool few = stream->refs_end && stream->ref_count <= FEW;
    if (sieve->slice != NULL && (!few || slice_holds(sieve->slice, &stream->ref)))
        return 0;
    struct shelf *shelf = &stream->answer->tape->shelf;
    shelf_give(shelf, sieve->slice);
    sieve->slice = shelf_take(shelf, &stream->ref);
    return sieve->slice != NULL ? 0 : err_set(err, -ENOMEM, "read a block");
}

static void sieve_prepare(struct stream *stream)
{
    struct sieve *sieve = &stream->sieve;
    sieve->picks = stream->answer->select.by_symbol ? &stream->picks : NULL;
    sieve->seq_first = is_reverse(stream) ? 0 : stream->seen + 1;
    sieve->seq_last = is_reverse(stream) ? stream->seen - 1 : UINT64_MAX;
}

/* With a block that was told: what is in it is not told again. */
static void note_seen(struct stream *stream, uint64_t bytes_read)
{
    const struct block_ref *ref = &stream->ref;
    struct tdk_cursor_stats *stats = &stream->answer->stats;
    if (ref->count > 0 || ref->lost > 0)
        stream->seen = is_reverse(stream) ? ref->first_seq : ref->last_seq;
    stats->bytes_read += bytes_read;
    if (bytes_read > 0)
        stats->blocks_read++;
    else
        stats->blocks_skipped++;
}

static int damaged(struct stream *stream, int code, struct tdk_err *err)
{
    if (!code_is_damage(code))
        return code;
    stream->answer->stats.damaged_blocks++;
    tell_damage(stream, err);
    if (err != NULL)
        err->code = TDK_ECORRUPT;
    return TDK_ECORRUPT;
}

/* Once more, when it cannot be had: its file may have been replaced since. */
static int fill_again(struct stream *stream, int rc, struct tdk_err *err)
{
    segments_forget(&stream->answer->tape->segments, stream->ref.segment);
    if (!look_up_again(stream) && rc != -ENOENT)
        return rc;
    return sieve_fill(&stream->sieve, &stream->ref, err);
}

int stream_load(struct stream *stream, struct tdk_err *err)
{
    struct sieve *sieve = &stream->sieve;
    int rc = find_slice(stream, err);
    if (rc < 0)
        return rc;
    uint64_t bytes_read = sieve->slice->bytes_read;
    sieve_prepare(stream);
    rc = sieve_fill(sieve, &stream->ref, err);
    if (code_is_damage(rc))
        rc = fill_again(stream, rc, err);
    if (rc < 0)
        return damaged(stream, rc, err);
    note_seen(stream, sieve->slice->bytes_read - bytes_read);
    expect_next(stream);
    stream->at = sieve->is_run ? sieve->begin : is_reverse(stream) ? sieve->count : 0;
    stream->loaded = sieve->is_run || sieve->count > 0;
    return stream->loaded ? 1 : 0;
}

bool stream_takes_all(struct stream *stream)
{
    sieve_prepare(stream);
    return sieve_takes_all(&stream->sieve, &stream->ref);
}

int stream_count(struct stream *stream, uint64_t *ticks, struct tdk_err *err)
{
    uint64_t lost = 0;
    int rc = find_slice(stream, err);
    if (rc < 0)
        return rc;
    uint64_t bytes_read = stream->sieve.slice->bytes_read;
    sieve_prepare(stream);
    rc = sieve_count(&stream->sieve, &stream->ref, ticks, &lost, err);
    if (rc < 0)
        return damaged(stream, rc, err);
    note_seen(stream, stream->sieve.slice->bytes_read - bytes_read);
    stream->answer->stats.lost += lost;
    return 0;
}

/* ---- frame by frame ---- */

static size_t place(const struct stream *stream)
{
    const struct sieve *sieve = &stream->sieve;
    if (sieve->is_run)
        return stream->at;
    return sieve->offsets[is_reverse(stream) ? stream->at - 1 : stream->at];
}

static bool is_at_end(const struct stream *stream)
{
    const struct sieve *sieve = &stream->sieve;
    if (is_reverse(stream))
        return stream->at == 0;
    return stream->at == (sieve->is_run ? sieve->end : sieve->count);
}

void stream_step(struct stream *stream)
{
    if (stream->sieve.is_run)
        stream->at += tdk_frame_span(sieve_frame(&stream->sieve, stream->at)->size);
    else
        stream->at += is_reverse(stream) ? (size_t)-1 : 1;
}

const struct tdk_frame *stream_peek(struct stream *stream)
{
    bool control = stream->answer->select.control;
    while (!is_at_end(stream)) {
        const struct tdk_frame *frame = sieve_frame(&stream->sieve, place(stream));
        if (control || frame->type != TDK_TYPE_LOSS)
            return frame;
        stream->lost += sieve_loss(frame).count;
        stream_step(stream);
    }
    stream->loaded = false;
    return NULL;
}
