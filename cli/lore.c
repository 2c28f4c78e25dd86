#include "cli/lore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/name.h"
#include "formats/dbn_metadata.h"
#include "formats/dbn_symbols.h"
#include "replayer/announce.h"
#include "tape/symbols.h"
#include "tapedeck/dbn.h"

#define TRACKS_MAX 65536u
#define KEPT_MAX   (256u << 20) /* bytes of properties and symbols, whatever the ring sends */
#define KEY_MAX    256u
#define KEYS_MAX   1024u /* in an epoch; they are searched one by one */

struct property {
    struct property *next;
    size_t size, filled; /* of the value; how many bytes have come */
    char *key;
    unsigned char *value;
};

/* What is known of a track's current epoch. */
struct track {
    char name[TDK_NAME_MAX + 1];
    bool named;
    uint64_t epoch, shift;
    struct property *properties;
    size_t property_count;
    struct symbols_of symbols;
    struct dbn_metadata metadata; /* the file's, if the track is of one; and mappings */
    struct dbn_symbols mappings;
};

struct lore {
    struct track *tracks[TRACKS_MAX]; /* by number; NULL: nothing known */
    size_t kept;
};

static int track_of(struct lore *lore, uint16_t number, struct track **track)
{
    *track = lore->tracks[number];
    if (*track != NULL)
        return 0;
    if (lore->kept > KEPT_MAX)
        return TDK_EFULL;
    *track = calloc(1, sizeof **track);
    if (*track == NULL)
        return -ENOMEM;
    lore->tracks[number] = *track;
    lore->kept += sizeof **track;
    return 0;
}

static size_t size_of(const struct symbols_of *symbols)
{
    return symbols->room * sizeof *symbols->entries + symbols->slot_count * sizeof *symbols->slots;
}

static void forget(struct lore *lore, struct track *track)
{
    while (track->properties != NULL) {
        struct property *p = track->properties;
        track->properties = p->next;
        lore->kept -= p->size;
        free(p->key);
        free(p->value);
        free(p);
    }
    track->property_count = 0;
    lore->kept -= size_of(&track->symbols);
    symbols_close(&track->symbols);
    dbn_symbols_close(&track->mappings);
    dbn_metadata_close(&track->metadata);
    track->shift = 0;
}

static void begin_epoch(struct lore *lore, struct track *track, uint64_t epoch)
{
    if (track->epoch != epoch)
        forget(lore, track);
    track->epoch = epoch;
}

void lore_begin(struct lore *lore, uint64_t epoch)
{
    begin_epoch(lore, lore->tracks[0], epoch);
}

int lore_open(struct lore **lore, const char *track, uint64_t epoch)
{
    struct lore *l = calloc(1, sizeof *l);
    struct track *first;
    if (l == NULL || track_of(l, 0, &first) < 0) {
        free(l);
        return -ENOMEM;
    }
    memcpy(first->name, track, strnlen(track, TDK_NAME_MAX));
    first->named = true;
    first->epoch = epoch;
    *lore = l;
    return 0;
}

void lore_close(struct lore *lore)
{
    if (lore == NULL)
        return;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        if (lore->tracks[i] != NULL)
            forget(lore, lore->tracks[i]);
        free(lore->tracks[i]);
    }
    free(lore);
}

/* ---- learning: nothing in a payload is believed before its size was looked at ---- */

static int learn_track(struct lore *lore, const struct tdk_frame *frame)
{
    const struct tdk_track_head *head = (const struct tdk_track_head *)(frame + 1);
    if (frame->size < sizeof *head || head->name_size > frame->size - sizeof *head ||
        head->name_size > TDK_NAME_MAX)
        return 0;
    char name[TDK_NAME_MAX + 1] = "";
    memcpy(name, head + 1, head->name_size);
    if (!name_is_valid(name, head->name_size))
        return 0;
    struct track *track;
    int rc = track_of(lore, head->number, &track);
    if (rc < 0)
        return rc;
    memcpy(track->name, name, sizeof name);
    track->named = true;
    begin_epoch(lore, track, head->epoch);
    return 0;
}

