/*
 * catalog_code.c - write the catalogue into a footer and read it back; store it into the index and
 * load it.
 *
 * In a footer it is a sequence of items, 8-aligned: kind u16, 0 u16, size u32 (of what follows,
 * without padding), then
 *   1 TRACK    last_epoch u64, number u16, kind u8, name size u8, 0 u32, the name
 *   2 EPOCH    struct epoch_ref: the sum of the segment's own blocks
 *   3 INFO     epoch u64, track u16, key size u16, value size u32, the key, the value
 *   4 SYMBOL   struct symbol_ref
 *   5 MARK     struct mark_ref
 *   6 REST     nothing: some of INFO and SYMBOL found no room here; the blocks have them all
 * Items of other kinds are for later versions; readers pass over them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/err.h"
#include "tape/catalog.h"
#include "tape/catalog_epoch.h"

/* Kept for tracks (65535 of 96 bytes), epochs and marks: 64 MiB are room for 600,000 of them. */
#define CATALOG_RESERVE (64u << 20)

enum item_kind {
    ITEM_TRACK = 1,
    ITEM_EPOCH = 2,
    ITEM_INFO = 3,
    ITEM_SYMBOL = 4,
    ITEM_MARK = 5,
    ITEM_REST = 6
};

struct item_head {
    uint16_t kind, zero;
    uint32_t size;
};
struct item_track {
    uint64_t last_epoch;
    uint16_t number;
    uint8_t kind, name_size;
    uint32_t zero;
};
struct item_info {
    uint64_t epoch;
    uint16_t track, key_size;
    uint32_t value_size;
};
static_assert(sizeof(struct item_head) == 8 && sizeof(struct item_track) == 16 &&
                  sizeof(struct item_info) == 16,
              "on disk");
static_assert(sizeof(struct epoch_ref) == 128 && sizeof(struct symbol_ref) == 104 &&
                  sizeof(struct mark_ref) == 104,
              "on disk");

/* ---- into a footer ---- */

struct output {
    unsigned char *bytes;
    size_t used, room;
    bool is_short; /* something was left out */
};

static size_t item_room(size_t size)
{
    return align_up(sizeof(struct item_head) + size, 8);
}

/* Is there room for an item that the blocks have, too? Some room is kept for what they do not
 * have. */
static bool fits(struct output *out, size_t size)
{
    bool fits = out->used + item_room(size) <= CATALOG_MAX - CATALOG_RESERVE;
    out->is_short = out->is_short || !fits;
    return fits;
}

/* Room for an item; NULL: no memory. */
static unsigned char *begin_item(struct output *out, enum item_kind kind, size_t size)
{
    size_t need = item_room(size);
    unsigned char *bytes = array_grow(out->bytes, &out->room, out->used + need, 1);
    if (bytes == NULL)
        return NULL;
    out->bytes = bytes;
    unsigned char *at = bytes + out->used;
    struct item_head head = {.kind = (uint16_t)kind, .size = (uint32_t)size};
    memset(at, 0, need);
    memcpy(at, &head, sizeof head);
    out->used += need;
    return at + sizeof head;
}

static int put_track(struct output *out, const struct track_ref *ref)
{
    size_t name_size = strlen(ref->name);
    struct item_track item = {.last_epoch = ref->last_epoch,
                              .number = ref->number,
                              .kind = ref->kind,
                              .name_size = (uint8_t)name_size};
    unsigned char *at = begin_item(out, ITEM_TRACK, sizeof item + name_size);
    if (at == NULL)
        return -ENOMEM;
    memcpy(at, &item, sizeof item);
    memcpy(at + sizeof item, ref->name, name_size);
    return 0;
}

static int put_struct(struct output *out, enum item_kind kind, const void *value, size_t size)
{
    unsigned char *at = begin_item(out, kind, size);
    if (at == NULL)
        return -ENOMEM;
    memcpy(at, value, size);
    return 0;
}

static int put_info(struct output *out, const struct catalog_epoch *epoch, const struct property *p)
{
    struct item_info item = {.epoch = epoch->ref.epoch,
                             .track = epoch->ref.track,
                             .key_size = (uint16_t)strlen(p->key),
                             .value_size = p->size};
    size_t size = sizeof item + item.key_size + p->size;
    if (!fits(out, size))
        return 0;
    unsigned char *at = begin_item(out, ITEM_INFO, size);
    if (at == NULL)
        return -ENOMEM;
    memcpy(at, &item, sizeof item);
    memcpy(at + sizeof item, p->key, item.key_size);
    memcpy(at + sizeof item + item.key_size, p->value, p->size);
    return 0;
}

