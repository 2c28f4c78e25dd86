#include "index/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/owner.h"
#include "index/snapshot.h"

#define MAP_FIRST   ((size_t)64 << 20)
#define READERS_MAX 512                       /* in all processes together */
#define ROOM_LEAST  ((uint64_t)1 << 20)       /* with less, a write may have been cut short */
#define LOCK_ROOM   (READERS_MAX * 64 + 4096) /* 64 bytes for each, and a head */

struct store {
    MDB_env *env; /* NULL: it had to be closed and has not been opened again yet */
    MDB_dbi dbi;
    bool write, private;
    /* Views share this lock. Growing or moving the map takes it exclusively, because LMDB allows no
     * transaction meanwhile. Private memory has no LMDB locks at all, so a write there takes it
     * exclusively, too. */
    pthread_rwlock_t views;
    uint64_t tidied_txn; /* last committed transaction as of the previous tidying */
    char *dir;           /* NULL: private, and empty at first */
    char name[256];      /* for messages */
};

/* Convert LMDB's codes to ours. */
static int code_of(int rc)
{
    if (rc > 0)
        return -rc;
    switch (rc) {
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
    case MDB_BAD_TXN:
    case MDB_NOTFOUND:
    case MDB_INCOMPATIBLE:
        return TDK_ECORRUPT;
    case MDB_VERSION_MISMATCH:
        return TDK_EVERSION;
    case MDB_MAP_FULL:
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
        return TDK_EFULL;
    default:
        return TDK_EINTERNAL;
    }
}

/* LMDB calls it EIO when the disk had room for part of a write only. */
static bool is_out_of_room(const struct store *store, int rc)
{
    struct statvfs disk;
    return rc == EIO && !store->private && statvfs(store->dir, &disk) == 0 &&
           (uint64_t)disk.f_bavail * disk.f_frsize < ROOM_LEAST;
}

static int fail(const struct store *store, int rc, const char *doing, struct tdk_err *err)
{
    if (is_out_of_room(store, rc))
        rc = ENOSPC;
    if (rc == EAGAIN)
        return err_say(err, -EAGAIN,
                       "%s index %s: a process with this one's pid, in another container, reads it "
                       "too; try again, or let both share one pid namespace",
                       doing, store->name);
    if (rc == MDB_READERS_FULL)
        return err_say(err, TDK_EFULL, "%s index %s: more than %d readers at once", doing,
                       store->name, READERS_MAX);
    return err_say(err, code_of(rc), "%s index %s: %s", doing, store->name, mdb_strerror(rc));
}

/* ---- open, close ---- */

bool store_can_lock(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock.mdb", dir);
    return access(path, R_OK | W_OK) == 0;
}

static int make_file(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return owner_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);
}

/* To LMDB an empty file is the same as none. But a file that LMDB makes would be ours, not the
 * folder owner's. */
static int make_data(const char *dir)
{
    int fd = make_file(dir, "data.mdb");
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/* LMDB stores into its lock file through a mapping. If the disk had no room for it, that would kill
 * us with SIGBUS. So it gets all its room beforehand. */
static int make_lock(const char *dir)
{
    int fd = make_file(dir, "lock.mdb");
    if (fd < 0)
        return errno;
    struct stat file; /* an existing one keeps its size: others may have it mapped */
    int rc = fstat(fd, &file) < 0 ? errno : EINTR;
    while (rc == EINTR)
        rc = posix_fallocate(fd, 0, file.st_size > 0 ? file.st_size : LOCK_ROOM);
    close(fd);
    return rc == EOPNOTSUPP || rc == EINVAL ? 0 : rc;
}

/* Reading creates nothing, not even a lock file. Without one, LMDB's locks are not used. That is
 * for an index that nobody writes to, which the caller must know. */
static int open_folder(struct store *store, const char *dir)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    int rc = 0;
    if (store->write) {
        flags |= MDB_NOSYNC;
        rc = make_lock(dir);
        if (rc == 0)
            rc = make_data(dir);
    } else {
        flags |= MDB_RDONLY | (store_can_lock(dir) ? 0 : MDB_NOLOCK);
    }
    return rc == 0 ? mdb_env_open(store->env, dir, flags, 0640) : rc;
}

/* Empty, or a copy of what is in a folder. LMDB needs a path, and a memory file has one while it is
 * open. */
static int open_private(struct store *store)
{
    int fd = memfd_create("tapedeck-index", MFD_CLOEXEC);
    if (fd < 0)
        return errno;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = store->dir != NULL ? snapshot_copy(store->dir, fd) : 0;
    if (rc == 0)
        rc = mdb_env_open(store->env, path, MDB_NOTLS | MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC,
                          0600);
    close(fd);
    return rc;
}

