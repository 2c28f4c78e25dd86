/* index_read.c - read what is in an index, and in one that it lies over. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "index/find_state.h"
#include "index/index_inner.h"
#include "index/over.h"
#include "index/store.h"

int index_get(struct index *index, const struct key *key, void *value, size_t size,
              struct tdk_err *err)
{
    struct store_look look;
    const struct store_cursor *found = &look.at;
    int rc = store_look_open(&look, index->store, err);
    if (rc < 0)
        return rc;
    rc = store_cursor_seek(&look.at, key);
    if (rc == 1 && (found->key_size != key->size || memcmp(found->key, key->bytes, key->size) != 0))
        rc = 0;
    if (rc == 1 && found->value_size != size)
        rc = store_misfit(err);
    else if (rc == 1)
        memcpy(value, found->value, size);
    store_look_close(&look);
    return rc;
}

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
    struct store_look look;
    int rc = store_look_open(&look, index->store, err);
    if (rc < 0)
        return rc;
    int more = store_cursor_seek(&look.at, prefix);
    while (rc == 0 && more == 1 && has_prefix(&look.at, prefix)) {
        rc = copy_item(found, &look.at, err);
        more = rc == 0 ? store_cursor_next(&look.at) : 0;
    }
    store_look_close(&look);
    return more < 0 ? more : rc;
}

/* Copy everything under a prefix, so that the caller's callbacks may take their time. */
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

/* ---- all of a kind ---- */

/* A walk over the structs under a prefix. */
struct walk {
    struct batch found;
    size_t at;
    int rc; /* 0: it goes on */
    struct tdk_err *err;
};

static void walk_begin(struct walk *walk, struct index *index, const struct key *prefix,
                       struct tdk_err *err)
{
    *walk = (struct walk){.err = err};
    walk->rc = gather(index, prefix, &walk->found, err);
}

/* False: there are no more, or walk->rc is not 0. If the next item has another size, that sets
 * walk->rc. */
static bool walk_next(struct walk *walk, void *copy, size_t size)
{
    struct batch_item item;
    if (walk->rc != 0 || !batch_next(&walk->found, &walk->at, &item))
        return false;
    if (item.value_size != size) {
        walk->rc = store_misfit(walk->err);
        return false;
    }
    memcpy(copy, item.value, size);
    return true;
}

static int walk_end(struct walk *walk)
{
    batch_close(&walk->found);
    return walk->rc;
}

int index_tracks(struct index *index, int (*each)(const struct track_ref *, void *), void *context,
                 struct tdk_err *err)
{
    const struct key prefix = {1, {KEY_TRACK}};
    struct walk walk;
    struct track_ref track;
    for (walk_begin(&walk, index, &prefix, err); walk_next(&walk, &track, sizeof track);)
        walk.rc = each(&track, context);
    return walk_end(&walk);
}

int index_epochs(struct index *index, uint16_t track, int (*each)(const struct epoch_ref *, void *),
                 void *context, struct tdk_err *err)
{
    struct key prefix;
    struct walk walk;
    struct epoch_ref epoch;
    key_of_track(&prefix, KEY_EPOCH, track);
    for (walk_begin(&walk, index, &prefix, err); walk_next(&walk, &epoch, sizeof epoch);)
        walk.rc = each(&epoch, context);
    return walk_end(&walk);
}

int index_segments(struct index *index, int (*each)(const struct segment_ref *, void *),
                   void *context, struct tdk_err *err)
{
    const struct key prefix = {1, {KEY_SEGMENT}};
    struct walk walk;
    struct segment_ref segment;
    for (walk_begin(&walk, index, &prefix, err); walk_next(&walk, &segment, sizeof segment);)
        walk.rc = each(&segment, context);
    return walk_end(&walk);
}

int index_symbols(struct index *index, uint16_t track, uint64_t epoch,
                  int (*each)(const struct symbol_ref *, void *), void *context,
                  struct tdk_err *err)
{
    struct key prefix;
    struct walk walk;
    struct symbol_ref symbol;
    if (epoch != 0)
        key_epoch(&prefix, KEY_SYMBOL, track, epoch);
    else
        key_of_track(&prefix, KEY_SYMBOL, track);
    for (walk_begin(&walk, index, &prefix, err); walk_next(&walk, &symbol, sizeof symbol);)
        walk.rc = each(&symbol, context);
    return walk_end(&walk);
}

int index_marks(struct index *index, int (*each)(const struct mark_ref *, void *), void *context,
                struct tdk_err *err)
{
    const struct key prefix = {1, {KEY_MARK}};
    struct walk walk;
    struct mark_ref mark;
    for (walk_begin(&walk, index, &prefix, err); walk_next(&walk, &mark, sizeof mark);)
        walk.rc = each(&mark, context);
    return walk_end(&walk);
}

/* ---- properties ---- */

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

/* A property wanted by name: index_infos() looks for that one. */
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

/* ---- blocks and states ---- */

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
    if (own > 0) /* the index above has the newer segments */
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
