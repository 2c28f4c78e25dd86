/* retire.c - tombstones and files. retire_index.c does the rest. */
#include "tape/retire.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/holds.h"
#include "tape/lease.h"
#include "tape/rebuild.h"

enum { ROW_WAIT_MS = 10000, AT_A_TIME = 64 };

struct retiring {
    const struct folder *folder;
    const struct retire_options *options;
    struct retired *retired;
    struct holds holds;
    int row;
    uint64_t going[AT_A_TIME]; /* segments that have their tombstone, or are about to get it */
    uint64_t sizes[AT_A_TIME];
    size_t count;
    bool stop;
    struct tdk_err *err;
};

static void tell(struct retiring *r, uint64_t segment, enum retire_fate fate, uint64_t bytes)
{
    if (r->options->each != NULL &&
        r->options->each(segment, fate, bytes, r->options->context) != 0)
        r->stop = true;
}

/* ---- one segment ---- */

/* Read what the segment holds, by its foot or block by block. Nothing can be recorded of what
 * cannot be read. */
static int look_into(struct retiring *r, struct segment *segment, struct retired_range *range)
{
    struct found found;
    struct catalog *catalog;
    int rc = catalog_open(&catalog, r->err);
    if (rc < 0)
        return rc;
    rc = found_open(&found, segment, true, catalog, NULL, r->err);
    catalog_close(catalog);
    if (rc < 0)
        return rc == -ENOMEM ? rc : retired_add(r->retired, range, NULL, 0, r->err);
    range->digest = found.has_foot ? segment_chain_digest(&found.foot) : 0;
    for (size_t i = 0; i < found.count; i++)
        range->ticks += found.refs[i].count;
    rc = retired_add(r->retired, range, found.refs, found.count, r->err);
    found_close(&found);
    return rc;
}

/* Report why a segment could not be opened. 0: it stays, or is not there. */
static int tell_unopened(struct retiring *r, uint64_t number, const struct tdk_err *why)
{
    char path[TAPE_PATH_MAX];
    struct file_stat stat;
    if (why->code == -ENOMEM || why->code == -EMFILE || why->code == -ENFILE)
        return err_say(r->err, why->code, "%s", why->text);
    folder_segment_path(r->folder, number, SEGMENT_OPEN, path);
    if (why->code != -ENOENT)
        tell(r, number, RETIRE_UNREADABLE, 0);
    else
        tell(r, number, files->stat(path, &stat) == 0 ? RETIRE_NOT_SEALED : RETIRE_ABSENT, 0);
    return 0;
}

/* Add a segment to the tombstones, only in memory yet. 1: it is among those that go now. */
static int add_segment(struct retiring *r, uint64_t number)
{
    struct segment *segment;
    struct tdk_err why;
    int rc = segment_open_number(&segment, r->folder, number, SEGMENT_SEALED, &why);
    if (rc < 0)
        return tell_unopened(r, number, &why);
    if (segment->away.code == TDK_EAWAY) {
        segment_close(segment);
        tell(r, number, RETIRE_AWAY, 0);
        return 0;
    }
    struct retired_range range = {
        .first = number, .last = number, .bytes = segment->size, .retired_ns = clock_wall()};
    rc = look_into(r, segment, &range);
    segment_close(segment);
    if (rc < 0)
        return rc;
    r->sizes[r->count] = range.bytes;
    r->going[r->count++] = number;
    return 1;
}

/* ---- many ---- */

/* Remove the files of every generation: packing may have left two. */
static int remove_file(const struct folder *folder, uint64_t number, struct tdk_err *err)
{
    static const enum segment_stage stages[] = {SEGMENT_PACKED, SEGMENT_SEALED};
    int rc = 0;
    for (size_t i = 0; i < array_size(stages) && rc == 0; i++)
        rc = stub_remove(folder, number, stages[i], err);
    return rc;
}

/* A file that cannot be removed does not keep the others. `going` is left with those that went.
 * Returns the first failure. */
