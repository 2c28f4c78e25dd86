#include "tape/reindex.h"

#include "base/bytes.h"
#include "base/err.h"

static int fill(struct rebuild *rebuild)
{
    int rc = catalog_open(&rebuild->catalog, rebuild->err);
    if (rc == 0)
        rc = rebuild_each(rebuild);
    if (rc == 0)
        rc = rebuild_complete(rebuild->index, rebuild->err);
    if (rc == 0)
        rc = index_sync(rebuild->index, rebuild->err);
    catalog_close(rebuild->catalog);
    return rc;
}

static int reindex(struct rebuild *rebuild)
{
    const struct folder *folder = rebuild->folder;
    uint64_t last, marked;
    int rc = folder_row_end(folder, &last, rebuild->err);
    if (rc < 0)
        return rc;
    uint64_t end = folder_clean_segment(folder, &marked) ? max_u64(marked, last) : last;
    rebuild_tell_gone(last, end, rebuild->damage);
    rc = folder_unmark_clean(folder, rebuild->err);
    if (rc == 0)
        rc = index_delete(folder->index, rebuild->err);
    if (rc == 0)
        rc = index_open(&rebuild->index, folder->index, folder->tape_id, true, rebuild->err);
    if (rc == 0)
        rc = fill(rebuild);
    index_close(rebuild->index);
    return rc == 0 ? folder_mark_clean(folder, end, rebuild->err) : rc;
}

int tape_reindex(const char *path, const struct reindex_options *options,
                 struct rebuild_totals *totals, uint64_t *damaged, struct tdk_err *err)
{
    struct folder folder;
    int rc = folder_hold(&folder, path, false, err);
    if (rc < 0)
        return rc;
    struct damage damage = {.found = options->found, .context = options->context};
    struct rebuild rebuild = {.folder = &folder,
                              .damage = &damage,
                              .err = err,
                              .progress = options->progress,
                              .context = options->context};
    if (folder.meta_missing)
        damage_tell(&damage, "tape.meta was lost: written anew from a segment");
    struct retired *retired = NULL;
    rc = retired_load_or_tell(&retired, &folder, &damage, err);
    rebuild.retired = retired;
    if (rc == 0)
        rc = reindex(&rebuild);
    retired_drop(retired);
    *totals = rebuild.totals;
    *damaged = damage_count(&damage) + (folder.meta_missing ? 1 : 0);
    folder_close(&folder);
    return rc;
}
