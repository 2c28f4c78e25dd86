/* index.c - open, close, put and commit. index_read.c reads. */
#include "index/index_inner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "index/store.h"

#define INDEX_MAGIC   UINT64_C(0x3158444e494b4454) /* "TDKINDX1" */
#define INDEX_VERSION 1u

/* The value under key 'M'. */
struct index_meta {
    uint64_t magic;
    uint32_t version;
    uint32_t complete;
    uint8_t tape_id[16];
};

/* ---- open, close ---- */

static int put_meta(struct index *index, uint32_t complete, struct tdk_err *err)
{
    struct index_meta meta = {.magic = INDEX_MAGIC, .version = INDEX_VERSION, .complete = complete};
    memcpy(meta.tape_id, index->tape_id, sizeof meta.tape_id);
    struct key key;
    key_meta(&key);
    int rc = batch_put(&index->batch, &key, &meta, sizeof meta);
    return rc < 0 ? err_set(err, rc, "index") : 0;
}

/* Is it an index, of this version, of this tape? An empty store becomes one. */
static int check_meta(struct index *index, bool write, struct tdk_err *err)
{
    struct index_meta meta = {0};
    struct key key;
    key_meta(&key);
    int rc = index_get(index, &key, &meta, sizeof meta, err);
    if (rc == 0 && write) {
        rc = put_meta(index, 0, err);
        return rc < 0 ? rc : index_commit(index, err);
    }
    if (rc == 0 || (rc == 1 && meta.magic != INDEX_MAGIC))
        return err_set(err, TDK_ECORRUPT, "index");
    if (rc < 0)
        return rc;
    if (meta.version != INDEX_VERSION)
        return err_set(err, TDK_EVERSION, "index of version %u", meta.version);
    if (memcmp(meta.tape_id, index->tape_id, sizeof meta.tape_id) != 0)
        return err_set(err, TDK_EFOREIGN, "index");
    return 0;
}

static int open_any(struct index **index, const char *dir, const uint8_t tape_id[16],
                    enum store_home home, struct tdk_err *err)
{
    struct index *i = calloc(1, sizeof *i);
    if (i == NULL)
        return err_set(err, -ENOMEM, "open index");
    memcpy(i->tape_id, tape_id, sizeof i->tape_id);
    int rc = store_open(&i->store, dir, home, err);
    if (rc == 0)
        rc = check_meta(i, home == STORE_WRITE || home == STORE_MEMORY, err);
    if (rc < 0) {
        index_close(i);
        return rc;
    }
    *index = i;
    return 0;
}

int index_open(struct index **index, const char *dir, const uint8_t tape_id[16], bool write,
               struct tdk_err *err)
{
    return open_any(index, dir, tape_id, write ? STORE_WRITE : STORE_READ, err);
}

int index_open_private(struct index **index, const uint8_t tape_id[16], struct tdk_err *err)
{
    return open_any(index, NULL, tape_id, STORE_MEMORY, err);
}

int index_open_copy(struct index **index, const char *dir, const uint8_t tape_id[16],
                    struct tdk_err *err)
{
    return open_any(index, dir, tape_id, STORE_COPY, err);
}

int index_open_over(struct index **index, struct index *under, struct tdk_err *err)
{
    assert(under->under == NULL);
    int rc = index_open_private(index, under->tape_id, err);
    if (rc == 0)
        (*index)->under = under;
    return rc;
}

void index_close(struct index *index)
{
    if (index == NULL)
        return;
    store_close(index->store);
    batch_close(&index->batch);
    free(index);
}

int index_delete(const char *dir, struct tdk_err *err)
{
    const char *const names[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < array_size(names); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return err_set(err, -errno, "remove %s", path);
    }
    return 0;
}

static int sum_file(int fd, void *buffer, size_t room, uint32_t *sum)
{
    *sum = 0;
    for (;;) {
        ssize_t n = read(fd, buffer, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        *sum = crc32c(*sum, buffer, (size_t)n);
    }
}

int index_sum(const char *dir, uint32_t *sum, struct tdk_err *err)
{
    enum { ROOM = 32 << 10 }; /* touches few pages: most indexes are small */
    char path[4096];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, -errno, "read %s", path);
    void *buffer = malloc(ROOM);
    uint32_t found;
    int rc = buffer != NULL ? sum_file(fd, buffer, ROOM, &found) : -ENOMEM;
    free(buffer);
    close(fd);
    if (rc < 0)
        return err_set(err, rc, "read %s", path);
    *sum = found;
    return 0;
}

int index_sync(struct index *index, struct tdk_err *err)
{
    return store_sync(index->store, err);
}

bool index_can_be_shared(const char *dir)
{
    return store_can_lock(dir);
}

