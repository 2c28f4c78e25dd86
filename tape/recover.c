#include "tape/recover.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/lease.h"
#include "tape/mend.h"
#include "tape/retire.h"
#include "tape/segment.h"

enum { ROW_WAIT_MS = 1000 };

/* What recovery works with, besides its result `tape`. */
struct recovery {
    struct recovered *tape;
    const struct recover_options *options;
    struct damage damage;
    struct segment_name *names;
    size_t count;
    uint64_t row_end; /* the last number that the row had */
    struct tdk_err *err;
};

static int list_segments(struct recovery *r)
{
    free(r->names);
    r->names = NULL;
    return folder_segments(&r->tape->folder, &r->names, &r->count, r->err);
}

static uint64_t last_number(const struct recovery *r)
{
    return r->count > 0 ? r->names[r->count - 1].number : 0;
}

/* ---- a tape that was left in order ---- */

struct expected {
    const struct recovery *recovery;
    size_t at;
};

/* Head and foot are good, and their counts are those of the index. */
static bool is_as_indexed(const struct recovery *r, const struct segment_ref *ref)
{
    struct segment *segment;
    struct segment_foot foot;
    enum segment_stage stage = ref->generation == 0 ? SEGMENT_SEALED : SEGMENT_PACKED;
    if (segment_open_home(&segment, &r->tape->folder, ref->number, stage, NULL) < 0)
        return false;
    bool same = !segment->head_damaged && segment_read_foot(segment, &foot, NULL) == 0 &&
                foot.blocks == ref->blocks && foot.ticks == ref->ticks;
    segment_close(segment);
    return same;
}

static int expect_segment(const struct segment_ref *ref, void *context)
{
    struct expected *e = context;
    const struct recovery *r = e->recovery;
    if (e->at == r->count || r->names[e->at].number != ref->number || !is_as_indexed(r, ref))
        return 1;
    e->at++;
    return 0;
}

/* The index knows which files there must be, and there are no others. */
static bool all_there(const struct recovery *r)
{
    struct expected e = {.recovery = r};
    return index_segments(r->tape->index, expect_segment, &e, NULL) == 0 && e.at == r->count;
}

/* 0: the index is open and whole, and so is the catalogue. 1: it must not be trusted. */
static int open_clean(struct recovery *r)
{
    struct recovered *tape = r->tape;
    if (r->options->anew || !folder_is_clean(&tape->folder, last_number(r)))
        return 1;
    for (size_t i = 0; i < r->count; i++)
        if (!segment_is_sealed(r->names[i].stage))
            return 1;
    if (index_open(&tape->index, tape->folder.index, tape->folder.tape_id, true, NULL) < 0)
        return 1;
    if (index_is_complete(tape->index) && all_there(r) &&
        catalog_load(tape->catalog, tape->index, NULL) == 0)
        return 0;
    index_close(tape->index);
    tape->index = NULL;
    catalog_close(tape->catalog);
    tape->catalog = NULL;
    int rc = catalog_open(&tape->catalog, r->err);
    return rc < 0 ? rc : 1;
}

/* Read what the next segment must know of the last one. */
static int read_last_foot(struct recovery *r)
{
    struct recovered *tape = r->tape;
    struct segment *segment;
    struct segment_foot foot;
    if (r->count == 0)
        return 0;
    int rc = segment_open_number(&segment, &tape->folder, last_number(r),
                                 r->names[r->count - 1].stage, NULL);
    if (rc < 0)
        return 0; /* it is damaged, and reported when it is read; the next segment does without */
    if (segment_read_foot(segment, &foot, NULL) == 0) {
        tape->previous_digest = segment_chain_digest(&foot);
        tape->previous_end = segment_chain_end(&foot);
        tape->written_ns = foot.sealed_ns;
    }
    segment_close(segment);
    return 0;
}

/* ---- a tape that was not ---- */

static int open_fresh_index(struct recovery *r)
{
    struct recovered *tape = r->tape;
    int rc = index_delete(tape->folder.index, r->err);
    if (rc < 0)
        return rc;
    return index_open(&tape->index, tape->folder.index, tape->folder.tape_id, true, r->err);
}

static int mend_segments(struct recovery *r)
{
    struct recovered *tape = r->tape;
    struct rebuild rebuild = {.folder = &tape->folder,
                              .retired = tape->retired,
                              .index = tape->index,
                              .catalog = tape->catalog,
                              .damage = &r->damage,
                              .err = r->err,
                              .progress = r->options->progress,
                              .context = r->options->context};
    int rc = 0;
    if (rebuild.progress != NULL)
        rebuild.totals.bytes_total = rebuild_size(&tape->folder, r->names, r->count);
    for (size_t i = 0; i < r->count && rc == 0; i++)
        rc = r->names[i].stage == SEGMENT_OPEN
                 ? mend_unsealed(&rebuild, r->names[i].number, i + 1 == r->count, &tape->report)
                 : rebuild_segment(&rebuild, &r->names[i]);
    if (rc == 0)
        rc = rebuild_complete(tape->index, r->err);
    tape->written_ns = rebuild.written_ns;
    tape->previous_digest = rebuild.digest;
    tape->previous_end = rebuild.previous_end;
    tape->report.index_rebuilt = r->count > 0 && tape->index_err.code == 0;
    return rc == 0 ? list_segments(r) : rc;
}

/* Everything but the index itself may be done by a first try that failed, and is found done. */
static int mend_in_memory(struct recovery *r, int why)
{
    struct recovered *tape = r->tape;
    tape->index_err.code = why;
    if (r->err != NULL)
        tape->index_err = *r->err;
    index_close(tape->index);
    tape->index = NULL;
    catalog_close(tape->catalog);
    tape->catalog = NULL;
    int rc = catalog_open(&tape->catalog, r->err);
    if (rc == 0)
        rc = list_segments(r);
    if (rc == 0)
        rc = index_open_private(&tape->index, tape->folder.tape_id, r->err);
    return rc == 0 ? mend_segments(r) : rc;
}

