/*
 * store.h - sorted keys and values in LMDB. store.c is the only file that includes lmdb.h.
 *
 * A store lives in a folder on disk or in private memory. A read transaction lasts as long as a
 * cursor is open, so keep that short. The map grows when it is full, and follows when another
 * process has grown it. Any thread may read; one thread writes at a time.
 */
#ifndef TDK_INDEX_STORE_H
#define TDK_INDEX_STORE_H

#include "index/batch.h"
#include "tapedeck/err.h"

struct store;

enum store_home {
    STORE_READ,   /* the folder's files, as they are */
    STORE_WRITE,  /* the same; they are made if they do not exist */
    STORE_MEMORY, /* private memory; dir is NULL */
    STORE_COPY,   /* private memory with what is in the folder at this moment: see snapshot.h */
};

int store_open(struct store **store, const char *dir, enum store_home home, struct tdk_err *err);
void store_close(struct store *store); /* NULL is fine */
int store_sync(struct store *store, struct tdk_err *err);

/* Is there a lock file to which we may write? */
bool store_can_lock(const char *dir);

/* See index_tidy(). */
void store_tidy(struct store *store, struct index_held *held);

/* Write all of a batch, or nothing of it. */
int store_write(struct store *store, const struct batch *batch, struct tdk_err *err);

/* One reader's view, which does not change while others write. Keys and values that are found are
 * borrowed until it is closed. */
struct store_view {
    struct store *store;
    void *txn; /* MDB_txn */
    struct tdk_err *err;
};
struct store_cursor {
    struct store_view *view;
    void *cursor; /* MDB_cursor */
    const unsigned char *key, *value;
    size_t key_size, value_size;
};

int store_view_open(struct store_view *view, struct store *store, struct tdk_err *err);
void store_view_close(struct store_view *view);

/* What was found under a key has another size or form than it should. Returns TDK_ECORRUPT. */
int store_misfit(struct tdk_err *err);

int store_cursor_open(struct store_cursor *cursor, struct store_view *view);
void store_cursor_close(struct store_cursor *cursor);

/* One look: a cursor with a view of its own, which ends with it. The struct must stay where it is
 * while it is open. */
struct store_look {
    struct store_view view;
    struct store_cursor at;
};

int store_look_open(struct store_look *look, struct store *store, struct tdk_err *err);
void store_look_close(struct store_look *look);

/* Each of these returns 1: the cursor is at an item; 0: there is none; or an error. */
int store_cursor_seek(struct store_cursor *cursor, const struct key *key); /* first not below key */
int store_cursor_last(struct store_cursor *cursor);
int store_cursor_next(struct store_cursor *cursor);
int store_cursor_prev(struct store_cursor *cursor);

#endif
