#include "cli/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/range.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_names.h"
#include "formats/dbn_symbols.h"
#include "tapedeck/dbn.h"

#define DAY_NS UINT64_C(86400000000000)

/* One epoch of one track. */
struct origin {
    char track[TDK_NAME_MAX + 1];
    uint64_t epoch;
    uint8_t kind;      /* enum tdk_kind of the track */
    bool in_range;     /* may hold ticks of the range */
    bool has_metadata; /* a DBN file went into it */
    uint64_t first_ts, last_ts;
    struct dbn_metadata metadata; /* decoded: owned */
};

/* One interval of one mapping, flat: sorted, doubles removed, grouped again. */
struct flat {
    const char *raw, *symbol;
    uint32_t start_date, end_date;
};

struct export
{
    struct tdk_tape *tape; /* borrowed, like the query */
    const struct tdk_query *query;
    struct origin *origins;
    size_t origin_count, origin_room;
    char **strings; /* ours, that flat intervals point to */
    size_t string_count, string_room;
    struct flat *flats;
    size_t flat_count, flat_room;
    struct dbn_mapping *mappings;
    struct dbn_interval *intervals;
    const char **names[3]; /* symbols, partial, not_found */
    struct dbn_metadata metadata;
    const char *track; /* being looked at */
    uint8_t track_kind;
    struct tdk_err *err;
};

/* Room for one more item. NULL: no memory, and the old array is as it was. */
static void *grown(void *items, size_t size, size_t count, size_t *room)
{
    if (count < *room)
        return items;
    size_t wanted = *room * 2 + 16;
    void *more = reallocarray(items, wanted, size);
    if (more != NULL)
        *room = wanted;
    return more;
}

static int no_memory(struct tdk_err *err)
{
    return err_set(err, -ENOMEM, "make the head of a DBN file");
}

/* ---- which epochs ---- */

/* A track whose file has another schema than those asked for adds nothing. */
static bool schema_is_asked_for(const struct tdk_query *query, uint16_t schema)
{
    uint8_t rtype;
    if (query->type_count == 0 || !dbn_schema_rtype(schema, &rtype))
        return true;
    for (size_t i = 0; i < query->type_count; i++)
        if (query->types[i].type == TDK_TYPE_DBN &&
            (query->types[i].rtype < 0 || query->types[i].rtype == rtype))
            return true;
    return false;
}

static bool meets_range(const struct tdk_query *query, const struct tdk_epoch_info *epoch)
{
    if (epoch->last_seq == 0)
        return false;
    if (query->axis == TDK_AXIS_EVENT || epoch->first_ts > epoch->last_ts)
        return true; /* the epoch does not say */
    return epoch->last_ts >= query->from &&
           (epoch->first_ts < query->to || query->to == UINT64_MAX);
}

static int add_epoch(const struct tdk_epoch_info *epoch, void *context)
{
    struct export *e = context;
    struct origin *origins = grown(e->origins, sizeof *origins, e->origin_count, &e->origin_room);
    if (origins == NULL)
        return no_memory(e->err);
    e->origins = origins;
    struct origin *origin = &origins[e->origin_count];
    *origin = (struct origin){.epoch = epoch->epoch,
                              .kind = e->track_kind,
                              .in_range = meets_range(e->query, epoch),
                              .first_ts = epoch->first_ts,
                              .last_ts = epoch->last_ts};
    snprintf(origin->track, sizeof origin->track, "%s", e->track);
    void *bytes = NULL;
    size_t size;
    int rc =
        tdk_tape_property(e->tape, e->track, epoch->epoch, "dbn.metadata", &bytes, &size, e->err);
    if (rc == -ENOENT) {
        e->origin_count++;
        return 0;
    }
    if (rc == 0)
        rc = dbn_metadata_decode(&origin->metadata, bytes, size, e->err);
    free(bytes);
    if (rc < 0)
        return err_wrap(e->err, rc, "track %s, epoch %" PRIu64, e->track, epoch->epoch);
    origin->has_metadata = true;
    if (schema_is_asked_for(e->query, origin->metadata.schema))
        e->origin_count++;
    else
        dbn_metadata_free(&origin->metadata);
    return 0;
}

static int add_track(const struct tdk_track_info *track, void *context)
{
    struct export *e = context;
    if (!range_has_track(e->query, track->name))
        return 0;
    e->track = track->name;
    e->track_kind = track->kind;
    return tdk_tape_epochs(e->tape, track->name, add_epoch, e, e->err);
}

