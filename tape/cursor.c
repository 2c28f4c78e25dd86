#include "tapedeck/tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/maxima.h"
#include "tape/merge.h"
#include "tape/stream.h"

/* Bytes of a run that was put together by copying. */
enum { COPY_ROOM = 256 << 10 };

struct tdk_cursor {
    struct answer answer;
    struct stream *streams; /* one a track, by name */
    size_t stream_count;
    struct merge merge;
    uint64_t left; /* ticks up to the limit */
    bool count_only;
    size_t counting;     /* the stream that is being counted */
    int failed;          /* the code that ended it */
    unsigned char *copy; /* reverse: frames the other way round; ours */
    size_t copy_room;
};

/* ---- open ---- */

static int compare_tracks(const void *a, const void *b)
{
    const struct track *const *x = a, *const *y = b;
    return strcmp((*x)->ref.name, (*y)->ref.name);
}

/* The tracks asked for, by name, each once; malloc'ed. */
static int find_tracks(struct tdk_tape *tape, const struct tdk_query *query, struct track ***found,
                       size_t *count, struct tdk_err *err)
{
    if (query->track_count == 0) {
        *found = tape_tracks(tape, count);
        return *found != NULL ? 0 : err_set(err, -ENOMEM, "open cursor");
    }
    struct track **tracks = calloc(query->track_count, sizeof(struct track *));
    if (tracks == NULL)
        return err_set(err, -ENOMEM, "open cursor");
    for (size_t i = 0; i < query->track_count; i++) {
        tracks[i] = tape_track(tape, query->tracks[i]);
        if (tracks[i] == NULL) {
            free(tracks);
            return err_say(err, TDK_ENOTRACK, "no track %.64s on this tape", query->tracks[i]);
        }
    }
    qsort(tracks, query->track_count, sizeof(struct track *), compare_tracks);
    *count = 0;
    for (size_t i = 0; i < query->track_count; i++)
        if (*count == 0 || tracks[i] != tracks[*count - 1])
            tracks[(*count)++] = tracks[i];
    *found = tracks;
    return 0;
}

static int open_streams(struct tdk_cursor *cursor, struct track **tracks, size_t count,
                        struct tdk_err *err)
{
    cursor->streams = calloc(count + 1, sizeof *cursor->streams);
    cursor->merge.heap = calloc(count + 1, sizeof(struct stream *));
    if (cursor->streams == NULL || cursor->merge.heap == NULL)
        return err_set(err, -ENOMEM, "open cursor");
    for (size_t i = 0; i < count; i++) {
        int rc = stream_open(&cursor->streams[i], &cursor->answer, tracks[i], err);
        if (rc < 0)
            return rc;
        cursor->streams[i].rank = (unsigned)i;
        cursor->stream_count++;
    }
    return 0;
}

/* Forward: nothing that the stream still tells is earlier. Reverse: nothing has a higher place.
 * Where time goes back nothing is known before the block has been read: it may be that nothing in
 * it passes, and what comes behind it is earlier. */
static uint64_t bound_of(const struct stream *stream)
{
    if (stream->answer->reverse)
        return stream_highest(stream);
    return stream->is_ordered ? stream->ref.min_ts : 0;
}

/* 1: the stream has another block, and a bound for its place; 0: it is at its end. */
static int advance(struct stream *stream, struct tdk_err *err)
{
    int rc = stream_next_block(stream, err);
    stream->has_block = rc == 1;
    if (rc == 1)
        stream->key = bound_of(stream);
    return rc;
}

/* Nothing is read yet: each stream is on top of the heap once, and then looks for its first block.
 */
static int start(struct tdk_cursor *cursor, struct tdk_err *err)
{
    bool reverse = cursor->answer.reverse;
    cursor->merge.reverse = reverse;
    for (size_t i = 0; i < cursor->stream_count; i++) {
        struct stream *stream = &cursor->streams[i];
        stream->is_ordered = stream_is_ordered(stream);
        stream->key = reverse ? UINT64_MAX : 0;
        if (reverse && cursor->stream_count > 1 && !stream->is_ordered) {
            int rc = stream_find_maxima(stream, err);
            if (rc < 0)
                return rc;
        }
        merge_add(&cursor->merge, stream);
    }
    return 0;
}

