/* coverage.c - is a range whole? What the tape knows of its own gaps. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/absence.h"
#include "tape/border.h"
#include "tape/hole.h"
#include "tape/moved.h"
#include "tape/select.h"
#include "tape/slice.h"
#include "tape/tape.h"

enum {
    BATCH = 64,
    TURNS = 8 /* a wrong index could return the same blocks in turn for ever */
};

/* Seqs missing at the end of what was walked of the epoch. They may yet be found in another
 * block. */
struct pending {
    uint64_t first_seq, last_seq; /* first_seq 0: nothing is missing */
    uint64_t from, to;
    bool away; /* they are where they cannot be read now; else they are damaged */
};

struct survey {
    struct tdk_tape *tape;
    struct view *view;
    struct select select;
    const struct tdk_coverage_walk *walk;
    struct slice slice;
    struct absence absence;
    struct retired *retired; /* NULL: nothing was deleted */
    struct tdk_err *err;
    bool everything; /* the range of time is not limited */
    uint64_t ticks;

    /* ---- the track and the epoch that it is in ---- */
    const struct track *track;
    struct epoch_ref *epochs;
    size_t epoch_count;
    const struct epoch_ref *epoch;
    struct tdk_epoch_coverage row;
    struct pending pending;
    uint64_t seen;                                    /* highest seq walked */
    uint64_t passed;                                  /* the same, of what was deleted */
    const struct retired_extent *extent, *extent_end; /* of the track, not reported yet */
    struct block_ref before;                          /* the last block met; track 0: none yet */
    struct index_range range;                         /* of the epoch, for asking the index */
    unsigned turned_back;                             /* times since a block was read */
    bool moved; /* the block that was met has been packed since */
};

/* ---- gaps ---- */

static bool in_range(const struct survey *s, uint64_t from, uint64_t to)
{
    return s->select.axis == TDK_AXIS_EVENT || (to >= s->select.from && from <= s->select.last);
}

static void extend(struct tdk_epoch_coverage *row, uint64_t first_seq, uint64_t last_seq)
{
    if (row->last_seq == 0 || first_seq < row->first_seq)
        row->first_seq = first_seq;
    if (last_seq > row->last_seq)
        row->last_seq = last_seq;
}

static int tell_gap(struct survey *s, const struct tdk_gap *gap)
{
    extend(&s->row, gap->first_seq, gap->first_seq + gap->count - 1);
    *(gap->damaged   ? &s->row.damaged
      : gap->retired ? &s->row.retired
      : gap->away    ? &s->row.away
                     : &s->row.lost) += gap->count;
    return s->walk->gap != NULL ? s->walk->gap(gap, s->walk->context) : 0;
}

static int tell_damage(struct survey *s, uint64_t first_seq, uint64_t last_seq)
{
    const struct tdk_gap gap = {.track = s->track->ref.name,
                                .epoch = s->row.epoch,
                                .first_seq = first_seq,
                                .count = last_seq - first_seq + 1,
                                .from = s->pending.from,
                                .to = s->pending.to,
                                .reason = s->pending.away ? TDK_LOSS_AWAY : TDK_LOSS_DAMAGE,
                                .damaged = !s->pending.away,
                                .away = s->pending.away};
    return tell_gap(s, &gap);
}

static int flush(struct survey *s)
{
    int rc =
        s->pending.first_seq != 0 ? tell_damage(s, s->pending.first_seq, s->pending.last_seq) : 0;
    s->pending.first_seq = 0;
    return rc;
}

/* Report what was deleted of the row's epoch up to this seq, in the range of time. What was walked
 * before it was deleted is left out: the list may have been read anew since. */
static int tell_retired(struct survey *s, uint64_t last_seq)
{
    int rc = 0;
    for (; rc == 0 && s->extent < s->extent_end && s->extent->epoch == s->row.epoch &&
           s->extent->first_seq <= last_seq;
         s->extent++) {
        const struct retired_extent *e = s->extent;
        const uint64_t told = s->passed > s->seen ? s->passed : s->seen;
        const uint64_t first_seq = e->first_seq > told ? e->first_seq : told + 1;
        if (first_seq > e->last_seq)
            continue;
        const struct tdk_gap gap = {.track = s->track->ref.name,
                                    .epoch = e->epoch,
                                    .first_seq = first_seq,
                                    .count = e->last_seq - first_seq + 1,
                                    .from = e->min_ts <= e->max_ts ? e->min_ts : e->max_ts,
                                    .to = e->max_ts,
                                    .reason = TDK_LOSS_RETIRED,
                                    .retired = true};
        if (in_range(s, e->min_ts, e->max_ts))
            rc = tell_gap(s, &gap);
        s->passed = e->last_seq;
    }
    return rc;
}

