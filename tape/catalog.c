/* catalog.c - tracks and epochs, learned from blocks. catalog_code.c encodes and decodes them. */
#include "tape/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/name.h"
#include "tape/catalog_epoch.h"
#include "tape/frame.h"

/* Limits of one epoch's properties, because they come from feeds and stay in memory. The mappings
 * of all US options are some 100 MiB of DBN metadata. */
#define PROPERTIES_MAX     4096
#define PROPERTY_BYTES_MAX ((size_t)128 << 20)
#define KEY_BYTES_MAX      245 /* the most that the index can hold */

int catalog_open(struct catalog **catalog, struct tdk_err *err)
{
    struct catalog *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "make a catalogue");
    c->top = 1;
    *catalog = c;
    return 0;
}

static void drop_properties(struct catalog_epoch *epoch)
{
    while (epoch->properties != NULL) {
        struct property *p = epoch->properties;
        epoch->properties = p->next;
        free(p->value);
        free(p->coming);
        free(p);
    }
    epoch->property_count = epoch->property_bytes = 0;
}

void catalog_close(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (uint32_t i = 1; i < catalog->top; i++) {
        struct catalog_track *track = catalog->tracks[i];
        while (track != NULL && track->last != NULL) {
            struct catalog_epoch *epoch = track->last;
            track->last = epoch->before;
            drop_properties(epoch);
            symbols_close(&epoch->symbols);
            free(epoch);
        }
        free(track);
    }
    marks_close(&catalog->marks);
    free(catalog);
}

void catalog_forget(struct catalog *catalog)
{
    for (uint32_t i = 1; i < catalog->top; i++) {
        struct catalog_track *track = catalog->tracks[i];
        struct catalog_epoch *epoch =
            track != NULL && track->last != NULL ? track->last->before : NULL;
        for (; epoch != NULL; epoch = epoch->before)
            if (!epoch->listed && epoch->noted_round < catalog->forget_round) {
                drop_properties(epoch);
                symbols_close(&epoch->symbols);
            }
    }
    catalog->forget_round++;
}

/* ---- tracks ---- */

static struct catalog_track *track_of(const struct catalog *catalog, uint16_t number)
{
    return number < catalog->top ? catalog->tracks[number] : NULL;
}

uint16_t catalog_find(const struct catalog *catalog, const char *name)
{
    for (uint32_t i = 1; i < catalog->top; i++)
        if (catalog->tracks[i] != NULL && strcmp(catalog->tracks[i]->ref.name, name) == 0)
            return (uint16_t)i;
    return 0;
}

const char *catalog_name(const struct catalog *catalog, uint16_t number)
{
    const struct catalog_track *track = track_of(catalog, number);
    return track != NULL ? track->ref.name : NULL;
}

int catalog_restore_track(struct catalog *catalog, const struct track_ref *ref)
{
    struct catalog_track *track = track_of(catalog, ref->number);
    size_t name_size = strnlen(ref->name, sizeof ref->name);
    if (ref->number == 0 || !name_is_valid(ref->name, name_size))
        return TDK_ECORRUPT;
    if (track == NULL) {
        track = calloc(1, sizeof *track);
        if (track == NULL)
            return -ENOMEM;
        track->ref = *ref;
        catalog->tracks[ref->number] = track;
        if (ref->number >= catalog->top)
            catalog->top = ref->number + 1u;
        track->changed = catalog->tracks_changed = true;
    } else if (track->guessed) {
        memcpy(track->ref.name, ref->name, sizeof track->ref.name);
        track->guessed = false;
        track->changed = catalog->tracks_changed = true;
    } else if (strcmp(track->ref.name, ref->name) != 0) {
        return TDK_ECORRUPT;
    }
    if (ref->last_epoch > track->ref.last_epoch) {
        track->ref.last_epoch = ref->last_epoch;
        track->changed = catalog->tracks_changed = true;
    }
    if (track->ref.kind == TDK_KIND_MIXED && ref->kind != TDK_KIND_MIXED) {
        track->ref.kind = ref->kind; /* it was named before its first tick came */
        track->changed = catalog->tracks_changed = true;
    }
    return 0;
}

