#include "cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

/* The mode that the shell would give with `>`, not 0600 as mkostemp() does. */
static int make_public(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(fd, 0666 & ~mask);
}

static int open_temporary(struct sink *sink, struct tdk_err *err)
{
    const char *slash = strrchr(sink->path, '/');
    int folder = slash != NULL ? (int)(slash + 1 - sink->path) : 0;
    if (asprintf(&sink->temporary, "%.*s.%s.XXXXXX", folder, sink->path, sink->path + folder) < 0) {
        sink->temporary = NULL;
        return err_set(err, -ENOMEM, "write %s", sink->path);
    }
    sink->fd = mkostemp(sink->temporary, O_CLOEXEC);
    if (sink->fd < 0) {
        int rc = -errno;
        free(sink->temporary);
        sink->temporary = NULL;
        return err_set(err, rc, "create %s", sink->path);
    }
    if (make_public(sink->fd) < 0)
        return err_set(err, -errno, "create %s", sink->path);
    return 0;
}

static int refuse(const struct sink *sink, struct tdk_err *err)
{
    return err_say(err, -EEXIST, "%s exists already; --force replaces it", sink->path);
}

static int open_file(struct sink *sink, bool force, struct tdk_err *err)
{
    struct stat st;
    const bool there = stat(sink->path, &st) == 0;
    const bool is_lost_link = !there && lstat(sink->path, &st) == 0;
    sink->force = force;
    if (there && S_ISDIR(st.st_mode))
        return err_set(err, -EISDIR, "write %s", sink->path);
    if (there && !S_ISREG(st.st_mode)) {
        sink->fd = open(sink->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return sink->fd < 0 ? err_set(err, -errno, "open %s", sink->path) : 0;
    }
    if ((there || is_lost_link) && !force)
        return refuse(sink, err);
    return open_temporary(sink, err);
}

int sink_open(struct sink *sink, const char *path, bool binary, bool force, struct tdk_err *err)
{
    *sink = (struct sink){.fd = -1};
    int rc = 0;
    if (path == NULL || strcmp(path, "-") == 0) {
        sink->fd = STDOUT_FILENO;
    } else {
        sink->path = path;
        rc = open_file(sink, force, err);
    }
    if (rc == 0 && binary && isatty(sink->fd))
        rc = err_say(err, TDK_EVALUE,
                     "this is binary and would garble the terminal; write it to a file with -O, or "
                     "to a pipe");
    if (rc < 0)
        sink_close(sink);
    return rc;
}

int sink_write(struct sink *sink, const void *bytes, size_t size, struct tdk_err *err)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = write(sink->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, -errno, "write %s", sink->path != NULL ? sink->path : "stdout");
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Somebody may have made a file of that name meanwhile. Not every file system can check that. */
static int give_name(const struct sink *sink)
{
    if (sink->force)
        return rename(sink->temporary, sink->path);
    if (renameat2(AT_FDCWD, sink->temporary, AT_FDCWD, sink->path, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? rename(sink->temporary, sink->path) : -1;
}

/* Keep the temporary file: what was written may be nowhere else. */
static int keep(struct sink *sink, struct tdk_err *err)
{
    int rc = err_say(err, -EEXIST,
                     "%s was created by somebody else meanwhile; what was written is in %s",
                     sink->path, sink->temporary);
    free(sink->temporary);
    sink->temporary = NULL;
    return rc;
}

int sink_finish(struct sink *sink, struct tdk_err *err)
{
    if (sink->temporary == NULL)
        return 0;
    if (fsync(sink->fd) < 0 || give_name(sink) < 0)
        return errno == EEXIST ? keep(sink, err) : err_set(err, -errno, "finish %s", sink->path);
    free(sink->temporary);
    sink->temporary = NULL;
    return 0;
}

void sink_close(struct sink *sink)
{
    if (sink->temporary != NULL)
        (void)unlink(sink->temporary);
    free(sink->temporary);
    sink->temporary = NULL;
    if (sink->fd >= 0 && sink->fd != STDOUT_FILENO)
        (void)close(sink->fd);
    sink->fd = -1;
}