/* Note that these seqs cannot be read, so far. */
static int note_missing(struct survey *s, uint64_t first_seq, uint64_t last_seq, uint64_t from,
                        uint64_t to, bool away)
{
    struct pending *p = &s->pending;
    if (first_seq <= s->seen)
        first_seq = s->seen + 1;
    if (first_seq <= last_seq && s->retired != NULL &&
        !retired_trim(s->retired, s->track->ref.number, s->row.epoch, &first_seq, &last_seq))
        return 0; /* reported as deleted */
    if (p->first_seq != 0 && first_seq <= p->last_seq)
        first_seq = p->last_seq + 1; /* the same seqs again */
    if (first_seq > last_seq)
        return 0;
    if (p->first_seq != 0 && p->last_seq + 1 == first_seq && p->away == away) {
        p->last_seq = last_seq;
        p->from = from < p->from ? from : p->from;
        p->to = to > p->to ? to : p->to;
        return 0;
    }
    int rc = flush(s);
    *p = (struct pending){first_seq, last_seq, from, to, away};
    return rc;
}

static int note_damage(struct survey *s, uint64_t first_seq, uint64_t last_seq, uint64_t from,
                       uint64_t to)
{
    return note_missing(s, first_seq, last_seq, from, to, false);
}

/* A good block has these seqs. Those of them that were missing are found (they were written twice);
 * those missing before them stay missing. */
static int note_found(struct survey *s, uint64_t first_seq, uint64_t last_seq)
{
    struct pending *p = &s->pending;
    if (p->first_seq == 0)
        return 0;
    if (first_seq > p->last_seq)
        return flush(s);
    int rc = first_seq > p->first_seq ? tell_damage(s, p->first_seq, first_seq - 1) : 0;
    p->first_seq = last_seq < p->last_seq ? last_seq + 1 : 0;
    return rc;
}

/* ---- one block ---- */

static int walk_loss(struct survey *s, const struct tdk_frame *frame)
{
    struct tdk_loss loss;
    memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
    uint64_t last_seq = loss.first_seq + loss.count - 1;
    if (loss.count == 0 || last_seq < loss.first_seq || last_seq <= s->seen ||
        !select_meets_loss(&s->select, &loss))
        return 0;
    const struct tdk_gap gap = {.track = s->track->ref.name,
                                .epoch = s->epoch->epoch,
                                .first_seq = loss.first_seq,
                                .count = loss.count,
                                .from = loss.first_ts,
                                .to = loss.last_ts,
                                .reason = loss.reason};
    return tell_gap(s, &gap);
}

static void note_time(struct tdk_epoch_coverage *row, uint64_t min_ts, uint64_t max_ts)
{
    if (min_ts > max_ts)
        return;
    row->first_ts = min_ts < row->first_ts ? min_ts : row->first_ts;
    row->last_ts = max_ts > row->last_ts ? max_ts : row->last_ts;
}

static void walk_tick(struct survey *s, const struct tdk_frame *frame)
{
    if (frame->seq <= s->seen || !select_in_time(&s->select, select_time(&s->select, frame)))
        return;
    s->row.ticks++;
    extend(&s->row, frame->seq, frame->seq);
    if ((frame->flags & TDK_FLAG_TS_UNTRUSTED) == 0)
        note_time(&s->row, frame->ts, frame->ts);
}

static int walk_frames(struct survey *s)
{
    const struct block_view *view = &s->slice.view;
    const unsigned char *end = view->frames + view->head->frames_size;
    const struct tdk_frame *at = (const struct tdk_frame *)(const void *)view->frames;
    int rc = 0;
    for (; (const unsigned char *)at < end && rc == 0; at = tdk_frame_after(at)) {
        if (tdk_frame_is_tick(at))
            walk_tick(s, at);
        else if (at->type == TDK_TYPE_LOSS && at->size >= sizeof(struct tdk_loss))
            rc = walk_loss(s, at);
    }
    return rc;
}