int catalog_track(struct catalog *catalog, const char *name, enum tdk_kind kind, uint16_t *number,
                  struct tdk_err *err)
{
    size_t name_size = strlen(name);
    if (!name_is_valid(name, name_size))
        return err_set(err, TDK_ENAME, "track \"%.80s\"", name);
    uint16_t found = catalog_find(catalog, name);
    if (found == 0) {
        uint32_t free_number = 1;
        while (free_number < catalog->top && catalog->tracks[free_number] != NULL)
            free_number++;
        if (free_number > UINT16_MAX)
            return err_set(err, TDK_EFULL, "track %s: a tape has at most 65535", name);
        struct track_ref ref = {.kind = (uint8_t)kind, .number = (uint16_t)free_number};
        memcpy(ref.name, name, name_size);
        int rc = catalog_restore_track(catalog, &ref);
        if (rc < 0)
            return err_set(err, rc, "track %s", name);
        found = ref.number;
    }
    *number = found;
    return 0;
}

int catalog_guess_track(struct catalog *catalog, uint16_t number, struct tdk_err *err)
{
    if (catalog_name(catalog, number) != NULL)
        return 0;
    struct track_ref ref = {.number = number};
    snprintf(ref.name, sizeof ref.name, "lost-%u", number);
    int rc = catalog_restore_track(catalog, &ref);
    if (rc < 0)
        return err_set(err, rc, "track %u", number);
    catalog->tracks[number]->guessed = true;
    return 0;
}

/* ---- epochs ---- */

uint64_t catalog_last_epoch(const struct catalog *catalog, uint16_t track)
{
    const struct catalog_track *t = track_of(catalog, track);
    return t != NULL ? t->ref.last_epoch : 0;
}

struct catalog_epoch *catalog_epoch_of(const struct catalog *catalog, uint16_t track,
                                       uint64_t epoch)
{
    const struct catalog_track *t = track_of(catalog, track);
    struct catalog_epoch *e = t != NULL ? t->last : NULL;
    while (e != NULL && e->ref.epoch > epoch)
        e = e->before;
    return e != NULL && e->ref.epoch == epoch ? e : NULL;
}

const struct epoch_ref *catalog_epoch(const struct catalog *catalog, uint16_t track, uint64_t epoch)
{
    const struct catalog_epoch *e = catalog_epoch_of(catalog, track, epoch);
    return e != NULL ? &e->ref : NULL;
}

/* An epoch that has begun but has no tick yet counts too: what was recorded before its ticks
 * applies to them, and ticks missing before the first one are a loss. */
static bool is_of_ring(const struct epoch_ref *epoch, const uint8_t ring_uuid[16],
                       uint64_t ring_epoch)
{
    return epoch->ring_epoch == ring_epoch && epoch->bytes != 0 &&
           memcmp(epoch->ring_uuid, ring_uuid, sizeof epoch->ring_uuid) == 0;
}

const struct epoch_ref *catalog_ring_epoch(const struct catalog *catalog, uint16_t track,
                                           const uint8_t ring_uuid[16], uint64_t ring_epoch)
{
    const struct catalog_track *t = track_of(catalog, track);
    const struct catalog_epoch *e = t != NULL ? t->last : NULL;
    while (e != NULL && !is_of_ring(&e->ref, ring_uuid, ring_epoch))
        e = e->before;
    return e != NULL ? &e->ref : NULL;
}

void catalog_touch(struct catalog *catalog, struct catalog_epoch *epoch)
{
    if (epoch->listed)
        return;
    epoch->listed = true;
    epoch->next_changed = catalog->changed;
    catalog->changed = epoch;
}

static struct epoch_ref empty_epoch(uint16_t track, uint64_t epoch)
{
    return (struct epoch_ref){.epoch = epoch,
                              .ring_epoch = epoch,
                              .first_seq = 1,
                              .min_ts = UINT64_MAX,
                              .min_event = UINT64_MAX,
                              .track = track};
}

