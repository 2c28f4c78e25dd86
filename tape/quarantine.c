#include "tape/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/files.h"

#define COMPARE_SIZE ((size_t)1 << 20)

/* A path there: "0000000042.open", then "0000000042.open.1", ... */
static void nth_path(const struct folder *folder, const char *name, unsigned i,
                     char path[TAPE_PATH_MAX])
{
    int size =
        snprintf(path, TAPE_PATH_MAX, "%.*s/%s", TAPE_PATH_MAX - 64, folder->quarantine, name);
    if (i > 0)
        snprintf(path + size, TAPE_PATH_MAX - (size_t)size, ".%u", i);
}

/* The first of these paths that is free. */
static void unused_path(const struct folder *folder, const char *name, char path[TAPE_PATH_MAX])
{
    struct file_stat stat;
    unsigned i = 0;
    do
        nth_path(folder, name, i++, path);
    while (files->stat(path, &stat) == 0);
}

int quarantine_file(const struct folder *folder, const char *path, struct tdk_err *err)
{
    char to[TAPE_PATH_MAX];
    unused_path(folder, strrchr(path, '/') + 1, to);
    int rc = files->rename(path, to);
    if (rc < 0)
        return err_set(err, rc, "set aside %s", path);
    return files_sync_folder(folder->quarantine, err);
}

int quarantine_segment(const struct folder *folder, const struct segment_name *name,
                       struct tdk_err *err)
{
    char path[TAPE_PATH_MAX];
    folder_segment_path(folder, name->number, name->stage, path);
    int rc = quarantine_file(folder, path, err);
    return rc == 0 ? files_sync_folder(folder->segments, err) : rc;
}

/* ---- torn tails ---- */

static int equal_bytes(int a, int b, uint64_t size, bool *equal)
{
    unsigned char *buffer = malloc(2 * COMPARE_SIZE);
    int rc = buffer == NULL ? -ENOMEM : 0;
    *equal = true;
    for (uint64_t done = 0; done < size && rc == 0 && *equal; done += COMPARE_SIZE) {
        size_t n = size - done < COMPARE_SIZE ? size - done : COMPARE_SIZE;
        rc = files_read(a, buffer, n, done);
        if (rc == 0)
            rc = files_read(b, buffer + COMPARE_SIZE, n, done);
        *equal = rc == 0 && memcmp(buffer, buffer + COMPARE_SIZE, n) == 0;
    }
    free(buffer);
    return rc;
}

/* Does a file of this name have these bytes? Then an earlier recovery, which died before the cut,
 * has kept them. */
static int is_kept(const struct folder *folder, const char *name, int fd, uint64_t size, bool *kept)
{
    char path[TAPE_PATH_MAX];
    struct file_stat stat;
    int rc = 0;
    *kept = false;
    for (unsigned i = 0; rc == 0 && !*kept; i++) {
        nth_path(folder, name, i, path);
        if (files->stat(path, &stat) < 0)
            break;
        if (!stat.is_file || stat.size != size)
            continue;
        int other = files->open(path, O_RDONLY | O_NOFOLLOW, 0);
        if (other < 0)
            return other;
        rc = equal_bytes(fd, other, size, kept);
        files->close(other);
    }
    return rc;
}

int quarantine_torn(const struct folder *folder, const struct segment *segment, uint64_t offset,
                    uint64_t end, struct tdk_err *err)
{
    char name[64], aside[TAPE_PATH_MAX], path[TAPE_PATH_MAX];
    snprintf(name, sizeof name, "%010llu.torn", (unsigned long long)segment->head.number);
    unused_path(folder, name, path);
    snprintf(aside, sizeof aside, "%.*s/torn.new", TAPE_PATH_MAX - 64, folder->quarantine);
    int fd = files->open(aside, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(err, fd, "create %s", aside);
    int rc = files_copy(segment->fd, offset, end - offset, fd, 0);
    if (rc == 0)
        rc = files->fsync(fd);
    bool kept = false;
    if (rc == 0)
        rc = is_kept(folder, name, fd, end - offset, &kept);
    files->close(fd);
    if (rc == 0)
        rc = kept ? files->unlink(aside) : files->rename(aside, path);
    if (rc == 0)
        return files_sync_folder(folder->quarantine, err);
    files->unlink(aside); /* a part of it is of no use, and takes room on a full disk */
    return err_set(err, rc, "keep %s", path);
}
