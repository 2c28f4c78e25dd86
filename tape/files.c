#include "tape/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/owner.h"

#define COPY_SIZE ((size_t)1 << 20)

/* Repeat the call while a signal interrupts it, then return its result, or -errno. */
#define RETRIED(result, call)                                                                      \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) < 0 && errno == EINTR);                                                      \
    return (result) < 0 ? -errno : (result)

static int posix_open(const char *path, int flags, mode_t mode)
{
    int fd;
    RETRIED(fd, owner_open(path, flags, mode));
}

/* Not repeated after EINTR: on Linux the descriptor is closed by then, and the number may already
 * be in use again. */
static int posix_close(int fd)
{
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

static ssize_t posix_pread(int fd, void *bytes, size_t size, uint64_t offset)
{
    ssize_t n;
    RETRIED(n, pread(fd, bytes, size, (off_t)offset));
}

static ssize_t posix_pread_cached(int fd, void *bytes, size_t size, uint64_t offset)
{
    const struct iovec all = {bytes, size};
    ssize_t n;
    RETRIED(n, preadv2(fd, &all, 1, (off_t)offset, RWF_NOWAIT));
}

static ssize_t posix_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    ssize_t n;
    RETRIED(n, pwrite(fd, bytes, size, (off_t)offset));
}

static int posix_fsync(int fd)
{
    int rc;
    RETRIED(rc, fsync(fd));
}

static int posix_fdatasync(int fd)
{
    int rc;
    RETRIED(rc, fdatasync(fd));
}

static int posix_allocate(int fd, uint64_t offset, uint64_t size)
{
    int rc;
    do {
        rc = fallocate(fd, 0, (off_t)offset, (off_t)size);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return -errno;
    /* The file system cannot allocate ahead. At least the size is right. */
    return ftruncate(fd, (off_t)(offset + size)) < 0 ? -errno : 0;
}

static int posix_ftruncate(int fd, uint64_t size)
{
    int rc;
    RETRIED(rc, ftruncate(fd, (off_t)size));
}

static void stat_of(const struct stat *system, struct file_stat *stat)
{
    stat->size = (uint64_t)system->st_size;
    stat->links = system->st_nlink;
    stat->is_file = S_ISREG(system->st_mode);
    stat->is_folder = S_ISDIR(system->st_mode);
}

static int posix_fstat(int fd, struct file_stat *result)
{
    struct stat system;
    if (fstat(fd, &system) < 0)
        return -errno;
    stat_of(&system, result);
    return 0;
}

static int posix_stat(const char *path, struct file_stat *result)
{
    struct stat system;
    if (lstat(path, &system) < 0)
        return -errno;
    stat_of(&system, result);
    return 0;
}

/* Where a part is allocated and was never written, pages in the cache count as data, whether they
 * were read or only read ahead. Without these calls, a search from the end of a segment's blocks
 * would go on to the end of its file. */
static int64_t posix_seek_data(int fd, uint64_t offset)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    posix_fadvise(fd, (off_t)offset, 0, POSIX_FADV_DONTNEED);
    off_t at = lseek(fd, (off_t)offset, SEEK_DATA);
    if (at >= 0)
        return at;
    return errno == ENXIO ? -ENXIO : (int64_t)offset; /* it cannot tell: the caller must look */
}

/* A lock of the open file, not of the process: it dies with its holder and works across pid
 * namespaces. Unlike flock, it can be asked about without being taken for a moment. */
static int posix_lock(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rc;
    RETRIED(rc, fcntl(fd, F_OFD_SETLK, &lock));
}

static int posix_unlock(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rc;
    RETRIED(rc, fcntl(fd, F_OFD_SETLK, &lock));
}

static int posix_is_locked(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type != F_UNLCK && lock.l_start == byte; /* the first lock in the way */
}

static int posix_rename(const char *from, const char *to)
{
    return rename(from, to) < 0 ? -errno : 0;
}

static int posix_unlink(const char *path)
{
    return unlink(path) < 0 ? -errno : 0;
}

static int posix_mkdir(const char *path, mode_t mode)
{
    return owner_mkdir(path, mode) < 0 ? -errno : 0;
}