/* Read a block, and try again if that fails: its file may have been replaced since. */
static int read_block(struct survey *s, const struct block_ref *ref)
{
    int rc = slice_read(&s->slice, ref, s->err);
    if (!code_is_damage(rc))
        return rc;
    segments_forget(&s->tape->segments, ref->segment);
    return slice_read(&s->slice, ref, s->err);
}

/* The index alone says enough of the block. */
static bool is_plain(struct survey *s, const struct block_ref *ref)
{
    return s->walk->unread && (ref->flags & (BLOCK_HAS_LOSS | BLOCK_HAS_ODD)) == 0 &&
           ref->first_seq > s->seen && select_covers(&s->select, ref) &&
           absence_check(&s->absence, s->tape, ref, NULL) == 0;
}

static void take_plain(struct survey *s, const struct block_ref *ref)
{
    s->row.ticks += ref->count;
    extend(&s->row, ref->first_seq, ref->last_seq);
    note_time(&s->row, ref->min_ts, ref->max_ts);
}

static int note_unreadable(struct survey *s, const struct block_ref *ref, bool away)
{
    bool timed = ref->min_ts <= ref->max_ts;
    return note_missing(s, ref->first_seq, ref->last_seq, timed ? ref->min_ts : ref->odd_min,
                        timed ? ref->max_ts : ref->odd_max, away);
}

/* Was the segment deleted while we looked? Then load anew what was deleted of this epoch. */
static bool know_retired(struct survey *s, const struct block_ref *ref)
{
    if (!tape_is_retired(s->tape, ref->segment))
        return false;
    retired_drop(s->retired);
    s->retired = tape_retired(s->tape);
    s->extent = s->extent_end = NULL;
    if (s->retired == NULL)
        return false;
    s->extent = retired_of(s->retired, ref->track, ref->epoch, &s->extent_end);
    return true;
}

/* True: the block's ticks are in another block now, and the index must be asked again. */
static bool has_moved(struct survey *s, const struct block_ref *ref)
{
    s->moved = s->turned_back < TURNS &&
               (!block_is_there(s->view->index, ref) || tape_renew_view(s->tape, ref, &s->view));
    s->turned_back += s->moved;
    return s->moved;
}

static int survey_block(struct survey *s, const struct block_ref *ref)
{
    bool plain = is_plain(s, ref);
    int rc = plain ? 0 : read_block(s, ref);
    if (rc == -ENOENT && know_retired(s, ref))
        return tell_retired(s, ref->last_seq);
    if (code_is_damage(rc))
        return has_moved(s, ref) ? 0 : note_unreadable(s, ref, rc == TDK_EAWAY);
    s->turned_back = 0;
    if (rc == 0)
        rc = note_found(s, ref->first_seq, ref->last_seq);
    if (rc != 0)
        return rc;
    if (plain)
        take_plain(s, ref);
    else
        rc = walk_frames(s);
    if (ref->last_seq > s->seen)
        s->seen = ref->last_seq;
    return rc;
}

/* ---- an epoch's blocks ---- */

/* Look for a hole between the last block met and this one (NULL: the end of what the range has). */
static int survey_hole(struct survey *s, const struct block_ref *ref)
{
    struct hole hole;
    if (!epoch_has_hole(s->epoch))
        return 0;
    int rc = hole_between(s->view->index, &s->select, s->epoch, epoch_since(s->epoch, s->epochs),
                          s->before.track != 0 ? &s->before : NULL, ref, &hole, s->err);
    return rc == 1 ? note_damage(s, hole.first_seq, hole.last_seq, hole.from, hole.to) : rc;
}

static int survey_ref(struct survey *s, const struct block_ref *ref)
{
    const bool is_bare = block_is_bare(ref);
    if (!is_bare && ref->first_seq > s->epoch->last_seq)
        return 0; /* recorded since the survey began */
    int rc = tell_retired(s, ref->first_seq);
    if (rc == 0 && !is_bare) {
        rc = survey_hole(s, ref);
        s->before = *ref;
    }
    if (rc == 0 && !is_bare && ref->last_seq > s->seen)
        rc = survey_block(s, ref);
    if (rc == 0 && s->walk->progress != NULL)
        rc = s->walk->progress(s->slice.bytes_read, s->ticks + s->row.ticks, s->walk->context);
    return rc;
}