static int learn_epoch(struct lore *lore, const struct tdk_frame *frame)
{
    const struct tdk_epoch *epoch = (const struct tdk_epoch *)(frame + 1);
    struct track *track;
    int rc = track_of(lore, frame->track, &track);
    if (rc < 0)
        return rc;
    if (frame->size >= sizeof *epoch)
        begin_epoch(lore, track, epoch->epoch);
    return 0;
}

/* Is it a definition of an instrument that the file's metadata already name? Only other definitions
 * are kept here. */
static bool is_named(const struct track *track, const struct tdk_frame *frame)
{
    const struct tdk_dbn_head *record = (const struct tdk_dbn_head *)(frame + 1);
    return record->rtype == TDK_RTYPE_DEFINITION &&
           dbn_symbols_find(&track->mappings, record->instrument_id, frame->ts) != NULL;
}

/* Learn from a SYMBOL frame, or from a DBN record that names an instrument, as a tape does. */
static int learn_name(struct lore *lore, const struct tdk_frame *frame)
{
    const struct tdk_symbol *symbol = (const struct tdk_symbol *)(frame + 1);
    struct track *track;
    int rc = track_of(lore, frame->track, &track);
    if (rc < 0 || lore->kept > KEPT_MAX)
        return rc;
    /* Names do not hold at the shifted times of a play with --rebase; it has announced them all. */
    if (frame->type == TDK_TYPE_DBN && (track->shift != 0 || is_named(track, frame)))
        return 0;
    size_t before = size_of(&track->symbols);
    if (frame->type == TDK_TYPE_DBN)
        rc = symbols_from_record(&track->symbols, frame);
    else if (frame->size >= sizeof *symbol)
        rc = symbols_add(&track->symbols, symbol->instrument_id, symbol->from, symbol->to,
                         (const char *)(symbol + 1), frame->size - sizeof *symbol);
    lore->kept += size_of(&track->symbols) - before;
    return rc;
}

static struct property *property_of(struct track *track, const char *key)
{
    for (struct property *p = track->properties; p != NULL; p = p->next)
        if (strcmp(p->key, key) == 0)
            return p;
    return NULL;
}

/* Begin a value with its first part, which replaces the key's old value. NULL: no memory, or the
 * ring has reached its limit. */
static struct property *begin_property(struct lore *lore, struct track *track, const char *key,
                                       size_t size)
{
    struct property *p = property_of(track, key);
    if (size > KEPT_MAX || lore->kept > KEPT_MAX - size ||
        (p == NULL && track->property_count == KEYS_MAX))
        return NULL;
    unsigned char *value = malloc(size + 1);
    if (p == NULL && value != NULL) {
        p = calloc(1, sizeof *p);
        char *copy = p != NULL ? strdup(key) : NULL;
        if (copy == NULL) {
            free(p);
            p = NULL;
        } else {
            p->key = copy;
            p->next = track->properties;
            track->properties = p;
            track->property_count++;
        }
    }
    if (p == NULL || value == NULL) {
        free(value);
        return NULL;
    }
    lore->kept += size;
    lore->kept -= p->size;
    free(p->value);
    p->value = value;
    p->size = size;
    p->filled = 0;
    return p;
}

static void adopt_metadata(struct track *track, const struct property *p)
{
    dbn_symbols_close(&track->mappings);
    dbn_metadata_close(&track->metadata);
    /* If the header cannot be read, the instruments have no names. */
    if (dbn_metadata_decode(&track->metadata, p->value, p->size, NULL) == 0)
        (void)dbn_symbols_open(&track->mappings, &track->metadata);
}