/* Epochs outside the range count only when there are no others: what an empty answer would be is
 * still worth saying. */
static void keep_in_range(struct export *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->origin_count; i++)
        kept += e->origins[i].in_range;
    if (kept == 0)
        return;
    kept = 0;
    for (size_t i = 0; i < e->origin_count; i++) {
        if (e->origins[i].in_range)
            e->origins[kept++] = e->origins[i];
        else
            dbn_metadata_free(&e->origins[i].metadata);
    }
    e->origin_count = kept;
}

/* ---- version, schema, times ---- */

/* Do records of this schema lie the same in every version? Mixed ones may not. */
static bool is_same_in_all_versions(uint16_t schema)
{
    uint8_t rtype;
    if (!dbn_schema_rtype(schema, &rtype))
        return false;
    return rtype != TDK_RTYPE_DEFINITION && rtype != TDK_RTYPE_STATISTICS;
}

static bool asks_only_for_unchanged(const struct tdk_query *query)
{
    for (size_t i = 0; i < query->type_count; i++) {
        int rtype = query->types[i].rtype;
        if (rtype < 0 || !is_same_in_all_versions(dbn_rtype_schema((uint8_t)rtype)))
            return false;
    }
    return query->type_count > 0;
}

static uint8_t choose_version(const struct export *e)
{
    uint8_t version = 0;
    if (asks_only_for_unchanged(e->query))
        return DBN_VERSION_MAX;
    for (size_t i = 0; i < e->origin_count; i++) {
        const struct origin *origin = &e->origins[i];
        if (origin->has_metadata && !is_same_in_all_versions(origin->metadata.schema) &&
            origin->metadata.version > version)
            version = origin->metadata.version;
    }
    return version != 0 ? version : DBN_VERSION_MAX;
}

/* What all agree on stays; what they do not becomes "mixed". */
static void merge_head(struct dbn_metadata *to, const struct dbn_metadata *from, bool first)
{
    if (first) {
        *to = *from;
        to->memory = NULL;
        return;
    }
    if (strcmp(to->dataset, from->dataset) != 0)
        to->dataset[0] = '\0';
    if (to->schema != from->schema)
        to->schema = DBN_SCHEMA_MIXED;
    if (to->stype_in != from->stype_in)
        to->stype_in = DBN_STYPE_MIXED;
    if (to->stype_out != from->stype_out)
        to->stype_out = DBN_STYPE_MIXED;
    if (from->start < to->start)
        to->start = from->start;
    if (from->end > to->end)
        to->end = from->end;
    to->limit = 0;
}

/* A track that no file went into: as a live client would describe itself. */
static struct dbn_metadata live_head(const struct origin *origin)
{
    bool ticks = origin->first_ts <= origin->last_ts;
    return (struct dbn_metadata){
        .version = DBN_VERSION_MAX,
        .stype_in = DBN_STYPE_RAW_SYMBOL,
        .stype_out = DBN_STYPE_INSTRUMENT_ID,
        .schema = DBN_SCHEMA_MIXED,
        .start = ticks ? origin->first_ts : 0,
        .end = ticks && origin->last_ts < UINT64_MAX - 1 ? origin->last_ts + 1 : UINT64_MAX,
    };
}

static void merge_heads(struct export *e)
{
    bool first = true;
    e->metadata = live_head(&(struct origin){.first_ts = 1}); /* should there be nothing at all */
    for (size_t i = 0; i < e->origin_count; i++) {
        const struct origin *origin = &e->origins[i];
        if (origin->kind == TDK_KIND_WIDE || origin->kind == TDK_KIND_OPAQUE)
            continue; /* never in a DBN file */
        struct dbn_metadata live = live_head(origin);
        merge_head(&e->metadata, origin->has_metadata ? &origin->metadata : &live, first);
        first = false;
    }
}

static void make_head(struct export *e, uint16_t schema)
{
    struct dbn_metadata *head = &e->metadata;
    const struct tdk_query *query = e->query;
    merge_heads(e);
    head->version = choose_version(e);
    head->symbol_size = 0;
    head->symbols = head->partial = head->not_found = (struct dbn_names){.items = NULL};
    head->mappings = NULL;
    head->mapping_count = 0;
    if (schema != DBN_SCHEMA_MIXED)
        head->schema = schema;
    if (query->axis == TDK_AXIS_RECV && query->from > head->start)
        head->start = query->from;
    if (query->axis == TDK_AXIS_RECV && query->to < head->end)
        head->end = query->to;
    if (query->limit > 0)
        head->limit = query->limit;
}