static int put_epoch(struct output *out, const struct catalog_epoch *epoch)
{
    int rc = put_struct(out, ITEM_EPOCH, &epoch->told, sizeof epoch->told);
    for (const struct property *p = epoch->properties; p != NULL && rc == 0; p = p->next)
        if (p->value != NULL)
            rc = put_info(out, epoch, p);
    for (uint32_t i = 0; i < epoch->symbols.count && rc == 0; i++)
        if (fits(out, sizeof epoch->symbols.entries[i].ref))
            rc = put_struct(out, ITEM_SYMBOL, &epoch->symbols.entries[i].ref,
                            sizeof epoch->symbols.entries[i].ref);
    return rc;
}

static int put_marks(struct output *out, const struct marks *marks, uint64_t segment)
{
    int rc = 0;
    for (const struct mark_item *m = marks->first; m != NULL && rc == 0; m = m->next)
        if (m->segment == segment)
            rc = put_struct(out, ITEM_MARK, &m->ref, sizeof m->ref);
    return rc;
}

/* Add up the segment's blocks by epoch. *list has the epochs that have any. */
static int tell_epochs(struct catalog *catalog, const struct block_ref *refs, size_t count,
                       struct catalog_epoch **list)
{
    catalog->round++;
    *list = NULL;
    for (size_t i = 0; i < count; i++) {
        struct catalog_epoch *e = catalog_epoch_need(catalog, refs[i].track, refs[i].epoch);
        if (e == NULL)
            return -ENOMEM;
        if (e->told_round != catalog->round) {
            e->told_round = catalog->round;
            e->told = (struct epoch_ref){.epoch = e->ref.epoch,
                                         .ring_epoch = e->ref.ring_epoch,
                                         .first_seq = refs[i].first_seq,
                                         .last_seq = refs[i].first_seq - 1,
                                         .min_ts = UINT64_MAX,
                                         .min_event = UINT64_MAX,
                                         .track = e->ref.track};
            memcpy(e->told.ring_uuid, e->ref.ring_uuid, sizeof e->told.ring_uuid);
            e->next_told = *list;
            *list = e;
        }
        epoch_add_block(&e->told, &refs[i]);
    }
    return 0;
}

int catalog_encode(struct catalog *catalog, const struct block_ref *refs, size_t count,
                   void **bytes, size_t *size, struct tdk_err *err)
{
    struct output out = {0};
    struct catalog_epoch *list;
    int rc = tell_epochs(catalog, refs, count, &list);
    for (uint32_t i = 1; i < catalog->top && rc == 0; i++)
        if (catalog->tracks[i] != NULL)
            rc = put_track(&out, &catalog->tracks[i]->ref);
    for (; list != NULL && rc == 0; list = list->next_told)
        rc = put_epoch(&out, list);
    if (rc == 0 && count > 0)
        rc = put_marks(&out, &catalog->marks, refs[0].segment);
    if (rc == 0 && out.is_short && begin_item(&out, ITEM_REST, 0) == NULL)
        rc = -ENOMEM;
    if (rc < 0) {
        free(out.bytes);
        return err_set(err, rc, "make a segment's catalogue");
    }
    if (count > 0)
        marks_forget(&catalog->marks, refs[0].segment);
    *bytes = out.bytes;
    *size = out.used;
    return 0;
}

/* ---- back from a footer ---- */

static int get_track(struct catalog *catalog, const unsigned char *at, uint32_t size)
{
    struct item_track item;
    if (size < sizeof item)
        return TDK_ECORRUPT;
    memcpy(&item, at, sizeof item);
    if (item.name_size > TDK_NAME_MAX || size != sizeof item + item.name_size)
        return TDK_ECORRUPT;
    struct track_ref ref = {
        .last_epoch = item.last_epoch, .kind = item.kind, .number = item.number};
    memcpy(ref.name, at + sizeof item, item.name_size);
    return catalog_restore_track(catalog, &ref);
}

