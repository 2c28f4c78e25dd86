/* folder.c - which tape it is, and who writes to it. folder_names.c: its segments' files;
 * folder_clean.c: the mark of a clean end; folder_discard.c: made for nothing. */
#include "tape/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/format.h"

/* ---- tape.meta ---- */

static uint32_t meta_crc(const struct tape_meta *meta)
{
    struct tape_meta copy = *meta;
    copy.crc = 0;
    return crc32c(0, &copy, sizeof copy);
}

/* 0; -ENOENT: there is none; TDK_ECORRUPT: it is not a valid one; TDK_EVERSION. */
static int read_meta(struct folder *folder, struct tdk_err *err)
{
    struct tape_meta meta;
    int rc = files_read_small(folder->path, "tape.meta", &meta, sizeof meta);
    if (rc == -ENOENT)
        return rc;
    if (rc < 0 && rc != -EIO)
        return err_advise(err, err_set(err, rc, "read %s/tape.meta", folder->path), -EACCES,
                          FOLDER_READERS);
    if (rc == -EIO || meta.magic != TAPE_MAGIC || meta.crc != meta_crc(&meta))
        return err_set(err, TDK_ECORRUPT, "read %s/tape.meta", folder->path);
    if (meta.version != TAPE_VERSION)
        return err_say(err, TDK_EVERSION, "%s is a tape of version %u, this program reads %u",
                       folder->path, meta.version, TAPE_VERSION);
    memcpy(folder->tape_id, meta.tape_id, sizeof folder->tape_id);
    folder->created_ns = meta.created_ns;
    folder->first_segment = meta.first_segment > 1 ? meta.first_segment : 1;
    return 0;
}

static int write_meta(struct folder *folder, struct tdk_err *err)
{
    struct tape_meta meta = {.magic = TAPE_MAGIC,
                             .version = TAPE_VERSION,
                             .created_ns = folder->created_ns,
                             .first_segment = folder->first_segment};
    memcpy(meta.tape_id, folder->tape_id, sizeof meta.tape_id);
    meta.crc = meta_crc(&meta);
    return files_replace(folder->path, "tape.meta", &meta, sizeof meta, err);
}

/* Take the tape's identity from the first segment that has a valid head. -ENOENT: none has. */
static int identity_from_segments(struct folder *folder, struct tdk_err *err)
{
    struct segment_name *names = NULL;
    size_t count = 0;
    int rc = folder_segments(folder, &names, &count, err);
    if (rc < 0)
        return rc;
    rc = -ENOENT;
    for (size_t i = 0; i < count && rc != 0; i++) {
        char path[TAPE_PATH_MAX];
        struct segment_head head;
        folder_segment_path(folder, names[i].number, names[i].stage, path);
        const char *slash = strrchr(path, '/');
        if (files_read_small(folder->segments, slash + 1, &head, sizeof head) < 0)
            continue;
        uint32_t crc = head.crc;
        head.crc = 0;
        if (head.magic != SEGMENT_MAGIC || crc != crc32c(0, &head, sizeof head))
            continue;
        memcpy(folder->tape_id, head.tape_id, sizeof folder->tape_id);
        folder->created_ns = head.created_ns;
        folder->first_segment = 1; /* what was deleted on purpose is in `retired` */
        rc = 0;
    }
    free(names);
    return rc;
}

/* ---- opening ---- */

static int set_paths(struct folder *folder, const char *path, struct tdk_err *err)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    memset(folder, 0, sizeof *folder);
    folder->lock_fd = -1;
    if (size == 0 || size >= sizeof folder->path)
        return err_set(err, size == 0 ? -ENOENT : -ENAMETOOLONG, "open tape %s", path);
    memcpy(folder->path, path, size);
    snprintf(folder->segments, sizeof folder->segments, "%s/segments", folder->path);
    snprintf(folder->index, sizeof folder->index, "%s/index", folder->path);
    snprintf(folder->quarantine, sizeof folder->quarantine, "%s/quarantine", folder->path);
    return 0;
}

static bool is_folder(const char *path)
{
    struct file_stat stat;
    return files->stat(path, &stat) == 0 && stat.is_folder;
}

