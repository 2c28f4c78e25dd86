#include "tape/border.h"

#include <string.h>

#include "tape/slice.h"

static bool find_epoch_frame(const struct block_view *view, struct tdk_epoch *told)
{
    const unsigned char *end = view->frames + view->head->frames_size;
    const struct tdk_frame *at = (const struct tdk_frame *)(const void *)view->frames;
    for (; (const unsigned char *)at < end && !tdk_frame_is_tick(at); at = tdk_frame_after(at))
        if (at->type == TDK_TYPE_EPOCH && at->size >= sizeof *told) {
            memcpy(told, tdk_frame_payload(at), sizeof *told);
            return true;
        }
    return false;
}

/* Its file may have been replaced since the index was asked: then try again. */
static int read_block(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = slice_read(slice, ref, err);
    if (!code_is_damage(rc))
        return rc;
    segments_forget(slice->segments, ref->segment);
    return slice_read(slice, ref, err);
}

/* Read the EPOCH frame of an epoch, from its first block. 1: read; 0: it is not there. */
static int read_epoch_frame(const struct epoch_ref *epoch, struct tdk_tape *tape, struct view *view,
                            struct tdk_epoch *told, struct tdk_err *err)
{
    const struct index_range all = {.track = epoch->track, .epoch = epoch->epoch, .to = UINT64_MAX};
    struct block_ref first;
    int rc = index_find(view->index, &all, NULL, false, &first, 1, err);
    if (rc <= 0 || (first.flags & BLOCK_BEGINS_EPOCH) == 0)
        return rc < 0 ? rc : 0;
    struct slice slice;
    slice_init(&slice, &tape->segments);
    rc = read_block(&slice, &first, err);
    const bool found = rc == 0 && find_epoch_frame(&slice.view, told);
    slice_close(&slice);
    if (rc < 0)
        return code_is_damage(rc) ? 0 : rc;
    return found ? 1 : 0;
}

/* What is missing came behind all that is left of what was before it, and where time did not go
 * back to the next epoch, before that. */
static uint64_t end_time(uint64_t from, const struct epoch_ref *behind)
{
    return from <= behind->min_ts ? behind->min_ts : UINT64_MAX;
}

int border_look(const struct border *border, struct tdk_tape *tape, struct view *view,
                const struct select *select, uint64_t *epoch, struct hole *hole,
                struct tdk_err *err)
{
    const struct epoch_ref *before = border->before, *behind = border->behind;
    const uint64_t known = before != NULL ? before->epoch : 0;
    const uint64_t from = before != NULL ? before->max_ts : 0, to = end_time(from, behind);
    struct tdk_epoch told = {0};
    if (select->axis == TDK_AXIS_RECV && (to < select->from || from > select->last))
        return 0;
    int rc = read_epoch_frame(behind, tape, view, &told, err);
    if (rc <= 0 || told.previous < known || told.previous >= behind->epoch)
        return rc < 0 ? rc : 0;
    /* Where the row does not begin with the tape, what is left of an epoch has to show that its
     * ticks were not in front of the row. */
    const bool is_end = before != NULL && told.previous == known && before->last_seq != 0;
    const uint64_t first_seq = is_end ? before->last_seq + 1 : 1;
    if (told.previous_seq < first_seq || (!is_end && !tape_is_from_start(tape)))
        return 0;
    *epoch = told.previous;
    *hole = (struct hole){.first_seq = first_seq,
                          .last_seq = told.previous_seq,
                          .from = from != 0 ? from : behind->min_ts,
                          .to = to};
    return 1;
}