/* A file that is shorter than its own head says would kill a reader with SIGBUS. */
static int check_size(const struct store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_filehandle_t fd;
    struct stat file;
    int rc = mdb_env_info(store->env, &info);
    if (rc == 0)
        rc = mdb_env_stat(store->env, &stat);
    if (rc == 0)
        rc = mdb_env_get_fd(store->env, &fd);
    if (rc != 0)
        return rc;
    if (fstat(fd, &file) < 0)
        return errno;
    return (uint64_t)file.st_size < (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize
               ? MDB_CORRUPTED
               : 0;
}

static int open_dbi(struct store *store)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, store->write ? 0 : MDB_RDONLY, &txn);
    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

static void forget_dead(const struct store *store)
{
    int dead;
    mdb_reader_check(store->env, &dead);
}

static int open_env(struct store *store)
{
    int rc = mdb_env_create(&store->env);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(store->env, READERS_MAX);
    /* An existing map keeps its size if that is larger. */
    if (rc == 0 && store->write)
        rc = mdb_env_set_mapsize(store->env, MAP_FIRST);
    if (rc == 0)
        rc = store->private ? open_private(store) : open_folder(store, store->dir);
    if (rc == 0)
        rc = check_size(store);
    if (rc == 0 && store->write)
        forget_dead(store);
    return rc == 0 ? open_dbi(store) : rc;
}

int store_open(struct store **store, const char *dir, enum store_home home, struct tdk_err *err)
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "open index");
    s->private = home == STORE_MEMORY || home == STORE_COPY;
    s->write = home != STORE_READ;
    snprintf(s->name, sizeof s->name, "%.255s", s->private ? "in memory" : dir);
    s->dir = dir != NULL ? strdup(dir) : NULL;
    int rc = dir == NULL || s->dir != NULL ? pthread_rwlock_init(&s->views, NULL) : ENOMEM;
    if (rc != 0) {
        free(s->dir);
        free(s);
        return err_set(err, -rc, "open index");
    }
    rc = open_env(s);
    if (rc != 0) {
        rc = fail(s, rc, "open", err);
        store_close(s);
        return rc;
    }
    *store = s;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->env != NULL)
        mdb_env_close(store->env);
    pthread_rwlock_destroy(&store->views);
    free(store->dir);
    free(store);
}

int store_sync(struct store *store, struct tdk_err *err)
{
    int rc = store->private ? 0 : store->env != NULL ? mdb_env_sync(store->env, 1) : MDB_PANIC;
    return rc != 0 ? fail(store, rc, "sync", err) : 0;
}

/* ---- writing ---- */

static int put_all(struct store *store, MDB_txn *txn, const struct batch *batch)
{
    struct batch_item item;
    for (size_t at = 0; batch_next(batch, &at, &item);) {
        /* The pointers in LMDB's values are not const, but LMDB does not write through these. */
        MDB_val key = {item.key_size, (void *)(uintptr_t)item.key};
        MDB_val value = {item.value_size, (void *)(uintptr_t)item.value};
        int rc = item.value != NULL ? mdb_put(txn, store->dbi, &key, &value, 0)
                                    : mdb_del(txn, store->dbi, &key, NULL);
        if (rc != 0 && (item.value != NULL || rc != MDB_NOTFOUND))
            return rc;
    }
    return 0;
}

static int write_once(struct store *store, const struct batch *batch)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    rc = put_all(store, txn, batch);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

/* Double the map, or take the size that another process has given it. */
static int grow(struct store *store, bool twice)
{
    MDB_envinfo info;
    pthread_rwlock_wrlock(&store->views);
    int rc = mdb_env_info(store->env, &info);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->env, twice ? 2 * info.me_mapsize : 0);
    pthread_rwlock_unlock(&store->views);
    return rc;
}

static int open_again(struct store *store)
{
    pthread_rwlock_wrlock(&store->views);
    if (store->env != NULL)
        mdb_env_close(store->env);
    store->env = NULL;
    int rc = open_env(store);
    if (rc != 0 && store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
    pthread_rwlock_unlock(&store->views);
    return rc;
}

/* If its head could not be written, LMDB accepts nothing more in an environment, not even a read.
 * So it is opened anew before anybody reads it. Only the writer may do that, because nobody else
 * knows when nothing is being written. If it cannot be opened now, the next write tries again. */
static void heal(struct store *store)
{
    MDB_txn *look;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &look);
    if (rc == 0)
        mdb_txn_abort(look);
    else if (rc == MDB_PANIC)
        (void)open_again(store);
}

