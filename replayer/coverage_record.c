#include "replayer/coverage_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"

struct track_row {
    char name[TDK_NAME_MAX + 1];
    size_t epochs; /* how many of them belong to earlier tracks */
};

struct epoch_row {
    struct tdk_epoch_coverage row; /* its track is NULL: see struct track_row */
    size_t gaps;                   /* how many belong to earlier epochs */
};

struct coverage_record {
    struct track_row *tracks;
    struct epoch_row *epochs;
    struct tdk_gap *gaps;
    size_t track_count, epoch_count, gap_count;
    size_t track_room, epoch_room, gap_room;
    struct tdk_lost_segments lost[COVERAGE_LOST_MAX];
    size_t lost_count;
    bool complete, cut;
    struct coverage_place end; /* the last place in it */
};

struct recording {
    struct coverage_record *record;
    const struct coverage_walk *walk; /* borrowed */
    const char *track;                /* the current one; borrowed from the tape */
    size_t gaps_told;                 /* gaps of the epochs before the current one */
    bool in_track;                    /* the current track has a row */
    bool failed;                      /* no memory */
};

bool coverage_place_has(const struct coverage_place *place, const char *track, uint64_t epoch,
                        uint64_t seq)
{
    int order = strcmp(track, place->track);
    return order < 0 ||
           (order == 0 && (epoch < place->epoch || (epoch == place->epoch && seq <= place->seq)));
}

/* The memory it takes, in bytes. */
static size_t coverage_record_size(const struct coverage_record *r)
{
    return r->track_room * sizeof *r->tracks + r->epoch_room * sizeof *r->epochs +
           r->gap_room * sizeof *r->gaps;
}

/* ---- recording ---- */

/* Doubling may take as much again as there is. */
static bool is_full(struct recording *r)
{
    if (coverage_record_size(r->record) >= r->walk->size_max / 2)
        r->record->cut = true;
    return r->record->cut;
}

static int fail(struct recording *r)
{
    r->failed = true;
    return -ENOMEM;
}

static void note(struct recording *r, uint64_t epoch, uint64_t seq)
{
    struct coverage_place *end = &r->record->end;
    snprintf(end->track, sizeof end->track, "%s", r->track);
    end->epoch = epoch;
    end->seq = seq;
}

static int go_on(const struct recording *r)
{
    return r->record->cut && r->walk->after.track[0] != '\0' ? 1 : 0;
}

static int on_lost(const struct tdk_lost_segments *lost, void *context)
{
    struct coverage_record *to = ((struct recording *)context)->record;
    to->complete = false;
    if (to->lost_count < COVERAGE_LOST_MAX)
        to->lost[to->lost_count++] = *lost;
    return 0;
}

static int on_track(const char *track, void *context)
{
    struct recording *r = context;
    struct coverage_record *to = r->record;
    r->track = track;
    r->in_track = false;
    if (strcmp(track, r->walk->after.track) < 0 || is_full(r))
        return go_on(r);
    void *moved = array_grow(to->tracks, &to->track_room, to->track_count + 1, sizeof *to->tracks);
    if (moved == NULL)
        return fail(r);
    to->tracks = moved;
    struct track_row *row = &to->tracks[to->track_count++];
    *row = (struct track_row){.epochs = to->epoch_count};
    snprintf(row->name, sizeof row->name, "%s", track);
    r->in_track = true;
    note(r, 0, 0);
    return 0;
}

static int on_gap(const struct tdk_gap *gap, void *context)
{
    struct recording *r = context;
    struct coverage_record *to = r->record;
    to->complete = false;
    if (!r->in_track || coverage_place_has(&r->walk->after, r->track, gap->epoch, gap->first_seq) ||
        is_full(r))
        return 0;
    void *moved = array_grow(to->gaps, &to->gap_room, to->gap_count + 1, sizeof *to->gaps);
    if (moved == NULL)
        return fail(r);
    to->gaps = moved;
    to->gaps[to->gap_count] = *gap;
    to->gaps[to->gap_count++].track = NULL;
    note(r, gap->epoch, gap->first_seq);
    return 0;
}

