#include "tape/run.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tape/frame.h"

/* Bytes of a run that is made by copying. */
enum { COPY_ROOM = 256 << 10 };

static uint64_t key_of(const struct stream *stream, const struct tdk_frame *frame)
{
    return stream->keys != NULL ? stream->keys[stream->at - 1] : frame_merge_ts(frame);
}

bool run_next_key(struct stream *stream, uint64_t *key)
{
    const struct tdk_frame *frame = stream_peek(stream);
    if (frame != NULL)
        *key = key_of(stream, frame);
    return frame != NULL;
}

/* ---- forward, where every frame is a tick that passes ---- */

static bool all_may_come(const struct stream *stream, const struct run_limit *limit)
{
    const struct sieve *sieve = &stream->sieve;
    return sieve->ticks <= limit->ticks &&
           (limit->horizon == UINT64_MAX ||
            (stream->ref.odd == 0 && stream->ref.max_ts <= limit->horizon));
}

static void take_ticks(struct stream *stream, const struct run_limit *limit, struct tdk_run *run)
{
    struct sieve *sieve = &stream->sieve;
    const struct tdk_frame *frame = sieve_frame(sieve, stream->at);
    run->frames = frame;
    if (all_may_come(stream, limit)) { /* no frame is looked at */
        run->size = sieve->end - stream->at;
        run->ticks = sieve->ticks;
    } else {
        size_t at = stream->at;
        do {
            at += tdk_frame_span(frame->size);
            run->ticks++;
            frame = sieve_frame(sieve, at);
        } while (at < sieve->end && run->ticks < limit->ticks && frame->ts <= limit->horizon);
        run->size = at - stream->at;
    }
    stream->at += run->size;
    sieve->ticks -= run->ticks;
}

/* ---- frame by frame ---- */

/* Count one more frame of the run. */
static void count_frame(struct tdk_run *run, const struct tdk_frame *frame, uint64_t *lost)
{
    if (tdk_frame_is_tick(frame))
        run->ticks++;
    else if (frame->type == TDK_TYPE_LOSS)
        *lost += sieve_loss(frame).count;
    run->size += tdk_frame_span(frame->size);
}

static void take_listed(struct stream *stream, const struct run_limit *limit, struct tdk_run *run,
                        uint64_t *lost)
{
    const struct tdk_frame *frame = stream_peek(stream), *behind;
    run->frames = frame;
    do {
        count_frame(run, frame, lost);
        stream_step(stream);
        behind = tdk_frame_after(frame);
        frame = run->ticks < limit->ticks ? stream_peek(stream) : NULL;
    } while (frame != NULL && frame == behind && frame_merge_ts(frame) <= limit->horizon);
}

static int take_reversed(struct stream *stream, const struct run_limit *limit, struct scratch *copy,
                         struct tdk_run *run, uint64_t *lost, struct tdk_err *err)
{
    const struct tdk_frame *frame = stream_peek(stream);
    size_t span = tdk_frame_span(frame->size);
    if (!scratch_need(copy, span > COPY_ROOM ? span : COPY_ROOM))
        return err_set(err, -ENOMEM, "read in reverse");
    do {
        memcpy(copy->bytes + run->size, frame, tdk_frame_span(frame->size));
        count_frame(run, frame, lost);
        stream_step(stream);
        frame = run->ticks < limit->ticks ? stream_peek(stream) : NULL;
    } while (frame != NULL && run->size + tdk_frame_span(frame->size) <= copy->room &&
             key_of(stream, frame) >= limit->horizon);
    run->frames = (const struct tdk_frame *)(void *)copy->bytes;
    return 0;
}

int run_take(struct stream *stream, const struct run_limit *limit, struct scratch *copy,
             struct tdk_run *run, uint64_t *lost, struct tdk_err *err)
{
    *run = (struct tdk_run){.epoch = stream->ref.epoch,
                            .track = stream->track->ref.name,
                            .number = stream->track->ref.number};
    int rc = 0;
    *lost += stream->lost; /* losses before this run */
    stream->lost = 0;
    if (stream->sieve.is_run)
        take_ticks(stream, limit, run);
    else if (stream->answer->reverse)
        rc = take_reversed(stream, limit, copy, run, lost, err);
    else
        take_listed(stream, limit, run, lost);
    return rc;
}