int store_write(struct store *store, const struct batch *batch, struct tdk_err *err)
{
    bool opened_again = false;
    for (;;) {
        if (store->private)
            pthread_rwlock_wrlock(&store->views);
        int rc = store->env != NULL ? write_once(store, batch) : MDB_PANIC;
        if (store->private)
            pthread_rwlock_unlock(&store->views);
        if (rc == 0)
            return 0;
        if (rc == MDB_MAP_FULL || rc == MDB_MAP_RESIZED) {
            rc = grow(store, rc == MDB_MAP_FULL);
        } else if (rc == MDB_PANIC && !store->private && !opened_again) {
            rc = open_again(store);
            opened_again = true;
        } else if (!store->private && store->env != NULL) {
            heal(store);
        }
        if (rc != 0)
            return fail(store, rc, "write", err);
    }
}

/* ---- readers that hold pages back ---- */

struct reader {
    int pid; /* 0: none */
    uint64_t txn;
};

/* LMDB lists its readers as text, one line each: pid, thread and transaction. "-": the reader is in
 * none. */
static int look_at_reader(const char *line, void *context)
{
    struct reader *oldest = context, reader;
    if (sscanf(line, "%d %*x %" SCNu64, &reader.pid, &reader.txn) == 2 && reader.txn < oldest->txn)
        *oldest = reader;
    return 0;
}

/* Looks are short. A look older than the last transaction at the previous tidying has lasted at
 * least since then: its process is stopped. */
void store_tidy(struct store *store, struct index_held *held)
{
    MDB_envinfo info;
    MDB_stat stat;
    *held = (struct index_held){.pid = 0};
    if (store->private || store->env == NULL)
        return;
    forget_dead(store);
    if (mdb_env_info(store->env, &info) != 0 || mdb_env_stat(store->env, &stat) != 0)
        return;
    struct reader oldest = {.txn = store->tidied_txn};
    mdb_reader_list(store->env, look_at_reader, &oldest);
    store->tidied_txn = info.me_last_txnid;
    held->pid = oldest.pid;
    held->size = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

/* ---- reading ---- */

int store_view_open(struct store_view *view, struct store *store, struct tdk_err *err)
{
    for (;;) {
        MDB_txn *txn;
        pthread_rwlock_rdlock(&store->views);
        int rc = store->env != NULL ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) : EAGAIN;
        if (rc == 0) {
            *view = (struct store_view){.store = store, .txn = txn, .err = err};
            return 0;
        }
        pthread_rwlock_unlock(&store->views);
        if (rc == MDB_MAP_RESIZED)
            rc = grow(store, false);
        if (rc != 0)
            return fail(store, rc, "read", err);
    }
}

void store_view_close(struct store_view *view)
{
    mdb_txn_abort(view->txn);
    pthread_rwlock_unlock(&view->store->views);
}

int store_misfit(struct tdk_err *err)
{
    return err_say(err, TDK_ECORRUPT,
                   "the index has something else where an entry should be; when no recorder holds "
                   "the tape, `tapedeck reindex` rebuilds it");
}

int store_cursor_open(struct store_cursor *cursor, struct store_view *view)
{
    MDB_cursor *c;
    int rc = mdb_cursor_open(view->txn, view->store->dbi, &c);
    if (rc != 0)
        return fail(view->store, rc, "read", view->err);
    *cursor = (struct store_cursor){.view = view, .cursor = c};
    return 0;
}

void store_cursor_close(struct store_cursor *cursor)
{
    mdb_cursor_close(cursor->cursor);
}

int store_look_open(struct store_look *look, struct store *store, struct tdk_err *err)
{
    int rc = store_view_open(&look->view, store, err);
    if (rc < 0)
        return rc;
    rc = store_cursor_open(&look->at, &look->view);
    if (rc < 0)
        store_view_close(&look->view);
    return rc;
}

void store_look_close(struct store_look *look)
{
    store_cursor_close(&look->at);
    store_view_close(&look->view);
}

static int move(struct store_cursor *cursor, MDB_val *key, MDB_cursor_op op)
{
    MDB_val value;
    int rc = mdb_cursor_get(cursor->cursor, key, &value, op);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return fail(cursor->view->store, rc, "read", cursor->view->err);
    cursor->key = key->mv_data;
    cursor->key_size = key->mv_size;
    cursor->value = value.mv_data;
    cursor->value_size = value.mv_size;
    return 1;
}

int store_cursor_seek(struct store_cursor *cursor, const struct key *key)
{
    MDB_val at = {key->size, (void *)(uintptr_t)key->bytes};
    return move(cursor, &at, MDB_SET_RANGE);
}

int store_cursor_last(struct store_cursor *cursor)
{
    MDB_val at;
    return move(cursor, &at, MDB_LAST);
}

int store_cursor_next(struct store_cursor *cursor)
{
    MDB_val at;
    return move(cursor, &at, MDB_NEXT);
}

int store_cursor_prev(struct store_cursor *cursor)
{
    MDB_val at;
    return move(cursor, &at, MDB_PREV);
}