/* Identify the tape by tape.meta, else by its segments. A folder with neither is no tape. */
static int identify(struct folder *folder, struct tdk_err *err)
{
    int rc = read_meta(folder, err);
    if (rc != -ENOENT && rc != TDK_ECORRUPT)
        return rc;
    int meta_rc = rc;
    rc = identity_from_segments(folder, err);
    if (rc == 0)
        folder->meta_missing = true;
    else if (rc == -ENOENT && meta_rc == -ENOENT)
        rc = err_say(err, TDK_ENOTAPE, "%s is not a tape: it has no tape.meta and no segments",
                     folder->path);
    else if (rc == -ENOENT)
        rc = err_say(err, TDK_ECORRUPT, "%s/tape.meta is damaged, and no segment can replace it",
                     folder->path);
    return rc;
}

int folder_open(struct folder *folder, const char *path, struct tdk_err *err)
{
    int rc = set_paths(folder, path, err);
    if (rc < 0)
        return rc;
    int fd = files->open(folder->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOTDIR)
        return err_say(err, TDK_ENOTAPE, "%s is not a tape: it is not a directory", folder->path);
    if (fd < 0) {
        err_set(err, fd, "open tape %s", folder->path);
        return err_advise(err, fd, -EACCES, FOLDER_READERS);
    }
    files->close(fd);
    return identify(folder, err);
}

int folder_check(const struct folder *folder, struct tdk_err *err)
{
    struct folder now;
    int rc = folder_open(&now, folder->path, err);
    if (rc == 0 && memcmp(now.tape_id, folder->tape_id, sizeof now.tape_id) != 0)
        return err_say(err, TDK_ENOTAPE, "%s: another tape than before is there now", folder->path);
    return rc;
}

/* ---- holding ---- */

/* The pid that a holder leaves in TAPE/lock. 0: there is none. */
static unsigned long holder_of(int fd)
{
    char text[24] = {0};
    ssize_t n = files->pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? strtoul(text, NULL, 10) : 0;
}

static int refuse_second(int fd, const char *path, struct tdk_err *err)
{
    char who[40] = "";
    unsigned long pid = holder_of(fd);
    if (pid != 0)
        snprintf(who, sizeof who, ", pid %lu", pid);
    return err_say(err, TDK_EBUSY,
                   "tape %s is in use by another writer%s; stop it first, or use another tape",
                   path, who);
}

/* Bytes of TAPE/lock. They are not adjacent, because adjacent locks become one. A program of an
 * earlier version locks the whole file: it holds the tape, and does not doubt the index. */
enum { LOCK_HOLDER = 0, LOCK_DOUBT = 2 };