static int mend_into_index(struct recovery *r)
{
    const struct damage before = r->damage;
    int rc = open_fresh_index(r);
    if (rc == 0)
        rc = mend_segments(r);
    if (rc == 0 || !r->options->index_may_fail)
        return rc;
    r->damage = before; /* what the segments lack is found, and told, a second time */
    return mend_in_memory(r, rc);
}

static int mend_all(struct recovery *r)
{
    struct recovered *tape = r->tape;
    int rc = mend_leftovers(&tape->folder, &r->damage, &tape->report, r->err);
    if (rc == 0)
        rc = mend_imports(&tape->folder, &tape->report, r->err);
    if (rc == 0)
        rc = mend_strangers(&tape->folder, &r->damage, &tape->report, &r->row_end, r->err);
    if (rc == 0)
        rc = list_segments(r);
    if (rc < 0)
        return rc;
    const uint64_t listed = last_number(r);
    rebuild_tell_gone(listed, r->row_end, &r->damage);
    rc = mend_into_index(r);
    if (rc == 0 && r->row_end == listed)
        r->row_end = last_number(r); /* the last one may have been unsealed, and without a block */
    return rc;
}

/* ---- both ---- */

static int recover_all(struct recovery *r)
{
    struct recovered *tape = r->tape;
    tape->report.meta_rebuilt = tape->folder.meta_missing;
    if (tape->report.meta_rebuilt)
        damage_tell(&r->damage, "tape.meta was lost: written anew from a segment");
    int rc = catalog_open(&tape->catalog, r->err);
    if (rc == 0)
        rc = mend_retired(&tape->folder, &tape->retired, &r->damage, &tape->report, r->err);
    if (rc == 0)
        rc = list_segments(r);
    int state = rc == 0 ? open_clean(r) : rc;
    if (state < 0)
        return state;
    if (state != 0 && !folder_clean_segment(&tape->folder, &r->row_end))
        r->row_end = 0;
    /* From here on the index on disk is ours alone to vouch for. */
    rc = folder_unmark_clean(&tape->folder, r->err);
    if (rc == 0)
        rc = state == 0 ? read_last_foot(r) : mend_all(r);
    tape->next_segment = max_u64(r->row_end, last_number(r)) + 1;
    tape->lost_end = r->row_end > last_number(r);
    tape->report.segments = r->count;
    tape->report.damaged = damage_count(&r->damage);
    return rc;
}

bool recover_lost(const struct recover_report *report)
{
    return report->damaged != 0 || report->set_aside != 0 || report->meta_rebuilt;
}

int recover_open(struct recovered *tape, const char *path, const struct recover_options *options,
                 struct tdk_err *err)
{
    static const struct recover_options none;
    if (options == NULL)
        options = &none;
    *tape = (struct recovered){0};
    int rc = folder_hold(&tape->folder, path, options->create, err);
    if (rc < 0)
        return rc;
    struct recovery r = {.tape = tape,
                         .options = options,
                         .damage = {.found = options->found, .context = options->context},
                         .err = err};
    /* While the row is held, the segments that are looked at cannot be deleted or moved: they would
     * be reported as missing. If the row is not free in time, recovery starts without it, because
     * waiting longer would be worse. */
    int row = -1;
    (void)leases_hold_row(&row, &tape->folder, ROW_WAIT_MS, NULL);
    rc = recover_all(&r);
    leases_give_row(row);
    free(r.names);
    if (rc < 0)
        recover_discard(tape, false);
    return rc;
}

int recover_follow(struct recovered *tape,
                   void (*left)(const struct epoch_ref *epoch, void *context), void *context,
                   struct tdk_err *err)
{
    struct retired *now;
    int rc = retired_load(&now, &tape->folder, err);
    if (rc < 0)
        return rc;
    rc = retire_index(tape->index, now, left, context, err);
    retired_drop(tape->retired);
    tape->retired = now;
    return rc;
}

/* While the row is held, no segment is deleted between the last look and the end of the lock. If
 * another job holds the row, or the look fails, the index is left for the next writer to
 * rebuild. */
static bool follow_to_end(struct recovered *tape, int *row)
{
    int rc = leases_hold_row(row, &tape->folder, ROW_WAIT_MS, NULL);
    return rc != TDK_EBUSY && recover_follow(tape, NULL, NULL, NULL) == 0;
}

/* The lock last; the index is closed. */
static void give_back(struct recovered *tape)
{
    catalog_close(tape->catalog);
    retired_drop(tape->retired);
    folder_close(&tape->folder);
    tape->index = NULL;
    tape->catalog = NULL;
    tape->retired = NULL;
}

int recover_close(struct recovered *tape, bool clean, struct tdk_err *err)
{
    int rc = 0, row = -1;
    clean = clean && tape->index_err.code == 0 && follow_to_end(tape, &row);
    if (clean)
        rc = index_sync(tape->index, err);
    index_close(tape->index);
    if (clean && rc == 0)
        rc = folder_mark_clean(&tape->folder, tape->next_segment - 1, err);
    give_back(tape);
    leases_give_row(row);
    return rc;
}

void recover_discard(struct recovered *tape, bool clean)
{
    if (!tape->folder.is_new) {
        (void)recover_close(tape, clean, NULL);
        return;
    }
    index_close(tape->index);
    folder_discard(&tape->folder);
    give_back(tape);
}