static void whole_property(struct track *track, const struct property *p)
{
    if (strcmp(p->key, "dbn.metadata") == 0)
        adopt_metadata(track, p);
    if (strcmp(p->key, ANNOUNCE_REBASE_KEY) == 0) {
        char text[24] = "";
        memcpy(text, p->value, p->size < sizeof text ? p->size : sizeof text - 1);
        track->shift = (uint64_t)strtoll(text, NULL, 10);
    }
}

static int learn_info(struct lore *lore, const struct tdk_frame *frame)
{
    const struct tdk_info *info = (const struct tdk_info *)(frame + 1);
    struct track *track;
    int rc = track_of(lore, frame->track, &track);
    if (rc < 0)
        return rc;
    if (frame->size < sizeof *info || info->key_size > frame->size - sizeof *info ||
        info->key_size > KEY_MAX)
        return 0;
    char key[KEY_MAX + 1] = "";
    const unsigned char *part = (const unsigned char *)(info + 1) + info->key_size;
    size_t part_size = frame->size - sizeof *info - info->key_size;
    memcpy(key, info + 1, info->key_size);
    struct property *p =
        info->offset == 0 ? begin_property(lore, track, key, info->total) : property_of(track, key);
    /* Parts come in order. One that does not follow on what came before is ignored. */
    if (p == NULL || p->filled != info->offset || part_size > p->size - p->filled)
        return 0;
    memcpy(p->value + p->filled, part, part_size);
    p->filled += part_size;
    if (p->filled == p->size)
        whole_property(track, p);
    return 0;
}

static bool names_instrument(const struct tdk_frame *frame)
{
    const struct tdk_dbn_head *record = (const struct tdk_dbn_head *)(frame + 1);
    return frame->type == TDK_TYPE_DBN && frame->size > sizeof *record &&
           (record->rtype == TDK_RTYPE_SYMBOL_MAPPING || record->rtype == TDK_RTYPE_DEFINITION);
}

int lore_learn(struct lore *lore, const struct tdk_frame *frame)
{
    if (names_instrument(frame))
        return learn_name(lore, frame);
    if (!tdk_type_is_control(frame->type))
        return 0;
    switch (frame->type) {
    case TDK_TYPE_TRACK:
        return learn_track(lore, frame);
    case TDK_TYPE_EPOCH:
        return learn_epoch(lore, frame);
    case TDK_TYPE_SYMBOL:
        return learn_name(lore, frame);
    case TDK_TYPE_INFO:
        return learn_info(lore, frame);
    default:
        return 0;
    }
}

/* ---- what is known ---- */

struct lore_track lore_track(const struct lore *lore, uint16_t number)
{
    const struct track *track = lore->tracks[number];
    if (track == NULL || !track->named)
        return (struct lore_track){.name = NULL};
    return (struct lore_track){.name = track->name, .epoch = track->epoch, .shift = track->shift};
}

static const char *fact_symbol(void *context, const char *name, uint16_t number, uint64_t epoch,
                               uint32_t instrument_id, uint64_t ts)
{
    const struct lore *lore = context;
    const struct track *track = lore->tracks[number];
    (void)name;
    if (track == NULL || track->epoch != epoch)
        return NULL;
    const char *symbol = symbols_find(&track->symbols, instrument_id, ts);
    if (symbol != NULL)
        return symbol;
    return dbn_symbols_find(&track->mappings, instrument_id, ts);
}

static int fact_property(void *context, const char *name, uint64_t epoch, const char *key,
                         void **value, size_t *size)
{
    const struct lore *lore = context;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        struct track *track = lore->tracks[i];
        if (track == NULL || track->epoch != epoch || strcmp(track->name, name) != 0)
            continue;
        const struct property *p = property_of(track, key);
        if (p == NULL || p->filled != p->size)
            return -ENOENT;
        void *copy = malloc(p->size + 1);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, p->value, p->size);
        *value = copy;
        *size = p->size;
        return 0;
    }
    return -ENOENT;
}

struct output_facts lore_facts(struct lore *lore)
{
    return (struct output_facts){.context = lore, .symbol = fact_symbol, .property = fact_property};
}
