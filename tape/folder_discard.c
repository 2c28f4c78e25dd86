/* folder_discard.c - a tape that was made for something that came to nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "index/index.h"
#include "tape/files.h"
#include "tape/folder.h"

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Not 0 for what somebody else has put there since: a replayer its socket, perhaps. */
static int name_is_not_ours(const char *name, void *context)
{
    static const char *const made[] = {"tape.meta", "lock",  "leases",    "retired.new",
                                       "segments",  "index", "quarantine"};
    (void)context;
    return !is_one_of(name, made, array_size(made));
}

static int name_is_there(const char *name, void *context)
{
    (void)name;
    (void)context;
    return 1;
}

static bool is_bare(const struct folder *folder)
{
    return files->list(folder->path, name_is_not_ours, NULL) == 0 &&
           files->list(folder->segments, name_is_there, NULL) == 0 &&
           files->list(folder->quarantine, name_is_there, NULL) == 0;
}

static bool is_gone(int rc)
{
    return rc == 0 || rc == -ENOENT;
}

static bool remove_file(const struct folder *folder, const char *name)
{
    char path[TAPE_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return is_gone(files->unlink(path));
}

static bool remove_parts(const struct folder *folder)
{
    return remove_file(folder, "index/clean") && index_delete(folder->index, NULL) == 0 &&
           is_gone(files->rmdir(folder->index)) && is_gone(files->rmdir(folder->segments)) &&
           is_gone(files->rmdir(folder->quarantine)) && remove_file(folder, "retired.new") &&
           remove_file(folder, "leases");
}

/* While it has tape.meta it is a tape, whoever dies on the way, and its next writer makes what it
 * lacks; without, nothing may be there but the lock: then it passes for an empty folder. */
void folder_discard(struct folder *folder)
{
    if (folder->is_new && is_bare(folder) && remove_parts(folder) &&
        files_sync_folder(folder->path, NULL) == 0 && remove_file(folder, "tape.meta") &&
        remove_file(folder, "lock") && folder->is_root_new)
        files->rmdir(folder->path);
}
