#include "tape/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/owner.h"

enum { ROW_STEP_MS = 20 };

/* Locks are not storage, so these calls go to the system directly and not through the table of
 * files. */
static int set_lock(int fd, int command, int type, uint64_t first, uint64_t last)
{
    const uint64_t end = INT64_MAX;
    struct flock lock = {.l_type = (short)type,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)first,
                         .l_len = last >= end ? 0 : (off_t)(last - first + 1)};
    int rc;
    do {
        rc = fcntl(fd, command, &lock);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static int open_file(const struct folder *folder, int flags)
{
    char path[TAPE_PATH_MAX];
    snprintf(path, sizeof path, "%s/leases", folder->path);
    return owner_open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0640);
}

/* ---- readers ---- */

void leases_init(struct leases *leases)
{
    leases->fd = -1;
    leases->all = NULL;
    pthread_mutex_init(&leases->lock, NULL);
}

void leases_open(struct leases *leases, const struct folder *folder)
{
    leases->folder = folder;
    leases->fd = open_file(folder, O_RDONLY);
    leases->pid = getpid();
}

/* With the lock held. What the parent had taken before the fork is on the parent's open file, and
 * is its own. */
static void open_again_if_forked(struct leases *leases)
{
    if (leases->pid == getpid())
        return;
    close(leases->fd);
    leases->all = NULL;
    leases_open(leases, leases->folder);
}

void leases_close(struct leases *leases)
{
    if (leases->fd >= 0)
        close(leases->fd);
    leases->fd = -1;
    pthread_mutex_destroy(&leases->lock);
}

void lease_take(struct leases *leases, struct lease *lease, uint64_t first, uint64_t last)
{
    lease->first = 0;
    if (leases->fd < 0 || first == 0 || first > last)
        return;
    pthread_mutex_lock(&leases->lock);
    open_again_if_forked(leases);
    /* Waits at most as long as one of these segments is being removed. */
    if (leases->fd >= 0 && set_lock(leases->fd, F_OFD_SETLKW, F_RDLCK, first, last) == 0) {
        lease->first = first;
        lease->last = last;
        lease->next = leases->all;
        leases->all = lease;
    }
    pthread_mutex_unlock(&leases->lock);
}

/* Unlock what no other lease of this process needs. */
static void unlock_rest(const struct leases *leases, const struct lease *others, uint64_t first,
                        uint64_t last)
{
    for (const struct lease *l = others; l != NULL; l = l->next) {
        if (l->last < first || l->first > last)
            continue;
        if (first < l->first)
            unlock_rest(leases, l->next, first, l->first - 1);
        if (l->last < last)
            unlock_rest(leases, l->next, l->last + 1, last);
        return;
    }
    set_lock(leases->fd, F_OFD_SETLK, F_UNLCK, first, last);
}

void lease_give(struct leases *leases, struct lease *lease)
{
    if (lease->first == 0)
        return;
    pthread_mutex_lock(&leases->lock);
    open_again_if_forked(leases);
    struct lease **at = &leases->all;
    while (*at != NULL && *at != lease) /* a lease taken by the parent is not in the list */
        at = &(*at)->next;
    if (*at != NULL) {
        *at = lease->next;
        unlock_rest(leases, leases->all, lease->first, lease->last);
    }
    pthread_mutex_unlock(&leases->lock);
    lease->first = 0;
}

/* ---- who changes the row ---- */

int leases_hold_row(int *fd, const struct folder *folder, unsigned wait_ms, struct tdk_err *err)
{
    int file = open_file(folder, O_RDWR | O_CREAT);
    if (file < 0)
        return err_advise(err, err_set(err, -errno, "open %s/leases", folder->path), -EACCES,
                          FOLDER_WRITERS);
    const struct timespec step = {.tv_nsec = ROW_STEP_MS * (long)NS_PER_MS};
    int rc = set_lock(file, F_OFD_SETLK, F_WRLCK, 0, 0);
    for (unsigned waited = 0; (rc == -EAGAIN || rc == -EACCES) && waited < wait_ms;
         waited += ROW_STEP_MS) {
        nanosleep(&step, NULL);
        rc = set_lock(file, F_OFD_SETLK, F_WRLCK, 0, 0);
    }
    if (rc == 0) {
        *fd = file;
        return 0;
    }
    close(file);
    if (rc == -EAGAIN || rc == -EACCES)
        return err_say(err, TDK_EBUSY,
                       "tape %s: another job deletes or moves segments, or a writer is starting; "
                       "try again when it is done",
                       folder->path);
    return err_set(err, rc, "lock %s/leases", folder->path);
}

void leases_give_row(int fd)
{
    if (fd >= 0)
        close(fd);
}

bool leases_is_taken(const struct leases *leases, uint64_t segment)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)segment, .l_len = 1};
    return leases->fd >= 0 && fcntl(leases->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool leases_claim(int fd, uint64_t segment)
{
    return set_lock(fd, F_OFD_SETLK, F_WRLCK, segment, segment) == 0;
}
