/* output_frames.c - frames as they lie on a tape, with each track announced before its first
 * frame. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/output_kind.h"

#define TRACKS_MAX 65536u

/* By track number: what has been announced to the reader. */
struct told {
    uint64_t epoch;
    bool named;
};

static int frames_open(struct output *o, struct tdk_err *err)
{
    o->state = calloc(TRACKS_MAX, sizeof(struct told));
    return o->state != NULL ? 0 : err_set(err, -ENOMEM, "open the output");
}

static void frames_close(struct output *o)
{
    free(o->state);
}

/* Like all control frames, TRACK carries the seq and ts of the next tick. */
static void add_track(struct text_buffer *text, const struct output_run *run,
                      const struct tdk_frame *next)
{
    size_t name_size = strlen(run->track);
    struct tdk_frame frame = {.size = (uint32_t)(sizeof(struct tdk_track_head) + name_size),
                              .track = run->number,
                              .type = TDK_TYPE_TRACK,
                              .seq = next->seq,
                              .ts = next->ts};
    struct tdk_track_head head = {
        .epoch = run->epoch, .number = run->number, .name_size = (uint8_t)name_size};
    static const char zeros[8];
    text_add(text, &frame, sizeof frame);
    text_add(text, &head, sizeof head);
    text_add(text, run->track, name_size);
    text_add(text, zeros, tdk_frame_span(frame.size) - sizeof frame - frame.size);
}

static int frames_frame(struct output *o, const struct output_run *run,
                        const struct tdk_frame *frame, struct tdk_err *err)
{
    (void)err;
    if (frame->type == TDK_TYPE_TRACK) /* we place our own, where a reader needs them */
        return 0;
    struct told *told = (struct told *)o->state + run->number;
    if (!told->named || told->epoch != run->epoch) {
        add_track(&o->text, run, frame);
        *told = (struct told){.epoch = run->epoch, .named = true};
    }
    text_add(&o->text, frame, tdk_frame_span(frame->size));
    return 0;
}

const struct output_kind output_frames = {
    .binary = true,
    .control = true,
    .loss = true,
    .open = frames_open,
    .tick = frames_frame,
    .about = frames_frame,
    .close = frames_close,
};
