/*
 * faulty.h - files that fail on command: the nth call that changes something, and those after it.
 *
 * Reading always works, so the calls that fail are those that would fail on a full or dying disk. A
 * process that dies half-way is the same as one in which all calls fail from some call on.
 */
#ifndef TDK_TESTS_FAULTY_H
#define TDK_TESTS_FAULTY_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "tape/files.h"

struct faulty {
    unsigned calls;   /* calls that changed something so far */
    unsigned fail_at; /* the first call to fail, from 1; 0: none */
    bool for_ever;    /* and all calls after it */
    bool torn;        /* half of a write that fails is written */
    int code;
};

static struct faulty faulty;

static inline bool faulty_now(void)
{
    faulty.calls++;
    return faulty.fail_at != 0 &&
           (faulty.calls == faulty.fail_at || (faulty.for_ever && faulty.calls > faulty.fail_at));
}

static inline int faulty_open(const char *path, int flags, mode_t mode)
{
    if ((flags & (O_CREAT | O_TRUNC)) != 0 && faulty_now())
        return faulty.code;
    return files_posix.open(path, flags, mode);
}

static inline ssize_t faulty_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    if (!faulty_now())
        return files_posix.pwrite(fd, bytes, size, offset);
    if (faulty.torn)
        files_posix.pwrite(fd, bytes, size / 2 / 4096 * 4096, offset);
    return faulty.code;
}

static inline int faulty_fsync(int fd)
{
    return faulty_now() ? faulty.code : files_posix.fsync(fd);
}

static inline int faulty_fdatasync(int fd)
{
    return faulty_now() ? faulty.code : files_posix.fdatasync(fd);
}

static inline int faulty_fallocate(int fd, uint64_t offset, uint64_t size)
{
    return faulty_now() ? faulty.code : files_posix.fallocate(fd, offset, size);
}

static inline int faulty_ftruncate(int fd, uint64_t size)
{
    return faulty_now() ? faulty.code : files_posix.ftruncate(fd, size);
}

static inline int faulty_rename(const char *from, const char *to)
{
    return faulty_now() ? faulty.code : files_posix.rename(from, to);
}

static inline int faulty_unlink(const char *path)
{
    return faulty_now() ? faulty.code : files_posix.unlink(path);
}

static inline int faulty_mkdir(const char *path, mode_t mode)
{
    return faulty_now() ? faulty.code : files_posix.mkdir(path, mode);
}

/* From here on calls are counted, and fail as `faulty` says. */
static inline void faulty_begin(unsigned fail_at, bool for_ever, int code)
{
    static struct file_ops ops;
    ops = files_posix;
    ops.open = faulty_open;
    ops.pwrite = faulty_pwrite;
    ops.fsync = faulty_fsync;
    ops.fdatasync = faulty_fdatasync;
    ops.fallocate = faulty_fallocate;
    ops.ftruncate = faulty_ftruncate;
    ops.rename = faulty_rename;
    ops.unlink = faulty_unlink;
    ops.mkdir = faulty_mkdir;
    faulty = (struct faulty){
        .fail_at = fail_at, .for_ever = for_ever, .torn = fail_at % 2 == 0, .code = code};
    files = &ops;
}

static inline void faulty_end(void)
{
    files = &files_posix;
}

#endif