/* The epoch of an item, which must come after the item of its track. */
static int epoch_of_item(struct catalog *catalog, uint16_t track, uint64_t number,
                         struct catalog_epoch **epoch)
{
    if (catalog_name(catalog, track) == NULL)
        return TDK_ECORRUPT;
    *epoch = catalog_epoch_need(catalog, track, number);
    return *epoch == NULL ? -ENOMEM : 0;
}

static int get_epoch(struct catalog *catalog, const unsigned char *at, uint32_t size)
{
    struct epoch_ref ref;
    struct catalog_epoch *epoch;
    if (size != sizeof ref)
        return TDK_ECORRUPT;
    memcpy(&ref, at, sizeof ref);
    int rc = epoch_of_item(catalog, ref.track, ref.epoch, &epoch);
    if (rc < 0)
        return rc;
    epoch->ref.ring_epoch = ref.ring_epoch;
    memcpy(epoch->ref.ring_uuid, ref.ring_uuid, sizeof ref.ring_uuid);
    return 0;
}

static int get_info(struct catalog *catalog, const unsigned char *at, uint32_t size)
{
    struct item_info item;
    struct catalog_epoch *epoch;
    if (size < sizeof item)
        return TDK_ECORRUPT;
    memcpy(&item, at, sizeof item);
    if ((uint64_t)size != (uint64_t)sizeof item + item.key_size + item.value_size)
        return TDK_ECORRUPT;
    int rc = epoch_of_item(catalog, item.track, item.epoch, &epoch);
    if (rc < 0)
        return rc;
    const char *key = (const char *)at + sizeof item;
    return catalog_put_property(catalog, epoch, key, item.key_size, key + item.key_size,
                                item.value_size);
}

static int get_symbol(struct catalog *catalog, const unsigned char *at, uint32_t size)
{
    struct symbol_ref ref;
    struct catalog_epoch *epoch;
    if (size != sizeof ref)
        return TDK_ECORRUPT;
    memcpy(&ref, at, sizeof ref);
    int rc = epoch_of_item(catalog, ref.track, ref.epoch, &epoch);
    if (rc < 0)
        return rc;
    catalog_touch(catalog, epoch);
    return symbols_merge(&epoch->symbols, &ref);
}

static int get_mark(struct catalog *catalog, const unsigned char *at, uint32_t size)
{
    struct mark_ref ref;
    if (size != sizeof ref)
        return TDK_ECORRUPT;
    memcpy(&ref, at, sizeof ref);
    if (strnlen(ref.name, sizeof ref.name) == sizeof ref.name)
        return TDK_ECORRUPT;
    return marks_add(&catalog->marks, &ref, 0);
}

static int get_item(struct catalog *catalog, uint16_t kind, const unsigned char *at, uint32_t size)
{
    switch (kind) {
    case ITEM_TRACK:
        return get_track(catalog, at, size);
    case ITEM_EPOCH:
        return get_epoch(catalog, at, size);
    case ITEM_INFO:
        return get_info(catalog, at, size);
    case ITEM_SYMBOL:
        return get_symbol(catalog, at, size);
    case ITEM_MARK:
        return get_mark(catalog, at, size);
    default:
        return 0;
    }
}

int catalog_decode(struct catalog *catalog, const void *bytes, size_t size, struct tdk_err *err)
{
    int rc = 0;
    bool is_short = false;
    for (size_t at = 0; at < size && rc == 0;) {
        struct item_head head;
        const unsigned char *item = (const unsigned char *)bytes + at;
        if (size - at < sizeof head)
            return err_set(err, TDK_ECORRUPT, "catalogue");
        memcpy(&head, item, sizeof head);
        if (head.size > size - at - sizeof head)
            return err_set(err, TDK_ECORRUPT, "catalogue");
        rc = get_item(catalog, head.kind, item + sizeof head, head.size);
        is_short = is_short || head.kind == ITEM_REST;
        at += align_up(sizeof head + head.size, 8);
    }
    return rc < 0 ? err_set(err, rc, "catalogue") : is_short;
}

/* ---- into the index ---- */

static int store_properties(const struct catalog_epoch *epoch, struct index *index,
                            struct tdk_err *err)
{
    int rc = 0;
    for (struct property *p = epoch->properties; p != NULL && rc == 0; p = p->next)
        if (p->changed) {
            rc = index_put_info(index, epoch->ref.track, epoch->ref.epoch, p->key, p->value,
                                p->size, err);
            p->changed = false;
        }
    return rc;
}

