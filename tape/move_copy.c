/* move_copy.c - one segment's file to the other disk: written, synced, read back, compared. */
#include "tape/move_inner.h"

#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "tape/files.h"

enum {
    SYNC_EACH = 16 /* MiB between syncs: the most that queues at a disk that others write to */
};

static int go_on(struct moving *m, uint64_t bytes)
{
    m->totals->bytes_done += bytes;
    if (m->options->go_on == NULL || m->options->go_on(m->totals, m->options->context))
        return 0;
    return err_say(m->err, -ECANCELED, "interrupted");
}

static int copy_bytes(struct moving *m, int from, int to, uint64_t size, const char *path)
{
    int rc = 0;
    XXH3_128bits_reset(m->digest);
    for (uint64_t at = 0, pieces = 0; at < size && rc == 0; pieces++) {
        size_t n = size - at < MOVE_COPY_SIZE ? size - at : MOVE_COPY_SIZE;
        rc = files_read(from, m->buffer, n, at);
        if (rc == 0)
            rc = files_write(to, m->buffer, n, at);
        if (rc == 0 && pieces % SYNC_EACH == SYNC_EACH - 1)
            rc = files->fdatasync(to);
        if (rc < 0)
            return err_set(m->err, rc, "copy to %s", path);
        XXH3_128bits_update(m->digest, m->buffer, n);
        at += n;
        rc = go_on(m, n);
    }
    if (rc == 0 && (rc = files->fsync(to)) < 0)
        err_set(m->err, rc, "sync %s", path);
    /* The copy must be read back from the disk, and neither it nor its source is needed in
     * memory. */
    posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED);
    return rc;
}

/* Does the file read back as it was written? */
static int compare_bytes(struct moving *m, const char *path, uint64_t size)
{
    XXH128_hash_t digest = XXH3_128bits_digest(m->digest);
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW, 0);
    int rc = fd < 0 ? fd : 0;
    XXH3_128bits_reset(m->digest);
    for (uint64_t at = 0; at < size && rc == 0;) {
        size_t n = size - at < MOVE_COPY_SIZE ? size - at : MOVE_COPY_SIZE;
        rc = files_read(fd, m->buffer, n, at);
        if (rc == 0) {
            XXH3_128bits_update(m->digest, m->buffer, n);
            at += n;
            rc = go_on(m, 0);
        }
    }
    if (fd >= 0) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        files->close(fd);
    }
    if (rc == -ECANCELED)
        return rc;
    if (rc < 0)
        return err_set(m->err, rc, "read back %s", path);
    if (XXH128_isEqual(digest, XXH3_128bits_digest(m->digest)))
        return 0;
    return err_say(m->err, TDK_ECORRUPT,
                   "%s does not read back as it was written: is its disk bad?", path);
}

int move_copy_file(struct moving *m, int from, const char *path, uint64_t size)
{
    int fd = files->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(m->err, fd, "create %s", path);
    int rc = files->fallocate(fd, 0, size); /* so that a disk that is too small fails at once */
    if (rc < 0)
        err_set(m->err, rc, "allocate %s", path);
    else
        rc = copy_bytes(m, from, fd, size, path);
    files->close(fd);
    if (rc == 0)
        rc = compare_bytes(m, path, size);
    if (rc < 0)
        files->unlink(path);
    return rc;
}
