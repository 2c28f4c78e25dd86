#include "tape/stream.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/moment.h"
#include "tape/hole.h"
#include "tape/maxima.h"
#include "tape/scout.h"
#include "tape/stream_ahead.h"

static bool is_reverse(const struct stream *stream)
{
    return stream->answer->reverse;
}

int stream_open(struct stream *stream, struct answer *answer, const struct track *track,
                struct tdk_err *err)
{
    *stream = (struct stream){.answer = answer, .track = track};
    sieve_init(&stream->sieve, &answer->select);
    int rc = search_open(&stream->search, answer, track, err);
    if (rc == 0)
        stream_rewind(stream);
    return rc;
}

void stream_close(struct stream *stream)
{
    scout_stop(stream->scout);
    stream->scout = NULL;
    shelf_give(&stream->answer->tape->shelf, stream->sieve.slice);
    sieve_close(&stream->sieve);
    search_close(&stream->search);
    free(stream->maxima);
    free(stream->keys);
    stream->maxima = NULL;
    stream->keys = NULL;
}

void stream_rewind(struct stream *stream)
{
    search_rewind(&stream->search);
    stream->loaded = false;
    stream->lost = 0;
    stream->sieve.list_only = is_reverse(stream);
}

int stream_next_block(struct stream *stream, struct tdk_err *err)
{
    stream->loaded = false;
    stream->before = stream->ref;
    int rc = search_next(&stream->search, &stream->ref, err);
    if (rc == 1 && is_reverse(stream) && stream->maxima != NULL && !stream_knows_maximum(stream)) {
        int renewed = stream_renew_maxima(stream, err);
        rc = renewed < 0 ? renewed : rc;
    }
    if (rc == TDK_ECORRUPT)
        stream->answer->damage = (struct tdk_damage){.track = stream->track->ref.name};
    return rc;
}

/* ---- reading one ---- */

static void note_damage(struct stream *stream)
{
    const struct block_ref *ref = &stream->ref;
    bool timed = ref->min_ts <= ref->max_ts;
    stream->answer->damage = (struct tdk_damage){
        .segment = ref->segment,
        .offset = ref->offset,
        .from = timed ? ref->min_ts : ref->odd_min,
        .to = timed ? ref->max_ts : ref->odd_max,
        .ticks = ref->count,
        .track = stream->track->ref.name,
    };
}

static int tell_damage(const struct stream *stream, struct tdk_err *err)
{
    const struct block_ref *ref = &stream->ref;
    char from[MOMENT_TEXT], to[MOMENT_TEXT];
    bool timed = ref->min_ts <= ref->max_ts;
    if (!timed && ref->count == 0)
        return err_wrap(
            err, TDK_ECORRUPT,
            "segment %llu offset %llu: what track %s announces between ticks cannot be read",
            (unsigned long long)ref->segment, (unsigned long long)ref->offset,
            stream->track->ref.name);
    return err_wrap(err, TDK_ECORRUPT,
                    "segment %llu offset %llu: %u ticks of track %s from %s to %s cannot be read",
                    (unsigned long long)ref->segment, (unsigned long long)ref->offset, ref->count,
                    stream->track->ref.name, moment_text(from, timed ? ref->min_ts : ref->odd_min),
                    moment_text(to, timed ? ref->max_ts : ref->odd_max));
}

/* The part of a block that an answer reads first. */
enum expectation { EXPECT_ALL, EXPECT_DIRECTORY, EXPECT_ENTRIES };

/* Where a block's tail is in memory, the rest of it is too, or is being read. After the tail comes
 * the next block's head, which is asked for along with it: ten pages take a disk no longer than
 * one. */
static void expect_block(const struct handle *handle, const struct block_ref *ref,
                         enum expectation what)
{
    enum { OUTLINE = 4096 };
    const size_t head = sizeof(struct block_head), tail = head + ref->frames_size;
    bool is_packed = tail >= ref->span;
    if (handle_has(handle, is_packed ? ref->offset : ref->offset + tail))
        return;
    if (what == EXPECT_ALL || (is_packed && what == EXPECT_DIRECTORY)) {
        handle_expect(handle, ref->offset, ref->span);
    } else if (is_packed) {
        handle_expect(handle, ref->offset, head + OUTLINE);
    } else {
        if (!handle_has(handle, ref->offset))
            handle_expect(handle, ref->offset, head);
        handle_expect(handle, ref->offset + tail, ref->span - tail + head);
    }
}

/* True: whole blocks follow, one after the other, from here on. They are read as a scan, and asking
 * for pages of the first ones would only hinder that: the kernel begins to read ahead where it had
 * to read. */
static bool begins_scan(const struct stream *stream)
{
    const struct select *select = &stream->answer->select;
    return !search_is_short(&stream->search) && !is_reverse(stream) && !select->by_symbol &&
           stream->only == NULL && select_covers(select, &stream->ref);
}

/* This block was too small to begin it. */
static bool is_before_scan(const struct stream *stream)
{
    const struct block_ref *next = search_ahead(&stream->search, 1);
    return begins_scan(stream) && next != NULL && slice_scans(stream->sieve.slice, next);
}

