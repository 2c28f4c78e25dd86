#include "tape/sieve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void sieve_init(struct sieve *sieve, const struct select *select)
{
    *sieve = (struct sieve){.select = select, .seq_last = UINT64_MAX};
}

void sieve_close(struct sieve *sieve)
{
    free(sieve->offsets);
    free(sieve->ordinals);
    sieve->offsets = NULL;
    sieve->ordinals = NULL;
    sieve->ordinal_room = 0;
    sieve->room = 0;
}

struct tdk_loss sieve_loss(const struct tdk_frame *frame)
{
    struct tdk_loss loss;
    memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
    return loss;
}

/* ---- the list ---- */

static int list_add(struct sieve *sieve, size_t offset)
{
    if (sieve->count == sieve->room) {
        size_t room = sieve->room == 0 ? 1024 : 2 * sieve->room;
        uint32_t *offsets = realloc(sieve->offsets, room * sizeof *offsets);
        if (offsets == NULL)
            return -ENOMEM;
        sieve->offsets = offsets;
        sieve->room = room;
    }
    sieve->offsets[sieve->count++] = (uint32_t)offset;
    return 0;
}

static bool is_new(const struct sieve *sieve, uint64_t seq)
{
    return seq >= sieve->seq_first && seq <= sieve->seq_last;
}

static bool control_passes(const struct sieve *sieve, const struct tdk_frame *frame)
{
    if (frame->type == TDK_TYPE_LOSS) {
        struct tdk_loss loss = sieve_loss(frame);
        return is_new(sieve, loss.first_seq) && select_meets_loss(sieve->select, &loss);
    }
    /* It has the seq of the tick after it, which may be in another block. */
    return sieve->select->control && frame->seq >= sieve->seq_first &&
           frame->seq - 1 <= sieve->seq_last && select_in_time(sieve->select, frame->ts);
}

static int list_frame(struct sieve *sieve, size_t offset, const struct tdk_frame *frame)
{
    if (tdk_type_is_control(frame->type))
        return control_passes(sieve, frame) ? list_add(sieve, offset) : 0;
    if (!is_new(sieve, frame->seq) || !select_passes(sieve->select, sieve->picks, frame))
        return 0;
    sieve->ticks++;
    return list_add(sieve, offset);
}

/* Look at each frame from begin to end. The frames are there. */
static int list_between(struct sieve *sieve, size_t begin, size_t end)
{
    int rc = 0;
    for (size_t at = begin; at < end && rc == 0;) {
        const struct tdk_frame *frame = sieve_frame(sieve, at);
        rc = list_frame(sieve, at, frame);
        at += tdk_frame_span(frame->size);
    }
    return rc;
}

static void set_run(struct sieve *sieve, size_t begin, size_t end, uint64_t ticks)
{
    sieve->is_run = true;
    sieve->begin = begin;
    sieve->end = end;
    sieve->ticks = ticks;
}

/* ---- by what the index says of the block, how ---- */

/* The block has only ticks that may pass, each for the first time, and perhaps control frames that
 * do not matter. No frame has to be looked at for reasons other than time, type or instrument. */
static bool is_plain(const struct sieve *sieve, const struct block_ref *ref)
{
    return ref->first_seq >= sieve->seq_first && ref->last_seq <= sieve->seq_last &&
           (ref->flags & BLOCK_HAS_LOSS) == 0 && ref->count > 0 &&
           !(sieve->select->control && (ref->flags & BLOCK_HAS_CONTROL) != 0);
}

/* True: every tick of it passes. */
static bool is_covered(const struct sieve *sieve, const struct block_ref *ref)
{
    return sieve->picks == NULL && !sieve->select->by_type && select_covers(sieve->select, ref);
}

bool sieve_takes_all(const struct sieve *sieve, const struct block_ref *ref)
{
    return is_plain(sieve, ref) && is_covered(sieve, ref);
}

/* Its ticks are in order of time, so that the ends of a range can be found by bisection. */
static bool is_sorted(const struct sieve *sieve, const struct block_ref *ref)
{
    return (ref->flags & BLOCK_MONOTONE) != 0 && ref->odd == 0 &&
           sieve->select->axis == TDK_AXIS_RECV;
}