static int posix_rmdir(const char *path)
{
    return rmdir(path) < 0 ? -errno : 0;
}

static int posix_list(const char *path, int (*each)(const char *name, void *context), void *context)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -errno;
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        /* The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            rc = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = each(entry->d_name, context);
    }
    closedir(folder);
    return rc;
}

const struct file_ops files_posix = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pread_cached = posix_pread_cached,
    .pwrite = posix_pwrite,
    .fsync = posix_fsync,
    .fdatasync = posix_fdatasync,
    .fallocate = posix_allocate,
    .ftruncate = posix_ftruncate,
    .fstat = posix_fstat,
    .stat = posix_stat,
    .seek_data = posix_seek_data,
    .lock = posix_lock,
    .unlock = posix_unlock,
    .is_locked = posix_is_locked,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .list = posix_list,
};
const struct file_ops *files = &files_posix;

int files_read(int fd, void *bytes, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = files->pread(fd, (char *)bytes + done, size - done, offset + done);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO;
        done += (size_t)n;
    }
    return 0;
}

int files_write(int fd, const void *bytes, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = files->pwrite(fd, (const char *)bytes + done, size - done, offset + done);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO;
        done += (size_t)n;
    }
    return 0;
}

int files_copy(int from, uint64_t offset, uint64_t size, int to, uint64_t to_offset)
{
    unsigned char *buffer = malloc(COPY_SIZE);
    int rc = buffer == NULL ? -ENOMEM : 0;
    for (uint64_t done = 0; done < size && rc == 0;) {
        size_t n = size - done < COPY_SIZE ? size - done : COPY_SIZE;
        rc = files_read(from, buffer, n, offset + done);
        if (rc == 0)
            rc = files_write(to, buffer, n, to_offset + done);
        done += n;
    }
    free(buffer);
    return rc;
}

int files_sync_folder(const char *path, struct tdk_err *err)
{
    int fd = files->open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_set(err, fd, "open %s", path);
    int rc = files->fsync(fd);
    files->close(fd);
    return rc < 0 ? err_set(err, rc, "sync %s", path) : 0;
}

enum { NAME_ROOM = 4096 + 64 };

int files_sync_parent(const char *path, struct tdk_err *err)
{
    char parent[NAME_ROOM];
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    if (size == 0)
        return files_sync_folder(".", err);
    snprintf(parent, sizeof parent, "%.*s", (int)size, path);
    return files_sync_folder(parent, err);
}

static void path_aside(const char *folder, const char *name, char path[NAME_ROOM])
{
    snprintf(path, NAME_ROOM, "%s/%s.new", folder, name);
}

static int write_aside(const char *path, const void *bytes, size_t size, struct tdk_err *err)
{
    int fd = files->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(err, fd, "create %s", path);
    int rc = files_write(fd, bytes, size, 0);
    if (rc == 0)
        rc = files->fsync(fd);
    files->close(fd);
    return rc < 0 ? err_set(err, rc, "write %s", path) : 0;
}

int files_replace(const char *folder, const char *name, const void *bytes, size_t size,
                  struct tdk_err *err)
{
    char aside[NAME_ROOM], path[NAME_ROOM];
    path_aside(folder, name, aside);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int rc = write_aside(aside, bytes, size, err);
    if (rc < 0)
        return rc;
    rc = files->rename(aside, path);
    if (rc < 0)
        return err_set(err, rc, "rename %s", aside);
    return files_sync_folder(folder, err);
}

void files_reserve(const char *folder, const char *name, size_t size)
{
    char aside[NAME_ROOM];
    path_aside(folder, name, aside);
    int fd = files->open(aside, O_WRONLY | O_CREAT | O_NOFOLLOW, 0640);
    if (fd < 0)
        return;
    (void)files->fallocate(fd, 0, size);
    files->close(fd);
}

int files_read_small(const char *folder, const char *name, void *bytes, size_t size)
{
    char path[NAME_ROOM];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    int rc = files_read(fd, bytes, size, 0);
    files->close(fd);
    return rc;
}