struct catalog_epoch *catalog_epoch_need(struct catalog *catalog, uint16_t track, uint64_t epoch)
{
    struct catalog_track *t = track_of(catalog, track);
    struct catalog_epoch *e = catalog_epoch_of(catalog, track, epoch);
    if (e != NULL || t == NULL)
        return e;
    e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->ref = empty_epoch(track, epoch);
    e->symbols.track = track;
    e->symbols.epoch = epoch;
    e->changed = true;
    struct catalog_epoch **at = &t->last;
    while (*at != NULL && (*at)->ref.epoch > epoch)
        at = &(*at)->before;
    e->before = *at;
    *at = e;
    if (epoch > t->ref.last_epoch) {
        t->ref.last_epoch = epoch;
        t->changed = catalog->tracks_changed = true;
    }
    catalog_touch(catalog, e);
    return e;
}

/* ---- blocks ---- */

static void lower(uint64_t *bound, uint64_t value)
{
    if (value < *bound)
        *bound = value;
}

static void raise(uint64_t *bound, uint64_t value)
{
    if (value > *bound)
        *bound = value;
}

void epoch_add_block(struct epoch_ref *epoch, const struct block_ref *block)
{
    bool any = epoch->last_seq != 0 || epoch->ticks != 0;
    lower(&epoch->min_ts, block->min_ts);
    raise(&epoch->max_ts, block->max_ts);
    lower(&epoch->min_event, block->min_event);
    raise(&epoch->max_event, block->max_event);
    raise(&epoch->step_back, block->step_back);
    epoch->bytes += block->frames_size;
    if (block->last_seq < block->first_seq)
        return;
    /* Ticks that were written twice (BLOCK_REWRITTEN) count once. */
    uint64_t fresh = block->last_seq - block->first_seq + 1;
    if (any && block->first_seq <= epoch->last_seq)
        fresh = block->last_seq > epoch->last_seq ? block->last_seq - epoch->last_seq : 0;
    uint64_t ticks = fresh < block->count ? fresh : block->count;
    if (!any || block->first_seq < epoch->first_seq)
        epoch->first_seq = block->first_seq;
    epoch->ticks += ticks;
    epoch->lost += fresh - ticks < block->lost ? fresh - ticks : block->lost;
    epoch->odd += fresh == 0 ? 0 : block->odd;
    raise(&epoch->last_seq, block->last_seq);
}

int catalog_note(struct catalog *catalog, const struct block_ref *ref, struct tdk_err *err)
{
    struct catalog_epoch *e = catalog_epoch_need(catalog, ref->track, ref->epoch);
    if (e == NULL)
        return err_set(err, track_of(catalog, ref->track) == NULL ? TDK_ECORRUPT : -ENOMEM,
                       "note a block of track %u", ref->track);
    epoch_add_block(&e->ref, ref);
    e->noted_round = catalog->forget_round;
    e->changed = true;
    catalog_touch(catalog, e);
    return 0;
}

/* ---- what is gone ---- */

void catalog_recount(struct catalog *catalog, const struct epoch_ref *left)
{
    struct catalog_epoch *e = catalog_epoch_of(catalog, left->track, left->epoch);
    if (e == NULL)
        return;
    struct epoch_ref ref =
        left->ticks != 0 || left->last_seq != 0 ? *left : empty_epoch(left->track, left->epoch);
    ref.ring_epoch = e->ref.ring_epoch;
    memcpy(ref.ring_uuid, e->ref.ring_uuid, sizeof ref.ring_uuid);
    e->ref = ref;
}

/* ---- properties ---- */

static struct property *property_of(const struct catalog_epoch *epoch, const char *key,
                                    size_t key_size)
{
    struct property *p = epoch->properties;
    while (p != NULL && (strlen(p->key) != key_size || memcmp(p->key, key, key_size) != 0))
        p = p->next;
    return p;
}

/* NULL: no memory, or too many properties. *rc says which. */
static struct property *property_need(struct catalog_epoch *epoch, const char *key, size_t key_size,
                                      int *rc)
{
    struct property *p = property_of(epoch, key, key_size);
    *rc = 0;
    if (p != NULL)
        return p;
    if (epoch->property_count == PROPERTIES_MAX) {
        epoch->refused++;
        return NULL;
    }
    p = calloc(1, sizeof *p + key_size + 1);
    if (p == NULL) {
        *rc = -ENOMEM;
        return NULL;
    }
    memcpy(p->key, key, key_size);
    p->next = epoch->properties;
    epoch->properties = p;
    epoch->property_count++;
    return p;
}