/* Let the kernel begin to read the next block. */
static void expect(const struct survey *s, const struct block_ref *next)
{
    const struct slice *slice = &s->slice;
    if (!s->walk->unread && slice->handle != NULL && slice->ref.segment == next->segment)
        handle_expect(slice->handle, next->offset, next->span);
}

static struct index_range range_of(const struct survey *s)
{
    const struct select *select = &s->select;
    return (struct index_range){.track = s->epoch->track,
                                .axis = select->axis == TDK_AXIS_EVENT ? INDEX_AXIS_EVENT
                                                                       : INDEX_AXIS_RECV,
                                .epoch = s->epoch->epoch,
                                .from = select->from,
                                .to = select->last == UINT64_MAX ? UINT64_MAX : select->last + 1,
                                .step_back = s->epoch->step_back};
}

/* Find the blocks after the last one. If that was packed since, the search begins below it, and
 * what was walked already is passed over. */
static int next_refs(struct survey *s, const struct block_ref *last, struct block_ref *refs)
{
    struct block_ref below;
    if (last != NULL && (s->moved || !block_is_there(s->view->index, last))) {
        below = block_below(last);
        last = &below;
    }
    s->moved = false;
    return index_find(s->view->index, &s->range, last, false, refs, BATCH, s->err);
}

static int survey_blocks(struct survey *s)
{
    struct block_ref refs[BATCH], last;
    int n = BATCH;
    s->range = range_of(s);
    s->moved = false;
    for (bool first = true; n == BATCH || s->moved; first = false) {
        n = next_refs(s, first ? NULL : &last, refs);
        if (n < 0)
            return n;
        for (int i = 0; i < n && !s->moved; i++) {
            if (i + 1 < n)
                expect(s, &refs[i + 1]);
            int rc = survey_ref(s, &refs[i]);
            if (rc != 0)
                return rc;
            last = refs[i];
        }
    }
    return survey_hole(s, NULL);
}

/* ---- what an epoch says of the one before it ---- */

static int look_at_border(struct survey *s, const struct border *border, uint64_t *epoch,
                          struct hole *hole)
{
    return border_look(border, s->tape, s->view, &s->select, epoch, hole, s->err);
}

/* The epoch's last seqs are missing when the next epoch's frame knows of more than there is. */
static int survey_end(struct survey *s)
{
    const struct border border = {.before = s->epoch, .behind = s->epoch + 1};
    uint64_t epoch;
    struct hole hole;
    if (border.behind == s->epochs + s->epoch_count)
        return 0;
    int rc = look_at_border(s, &border, &epoch, &hole);
    if (rc <= 0 || epoch != s->epoch->epoch)
        return rc < 0 ? rc : 0;
    return note_damage(s, hole.first_seq, hole.last_seq, hole.from, hole.to);
}

/* ---- epochs and tracks ---- */

static void begin_row(struct survey *s, uint64_t epoch)
{
    s->row = (struct tdk_epoch_coverage){
        .track = s->track->ref.name, .epoch = epoch, .first_ts = UINT64_MAX};
    s->pending.first_seq = 0;
    s->before.track = 0;
    s->seen = s->passed = 0;
    s->turned_back = 0;
}

static int end_row(struct survey *s)
{
    const struct tdk_epoch_coverage *row = &s->row;
    int rc = flush(s);
    if (rc == 0)
        rc = tell_retired(s, UINT64_MAX);
    s->ticks += row->ticks;
    if (rc != 0 || s->walk->epoch == NULL || (row->last_seq == 0 && !s->everything))
        return rc;
    return s->walk->epoch(row, s->walk->context);
}

/* Report epochs before this one of which nothing is left. */
static int survey_retired(struct survey *s, uint64_t before)
{
    int rc = 0;
    while (rc == 0 && s->extent < s->extent_end && s->extent->epoch < before) {
        begin_row(s, s->extent->epoch);
        rc = end_row(s);
    }
    return rc;
}