/* An epoch that is cut in the middle of its gaps still gets a row. */
static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct recording *r = context;
    struct coverage_record *to = r->record;
    bool has_gaps = to->gap_count > r->gaps_told;
    if (!r->in_track || coverage_place_has(&r->walk->after, r->track, epoch->epoch, UINT64_MAX) ||
        (!has_gaps && is_full(r)))
        return go_on(r);
    void *moved = array_grow(to->epochs, &to->epoch_room, to->epoch_count + 1, sizeof *to->epochs);
    if (moved == NULL)
        return fail(r);
    to->epochs = moved;
    to->epochs[to->epoch_count] = (struct epoch_row){.row = *epoch, .gaps = r->gaps_told};
    to->epochs[to->epoch_count++].row.track = NULL;
    r->gaps_told = to->gap_count;
    r->in_track = !to->cut; /* what comes now belongs in the next record */
    if (!to->cut)
        note(r, epoch->epoch, UINT64_MAX);
    return go_on(r);
}

static int on_progress(uint64_t bytes, uint64_t ticks, void *context)
{
    const struct recording *r = context;
    (void)bytes;
    (void)ticks;
    return *r->walk->stop ? -ECANCELED : 0;
}

int coverage_record_make(struct coverage_record **record, struct tdk_tape *tape,
                         const struct coverage_walk *walk, struct tdk_err *err)
{
    struct recording r = {.record = calloc(1, sizeof *r.record), .walk = walk};
    const struct tdk_coverage_walk on = {.unread = walk->unread,
                                         .lost = on_lost,
                                         .track = on_track,
                                         .gap = on_gap,
                                         .epoch = on_epoch,
                                         .progress = on_progress,
                                         .context = &r};
    if (r.record == NULL)
        return err_set(err, -ENOMEM, "coverage");
    r.record->complete = true;
    int rc = tdk_tape_coverage(tape, walk->query, &on, err);
    if (r.failed)
        rc = err_set(err, -ENOMEM, "coverage");
    else if (rc == -ECANCELED)
        rc = err_say(err, rc, "coverage: the replayer is stopping");
    if (rc < 0) {
        coverage_record_close(r.record);
        return rc;
    }
    *record = r.record;
    return 0;
}

void coverage_record_close(struct coverage_record *r)
{
    if (r == NULL)
        return;
    free(r->tracks);
    free(r->epochs);
    free(r->gaps);
    free(r);
}

/* ---- telling ---- */

static int tell_epoch(const struct coverage_record *r, size_t i, const char *track,
                      const struct tdk_coverage_walk *walk)
{
    struct tdk_epoch_coverage row = r->epochs[i].row;
    size_t end = i + 1 < r->epoch_count ? r->epochs[i + 1].gaps : r->gap_count;
    int rc = 0;
    for (size_t at = r->epochs[i].gaps; rc == 0 && at < end; at++) {
        struct tdk_gap gap = r->gaps[at];
        gap.track = track;
        rc = walk->gap(&gap, walk->context);
    }
    row.track = track;
    return rc == 0 ? walk->epoch(&row, walk->context) : rc;
}

int coverage_record_walk(const struct coverage_record *r, const struct tdk_coverage_walk *walk)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->track_count; i++) {
        const struct track_row *track = &r->tracks[i];
        size_t end = i + 1 < r->track_count ? track[1].epochs : r->epoch_count;
        rc = walk->track(track->name, walk->context);
        for (size_t at = track->epochs; rc == 0 && at < end; at++)
            rc = tell_epoch(r, at, track->name, walk);
    }
    return rc;
}

bool coverage_record_is_complete(const struct coverage_record *r)
{
    return r->complete;
}

const struct tdk_lost_segments *coverage_record_lost(const struct coverage_record *r, size_t *count)
{
    *count = r->lost_count;
    return r->lost;
}

const struct coverage_place *coverage_record_cut(const struct coverage_record *r)
{
    return r->cut ? &r->end : NULL;
}
