/* folder_clean.c - the clean mark, TAPE/index/clean, which vouches for the index. */
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "index/index.h"
#include "tape/files.h"
#include "tape/folder.h"
#include "tape/format.h"
#include "tape/kept.h"

int folder_mark_clean(const struct folder *folder, uint64_t segment, struct tdk_err *err)
{
    struct clean_mark mark = {.segment = segment};
    int rc = index_sum(folder->index, &mark.index_sum, err);
    if (rc < 0)
        return rc;
    kept_sign(&mark, sizeof mark, CLEAN_MAGIC, folder->tape_id);
    return files_replace(folder->index, "clean", &mark, sizeof mark, err);
}

static bool read_mark(const struct folder *folder, struct clean_mark *mark)
{
    return files_read_small(folder->index, "clean", mark, sizeof *mark) == 0 &&
           kept_check(mark, sizeof *mark, sizeof *mark, CLEAN_MAGIC, folder->tape_id, "clean",
                      NULL) == 0;
}

int folder_unmark_clean(const struct folder *folder, struct tdk_err *err)
{
    char path[TAPE_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/clean", folder->index);
    int rc = files->unlink(path);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return err_set(err, rc, "remove %s", path);
    return files_sync_folder(folder->index, err);
}

bool folder_clean_segment(const struct folder *folder, uint64_t *segment)
{
    struct clean_mark mark;
    if (!read_mark(folder, &mark))
        return false;
    *segment = mark.segment;
    return true;
}

bool folder_is_clean(const struct folder *folder, uint64_t segment)
{
    struct clean_mark mark;
    uint32_t sum;
    return read_mark(folder, &mark) && mark.segment == segment &&
           index_sum(folder->index, &sum, NULL) == 0 && sum == mark.index_sum;
}