static int store_symbols(struct symbols_of *symbols, struct index *index, struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t i = symbols->first_changed; i < symbols->count && rc == 0; i++)
        if (symbols->entries[i].changed) {
            rc = index_put_symbol(index, &symbols->entries[i].ref, err);
            symbols->entries[i].changed = false;
        }
    symbols->first_changed = symbols->count;
    return rc;
}

static int store_tracks(struct catalog *catalog, struct index *index, struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t i = 1; i < catalog->top && rc == 0; i++) {
        struct catalog_track *track = catalog->tracks[i];
        if (track != NULL && track->changed) {
            rc = index_put_track(index, &track->ref, err);
            track->changed = false;
        }
    }
    catalog->tracks_changed = false;
    return rc;
}

int catalog_store(struct catalog *catalog, struct index *index, struct tdk_err *err)
{
    int rc = catalog->tracks_changed ? store_tracks(catalog, index, err) : 0;
    while (catalog->changed != NULL && rc == 0) {
        struct catalog_epoch *e = catalog->changed;
        if (e->changed)
            rc = index_put_epoch(index, &e->ref, err);
        if (rc == 0)
            rc = store_properties(e, index, err);
        if (rc == 0)
            rc = store_symbols(&e->symbols, index, err);
        e->changed = e->listed = false;
        catalog->changed = e->next_changed;
    }
    return rc == 0 ? marks_store(&catalog->marks, index, err) : rc;
}

/* ---- back from the index ---- */

struct loading {
    struct catalog *catalog;
    struct catalog_epoch *epoch;
    struct tdk_err *err;
};

static int load_property(const char *key, const void *value, size_t size, void *context)
{
    struct loading *l = context;
    int rc = catalog_put_property(l->catalog, l->epoch, key, strlen(key), value, size);
    return rc < 0 ? err_set(l->err, rc, "load the catalogue") : 0;
}

static int load_symbol(const struct symbol_ref *ref, void *context)
{
    struct loading *l = context;
    int rc = symbols_restore(&l->epoch->symbols, ref);
    return rc < 0 ? err_set(l->err, rc, "load the catalogue") : 0;
}

static int load_epoch(const struct epoch_ref *ref, void *context)
{
    struct loading *l = context;
    l->epoch = catalog_epoch_need(l->catalog, ref->track, ref->epoch);
    if (l->epoch == NULL)
        return err_set(l->err, -ENOMEM, "load the catalogue");
    l->epoch->ref = *ref;
    return 0;
}

static int load_track(const struct track_ref *ref, void *context)
{
    struct loading *l = context;
    int rc = catalog_restore_track(l->catalog, ref);
    return rc < 0 ? err_set(l->err, rc, "load the catalogue") : 0;
}

/* Everything was just loaded, so it equals what is stored. */
static void forget_changes(struct catalog *catalog)
{
    while (catalog->changed != NULL) {
        struct catalog_epoch *e = catalog->changed;
        for (struct property *p = e->properties; p != NULL; p = p->next)
            p->changed = false;
        for (uint32_t i = 0; i < e->symbols.count; i++)
            e->symbols.entries[i].changed = false;
        e->symbols.first_changed = e->symbols.count;
        e->changed = e->listed = false;
        catalog->changed = e->next_changed;
    }
    for (uint32_t i = 1; i < catalog->top; i++)
        if (catalog->tracks[i] != NULL)
            catalog->tracks[i]->changed = false;
    catalog->tracks_changed = false;
}

int catalog_load(struct catalog *catalog, struct index *index, struct tdk_err *err)
{
    struct loading l = {.catalog = catalog, .err = err};
    int rc = index_tracks(index, load_track, &l, err);
    for (uint32_t i = 1; i < catalog->top && rc == 0; i++) {
        uint16_t track = (uint16_t)i;
        if (catalog->tracks[i] != NULL)
            rc = index_epochs(index, track, load_epoch, &l, err);
        l.epoch = catalog->tracks[i] != NULL ? catalog->tracks[i]->last : NULL;
        if (rc == 0 && l.epoch != NULL)
            rc = index_symbols(index, track, l.epoch->ref.epoch, load_symbol, &l, err);
        if (rc == 0 && l.epoch != NULL)
            rc = index_infos(index, track, l.epoch->ref.epoch, load_property, &l, err);
    }
    forget_changes(catalog);
    return rc;
}