static int remove_files(struct retiring *r)
{
    size_t gone = 0;
    int rc = 0;
    for (size_t i = 0; i < r->count; i++) {
        int removed = remove_file(r->folder, r->going[i], rc == 0 ? r->err : NULL);
        if (removed < 0) {
            rc = rc == 0 ? removed : rc;
            continue;
        }
        r->going[gone] = r->going[i];
        r->sizes[gone++] = r->sizes[i];
    }
    r->count = gone;
    return rc;
}

/* Tombstones first: a file that is gone without one would count as damage. */
static int remove_going(struct retiring *r)
{
    if (r->count == 0)
        return 0;
    int rc = retired_save(r->retired, r->folder, r->err), removed = 0;
    if (rc == 0) {
        removed = remove_files(r);
        rc = files_sync_folder(r->folder->segments, removed == 0 ? r->err : NULL);
    }
    if (rc == 0)
        retired_reserve(r->retired, r->folder);
    for (size_t i = 0; i < r->count && rc == 0; i++)
        tell(r, r->going[i], RETIRE_DONE, r->sizes[i]);
    r->count = 0;
    return removed < 0 ? removed : rc;
}

/* For leftovers alone there is no wait and no error: they are removed another time. */
static int hold_row(struct retiring *r, size_t count)
{
    unsigned wait_ms = r->options->row_wait_ms != 0 ? r->options->row_wait_ms : ROW_WAIT_MS;
    return leases_hold_row(&r->row, r->folder, count > 0 ? wait_ms : 0, r->err);
}

static int retire_some(struct retiring *r, const uint64_t *segments, size_t count)
{
    uint64_t left;
    int rc = hold_row(r, count);
    if (rc < 0)
        return count > 0 ? rc : 0;
    rc = retired_load(&r->retired, r->folder, r->err);
    /* Files that could not be removed before, or were left by a death. Why they stay was reported
     * then. */
    if (rc == 0) {
        (void)retire_leftovers(r->folder, r->retired, &left, NULL);
        rc = holds_load(&r->holds, r->folder, r->err);
    }
    for (size_t i = 0; i < count && rc >= 0; i++) {
        if (retired_find(r->retired, segments[i]) != NULL)
            tell(r, segments[i], RETIRE_ABSENT, 0);
        else if (holds_has(&r->holds, segments[i]))
            tell(r, segments[i], RETIRE_HELD, 0);
        else if (!leases_claim(r->row, segments[i]))
            tell(r, segments[i], RETIRE_LEASED, 0);
        else
            rc = add_segment(r, segments[i]);
    }
    if (rc >= 0)
        rc = remove_going(r);
    holds_close(&r->holds);
    retired_drop(r->retired);
    r->retired = NULL;
    leases_give_row(r->row);
    return rc < 0 ? rc : 0;
}

int retire_segments(const struct folder *folder, const uint64_t *segments, size_t count,
                    const struct retire_options *options, struct tdk_err *err)
{
    static const struct retire_options none = {.each = NULL};
    struct retiring r = {
        .folder = folder, .options = options != NULL ? options : &none, .row = -1, .err = err};
    size_t at = 0;
    int rc;
    do {
        size_t some = count - at < AT_A_TIME ? count - at : AT_A_TIME;
        rc = retire_some(&r, segments + at, some);
        at += some;
    } while (at < count && rc == 0 && !r.stop);
    return rc;
}

/* ---- after a death ---- */

int retire_leftovers(const struct folder *folder, const struct retired *retired, uint64_t *removed,
                     struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    int rc = folder_segments(folder, &names, &count, err);
    if (rc < 0)
        return rc;
    *removed = 0;
    for (size_t i = 0; i < count; i++) {
        if (!segment_is_sealed(names[i].stage) || retired_find(retired, names[i].number) == NULL)
            continue;
        int one = remove_file(folder, names[i].number, rc == 0 ? err : NULL);
        *removed += one == 0;
        if (rc == 0 && one != TDK_EAWAY) /* it no longer counts in any case */
            rc = one;
    }
    free(names);
    return rc == 0 && *removed > 0 ? files_sync_folder(folder->segments, err) : rc;
}
