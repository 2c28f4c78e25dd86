#include "tape/view.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/rebuild.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* The shared views of this process that are open; private ones are not among them. */
static struct view *shared;

struct view *view_hold(struct view *view)
{
    pthread_mutex_lock(&lock);
    view->holders++;
    pthread_mutex_unlock(&lock);
    return view;
}

void view_drop(struct view *view)
{
    if (view == NULL)
        return;
    pthread_mutex_lock(&lock);
    bool last = --view->holders == 0;
    if (last) {
        struct view **at = &shared;
        while (*at != NULL && *at != view)
            at = &(*at)->next;
        if (*at == view)
            *at = view->next;
        /* Under the lock: nobody may open this file before it is closed. */
        index_close(view->index);
    }
    pthread_mutex_unlock(&lock);
    if (last) {
        view_drop(view->under);
        free(view);
    }
}

struct view *view_new(struct index *index)
{
    struct view *view = calloc(1, sizeof *view);
    if (view != NULL) {
        view->index = index;
        view->holders = 1;
    }
    return view;
}

/* ---- the tape's own ---- */

/* NULL, and the index is closed: it does not have the whole tape. */
static struct view *view_of_complete(struct index *index, const struct folder *folder,
                                     struct tdk_err *err)
{
    struct view *view = index_is_complete(index) ? view_new(index) : NULL;
    if (view == NULL) {
        index_close(index);
        err_set(err, TDK_ECORRUPT, "index %s", folder->index);
    }
    return view;
}

/* With the lock held. */
static int open_shared(struct view **view, const struct folder *folder, const struct stat *file,
                       struct tdk_err *err)
{
    for (struct view *v = shared; v != NULL; v = v->next)
        if (v->device == file->st_dev && v->inode == file->st_ino) {
            v->holders++;
            *view = v;
            return 0;
        }

    struct index *index;
    int rc = index_open(&index, folder->index, folder->tape_id, false, err);
    if (rc < 0)
        return rc;
    struct view *v = view_of_complete(index, folder, err);
    if (v == NULL)
        return TDK_ECORRUPT;
    v->device = file->st_dev;
    v->inode = file->st_ino;
    v->next = shared;
    shared = v;
    *view = v;
    return 0;
}

/* Was the index whole when the last writer left, and has no writer been there since? Segments that
 * are gone are no argument against it: it knows what was in them. */
static bool is_marked(const struct folder *folder, uint64_t *marked)
{
    uint64_t last;
    return folder_row_end(folder, &last, NULL) == 0 && folder_clean_segment(folder, marked) &&
           last <= *marked;
}

bool view_should_be_trusted(const struct folder *folder)
{
    uint64_t marked;
    return folder_is_held(folder) ? !folder_index_is_doubted(folder) : is_marked(folder, &marked);
}

static bool is_clean(const struct folder *folder)
{
    uint64_t marked;
    return is_marked(folder, &marked) && folder_is_clean(folder, marked);
}

static int check_vouched(const struct folder *folder, bool held, struct tdk_err *err)
{
    bool vouched = held ? !folder_index_is_doubted(folder) : is_clean(folder);
    return vouched ? 0 : err_set(err, TDK_ECORRUPT, "index %s", folder->index);
}

/* Copy the index as it is now, for a reader that cannot share it with its writer. This is done
 * without the lock, because it takes long if the index is large. */
static int open_copy(struct view **view, const struct folder *folder, bool held,
                     struct tdk_err *err)
{
    struct index *index;
    int rc = index_open_copy(&index, folder->index, folder->tape_id, err);
    if (rc < 0)
        return rc;
    struct view *v = view_of_complete(index, folder, err);
    if (v == NULL)
        return TDK_ECORRUPT;
    v->is_copy = true;
    v->live = held;
    v->is_of_growing = held;
    *view = v;
    return 0;
}

void view_expect(const char *tape)
{
    enum { BEGINNING = 1 << 20 };
    const char *const names[] = {"clean", "data.mdb"};
    for (size_t i = 0; i < array_size(names); i++) {
        char path[TAPE_PATH_MAX + 32];
        if (snprintf(path, sizeof path, "%s/index/%s", tape, names[i]) >= (int)sizeof path)
            return;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, BEGINNING, POSIX_FADV_WILLNEED);
        close(fd);
    }
}

int view_open_trusted(struct view **view, const struct folder *folder, struct tdk_err *err)
{
    char path[TAPE_PATH_MAX + 16];
    struct stat file;
    snprintf(path, sizeof path, "%s/data.mdb", folder->index);
    if (stat(path, &file) < 0)
        return err_set(err, -errno, "index %s", path);
    bool held = folder_is_held(folder);
    int rc = check_vouched(folder, held, err);
    if (rc < 0)
        return rc;
    bool can_share = !held || index_can_be_shared(folder->index);
    pthread_mutex_lock(&lock);
    rc = can_share ? open_shared(view, folder, &file, err) : -EACCES;
    if (rc == 0)
        (*view)->live = held;
    pthread_mutex_unlock(&lock);
    /* TDK_EFULL: it has no slot left for another reader. */
    if (rc == -EACCES || rc == -EAGAIN || rc == TDK_EFULL)
        rc = open_copy(view, folder, held, err);
    return rc;
}

/* ---- private ---- */

static int open_private(struct view **view, struct index *index, int rc, struct tdk_err *err)
{
    struct view *v = rc < 0 ? NULL : view_new(index);
    if (v == NULL) {
        index_close(index);
        return rc < 0 ? rc : err_set(err, -ENOMEM, "open index");
    }
    v->is_private = true;
    *view = v;
    return 0;
}

int view_open(struct view **view, const struct folder *folder, struct tdk_err *err)
{
    if (view_open_trusted(view, folder, NULL) == 0)
        return 0;
    struct index *index;
    bool held = folder_is_held(folder);
    int rc = index_open_private(&index, folder->tape_id, err);
    if (rc < 0)
        return rc;
    rc = open_private(view, index, rebuild_index(folder, index, NULL, NULL, err), err);
    if (rc == 0)
        (*view)->is_of_growing = held;
    return rc;
}

int view_open_lone(struct view **view, const char *path, uint8_t tape_id[16], struct tdk_err *err)
{
    struct index *index;
    static const uint8_t any[16];
    int rc = index_open_private(&index, any, err);
    if (rc < 0)
        return rc;
    return open_private(view, index, rebuild_lone(path, index, tape_id, NULL, err), err);
}
