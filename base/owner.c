#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_anothers(const char *folder, struct stat *stat_of)
{
    return stat(folder, stat_of) == 0 && stat_of->st_uid != 0;
}

/* Does root make this path, in a folder that is not root's? */
static bool is_in_anothers(const char *path, struct stat *stat_of)
{
    char folder[PATH_MAX];
    if (geteuid() != 0 || snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return false;
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return is_anothers(".", stat_of);
    slash[slash == folder ? 1 : 0] = '\0';
    return is_anothers(folder, stat_of);
}

/* By descriptor, because the folder's owner may have put something else under its name
 * meanwhile. */
static void give(int fd, const struct stat *to)
{
    int ignored = fchown(fd, to->st_uid, to->st_gid);
    (void)ignored; /* not allowed by this file system or container: root keeps it */
}

static void give_folder(const char *path, const struct stat *to)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    give(fd, to);
    close(fd);
}

int owner_open(const char *path, int flags, mode_t mode)
{
    struct stat folder;
    flags |= O_CLOEXEC;
    if ((flags & O_CREAT) == 0 || !is_in_anothers(path, &folder))
        return open(path, flags, mode);
    /* Give away only what we have made. What is there already may be a link to a file of root's. */
    int fd = open(path, flags | O_EXCL, mode);
    if (fd >= 0)
        give(fd, &folder);
    else if (errno == EEXIST && (flags & O_EXCL) == 0)
        fd = open(path, flags, mode);
    return fd;
}

int owner_mkdir(const char *path, mode_t mode)
{
    struct stat folder;
    bool gives = is_in_anothers(path, &folder);
    int rc = mkdir(path, mode);
    if (rc == 0 && gives)
        give_folder(path, &folder);
    return rc;
}

void owner_give(int fd, int folder)
{
    struct stat to;
    if (geteuid() == 0 && fstat(folder, &to) == 0 && to.st_uid != 0)
        give(fd, &to);
}

void owner_give_folder(const char *path, const char *model)
{
    struct stat folder;
    if (geteuid() == 0 && is_anothers(model, &folder))
        give_folder(path, &folder);
}