/* Add a part of a value. The first part begins the value anew, the others follow. 1: the value is
 * whole now. */
static int add_part(struct catalog_epoch *epoch, struct property *p, uint32_t total,
                    uint32_t offset, const void *part, uint32_t size)
{
    if (offset == 0) {
        epoch->property_bytes -= p->have;
        free(p->coming);
        p->coming = NULL;
        p->have = 0;
        p->total = total;
    }
    if (total != p->total || offset != p->have || size > total - offset)
        return 0;
    if (epoch->property_bytes - p->size + size > PROPERTY_BYTES_MAX) { /* the old one is freed */
        epoch->refused++;
        return 0;
    }
    /* Memory grows with what has arrived, not with what was announced. */
    unsigned char *coming = realloc(p->coming, (size_t)p->have + size + 1);
    if (coming == NULL)
        return -ENOMEM;
    p->coming = coming;
    if (size > 0)
        memcpy(coming + p->have, part, size);
    p->have += size;
    epoch->property_bytes += size;
    return p->have == p->total;
}

/* The value that has arrived applies from here on. Until now it was the previous one, however much
 * had arrived. */
static void take_value(struct catalog_epoch *epoch, struct property *p)
{
    epoch->property_bytes -= p->size;
    free(p->value);
    p->value = p->coming;
    p->size = p->total;
    p->coming = NULL;
    p->total = p->have = 0;
}

/* Returns the property when this part made it whole. NULL: it is not whole yet, or *rc is an
 * error. */
static const struct property *put_part(struct catalog *catalog, struct catalog_epoch *epoch,
                                       const struct tdk_info *info, const char *key,
                                       const void *part, uint32_t size, int *rc)
{
    *rc = 0;
    if (info->key_size == 0 || info->key_size > KEY_BYTES_MAX ||
        memchr(key, '\0', info->key_size) != NULL)
        return NULL;
    struct property *p = property_need(epoch, key, info->key_size, rc);
    if (p == NULL)
        return NULL;
    *rc = add_part(epoch, p, info->total, info->offset, part, size);
    if (*rc <= 0)
        return NULL;
    *rc = 0;
    take_value(epoch, p);
    p->changed = true;
    catalog_touch(catalog, epoch);
    return p;
}

int catalog_put_property(struct catalog *catalog, struct catalog_epoch *epoch, const char *key,
                         size_t key_size, const void *value, size_t size)
{
    struct tdk_info info = {.total = (uint32_t)size, .key_size = (uint16_t)key_size};
    if (size > PROPERTY_BYTES_MAX || key_size > KEY_BYTES_MAX)
        return 0;
    int rc;
    put_part(catalog, epoch, &info, key, value, (uint32_t)size, &rc);
    return rc;
}

/* ---- learning ---- */

/* Frames come from feeds: nothing is learned from malformed ones. */

static int learn_track(struct catalog *catalog, const struct tdk_frame *frame)
{
    struct tdk_track_head head;
    struct track_ref ref = {.number = frame->track};
    if (frame->size < sizeof head)
        return 0;
    memcpy(&head, tdk_frame_payload(frame), sizeof head);
    if (head.name_size > TDK_NAME_MAX || frame->size - sizeof head < head.name_size)
        return 0;
    memcpy(ref.name, tdk_frame_payload(frame) + sizeof head, head.name_size);
    ref.kind = head.kind;
    int rc = catalog_restore_track(catalog, &ref);
    return rc == -ENOMEM ? rc : 0;
}

/* Learn what its ring called the block's epoch. */
static void learn_epoch(struct catalog *catalog, struct catalog_epoch *epoch,
                        const struct tdk_frame *frame)
{
    struct tdk_epoch told;
    if (frame->size < sizeof told)
        return;
    memcpy(&told, tdk_frame_payload(frame), sizeof told);
    if (told.epoch != epoch->ref.epoch)
        return;
    epoch->ref.ring_epoch = told.ring_epoch != 0 ? told.ring_epoch : told.epoch;
    memcpy(epoch->ref.ring_uuid, told.ring_uuid, sizeof epoch->ref.ring_uuid);
    epoch->changed = true;
    catalog_touch(catalog, epoch);
}