/* ---- symbols and mappings ---- */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const struct dbn_names *names_of(const struct dbn_metadata *metadata, int list)
{
    return list == 0 ? &metadata->symbols : list == 1 ? &metadata->partial : &metadata->not_found;
}

/* As the one file had them; of several, sorted and each once. */
static int merge_names(struct export *e, int list, struct dbn_names *names)
{
    size_t count = 0;
    for (size_t i = 0; i < e->origin_count; i++)
        count += names_of(&e->origins[i].metadata, list)->count;
    const char **items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return no_memory(e->err);
    e->names[list] = items;
    count = 0;
    for (size_t i = 0; i < e->origin_count; i++) {
        const struct dbn_names *more = names_of(&e->origins[i].metadata, list);
        for (size_t j = 0; j < more->count; j++)
            items[count++] = more->items[j];
    }
    if (e->origin_count > 1) {
        qsort(items, count, sizeof *items, compare_strings);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
            if (i == 0 || strcmp(items[i], items[kept - 1]) != 0)
                items[kept++] = items[i];
        count = kept;
    }
    *names = (struct dbn_names){.items = items, .count = count};
    return 0;
}

static int add_flat(struct export *e, const struct flat *flat)
{
    struct flat *flats = grown(e->flats, sizeof *flats, e->flat_count, &e->flat_room);
    if (flats == NULL)
        return no_memory(e->err);
    e->flats = flats;
    flats[e->flat_count++] = *flat;
    return 0;
}

