/*
 * written.c - a view that includes what a recorder has written and not yet synced.
 *
 * The tape's index has what is durable. What follows in the last segments is read block by block,
 * as after a crash, up to the first place without a block: writes may be under way after it. It
 * goes into private memory over the index. Nothing of the tape is changed. The cost is a look at
 * the folder, the epochs of the index, and one read of what is not durable.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "tape/rebuild.h"
#include "tape/view.h"

/* Find where the index ends: the last segment that it has, and how much of it. */
static int note_last(const struct segment_ref *segment, void *context)
{
    struct segment_ref *last = context;
    if (segment->number >= last->number)
        *last = *segment;
    return 0;
}

/* The index may have moved on between two looks. Blocks that its epochs count already are not added
 * to them. */
static void drop_known(struct found *found, const struct catalog *catalog)
{
    size_t kept = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct block_ref *ref = &found->refs[i];
        const struct epoch_ref *epoch = catalog_epoch(catalog, ref->track, ref->epoch);
        if (epoch == NULL || ref->last_seq < ref->first_seq || ref->last_seq > epoch->last_seq)
            found->refs[kept++] = *ref;
    }
    found->count = kept;
}

static int put_blocks(struct rebuild *r, const struct segment *segment, uint64_t from)
{
    struct found found = {.count = 0};
    int rc = segment_scan_from(segment, from, &found.scan, r->err);
    if (rc < 0)
        return rc;
    segment_scan_trim(&found.scan);
    found.refs = found.scan.refs;
    found.count = found.scan.count;
    if (!rebuild_is_orphan(r, &found)) {
        drop_known(&found, r->catalog);
        rc = found_learn(&found, segment, r->catalog, r->err);
        if (rc == 0)
            rc = rebuild_put(r, segment, &found, SEGMENT_NOT_SEALED);
    }
    found_close(&found);
    return rc;
}

/* A segment that was sealed or packed since is durable: it will soon be in the index, and is
 * treated as if it were. */
static int put_segment(struct rebuild *r, const struct segment_name *name, uint64_t from)
{
    struct segment *segment;
    struct tdk_err why;
    if (name->stage != SEGMENT_OPEN)
        return segment_is_sealed(name->stage) && from == 0 ? rebuild_segment(r, name) : 0;
    int rc = segment_open_number(&segment, r->folder, name->number, name->stage, &why);
    if (rc == -ENOENT)
        return from == 0 ? rebuild_segment(r, name) : 0;
    if (rc < 0) /* it may be in the middle of being created */
        return 0;
    rc = put_blocks(r, segment, from);
    segment_close(segment);
    return rc;
}

static int put_written(struct rebuild *r, const struct segment_ref *last)
{
    struct segment_name *names = NULL;
    size_t count = 0;
    int rc = folder_segments(r->folder, &names, &count, r->err);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (names[i].number >= last->number)
            rc = put_segment(r, &names[i], names[i].number == last->number ? last->size : 0);
    free(names);
    return rc;
}

static int fill(struct index *index, struct view *under, const struct folder *folder,
                struct tdk_err *err)
{
    struct segment_ref last = {.number = 0};
    struct rebuild r = {.folder = folder, .index = index, .err = err};
    int rc = index_segments(under->index, note_last, &last, err); /* read before its epochs */
    r.last_number = last.number;
    if (rc == 0)
        rc = catalog_open(&r.catalog, err);
    if (rc == 0)
        rc = catalog_load(r.catalog, under->index, err);
    if (rc == 0)
        rc = put_written(&r, &last);
    catalog_close(r.catalog);
    return rc;
}

int view_open_written(struct view **view, struct view *under, const struct folder *folder,
                      struct tdk_err *err)
{
    struct index *index;
    int rc = index_open_over(&index, under->index, err);
    if (rc < 0)
        return rc;
    rc = fill(index, under, folder, err);
    struct view *v = rc < 0 ? NULL : view_new(index);
    if (v == NULL) {
        index_close(index);
        return rc < 0 ? rc : err_set(err, -ENOMEM, "open index");
    }
    v->is_private = true;
    v->live = true; /* so that symbols are read anew */
    v->under = view_hold(under);
    *view = v;
    return 0;
}