/* By the times, is at least half of a sorted block in the range? */
static bool is_mostly_in_range(const struct sieve *sieve, const struct block_ref *ref)
{
    uint64_t from = sieve->select->from, last = sieve->select->last;
    if (from < ref->min_ts)
        from = ref->min_ts;
    if (last > ref->max_ts)
        last = ref->max_ts;
    return from <= last && last - from >= (ref->max_ts - ref->min_ts) / 2;
}

/* ---- whole ---- */

/* The bytes of the control frames before the first tick, and their number. */
static size_t skip_controls(const struct sieve *sieve, uint32_t *controls)
{
    const struct block_view *view = &sieve->slice->view;
    size_t at = 0;
    for (*controls = 0; *controls < view->head->controls; ++*controls) {
        const struct tdk_frame *frame = sieve_frame(sieve, at);
        if (!tdk_type_is_control(frame->type))
            break;
        at += tdk_frame_span(frame->size);
    }
    return at;
}

static int fill_whole(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = slice_read(sieve->slice, ref, err);
    if (rc < 0)
        return rc;
    const struct block_head *head = sieve->slice->view.head;
    if (!sieve->list_only && sieve_takes_all(sieve, ref)) {
        uint32_t controls;
        size_t begin = skip_controls(sieve, &controls);
        if (controls == head->controls) {
            set_run(sieve, begin, head->frames_size, head->count);
            return 0;
        }
    }
    rc = list_between(sieve, 0, head->frames_size);
    return rc < 0 ? err_set(err, rc, "read a block") : 0;
}

/* ---- by ordinals: all ticks of a block, or those of some instruments ---- */

static bool is_picked(const struct sieve *sieve)
{
    return sieve->slice->state == SLICE_PACKED;
}

static uint32_t ordinal_of(const struct sieve *sieve, uint32_t i)
{
    return sieve->picks == NULL || is_picked(sieve) ? i : sieve->ordinals[i];
}

/* Find the first of them at or above `ts`. They are in order of time. */
static int bisect(struct sieve *sieve, uint64_t ts, uint32_t *found, struct tdk_err *err)
{
    uint32_t low = 0, high = sieve->ordinal_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t offset;
        const struct tdk_frame *frame;
        int rc = slice_tick(sieve->slice, ordinal_of(sieve, middle), &offset, &frame, err);
        if (rc < 0)
            return rc;
        if (frame->ts < ts)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low;
    return 0;
}

/* Find those in the range of time: [*first, *end). */
static int bisect_range(struct sieve *sieve, uint32_t *first, uint32_t *end, struct tdk_err *err)
{
    const struct select *select = sieve->select;
    *end = sieve->ordinal_count;
    int rc = bisect(sieve, select->from, first, err);
    if (rc == 0 && select->last != UINT64_MAX)
        rc = bisect(sieve, select->last + 1, end, err);
    return rc;
}

/* The bytes of the ticks [first, end). */
static int window_bounds(struct sieve *sieve, uint32_t first, uint32_t end, size_t *begin,
                         size_t *stop, struct tdk_err *err)
{
    const struct tdk_frame *frame;
    int rc = slice_tick(sieve->slice, first, begin, &frame, err);
    if (rc == 0)
        rc = slice_tick(sieve->slice, end - 1, stop, &frame, err);
    if (rc == 0)
        *stop += tdk_frame_span(frame->size);
    return rc;
}

/* For a sorted block of which a part is in the range. */
static int fill_window(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = is_mostly_in_range(sieve, ref) ? slice_read(sieve->slice, ref, err)
                                            : slice_begin(sieve->slice, ref, false, err);
    if (rc < 0)
        return rc;
    uint32_t first, end;
    sieve->ordinal_count = sieve->slice->view.head->count;
    rc = bisect_range(sieve, &first, &end, err);
    if (rc < 0 || first >= end)
        return rc;

    size_t begin = 0, stop = 0;
    rc = window_bounds(sieve, first, end, &begin, &stop, err);
    if (rc == 0)
        rc = slice_run(sieve->slice, begin, stop, end - first, err);
    if (rc < 0)
        return rc;
    if (!sieve->list_only && sieve->slice->view.head->controls == 0) {
        set_run(sieve, begin, stop, end - first);
        return 0;
    }
    rc = list_between(sieve, begin, stop);
    return rc < 0 ? err_set(err, rc, "read a block") : 0;
}