static int add_mappings(struct export *e, const struct dbn_metadata *metadata)
{
    for (size_t i = 0; i < metadata->mapping_count; i++) {
        const struct dbn_mapping *mapping = &metadata->mappings[i];
        for (size_t j = 0; j < mapping->interval_count; j++) {
            const struct dbn_interval *interval = &mapping->intervals[j];
            struct flat flat = {mapping->raw_symbol, interval->symbol, interval->start_date,
                                interval->end_date};
            int rc = add_flat(e, &flat);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static const char *keep_string(struct export *e, const char *string)
{
    char **strings = grown(e->strings, sizeof *strings, e->string_count, &e->string_room);
    if (strings == NULL)
        return NULL;
    e->strings = strings;
    char *copy = strdup(string);
    if (copy != NULL)
        strings[e->string_count++] = copy;
    return copy;
}

/* The epoch a symbol belongs to, when no file speaks for it. */
static bool is_live(const struct export *e, const struct tdk_symbol_info *symbol)
{
    for (size_t i = 0; i < e->origin_count; i++)
        if (e->origins[i].epoch == symbol->epoch && strcmp(e->origins[i].track, symbol->track) == 0)
            return !e->origins[i].has_metadata;
    return false;
}

/* By whole UTC days, cut to the range. */
static int add_tape_symbol(const struct tdk_symbol_info *symbol, void *context)
{
    struct export *e = context;
    const struct dbn_metadata *head = &e->metadata;
    uint64_t from = symbol->from > head->start ? symbol->from : head->start;
    uint64_t to = symbol->to < head->end ? symbol->to : head->end;
    if (from >= to || !is_live(e, symbol))
        return 0;
    char id[16];
    snprintf(id, sizeof id, "%" PRIu32, symbol->instrument_id);
    uint64_t last = to - 1;
    struct flat flat = {
        .raw = keep_string(e, symbol->symbol),
        .symbol = keep_string(e, id),
        .start_date = dbn_date_of_ns(from),
        .end_date = dbn_date_of_ns(last < UINT64_MAX - DAY_NS ? last + DAY_NS : UINT64_MAX),
    };
    if (flat.raw == NULL || flat.symbol == NULL)
        return no_memory(e->err);
    return add_flat(e, &flat);
}

static int compare_flats(const void *a, const void *b)
{
    const struct flat *x = a, *y = b;
    int order = strcmp(x->raw, y->raw);
    if (order == 0 && x->start_date != y->start_date)
        order = x->start_date < y->start_date ? -1 : 1;
    if (order == 0 && x->end_date != y->end_date)
        order = x->end_date < y->end_date ? -1 : 1;
    return order != 0 ? order : strcmp(x->symbol, y->symbol);
}

/* A mapping a raw symbol, each interval once. Both arrays were made as long as the flat one. */
static void group(struct export *e)
{
    size_t interval_count = 0;
    struct dbn_metadata *head = &e->metadata;
    for (size_t i = 0; i < e->flat_count; i++) {
        const struct flat *flat = &e->flats[i];
        if (i > 0 && compare_flats(flat, flat - 1) == 0)
            continue;
        if (i == 0 || strcmp(flat->raw, flat[-1].raw) != 0)
            e->mappings[head->mapping_count++] = (struct dbn_mapping){
                .raw_symbol = flat->raw, .intervals = &e->intervals[interval_count]};
        e->mappings[head->mapping_count - 1].interval_count++;
        e->intervals[interval_count++] =
            (struct dbn_interval){flat->start_date, flat->end_date, flat->symbol};
    }
    head->mappings = e->mappings;
}

static int merge_mappings(struct export *e)
{
    for (size_t i = 0; i < e->origin_count; i++) {
        int rc = add_mappings(e, &e->origins[i].metadata);
        if (rc < 0)
            return rc;
    }
    int rc = tdk_tape_symbols(e->tape, NULL, add_tape_symbol, e, e->err);
    if (rc < 0)
        return rc;
    qsort(e->flats, e->flat_count, sizeof *e->flats, compare_flats);
    e->mappings = calloc(e->flat_count + 1, sizeof *e->mappings);
    e->intervals = calloc(e->flat_count + 1, sizeof *e->intervals);
    if (e->mappings == NULL || e->intervals == NULL)
        return no_memory(e->err);
    group(e);
    return 0;
}

static int make_symbols(struct export *e)
{
    struct dbn_metadata *head = &e->metadata;
    int rc = merge_names(e, 0, &head->symbols);
    if (rc == 0)
        rc = merge_names(e, 1, &head->partial);
    if (rc == 0)
        rc = merge_names(e, 2, &head->not_found);
    if (rc < 0)
        return rc;
    if (e->origin_count == 1 && e->origins[0].has_metadata) {
        head->mappings = e->origins[0].metadata.mappings;
        head->mapping_count = e->origins[0].metadata.mapping_count;
        return 0;
    }
    return merge_mappings(e);
}

/* ---- open and close ---- */

int export_open(struct export **export, struct tdk_tape *tape, const struct tdk_query *query,
                uint16_t schema, struct tdk_err *err)
{
    struct export *e = calloc(1, sizeof *e);
    if (e == NULL)
        return no_memory(err);
    e->tape = tape;
    e->query = query;
    e->err = err;
    int rc = tdk_tape_tracks(tape, add_track, e, err);
    if (rc == 0) {
        keep_in_range(e);
        make_head(e, schema);
        rc = make_symbols(e);
    }
    if (rc < 0) {
        export_close(e);
        return rc;
    }
    *export = e;
    return 0;
}

void export_close(struct export *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->origin_count; i++)
        dbn_metadata_free(&e->origins[i].metadata);
    for (size_t i = 0; i < e->string_count; i++)
        free(e->strings[i]);
    for (size_t i = 0; i < sizeof e->names / sizeof e->names[0]; i++)
        free(e->names[i]);
    free(e->origins);
    free(e->strings);
    free(e->flats);
    free(e->mappings);
    free(e->intervals);
    free(e);
}

const struct dbn_metadata *export_metadata(const struct export *e)
{
    return &e->metadata;
}

static struct output_schema schema_of_origin(const struct export *e, const struct origin *origin)
{
    struct output_schema schema = {.type = 0};
    uint16_t number =
        e->metadata.schema != DBN_SCHEMA_MIXED ? e->metadata.schema : origin->metadata.schema;
    if (origin->kind == TDK_KIND_WIDE)
        return (struct output_schema){.type = TDK_TYPE_WIDE, .rtype = TDK_RTYPE_WIDE_TRADE};
    if (origin->kind == TDK_KIND_OPAQUE)
        return (struct output_schema){.type = TDK_TYPE_OPAQUE};
    if (!origin->has_metadata || !dbn_schema_rtype(number, &schema.rtype))
        return schema;
    schema.type = TDK_TYPE_DBN;
    schema.version = origin->metadata.version;
    schema.ts_out = origin->metadata.ts_out;
    return schema;
}

struct output_schema export_schema(const struct export *e)
{
    struct output_schema schema = {.type = 0};
    for (size_t i = 0; i < e->origin_count; i++) {
        struct output_schema one = schema_of_origin(e, &e->origins[i]);
        if (i > 0 && (one.type != schema.type || one.rtype != schema.rtype))
            return (struct output_schema){.type = 0};
        schema = one;
    }
    return schema;
}