int tdk_cursor_open(struct tdk_cursor **cursor, struct tdk_tape *tape,
                    const struct tdk_query *query, struct tdk_err *err)
{
    struct tdk_cursor *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "open cursor");
    c->answer.tape = tape;
    c->answer.view = tape_view(tape);
    c->answer.reverse = query->reverse;
    c->count_only = query->count_only;
    c->left = query->limit == 0 ? UINT64_MAX : query->limit;

    struct track **tracks = NULL;
    size_t count = 0;
    int rc = select_init(&c->answer.select, query, err);
    if (rc == 0)
        rc = find_tracks(tape, query, &tracks, &count, err);
    if (rc == 0)
        rc = open_streams(c, tracks, count, err);
    if (rc == 0 && !c->count_only)
        rc = start(c, err);
    free(tracks);
    if (rc < 0) {
        tdk_cursor_close(c);
        return rc;
    }
    *cursor = c;
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
    free(cursor->copy);
    select_close(&cursor->answer.select);
    view_drop(cursor->answer.view);
    free(cursor);
}

/* ---- runs ---- */

/* The place of the next frame among all tracks. */
static uint64_t key_of(const struct stream *stream, const struct tdk_frame *frame)
{
    return stream->answer->reverse && stream->keys != NULL ? stream->keys[stream->at - 1]
                                                           : frame->ts;
}

/* May the frame go into this run, behind others? */
static bool goes_on(const struct tdk_cursor *cursor, const struct stream *stream,
                    const struct stream *second, const struct tdk_frame *frame)
{
    return cursor->left > 0 &&
           (second == NULL ||
            merge_before(&cursor->merge, key_of(stream, frame), stream->rank, second));
}

/* One more frame is told. */
static void count_frame(struct tdk_cursor *cursor, struct tdk_run *run,
                        const struct tdk_frame *frame)
{
    if (tdk_frame_is_tick(frame)) {
        run->ticks++;
        cursor->left--;
    } else if (frame->type == TDK_TYPE_LOSS) {
        cursor->answer.stats.lost += sieve_loss(frame).count;
    }
    run->size += tdk_frame_span(frame->size);
}

/* All that is left of a run in which every frame passes, without looking at any, when no other
 * track can come between. */
static bool take_all(struct tdk_cursor *cursor, struct stream *stream, const struct stream *second,
                     struct tdk_run *run)
{
    struct sieve *sieve = &stream->sieve;
    if (!sieve->is_run || cursor->left < sieve->ticks)
        return false;
    if (second != NULL && (stream->ref.odd > 0 ||
                           !merge_before(&cursor->merge, stream->ref.max_ts, stream->rank, second)))
        return false;
    run->size = sieve->end - stream->at;
    run->ticks = sieve->ticks;
    cursor->left -= sieve->ticks;
    stream->at = sieve->end;
    return true;
}

/* Frames that lie one behind the other, as many as may come now. */
static void take_forward(struct tdk_cursor *cursor, struct stream *stream, struct tdk_run *run)
{
    const struct stream *second = merge_second(&cursor->merge);
    const struct tdk_frame *frame = stream_peek(stream);
    run->frames = frame;
    if (take_all(cursor, stream, second, run))
        return;
    do {
        count_frame(cursor, run, frame);
        stream_step(stream);
        const struct tdk_frame *behind = tdk_frame_after(frame);
        frame = stream_peek(stream);
        if (frame != behind)
            break;
    } while (goes_on(cursor, stream, second, frame));
    if (stream->sieve.is_run)
        stream->sieve.ticks -= run->ticks;
}

static int make_copy_room(struct tdk_cursor *cursor, size_t size, struct tdk_err *err)
{
    if (size <= cursor->copy_room)
        return 0;
    unsigned char *copy = realloc(cursor->copy, size);
    if (copy == NULL)
        return err_set(err, -ENOMEM, "read in reverse");
    cursor->copy = copy;
    cursor->copy_room = size;
    return 0;
}

/* Frames from the last to the first, copied so that they lie one behind the other. */
static int take_reverse(struct tdk_cursor *cursor, struct stream *stream, struct tdk_run *run,
                        struct tdk_err *err)
{
    const struct stream *second = merge_second(&cursor->merge);
    const struct tdk_frame *frame = stream_peek(stream);
    size_t span = tdk_frame_span(frame->size);
    int rc = make_copy_room(cursor, span > COPY_ROOM ? span : COPY_ROOM, err);
    if (rc < 0)
        return rc;
    do {
        memcpy(cursor->copy + run->size, frame, tdk_frame_span(frame->size));
        count_frame(cursor, run, frame);
        stream_step(stream);
        frame = stream_peek(stream);
    } while (frame != NULL && run->size + tdk_frame_span(frame->size) <= cursor->copy_room &&
             goes_on(cursor, stream, second, frame));
    run->frames = (const struct tdk_frame *)(void *)cursor->copy;
    return 0;
}