/* Blocks are asked for some time before they are read, so that a cold disk has several reads to do:
 * the next few of each batch from the index, and then one more for each that was read. */
static void expect_next(struct stream *stream, enum expectation what)
{
    enum { AHEAD = 6, AHEAD_SMALL = 16 };
    const struct slice *slice = stream->sieve.slice;
    const int here = stream->search.ref_at, ahead = what == EXPECT_ALL ? AHEAD : AHEAD_SMALL;
    bool is_scanned =
        slice->handle != NULL && slice->handle->is_scanned; /* the kernel reads ahead */
    bool is_fetched = slice_fetches_front(slice);           /* it is fetched when it is needed */
    bool is_wanted = slice->handle != NULL && !is_scanned && !is_fetched && !stream->is_alone &&
                     !is_before_scan(stream);
    if (stream->expected_to < here || stream->expected_to > here + ahead)
        stream->expected_to = here; /* a new batch */
    while (is_wanted && stream->expected_to < here + ahead) {
        const struct block_ref *ref = search_ahead(&stream->search, ++stream->expected_to - here);
        if (ref != NULL && handle_is_of(slice->handle, ref))
            expect_block(slice->handle, ref, what);
    }
    stream->is_expected = true;
}

/* Ask for the very first block: all of it at once, not piece by piece as it turns out what is
 * needed. If the answer needs only few blocks, ask for the two after it, too. */
static void expect_first(struct stream *stream)
{
    enum { FIRST = 2 };
    struct segments *segments = &stream->answer->tape->segments;
    struct handle *handle;
    const struct block_ref *ref;
    if (stream->is_expected || begins_scan(stream) ||
        slice_holds(stream->sieve.slice, &stream->ref) ||
        segments_take(segments, &stream->ref, false, &handle, NULL) < 0)
        return;
    expect_block(handle, &stream->ref, EXPECT_ALL);
    for (int n = 1; n <= FIRST && !stream->is_alone && search_is_short(&stream->search); n++)
        if ((ref = search_ahead(&stream->search, n)) != NULL && handle_is_of(handle, ref))
            expect_block(handle, ref, EXPECT_ALL);
    segments_give(segments, handle);
}

/* What to ask for of blocks like the one just read: all, unless what passed lay far apart. One
 * large read of a disk costs less than several small ones. */
static enum expectation expect_like(const struct stream *stream)
{
    enum { SPARSE = 16 };
    const struct sieve *sieve = &stream->sieve;
    bool is_listed = !sieve->is_run || sieve->slice->state == SLICE_PACKED;
    bool sparse =
        is_listed && sieve->ticks * SPARSE < sieve->slice->view.head->frames_size / BLOCK_CHUNK;
    return sparse && sieve->slice->state != SLICE_WHOLE ? EXPECT_DIRECTORY : EXPECT_ALL;
}

/*
 * If the answer needs only few blocks, each gets a slice of its own, possibly one that still holds
 * the block from the last time. If it needs many, one slice serves all of them up to the last, so
 * that they pass through the same memory, which stays in the cache; fresh memory would cost more
 * than what is read into it.
 */
static int find_slice(struct stream *stream, struct tdk_err *err)
{
    stream->read_ahead = 0;
    struct sieve *sieve = &stream->sieve;
    struct shelf *shelf = &stream->answer->tape->shelf;
    if (sieve->slice != NULL && slice_holds(sieve->slice, &stream->ref))
        return 0;
    if (stream->scout != NULL && stream_meet(stream))
        return 0;
    bool many = !search_is_short(&stream->search);
    if (sieve->slice != NULL && (many || sieve->slice->passing))
        return 0;
    shelf_give(shelf, sieve->slice);
    sieve->slice = shelf_take(shelf, &stream->ref, many);
    return sieve->slice != NULL ? 0 : err_set(err, -ENOMEM, "read a block");
}

static void sieve_prepare(struct stream *stream)
{
    struct sieve *sieve = &stream->sieve;
    const struct search *search = &stream->search;
    sieve->picks = stream->answer->select.by_symbol ? &search->here : NULL;
    if (stream->only != NULL)
        sieve->picks = stream->only;
    sieve->seq_first = is_reverse(stream) ? 0 : search->seen + 1;
    sieve->seq_last = is_reverse(stream) ? search->seen - 1 : UINT64_MAX;
}

static void note_told(struct stream *stream, uint64_t bytes_read)
{
    struct tdk_cursor_stats *stats = &stream->answer->stats;
    search_told(&stream->search, &stream->ref);
    stats->bytes_read += bytes_read;
    if (bytes_read > 0)
        stats->blocks_read++;
    else
        stats->blocks_skipped++;
}

static void note_miss(struct stream *stream, uint64_t ticks)
{
    if (ticks == 0 && stream->only == NULL && stream->answer->select.by_symbol)
        search_missed(&stream->search);
}

