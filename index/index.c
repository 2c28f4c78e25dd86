#include "index/index.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "index/find_state.h"
#include "index/over.h"
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

struct index {
    struct store *store;
    struct index *under; /* borrowed; NULL: it lies over none */
    struct batch batch;
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

/* The item under exactly this key, copied. 1; 0: none; TDK_ECORRUPT: of another size. */
static int get(struct index *index, const struct key *key, void *value, size_t size,
               struct tdk_err *err)
{
    struct store_view view;
    struct store_cursor cursor;
    int rc = store_view_open(&view, index->store, err);
    if (rc < 0)
        return rc;
    rc = store_cursor_open(&cursor, &view);
    if (rc == 0) {
        rc = store_cursor_seek(&cursor, key);
        if (rc == 1 &&
            (cursor.key_size != key->size || memcmp(cursor.key, key->bytes, key->size) != 0))
            rc = 0;
        if (rc == 1 && cursor.value_size != size)
            rc = store_misfit(err);
        else if (rc == 1)
            memcpy(value, cursor.value, size);
        store_cursor_close(&cursor);
    }
    store_view_close(&view);
    return rc;
}

/* Is it an index, of this version, of this tape? One that is empty becomes it. */
static int check_meta(struct index *index, bool write, struct tdk_err *err)
{
    struct index_meta meta = {0};
    struct key key;
    key_meta(&key);
    int rc = get(index, &key, &meta, sizeof meta, err);
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

static int open_any(struct index **index, const char *dir, const uint8_t tape_id[16], bool write,
                    struct tdk_err *err)
{
    struct index *i = calloc(1, sizeof *i);
    if (i == NULL)
        return err_set(err, -ENOMEM, "open index");
    memcpy(i->tape_id, tape_id, sizeof i->tape_id);
    int rc = store_open(&i->store, dir, write, err);
    if (rc == 0)
        rc = check_meta(i, write, err);
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
    return open_any(index, dir, tape_id, write, err);
}

int index_open_private(struct index **index, const uint8_t tape_id[16], struct tdk_err *err)
{
    return open_any(index, NULL, tape_id, true, err);
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
    enum { ROOM = 32 << 10 }; /* few pages to be touched: most indexes are small */
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

void index_tidy(struct index *index)
{
    store_tidy(index->store);
}

bool index_is_complete(struct index *index)
{
    struct index_meta meta = {0};
    struct key key;
    key_meta(&key);
    return get(index, &key, &meta, sizeof meta, NULL) == 1 && meta.complete == 1;
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

void index_abort(struct index *index)
{
    batch_clear(&index->batch);
}

/* ---- reading ---- */

static bool has_prefix(const struct store_cursor *item, const struct key *prefix)
{
    return item->key_size >= prefix->size && memcmp(item->key, prefix->bytes, prefix->size) == 0;
}

static int copy_item(struct batch *found, const struct store_cursor *item, struct tdk_err *err)
{
    struct key key = {.size = item->key_size};
    if (key.size > sizeof key.bytes)
        return store_misfit(err);
    memcpy(key.bytes, item->key, key.size);
    int rc = batch_put(found, &key, item->value, item->value_size);
    return rc < 0 ? err_set(err, rc, "read index") : 0;
}

static int gather_own(struct index *index, const struct key *prefix, struct batch *found,
                      struct tdk_err *err)
{
    struct store_view view;
    struct store_cursor cursor;
    int rc = store_view_open(&view, index->store, err);
    if (rc < 0)
        return rc;
    rc = store_cursor_open(&cursor, &view);
    if (rc == 0) {
        int more = store_cursor_seek(&cursor, prefix);
        while (rc == 0 && more == 1 && has_prefix(&cursor, prefix)) {
            rc = copy_item(found, &cursor, err);
            more = rc == 0 ? store_cursor_next(&cursor) : 0;
        }
        if (more < 0)
            rc = more;
        store_cursor_close(&cursor);
    }
    store_view_close(&view);
    return rc;
}

/* Everything under a prefix, copied: whoever is told of it may take his time. */
static int gather(struct index *index, const struct key *prefix, struct batch *found,
                  struct tdk_err *err)
{
    struct batch under = {0}, own = {0};
    if (index->under == NULL)
        return gather_own(index, prefix, found, err);
    int rc = gather_own(index->under, prefix, &under, err);
    if (rc == 0)
        rc = gather_own(index, prefix, &own, err);
    if (rc == 0 && over_items(found, &under, &own) < 0)
        rc = err_set(err, -ENOMEM, "read index");
    batch_close(&under);
    batch_close(&own);
    return rc;
}

/* The next struct of what was gathered. 1; 0: no more; TDK_ECORRUPT: of another size. */
static int next_struct(const struct batch *found, size_t *at, void *copy, size_t size,
                       struct tdk_err *err)
{
    struct batch_item item;
    if (!batch_next(found, at, &item))
        return 0;
    if (item.value_size != size)
        return store_misfit(err);
    memcpy(copy, item.value, size);
    return 1;
}

int index_tracks(struct index *index, int (*each)(const struct track_ref *, void *), void *context,
                 struct tdk_err *err)
{
    struct key prefix = {1, {KEY_TRACK}};
    struct batch found = {0};
    struct track_ref track;
    size_t at = 0;
    int rc = gather(index, &prefix, &found, err);
    while (rc == 0 && (rc = next_struct(&found, &at, &track, sizeof track, err)) == 1)
        rc = each(&track, context);
    batch_close(&found);
    return rc;
}

int index_epochs(struct index *index, uint16_t track, int (*each)(const struct epoch_ref *, void *),
                 void *context, struct tdk_err *err)
{
    struct key prefix;
    struct batch found = {0};
    struct epoch_ref epoch;
    size_t at = 0;
    key_of_track(&prefix, KEY_EPOCH, track);
    int rc = gather(index, &prefix, &found, err);
    while (rc == 0 && (rc = next_struct(&found, &at, &epoch, sizeof epoch, err)) == 1)
        rc = each(&epoch, context);
    batch_close(&found);
    return rc;
}

int index_segments(struct index *index, int (*each)(const struct segment_ref *, void *),
                   void *context, struct tdk_err *err)
{
    struct key prefix = {1, {KEY_SEGMENT}};
    struct batch found = {0};
    struct segment_ref segment;
    size_t at = 0;
    int rc = gather(index, &prefix, &found, err);
    while (rc == 0 && (rc = next_struct(&found, &at, &segment, sizeof segment, err)) == 1)
        rc = each(&segment, context);
    batch_close(&found);
    return rc;
}

int index_symbols(struct index *index, uint16_t track,
                  int (*each)(const struct symbol_ref *, void *), void *context,
                  struct tdk_err *err)
{
    struct key prefix;
    struct batch found = {0};
    struct symbol_ref symbol;
    size_t at = 0;
    key_of_track(&prefix, KEY_SYMBOL, track);
    int rc = gather(index, &prefix, &found, err);
    while (rc == 0 && (rc = next_struct(&found, &at, &symbol, sizeof symbol, err)) == 1)
        rc = each(&symbol, context);
    batch_close(&found);
    return rc;
}

int index_marks(struct index *index, int (*each)(const struct mark_ref *, void *), void *context,
                struct tdk_err *err)
{
    struct key prefix = {1, {KEY_MARK}};
    struct batch found = {0};
    struct mark_ref mark;
    size_t at = 0;
    int rc = gather(index, &prefix, &found, err);
    while (rc == 0 && (rc = next_struct(&found, &at, &mark, sizeof mark, err)) == 1)
        rc = each(&mark, context);
    batch_close(&found);
    return rc;
}

int index_infos(struct index *index, uint16_t track, uint64_t epoch,
                int (*each)(const char *key, const void *value, size_t size, void *), void *context,
                struct tdk_err *err)
{
    struct key prefix;
    struct batch found = {0};
    struct batch_item item;
    size_t at = 0;
    key_epoch(&prefix, KEY_INFO, track, epoch);
    int rc = gather(index, &prefix, &found, err);
    while (rc == 0 && batch_next(&found, &at, &item)) {
        char name[KEY_MAX];
        size_t size = item.key_size - prefix.size;
        memcpy(name, item.key + prefix.size, size);
        name[size] = '\0';
        rc = each(name, item.value, item.value_size, context);
    }
    batch_close(&found);
    return rc;
}

/* A property asked for by name: index_infos() with one in mind. */
struct wanted {
    const char *key;
    void **value;
    size_t *size;
};

static int take_wanted(const char *key, const void *value, size_t size, void *context)
{
    struct wanted *wanted = context;
    if (strcmp(key, wanted->key) != 0)
        return 0;
    void *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, value, size);
    *wanted->value = copy;
    *wanted->size = size;
    return 1;
}

int index_info(struct index *index, uint16_t track, uint64_t epoch, const char *key, void **value,
               size_t *size, struct tdk_err *err)
{
    struct wanted wanted = {key, value, size};
    int rc = index_infos(index, track, epoch, take_wanted, &wanted, err);
    if (rc == 1)
        return 0;
    return err_set(err, rc == 0 ? -ENOENT : rc, "property %.100s", key);
}

int index_find(struct index *index, const struct index_range *range, const struct block_ref *after,
               bool reverse, struct block_ref *blocks, int room, struct tdk_err *err)
{
    if (index->under == NULL)
        return find_blocks(index->store, range, after, reverse, blocks, room, err);
    return over_find(index->under->store, index->store, range, after, reverse, blocks, room, err);
}

int index_states(struct index *index, uint16_t track, uint64_t epoch, uint32_t instrument_id,
                 uint64_t upto, struct state_ref *states, int room, struct tdk_err *err)
{
    struct state_ref last = {
        .track = track, .epoch = epoch, .instrument_id = instrument_id, .segment = upto};
    int own = find_states(index->store, &last, states, room, err);
    if (own < 0 || own == room || index->under == NULL)
        return own;
    if (own > 0) /* what lies over another is of newer segments */
        last.segment = states[own - 1].segment - 1;
    int more = find_states(index->under->store, &last, states + own, room - own, err);
    return more < 0 ? more : own + more;
}

int index_state_instrument(struct index *index, uint16_t track, uint64_t epoch, uint32_t from,
                           uint32_t *instrument_id, struct tdk_err *err)
{
    const struct state_ref first = {.track = track, .epoch = epoch, .instrument_id = from};
    uint32_t own = 0, under = 0;
    int rc = find_state_instrument(index->store, &first, &own, err), more = 0;
    if (rc >= 0 && index->under != NULL)
        more = find_state_instrument(index->under->store, &first, &under, err);
    if (rc < 0 || more < 0 || rc + more == 0)
        return rc < 0 ? rc : more;
    *instrument_id = more == 0 || (rc == 1 && own < under) ? own : under;
    return 1;
}