/* ---- by symbol ---- */

/* Mark each ordinal that the directory lists for an instrument. */
static int mark_ordinals(const struct block_view *view, uint32_t instrument_id, uint64_t *marks)
{
    struct directory_walk walk;
    int64_t count = directory_find(view, instrument_id, &walk);
    for (int64_t i = 0; i < count; i++) {
        uint32_t ordinal = walk.ordinals == NULL ? (uint32_t)i : walk.ordinals[i];
        if (ordinal >= view->head->count)
            return TDK_ECORRUPT;
        marks[ordinal / 64] |= UINT64_C(1) << ordinal % 64;
    }
    return count < 0 ? TDK_ECORRUPT : 0;
}

/* Make room for as many as are picked, not for as many as possible. A short answer's memory is
 * freed and allocated anew with each cursor, and large pieces go back to the system in between. */
static int need_ordinals(struct sieve *sieve, const uint64_t *marks, size_t words)
{
    size_t count = 0;
    for (size_t word = 0; word < words; word++)
        count += (size_t)__builtin_popcountll(marks[word]);
    if (count <= sieve->ordinal_room)
        return 0;
    uint16_t *grown = malloc(2 * count * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    free(sieve->ordinals);
    sieve->ordinals = grown;
    sieve->ordinal_room = 2 * count;
    return 0;
}

/* Gather the ordinals of all picked instruments, ascending. */
static int gather_ordinals(struct sieve *sieve, struct tdk_err *err)
{
    const struct block_view *view = &sieve->slice->view;
    uint64_t marks[BLOCK_TICKS_MAX / 64];
    size_t words = (view->head->count + 63) / 64;
    memset(marks, 0, words * sizeof marks[0]);
    for (size_t i = 0; i < sieve->picks->count; i++)
        if (mark_ordinals(view, sieve->picks->items[i].instrument_id, marks) < 0)
            return err_say(err, TDK_ECORRUPT, "directory contradicts itself");

    if (need_ordinals(sieve, marks, words) < 0)
        return err_set(err, -ENOMEM, "read a block");
    sieve->ordinal_count = 0;
    for (size_t word = 0; word < words; word++)
        for (uint64_t left = marks[word]; left != 0; left &= left - 1)
            sieve->ordinals[sieve->ordinal_count++] =
                (uint16_t)(word * 64 + (size_t)__builtin_ctzll(left));
    return 0;
}

/* One read call costs about as much as reading this many bytes: 2.5 KiB on bare metal, 30 KiB where
 * each call traps into a hypervisor. */
enum { CALL_BYTES = 16 << 10 };

/*
 * Read the chunks that the ticks [first, end) lie in: in one piece if they lie close together,
 * otherwise piece by piece, where gaps not worth a call are read along. Of a single piece only the
 * chunks that have ticks are checked, when they are reached.
 */
static int read_ticks(struct sieve *sieve, uint32_t first, uint32_t end, struct tdk_err *err)
{
    struct slice *slice = sieve->slice;
    size_t begin, stop, last, behind;
    slice_extent(slice, sieve->ordinals[first], &begin, &stop);
    slice_extent(slice, sieve->ordinals[end - 1], &last, &behind);
    if (begin < behind && behind - begin <= (size_t)(end - first) * CALL_BYTES)
        return slice_fetch(slice, begin, behind, err);
    int rc = 0;
    for (uint32_t i = first + 1; i < end && rc == 0; i++) {
        size_t next, next_stop;
        slice_extent(slice, sieve->ordinals[i], &next, &next_stop);
        if (next > stop + CALL_BYTES || next < begin) {
            rc = slice_need(slice, begin, stop, err);
            begin = next;
        }
        stop = next_stop;
    }
    return rc == 0 ? slice_need(slice, begin, stop, err) : rc;
}

/* List ticks out of a packed block, where they lie side by side. `in_time`: all of them are in the
 * range. */
static int list_picked(struct sieve *sieve, uint32_t first, uint32_t end, bool in_time,
                       struct tdk_err *err)
{
    size_t begin = 0, stop = 0;
    int rc = window_bounds(sieve, first, end, &begin, &stop, err);
    if (rc < 0)
        return rc;
    if (in_time && !sieve->list_only && !sieve->select->by_type && !sieve->picks->timed) {
        set_run(sieve, begin, stop, end - first);
        return 0;
    }
    rc = list_between(sieve, begin, stop);
    return rc < 0 ? err_set(err, rc, "read a block") : 0;
}

static int list_ticks(struct sieve *sieve, uint32_t first, uint32_t end, struct tdk_err *err)
{
    int rc = read_ticks(sieve, first, end, err);
    for (uint32_t i = first; i < end && rc == 0; i++) {
        size_t offset;
        const struct tdk_frame *frame;
        rc = slice_tick(sieve->slice, sieve->ordinals[i], &offset, &frame, err);
        if (rc == 0 && list_frame(sieve, offset, frame) < 0)
            rc = err_set(err, -ENOMEM, "read a block");
    }
    return rc;
}

static int find_ticks(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = slice_begin_picks(sieve->slice, ref, sieve->picks, sieve->is_dense, err);
    if (rc < 0 || !is_picked(sieve))
        return rc < 0 ? rc : gather_ordinals(sieve, err);
    sieve->ordinal_count = sieve->slice->picked;
    return 0;
}

static int fill_by_symbol(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err)
{
    const bool covered = select_covers(sieve->select, ref), sorted = is_sorted(sieve, ref);
    int rc = find_ticks(sieve, ref, err);
    uint32_t first = 0, end = sieve->ordinal_count;
    if (rc == 0 && sorted && !covered)
        rc = bisect_range(sieve, &first, &end, err);
    sieve->is_dense = rc == 0 && (size_t)(end - first) * CALL_BYTES >= ref->span;
    if (rc < 0 || first >= end)
        return rc;
    return is_picked(sieve) ? list_picked(sieve, first, end, sorted || covered, err)
                            : list_ticks(sieve, first, end, err);
}

int sieve_fill(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err)
{
    sieve->is_run = false;
    sieve->ticks = 0;
    sieve->count = 0;
    if (is_plain(sieve, ref)) {
        if (sieve->picks != NULL)
            return fill_by_symbol(sieve, ref, err);
        if (!sieve->select->by_type && is_sorted(sieve, ref) && !select_covers(sieve->select, ref))
            return fill_window(sieve, ref, err);
    }
    return fill_whole(sieve, ref, err);
}

/* ---- counting ---- */

/* The directory has the instruments and nothing else: it suffices when the query asks for nothing
 * else. */
static bool directory_suffices(const struct sieve *sieve, const struct block_ref *ref)
{
    const struct picks *picks = sieve->picks;
    /* Instrument 0 also stands for ticks that name no instrument. */
    return picks != NULL && !picks->timed && !sieve->select->by_type &&
           select_covers(sieve->select, ref) &&
           (picks->count == 0 || picks->items[0].instrument_id != 0);
}

bool sieve_counts_by_directory(const struct sieve *sieve, const struct block_ref *ref)
{
    return !sieve_takes_all(sieve, ref) && is_plain(sieve, ref) && directory_suffices(sieve, ref);
}

static uint64_t count_lost(const struct sieve *sieve)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < sieve->count; i++) {
        const struct tdk_frame *frame = sieve_frame(sieve, sieve->offsets[i]);
        if (frame->type == TDK_TYPE_LOSS)
            lost += sieve_loss(frame).count;
    }
    return lost;
}

int sieve_count(struct sieve *sieve, const struct block_ref *ref, uint64_t *ticks, uint64_t *lost,
                struct tdk_err *err)
{
    *lost = 0;
    if (sieve_takes_all(sieve, ref)) {
        *ticks = ref->count;
        return 0;
    }
    if (sieve_counts_by_directory(sieve, ref))
        return slice_count(sieve->slice, ref, sieve->picks, ticks, err);
    int rc = sieve_fill(sieve, ref, err);
    if (rc == 0) {
        *ticks = sieve->ticks;
        *lost = count_lost(sieve);
    }
    return rc;
}