static int take(struct tdk_cursor *cursor, struct stream *stream, struct tdk_run *run,
                struct tdk_err *err)
{
    *run = (struct tdk_run){.epoch = stream->ref.epoch,
                            .track = stream->track->ref.name,
                            .number = stream->track->ref.number};
    cursor->answer.stats.lost += stream->lost; /* in front of this run */
    stream->lost = 0;
    int rc = 0;
    if (cursor->answer.reverse)
        rc = take_reverse(cursor, stream, run, err);
    else
        take_forward(cursor, stream, run);
    if (rc < 0)
        return rc;
    cursor->answer.stats.ticks += run->ticks;
    cursor->answer.stats.bytes += run->size;
    return 1;
}

/* ---- the merge ---- */

/* Bring the stream on top to where its next frame is known: 1; 0: it is another's turn. */
static int settle(struct tdk_cursor *cursor, struct stream *stream, struct tdk_err *err)
{
    int rc = 1;
    if (!stream->has_block)
        rc = advance(stream, err);
    if (rc == 0)
        merge_drop(&cursor->merge);
    if (rc <= 0)
        return rc;
    const struct stream *second = merge_second(&cursor->merge);
    if (second != NULL && !merge_before(&cursor->merge, stream->key, stream->rank, second)) {
        merge_sink(&cursor->merge); /* so far only its bound */
        return 0;
    }
    stream->has_block = false; /* whatever comes of it now */
    rc = stream_load(stream, err);
    if (rc == 1 && cursor->answer.reverse && cursor->stream_count > 1)
        rc = stream_key_list(stream, err) < 0 ? -ENOMEM : 1;
    return rc;
}

/* 1: the stream on top is loaded and its next frame is the next of all; 0: nothing is left. */
static int next_stream(struct tdk_cursor *cursor, struct stream **next, struct tdk_err *err)
{
    struct merge *merge = &cursor->merge;
    while (merge->count > 0) {
        struct stream *stream = merge->heap[0];
        const struct tdk_frame *frame = stream->loaded ? stream_peek(stream) : NULL;
        if (frame == NULL) {
            cursor->answer.stats.lost += stream->lost;
            stream->lost = 0;
            int rc = settle(cursor, stream, err);
            if (rc < 0)
                return rc;
            continue;
        }
        stream->key = key_of(stream, frame);
        const struct stream *second = merge_second(merge);
        if (second == NULL || merge_before(merge, stream->key, stream->rank, second)) {
            *next = stream;
            return 1;
        }
        merge_sink(merge);
    }
    return 0;
}

static int read_run(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err)
{
    struct stream *stream;
    if (cursor->left == 0)
        return 0;
    int rc = next_stream(cursor, &stream, err);
    return rc == 1 ? take(cursor, stream, run, err) : rc;
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

int tdk_cursor_read(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err)
{
    if (cursor->failed != 0)
        return err_set(err, cursor->failed, "read tape");
    int rc = cursor->count_only ? count_run(cursor, run, err) : read_run(cursor, run, err);
    if (rc < 0 && rc != TDK_ECORRUPT)
        cursor->failed = rc;
    return rc;
}

void tdk_cursor_stats(const struct tdk_cursor *cursor, struct tdk_cursor_stats *stats)
{
    *stats = cursor->answer.stats;
}

/* ---- explain ---- */

static int explain_track(struct tdk_cursor *cursor, const struct track *track, uint64_t *blocks,
                         uint64_t *bytes, struct tdk_err *err)
{
    struct stream stream;
    int rc = stream_open(&stream, &cursor->answer, track, err);
    if (rc < 0)
        return rc;
    while ((rc = stream_next_block(&stream, err)) == 1 || rc == TDK_ECORRUPT) {
        if (rc == TDK_ECORRUPT)
            continue; /* what is missing will not be read */
        ++*blocks;
        *bytes += stream.ref.span;
    }
    stream_close(&stream);
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