static int take_lock(struct folder *folder, struct tdk_err *err)
{
    char path[TAPE_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/lock", folder->path);
    int fd = files->open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_advise(err, err_set(err, fd, "open %s", path), -EACCES, FOLDER_WRITERS);
    int rc = files->lock(fd, LOCK_HOLDER);
    if (rc < 0) {
        rc = rc == -EAGAIN || rc == -EACCES ? refuse_second(fd, folder->path, err)
                                            : err_set(err, rc, "lock %s", path);
        files->close(fd);
        return rc;
    }
    char pid[32];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* A comment for people. A full disk must not keep a recorder from its rings. */
    if (files->ftruncate(fd, 0) == 0)
        (void)files_write(fd, pid, (size_t)n, 0);
    folder->lock_fd = fd;
    return 0;
}

static int make_folder(const char *path, struct tdk_err *err)
{
    int rc = files->mkdir(path, 0770);
    return rc < 0 && rc != -EEXIST ? err_set(err, rc, "create %s", path) : 0;
}

static int make_root(struct folder *folder, bool create, struct tdk_err *err)
{
    const char *path = folder->path;
    struct file_stat stat;
    if (is_folder(path))
        return 0;
    int rc = files->stat(path, &stat);
    if (rc == 0) {
        int fd = files->open(path, O_RDONLY | O_DIRECTORY, 0); /* possibly through a link */
        if (fd < 0)
            return err_say(err, TDK_ENOTAPE, "%s is not a tape: it is not a directory", path);
        files->close(fd);
        return 0;
    }
    if (!create)
        return err_set(err, rc, "open tape %s", path);
    rc = make_folder(path, err);
    folder->is_root_new = rc == 0;
    return rc < 0 ? rc : files_sync_parent(path, err);
}

/* Names that remain when a writer dies before the folder is a tape are not foreign. */
static int name_is_foreign(const char *name, void *context)
{
    (void)context;
    return strcmp(name, "lock") != 0 && strcmp(name, "tape.meta.new") != 0;
}

static int refuse_foreign(const struct folder *folder, struct tdk_err *err)
{
    if (files->list(folder->path, name_is_foreign, NULL) != 1)
        return 0;
    return err_say(err, TDK_ENOTAPE,
                   "%s is not a tape, and not empty: name a new or an empty directory",
                   folder->path);
}

/* A folder that belongs to something else is refused before anything is put into it, even a
 * lock. */
static int check_folder(struct folder *folder, bool create, struct tdk_err *err)
{
    int rc = identify(folder, err);
    if (rc != TDK_ENOTAPE)
        return 0; /* a tape, or a damaged one: checked again under the lock */
    return create ? refuse_foreign(folder, err) : rc;
}

static int new_tape(struct folder *folder, struct tdk_err *err)
{
    int rc = refuse_foreign(folder, err);
    if (rc < 0)
        return rc;
    if (getrandom(folder->tape_id, sizeof folder->tape_id, 0) != sizeof folder->tape_id)
        return err_set(err, -errno, "make an id for tape %s", folder->path);
    folder->created_ns = clock_wall();
    folder->first_segment = 1;
    folder->is_new = true;
    return write_meta(folder, err);
}

/* The file that readers put their leases on (lease.h). */
static int make_leases(const struct folder *folder, struct tdk_err *err)
{
    char path[TAPE_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/leases", folder->path);
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd == -ENOENT)
        fd = files->open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(err, fd, "create %s", path);
    files->close(fd);
    return 0;
}

static int make_parts(const struct folder *folder, struct tdk_err *err)
{
    const char *const parts[] = {folder->segments, folder->index, folder->quarantine};
    for (size_t i = 0; i < array_size(parts); i++) {
        int rc = make_folder(parts[i], err);
        if (rc < 0)
            return rc;
    }
    int rc = make_leases(folder, err);
    return rc == 0 ? files_sync_folder(folder->path, err) : rc;
}

int folder_hold(struct folder *folder, const char *path, bool create, struct tdk_err *err)
{
    int rc = set_paths(folder, path, err);
    if (rc == 0)
        rc = make_root(folder, create, err);
    if (rc == 0)
        rc = check_folder(folder, create, err);
    if (rc < 0)
        return rc;
    rc = take_lock(folder, err);
    if (rc < 0)
        return rc;
    rc = identify(folder, err);
    if (rc == TDK_ENOTAPE && create)
        rc = new_tape(folder, err);
    else if (rc == 0 && folder->meta_missing)
        rc = write_meta(folder, err);
    if (rc == 0)
        rc = make_parts(folder, err);
    if (rc < 0)
        folder_close(folder);
    return rc;
}

void folder_close(struct folder *folder)
{
    if (folder->lock_fd >= 0)
        files->close(folder->lock_fd);
    folder->lock_fd = -1;
}

static int open_lock(const struct folder *folder)
{
    char path[TAPE_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/lock", folder->path);
    return files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

static bool is_locked(const struct folder *folder, unsigned byte)
{
    int fd = open_lock(folder);
    if (fd < 0)
        return false;
    int rc = files->is_locked(fd, byte);
    files->close(fd);
    return rc == 1;
}

bool folder_is_held(const struct folder *folder)
{
    return is_locked(folder, LOCK_HOLDER);
}

bool folder_is_not_held_by(const struct folder *folder, uint32_t pid)
{
    int fd = open_lock(folder);
    if (fd < 0)
        return fd == -ENOENT;
    int rc = files->is_locked(fd, LOCK_HOLDER);
    unsigned long holder = rc == 1 ? holder_of(fd) : 0;
    files->close(fd);
    return rc == 0 || (holder != 0 && holder != pid);
}

void folder_doubt_index(const struct folder *folder, bool doubt)
{
    if (doubt)
        files->lock(folder->lock_fd, LOCK_DOUBT);
    else
        files->unlock(folder->lock_fd, LOCK_DOUBT);
}

bool folder_index_is_doubted(const struct folder *folder)
{
    return is_locked(folder, LOCK_DOUBT);
}
