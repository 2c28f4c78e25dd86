/*
 * dirty.h - tracks what a power cut could still take: bytes that were written, and names that were
 * given, but not synced yet. When a file gives way (another takes its name, or it is removed),
 * there must be nothing of that kind.
 */
#ifndef TDK_TESTS_DIRTY_H
#define TDK_TESTS_DIRTY_H

#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tape/files.h"

enum { DIRTY_MAX = 16, DIRTY_PATH = 256 };

struct dirty {
    char paths[DIRTY_MAX][DIRTY_PATH]; /* files and folders */
    unsigned count;
    unsigned given_way;
    char early[2 * DIRTY_PATH + 32]; /* what gave way too early, and to what */
};

static struct dirty dirty;

static inline void dirty_drop(const char *path)
{
    for (unsigned i = 0; i < dirty.count; i++)
        if (strcmp(dirty.paths[i], path) == 0)
            memcpy(dirty.paths[i], dirty.paths[--dirty.count], DIRTY_PATH);
}

static inline void dirty_add(const char *path)
{
    dirty_drop(path);
    assert_true(dirty.count < DIRTY_MAX);
    snprintf(dirty.paths[dirty.count++], DIRTY_PATH, "%s", path);
}

static inline void dirty_path_of(int fd, char path[DIRTY_PATH])
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, DIRTY_PATH - 1);
    assert_true(size > 0);
    path[size] = '\0';
}

static inline void dirty_give_way(const char *path)
{
    dirty.given_way++;
    if (dirty.count > 0 && dirty.early[0] == '\0')
        snprintf(dirty.early, sizeof dirty.early, "%s, with %s unsynced", path, dirty.paths[0]);
}

static inline ssize_t dirty_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    char path[DIRTY_PATH];
    dirty_path_of(fd, path);
    if (strcmp(strrchr(path, '/'), "/lock") != 0) /* the contents of a lock are only a comment */
        dirty_add(path);
    return files_posix.pwrite(fd, bytes, size, offset);
}

static inline int dirty_fsync(int fd)
{
    char path[DIRTY_PATH];
    dirty_path_of(fd, path);
    dirty_drop(path);
    return files_posix.fsync(fd);
}

static inline int dirty_rename(const char *from, const char *to)
{
    struct stat there;
    if (stat(to, &there) == 0)
        dirty_give_way(to);
    int rc = files_posix.rename(from, to);
    char folder[DIRTY_PATH];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(to, '/') - to), to);
    dirty_add(folder);
    return rc;
}

static inline int dirty_unlink(const char *path)
{
    dirty_give_way(path);
    return files_posix.unlink(path);
}

static inline void dirty_begin(void)
{
    static struct file_ops ops;
    dirty = (struct dirty){.count = 0};
    ops = files_posix;
    ops.pwrite = dirty_pwrite;
    ops.fsync = ops.fdatasync = dirty_fsync;
    ops.rename = dirty_rename;
    ops.unlink = dirty_unlink;
    files = &ops;
}

/* Fails the test if something gave way too early. Returns how many files gave way. */
static inline unsigned dirty_end(void)
{
    files = &files_posix;
    if (dirty.early[0] != '\0')
        fail_msg("%s", dirty.early);
    return dirty.given_way;
}

#endif
