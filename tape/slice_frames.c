/* slice_frames.c - the frames of a slice: checked in a run, or found one by one by the directory.
 */
#include <string.h>

#include "base/err.h"
#include "tape/directory.h"
#include "tape/frame.h"
#include "tape/slice.h"
#include "tapedeck/dbn.h"

/* What block_check() requires of each frame of a whole block. */
static bool frame_is_sound(const struct block_head *head, const struct tdk_frame *frame,
                           size_t rest)
{
    return frame->size <= TDK_PAYLOAD_HARD_MAX && tdk_frame_span(frame->size) <= rest &&
           frame->track == head->track && frame->type != TDK_TYPE_PADDING &&
           (!frame_is_record(frame) || frame->size >= sizeof(struct tdk_dbn_head)) &&
           (frame->type != TDK_TYPE_LOSS || frame->size == sizeof(struct tdk_loss));
}

/* The whole frame at an offset. TDK_ECORRUPT: there cannot be one. */
static int slice_frame(struct slice *slice, size_t offset, const struct tdk_frame **frame,
                       struct tdk_err *err)
{
    const struct block_head *head = slice->view.head;
    if (offset > head->frames_size - sizeof **frame || offset % 8 != 0)
        return err_say(err, TDK_ECORRUPT, "directory points nowhere");
    const void *at = slice->view.frames + offset;
    *frame = at;
    if (slice->state == SLICE_WHOLE || slice->state == SLICE_PACKED)
        return 0;
    int rc = slice_need(slice, offset, offset + sizeof **frame, err);
    if (rc < 0)
        return rc;
    if (!frame_is_sound(head, *frame, head->frames_size - offset))
        return err_say(err, TDK_ECORRUPT, "frames contradict the head");
    return slice_need(slice, offset, offset + tdk_frame_span((*frame)->size), err);
}

int slice_run(struct slice *slice, size_t begin, size_t end, uint64_t ticks, struct tdk_err *err)
{
    if (slice->state == SLICE_WHOLE || (begin >= slice->sound_begin && end <= slice->sound_end))
        return 0;
    int rc = slice_need(slice, begin, end, err);
    if (rc < 0)
        return rc;
    uint64_t found = 0;
    size_t at = begin;
    while (at < end) {
        const struct tdk_frame *frame = (const void *)(slice->view.frames + at);
        if (end - at < sizeof *frame || !frame_is_sound(slice->view.head, frame, end - at))
            return err_say(err, TDK_ECORRUPT, "frames contradict the directory");
        found += tdk_frame_is_tick(frame) ? 1 : 0;
        at += tdk_frame_span(frame->size);
    }
    if (found != ticks)
        return err_say(err, TDK_ECORRUPT, "frames contradict the directory");
    slice->sound_begin = begin;
    slice->sound_end = end;
    return 0;
}

static struct directory_head directory_of(const struct slice *slice)
{
    struct directory_head directory;
    memcpy(&directory, slice->view.directory, sizeof directory);
    return directory;
}

static const uint32_t *anchors_of(const struct slice *slice, const struct directory_head *directory)
{
    const void *anchors = slice->view.directory + sizeof *directory +
                          directory->entries * sizeof(struct directory_entry);
    return anchors;
}

void slice_extent(const struct slice *slice, uint32_t ordinal, size_t *begin, size_t *end)
{
    struct directory_head directory = directory_of(slice);
    if (directory.uniform != 0) {
        *begin = (size_t)ordinal * directory.uniform;
        *end = *begin + directory.uniform;
        return;
    }
    const uint32_t *anchors = anchors_of(slice, &directory);
    uint32_t anchor = ordinal / DIRECTORY_STRIDE;
    size_t size = slice->view.head->frames_size;
    *begin = anchors[anchor];
    *end = anchor + 1 < directory.anchors ? anchors[anchor + 1] : size;
    if (*end > size)
        *end = size; /* reported as damage when something is read there */
}

/* Walk frame by frame from the tick found last, or from the nearest anchor. */
static int step_to(struct slice *slice, const uint32_t *anchors, uint32_t ordinal, size_t *offset,
                   const struct tdk_frame **frame, struct tdk_err *err)
{
    uint32_t at = ordinal - ordinal % DIRECTORY_STRIDE;
    *offset = anchors[ordinal / DIRECTORY_STRIDE];
    if (slice->last_ordinal <= ordinal && slice->last_ordinal > at) {
        at = slice->last_ordinal;
        *offset = slice->last_offset;
    }
    for (;;) {
        int rc = slice_frame(slice, *offset, frame, err);
        if (rc < 0)
            return rc;
        if (tdk_frame_is_tick(*frame) && at++ == ordinal)
            return 0;
        *offset += tdk_frame_span((*frame)->size);
    }
}

int slice_tick(struct slice *slice, uint32_t ordinal, size_t *offset,
               const struct tdk_frame **frame, struct tdk_err *err)
{
    struct directory_head directory = directory_of(slice);
    int rc;
    if (directory.uniform != 0) {
        *offset = (size_t)ordinal * directory.uniform;
        rc = slice_frame(slice, *offset, frame, err);
    } else {
        rc = step_to(slice, anchors_of(slice, &directory), ordinal, offset, frame, err);
    }
    if (rc < 0)
        return rc;
    slice->last_ordinal = ordinal;
    slice->last_offset = *offset;
    return tdk_frame_is_tick(*frame)
               ? 0
               : err_say(err, TDK_ECORRUPT, "directory takes another frame for a tick");
}