/* Report the epoch before this one if it is not on the tape at all, and had ticks. */
static int survey_lost_epoch(struct survey *s, const struct epoch_ref *epoch)
{
    const struct border border = {.before = epoch > s->epochs ? epoch - 1 : NULL, .behind = epoch};
    uint64_t lost;
    struct hole hole;
    int rc = look_at_border(s, &border, &lost, &hole);
    if (rc <= 0 || (border.before != NULL && lost == border.before->epoch))
        return rc < 0 ? rc : 0;
    begin_row(s, lost);
    rc = note_damage(s, hole.first_seq, hole.last_seq, hole.from, hole.to);
    return rc == 0 ? end_row(s) : rc;
}

static int survey_epoch(struct survey *s, const struct epoch_ref *epoch)
{
    int rc = survey_retired(s, epoch->epoch);
    if (rc == 0)
        rc = survey_lost_epoch(s, epoch);
    if (rc != 0)
        return rc;
    s->epoch = epoch;
    begin_row(s, epoch->epoch);
    rc = survey_blocks(s);
    if (rc == 0)
        rc = survey_end(s);
    return rc == 0 ? end_row(s) : rc;
}

static int survey_track(struct survey *s, const struct track *track)
{
    s->track = track;
    s->epochs = NULL;
    s->extent = s->extent_end = NULL;
    if (s->retired != NULL)
        s->extent = retired_of(s->retired, track->ref.number, 0, &s->extent_end);
    int rc = tape_epochs(s->tape, s->view, track->ref.number, &s->epochs, &s->epoch_count, s->err);
    if (rc == 0 && s->walk->track != NULL)
        rc = s->walk->track(track->ref.name, s->walk->context);
    for (size_t i = 0; i < s->epoch_count && rc == 0; i++)
        rc = survey_epoch(s, &s->epochs[i]);
    if (rc == 0)
        rc = survey_retired(s, UINT64_MAX);
    free(s->epochs);
    return rc;
}

static int check_tracks(struct tdk_tape *tape, const struct tdk_query *query, struct tdk_err *err)
{
    for (size_t i = 0; i < query->track_count; i++)
        if (tape_track(tape, query->tracks[i]) == NULL)
            return err_say(err, TDK_ENOTRACK, "no track %.64s on this tape", query->tracks[i]);
    return 0;
}

static int tell_lost(struct survey *s, const struct tdk_query *query)
{
    struct tdk_lost_segments lost;
    uint64_t told = 0;
    int rc = 0;
    while (rc == 0 && tape_next_lost(s->tape, query, &told, &lost))
        rc = s->walk->lost(&lost, s->walk->context);
    return rc;
}

static int survey_tracks(struct survey *s, const struct tdk_query *query)
{
    size_t count;
    struct track **tracks = tape_tracks(s->tape, &count);
    if (tracks == NULL)
        return err_set(s->err, -ENOMEM, "look for gaps");
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (query_has_track(query, tracks[i]->ref.name))
            rc = survey_track(s, tracks[i]);
    free(tracks);
    return rc;
}

static int survey_all(struct survey *s, const struct tdk_query *query)
{
    const bool is_heard = s->walk->lost != NULL;
    struct tdk_lost_segments lost;
    uint64_t told = 0;
    int rc = is_heard ? tell_lost(s, query) : 0;
    if (rc == 0)
        rc = survey_tracks(s, query);
    if (rc == 0 && !is_heard && tape_next_lost(s->tape, query, &told, &lost))
        rc = tape_say_lost(&lost, s->err);
    return rc;
}

int tdk_tape_coverage(struct tdk_tape *tape, const struct tdk_query *query,
                      const struct tdk_coverage_walk *walk, struct tdk_err *err)
{
    const struct tdk_query times = {.from = query->from, .to = query->to, .axis = query->axis};
    struct survey s = {.tape = tape,
                       .walk = walk,
                       .err = err,
                       .everything = query->from == 0 && query->to == UINT64_MAX};
    int rc = check_tracks(tape, query, err);
    if (rc == 0)
        rc = select_init(&s.select, &times, err);
    if (rc < 0)
        return rc;
    struct lease lease = {.first = 0};
    tape_lease(tape, &lease, query->axis, s.select.from, s.select.last);
    s.view = tape_view(tape);
    s.retired = tape_retired(tape);
    slice_init(&s.slice, &tape->segments);
    rc = s.select.from <= s.select.last ? survey_all(&s, query) : 0;
    slice_close(&s.slice);
    select_close(&s.select);
    retired_drop(s.retired);
    view_drop(s.view);
    lease_give(&tape->leases, &lease);
    return rc;
}
