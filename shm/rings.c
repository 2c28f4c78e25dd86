#include "shm/rings.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/name.h"
#include "tapedeck/ring.h"

const char *rings_path(void)
{
    /* Nothing here changes the environment. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *path = getenv("TAPEDECK_RINGS");
    return path && *path ? path : "/dev/shm/tapedeck";
}

/* The mode is set after creation, because a umask of 077 would shut out the group that shares the
 * rings. */
static int rings_create(const char *path, struct tdk_err *err)
{
    if (mkdir(path, 0770) == 0)
        return chmod(path, 0770) == 0 ? 0 : err_set(err, -errno, "chmod %s", path);
    return errno == EEXIST ? 0 : err_set(err, -errno, "create the rings directory %s", path);
}

int rings_advise(struct tdk_err *err, int code)
{
    return err_advise(err, code, -EACCES, "join its group, or set TAPEDECK_RINGS");
}

int rings_open(bool create, struct tdk_err *err)
{
    const char *path = rings_path();
    int rc = create ? rings_create(path, err) : 0;
    if (rc < 0)
        return rc;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        return folder;
    rc = err_set(err, -errno, "open the rings directory %s", path);
    return rings_advise(err, rc);
}

int rings_file(char file[RINGS_FILE_MAX], const char *name, struct tdk_err *err)
{
    if (!name_is_valid(name, strlen(name)))
        return err_say(err, TDK_ENAME,
                       "\"%.80s\" cannot be a ring's name: 1 to %u letters, digits, '.', '_' and "
                       "'-', the first a letter or digit",
                       name, TDK_NAME_MAX);
    snprintf(file, RINGS_FILE_MAX, "%s.ring", name);
    return 0;
}

int rings_check_memory(int folder, struct tdk_err *err)
{
    struct statfs fs;
    if (fstatfs(folder, &fs) < 0)
        return err_set(err, -errno, "look at the file system of %s", rings_path());
    if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
        return 0;
    return err_say(err, TDK_EVALUE,
                   "the rings directory %s is not on tmpfs: rings there would wait for a disk; set "
                   "TAPEDECK_RINGS to a directory under /dev/shm, or allow it (--allow-disk-ring)",
                   rings_path());
}