void index_tidy(struct index *index, struct index_held *held)
{
    store_tidy(index->store, held);
}

bool index_is_complete(struct index *index)
{
    struct index_meta meta = {0};
    struct key key;
    key_meta(&key);
    return index_get(index, &key, &meta, sizeof meta, NULL) == 1 && meta.complete == 1;
}

/* ---- writing ---- */

int index_begin(struct index *index, struct tdk_err *err)
{
    (void)err;
    batch_clear(&index->batch);
    return 0;
}

static int put(struct index *index, const struct key *key, const void *value, size_t size,
               struct tdk_err *err)
{
    int rc = batch_put(&index->batch, key, value, size);
    return rc < 0 ? err_set(err, rc, "index") : 0;
}

int index_put_block(struct index *index, const struct block_ref *block, struct tdk_err *err)
{
    struct key key;
    key_block(&key, KEY_BLOCK, block);
    int rc = put(index, &key, block, sizeof *block, err);
    if (rc < 0 || block->odd == 0)
        return rc;
    key_block(&key, KEY_ODD, block);
    return put(index, &key, block, sizeof *block, err);
}

int index_put_track(struct index *index, const struct track_ref *track, struct tdk_err *err)
{
    struct key key;
    key_track(&key, track->number);
    return put(index, &key, track, sizeof *track, err);
}

int index_put_epoch(struct index *index, const struct epoch_ref *epoch, struct tdk_err *err)
{
    struct key key;
    key_epoch(&key, KEY_EPOCH, epoch->track, epoch->epoch);
    return put(index, &key, epoch, sizeof *epoch, err);
}

int index_put_segment(struct index *index, const struct segment_ref *segment, struct tdk_err *err)
{
    struct key key;
    key_segment(&key, segment->number);
    return put(index, &key, segment, sizeof *segment, err);
}

int index_put_symbol(struct index *index, const struct symbol_ref *symbol, struct tdk_err *err)
{
    struct key key;
    key_symbol(&key, symbol);
    return put(index, &key, symbol, sizeof *symbol, err);
}

int index_put_mark(struct index *index, const struct mark_ref *mark, struct tdk_err *err)
{
    struct key key;
    key_mark(&key, mark);
    return put(index, &key, mark, sizeof *mark, err);
}

int index_put_state(struct index *index, const struct state_ref *state, struct tdk_err *err)
{
    struct key key;
    key_state(&key, state);
    return put(index, &key, &state->kinds, sizeof state->kinds, err);
}

static int remove_key(struct index *index, const struct key *key, struct tdk_err *err)
{
    int rc = batch_remove(&index->batch, key);
    return rc < 0 ? err_set(err, rc, "index") : 0;
}

int index_remove_block(struct index *index, const struct block_ref *block, struct tdk_err *err)
{
    struct key key;
    key_block(&key, KEY_BLOCK, block);
    int rc = remove_key(index, &key, err);
    if (rc < 0 || block->odd == 0)
        return rc;
    key_block(&key, KEY_ODD, block);
    return remove_key(index, &key, err);
}

int index_remove_epoch(struct index *index, uint16_t track, uint64_t epoch, struct tdk_err *err)
{
    struct key key;
    key_epoch(&key, KEY_EPOCH, track, epoch);
    return remove_key(index, &key, err);
}

int index_remove_segment(struct index *index, uint64_t number, struct tdk_err *err)
{
    struct key key;
    key_segment(&key, number);
    return remove_key(index, &key, err);
}

int index_remove_mark(struct index *index, const struct mark_ref *mark, struct tdk_err *err)
{
    struct key key;
    key_mark(&key, mark);
    return remove_key(index, &key, err);
}

int index_remove_state(struct index *index, const struct state_ref *state, struct tdk_err *err)
{
    struct key key;
    key_state(&key, state);
    return remove_key(index, &key, err);
}

int index_put_info(struct index *index, uint16_t track, uint64_t epoch, const char *name,
                   const void *value, size_t size, struct tdk_err *err)
{
    struct key key;
    if (!key_info(&key, track, epoch, name))
        return err_say(err, TDK_EVALUE, "a property's key has 1 to %d bytes: \"%.80s\"",
                       KEY_MAX - KEY_EPOCH_SIZE, name);
    return put(index, &key, value, size, err);
}

int index_put_complete(struct index *index, struct tdk_err *err)
{
    return put_meta(index, 1, err);
}

int index_commit(struct index *index, struct tdk_err *err)
{
    int rc = store_write(index->store, &index->batch, err);
    if (rc == 0)
        batch_clear(&index->batch);
    return rc;
}

size_t index_gathered(const struct index *index)
{
    return index->batch.used;
}

void index_abort(struct index *index)
{
    batch_clear(&index->batch);
}