static int damaged(struct stream *stream, int code, struct tdk_err *err)
{
    if (!code_is_damage(code))
        return code;
    if (code == -ENOENT && tape_is_retired(stream->answer->tape, stream->ref.segment))
        return 0; /* deleted on purpose since the index was asked: nothing of it passes */
    stream->answer->stats.damaged_blocks++;
    note_damage(stream);
    tell_damage(stream, err);
    if (err != NULL)
        err->code = TDK_ECORRUPT;
    return TDK_ECORRUPT;
}

/* Look for the block again when it cannot be read: its file may have been replaced since. True: try
 * again. */
static bool find_again(struct stream *stream, int rc)
{
    struct answer *answer = stream->answer;
    segments_forget(&answer->tape->segments, stream->ref.segment);
    if (!search_again(&stream->search, &stream->ref) &&
        !(tape_renew_view(answer->tape, &stream->ref, &answer->view) &&
          search_again(&stream->search, &stream->ref)))
        return rc == -ENOENT; /* sealed this very moment: the name alone has changed */
    sieve_prepare(stream);
    return stream_renew_maxima(stream, NULL) == 0;
}

int stream_entries(struct stream *stream, const struct block_view **view, struct tdk_err *err)
{
    int rc = find_slice(stream, err);
    if (rc == 0)
        rc = slice_entries(stream->sieve.slice, &stream->ref, err);
    if (code_is_damage(rc) && find_again(stream, rc))
        rc = slice_entries(stream->sieve.slice, &stream->ref, err);
    if (rc == 0)
        *view = &stream->sieve.slice->view;
    return rc;
}

int stream_load(struct stream *stream, struct tdk_err *err)
{
    struct sieve *sieve = &stream->sieve;
    int rc = find_slice(stream, err);
    if (rc < 0)
        return rc;
    sieve->slice->is_near = slice_is_near(&stream->ref, &stream->before);
    uint64_t bytes_read = sieve->slice->bytes_read - stream->read_ahead;
    expect_first(stream);
    sieve_prepare(stream);
    stream_go_ahead(stream);
    rc = sieve_fill(sieve, &stream->ref, err);
    if (code_is_damage(rc) && find_again(stream, rc))
        rc = sieve_fill(sieve, &stream->ref, err);
    if (rc < 0)
        return damaged(stream, rc, err);
    note_told(stream, sieve->slice->bytes_read - bytes_read);
    if (sieve->slice->bytes_read != bytes_read)
        expect_next(stream, expect_like(stream));
    stream->at = sieve->is_run ? sieve->begin : is_reverse(stream) ? sieve->count : 0;
    stream->loaded = sieve->is_run || sieve->count > 0;
    note_miss(stream, sieve->ticks);
    return stream->loaded ? 1 : 0;
}

bool stream_takes_all(struct stream *stream)
{
    sieve_prepare(stream);
    return sieve_takes_all(&stream->sieve, &stream->ref);
}

static int count_by_reading(struct stream *stream, uint64_t *ticks, struct tdk_err *err)
{
    uint64_t lost = 0;
    int rc = find_slice(stream, err);
    if (rc < 0)
        return rc;
    uint64_t bytes_read = stream->sieve.slice->bytes_read;
    rc = sieve_count(&stream->sieve, &stream->ref, ticks, &lost, err);
    if (code_is_damage(rc) && find_again(stream, rc))
        rc = sieve_count(&stream->sieve, &stream->ref, ticks, &lost, err);
    if (rc < 0)
        return damaged(stream, rc, err);
    note_told(stream, stream->sieve.slice->bytes_read - bytes_read);
    if (stream->sieve.slice->bytes_read != bytes_read)
        expect_next(stream, EXPECT_ENTRIES);
    stream->answer->stats.lost += lost;
    return 0;
}

int stream_count(struct stream *stream, uint64_t *ticks, struct tdk_err *err)
{
    struct sieve *sieve = &stream->sieve;
    struct answer *answer = stream->answer;
    struct tallies *tallies = &answer->tape->tallies;
    int rc = absence_check(&answer->absence, answer->tape, &stream->ref, err);
    if (rc < 0)
        return damaged(stream, rc, err);
    sieve_prepare(stream);
    bool by_directory = sieve_counts_by_directory(sieve, &stream->ref);
    if (by_directory && tallies_count(tallies, &stream->ref, sieve->picks, ticks)) {
        note_told(stream, 0);
    } else {
        rc = count_by_reading(stream, ticks, err);
        if (rc < 0)
            return rc;
        if (by_directory && slice_holds(sieve->slice, &stream->ref))
            tallies_keep(tallies, &stream->ref, &sieve->slice->view);
    }
    note_miss(stream, *ticks);
    return 0;
}

/* ---- frame by frame ---- */

size_t stream_tick_span(const struct stream *stream)
{
    const struct slice *slice = stream->sieve.slice;
    if (!stream->sieve.is_run || slice->state != SLICE_WHOLE)
        return 0;
    return load_u32(slice->view.directory + offsetof(struct directory_head, uniform));
}

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