static int learn_info(struct catalog *catalog, struct catalog_epoch *epoch,
                      const struct tdk_frame *frame)
{
    struct tdk_info info;
    if (frame->size < sizeof info)
        return 0;
    memcpy(&info, tdk_frame_payload(frame), sizeof info);
    if (frame->size - sizeof info < info.key_size)
        return 0;
    const char *key = (const char *)tdk_frame_payload(frame) + sizeof info;
    uint32_t size = frame->size - (uint32_t)sizeof info - info.key_size;
    int rc;
    const struct property *p = put_part(catalog, epoch, &info, key, key + info.key_size, size, &rc);
    if (p == NULL || strcmp(p->key, "dbn.metadata") != 0)
        return rc;
    return symbols_from_metadata(&epoch->symbols, p->value, p->size);
}

static int learn_symbol(struct catalog_epoch *epoch, const struct tdk_frame *frame)
{
    struct tdk_symbol symbol;
    if (frame->size < sizeof symbol)
        return 0;
    memcpy(&symbol, tdk_frame_payload(frame), sizeof symbol);
    return symbols_add(&epoch->symbols, symbol.instrument_id, symbol.from, symbol.to,
                       (const char *)tdk_frame_payload(frame) + sizeof symbol,
                       frame->size - sizeof symbol);
}

static int learn_mark(struct catalog *catalog, const struct catalog_epoch *epoch,
                      const struct tdk_frame *frame, uint64_t segment)
{
    struct mark_ref mark;
    return mark_decode(frame, epoch->ref.epoch, &mark) ? marks_add(&catalog->marks, &mark, segment)
                                                       : 0;
}

static int learn_frame(struct catalog *catalog, struct catalog_epoch *epoch,
                       const struct tdk_frame *frame, uint64_t segment)
{
    switch (frame->type) {
    case TDK_TYPE_MARK:
        return learn_mark(catalog, epoch, frame, segment);
    case TDK_TYPE_EPOCH:
        learn_epoch(catalog, epoch, frame);
        return 0;
    case TDK_TYPE_INFO:
        return learn_info(catalog, epoch, frame);
    case TDK_TYPE_SYMBOL:
        return learn_symbol(epoch, frame);
    case TDK_TYPE_DBN:
        return symbols_from_record(&epoch->symbols, frame);
    default:
        return 0;
    }
}

static int learn_all(struct catalog *catalog, const struct block_view *view)
{
    const struct tdk_frame *frame = (const void *)view->frames;
    const void *end = view->frames + view->head->frames_size;
    int rc = 0;
    if (frame->type == TDK_TYPE_TRACK)
        rc = learn_track(catalog, frame);
    struct catalog_epoch *epoch =
        rc == 0 ? catalog_epoch_need(catalog, view->head->track, view->head->epoch) : NULL;
    /* A block before any TRACK frame: its segment's footer names the track. */
    if (epoch == NULL)
        return catalog_name(catalog, view->head->track) == NULL && rc == 0 ? 0 : -ENOMEM;
    uint32_t symbols = epoch->symbols.count;
    uint64_t refused = epoch->refused + epoch->symbols.refused;
    for (; frame != end && rc == 0; frame = tdk_frame_after(frame))
        rc = learn_frame(catalog, epoch, frame, view->head->segment);
    if (epoch->symbols.count != symbols || epoch->symbols.first_changed < symbols)
        catalog_touch(catalog, epoch);
    catalog->refused += epoch->refused + epoch->symbols.refused - refused;
    return rc;
}

int catalog_learn_track(struct catalog *catalog, const struct tdk_frame *frame, struct tdk_err *err)
{
    int rc = frame->type == TDK_TYPE_TRACK ? learn_track(catalog, frame) : 0;
    return rc < 0 ? err_set(err, rc, "learn the name of track %u", frame->track) : 0;
}

uint64_t catalog_refused(const struct catalog *catalog)
{
    return catalog->refused;
}

int catalog_learn(struct catalog *catalog, const struct block_view *view, struct tdk_err *err)
{
    if ((view->head->flags & (BLOCK_HAS_CONTROL | BLOCK_HAS_SYMBOLS)) == 0)
        return 0;
    int rc = learn_all(catalog, view);
    return rc < 0 ? err_set(err, rc, "learn from a block of track %u", view->head->track) : 0;
}
