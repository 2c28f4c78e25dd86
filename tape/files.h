/*
 * files.h - every file call of the code that writes or recovers a tape, in one table.
 *
 * Tests put a file system of their own behind `files`, one that loses, tears and fails on command.
 * The calls return what the system's calls do, with -errno for failure; interrupted calls are
 * repeated. A short read or write is a valid result: the helpers below go on where it ended. Any
 * thread.
 */
#ifndef TDK_TAPE_FILES_H
#define TDK_TAPE_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tapedeck/err.h"

struct file_stat {
    uint64_t size;
    uint64_t links; /* names that it has; 0: it is deleted, and only open descriptors keep it */
    int is_file, is_folder; /* neither: a link, a FIFO, ... (links are not followed) */
};

struct file_ops {
    int (*open)(const char *path, int flags, mode_t mode); /* a descriptor; O_CLOEXEC is added */
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *bytes, size_t size, uint64_t offset);
    /* Read what is in memory. Fewer bytes, or -EAGAIN, where the disk would have to be read. NULL:
     * the system cannot tell. */
    ssize_t (*pread_cached)(int fd, void *bytes, size_t size, uint64_t offset);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t size, uint64_t offset);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*fallocate)(int fd, uint64_t offset, uint64_t size); /* the file's size grows with it */
    int (*ftruncate)(int fd, uint64_t size);
    int (*fstat)(int fd, struct file_stat *stat);
    int (*stat)(const char *path, struct file_stat *stat);
    /* The next offset where the file may hold anything but zeros; -ENXIO. From then on there is no
     * read-ahead of this file. */
    int64_t (*seek_data)(int fd, uint64_t offset);
    /* Lock a byte of the file, whether the file is that long or not: exclusive, released with the
     * descriptor. -EAGAIN: another holder has it. */
    int (*lock)(int fd, unsigned byte);
    int (*unlock)(int fd, unsigned byte);
    int (*is_locked)(int fd, unsigned byte); /* by another holder, 1 or 0; asks without locking */
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path); /* an empty one */
    /* Each name in a folder, in no order, without "." and "..". Not 0 from `each` ends the walk. */
    int (*list)(const char *path, int (*each)(const char *name, void *context), void *context);
};

extern const struct file_ops *files; /* set before any thread starts */
extern const struct file_ops files_posix;

/* Read or write all of it, or return an error: -EIO when the file ends before. */
int files_read(int fd, void *bytes, size_t size, uint64_t offset);
int files_write(int fd, const void *bytes, size_t size, uint64_t offset);
int files_copy(int from, uint64_t offset, uint64_t size, int to, uint64_t to_offset); /* -ENOMEM */

/* Make the names in a folder durable. */
int files_sync_folder(const char *path, struct tdk_err *err);

/* The same of the folder that `path` is in. */
int files_sync_parent(const char *path, struct tdk_err *err);

/* A small file, whole and durable, under its name or not at all: written aside, synced, renamed,
 * and the folder synced. */
int files_replace(const char *folder, const char *name, const void *bytes, size_t size,
                  struct tdk_err *err);

/* Reserve room for the next version of this file, `size` bytes, so that it can be written when the
 * disk is full. Best effort: it takes what room there is now. */
void files_reserve(const char *folder, const char *name, size_t size);

/* Read the beginning of such a file, wherever it was written. No link is followed, and nothing
 * blocks. -ENOENT; -EIO: it is shorter. */
int files_read_small(const char *folder, const char *name, void *bytes, size_t size);

#endif
