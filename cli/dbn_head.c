#include "cli/dbn_head.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/mappings.h"
#include "cli/range.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_names.h"
#include "formats/source.h"
#include "tape/frame.h"
#include "tape/select.h"
#include "tapedeck/dbn.h"

#define PROBE_SIZE (UINT64_C(16) << 20) /* bytes of records to look at */

/* One epoch of one track. */
struct origin {
    char track[TDK_NAME_MAX + 1];
    uint64_t epoch;
    uint8_t kind;      /* enum tdk_kind of the track */
    bool in_range;     /* may hold ticks of the range */
    bool is_chosen;    /* the head is made from it */
    bool has_metadata; /* from a DBN file that the epoch was made from */
    uint64_t first_ts, last_ts;
    struct dbn_metadata metadata; /* decoded: owned */
};

struct dbn_head {
    struct depot *depot; /* borrowed, like the query */
    const struct tdk_query *query;
    struct origin *origins;
    size_t origin_count;
    struct mappings mappings;
    const char **names[3]; /* symbols, partial, not_found */
    struct dbn_metadata metadata;
    const char *track; /* the one being looked at */
    uint8_t track_kind;
    struct tdk_err *err;
};

static int no_memory(struct tdk_err *err)
{
    return err_set(err, -ENOMEM, "make the head of a DBN file");
}

/* ---- which epochs ---- */

/* Is the file's schema among those asked for? If not, the track adds nothing. */
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
        return true; /* the epoch does not say which */
    return epoch->last_ts >= query->from &&
           (epoch->first_ts < query->to || query->to == UINT64_MAX);
}

static int add_epoch(const struct tdk_epoch_info *epoch, void *context)
{
    struct dbn_head *h = context;
    struct origin *origins = reallocarray(h->origins, h->origin_count + 1, sizeof *origins);
    if (origins == NULL)
        return no_memory(h->err);
    h->origins = origins;
    struct origin *origin = &origins[h->origin_count];
    *origin = (struct origin){.epoch = epoch->epoch,
                              .kind = h->track_kind,
                              .in_range = meets_range(h->query, epoch),
                              .first_ts = epoch->first_ts,
                              .last_ts = epoch->last_ts};
    snprintf(origin->track, sizeof origin->track, "%s", h->track);
    h->origin_count++;
    return 0;
}

static int add_track(const struct tdk_track_info *track, void *context)
{
    struct dbn_head *h = context;
    if (!query_has_track(h->query, track->name))
        return 0;
    h->track = track->name;
    h->track_kind = track->kind;
    return depot_epochs(h->depot, track->name, add_epoch, h, h->err);
}

/* Read the head of the DBN file that an epoch was made from, if it was. */
static int read_metadata(const struct dbn_head *h, struct origin *origin)
{
    void *bytes = NULL;
    size_t size;
    int rc = depot_property(h->depot, origin->track, origin->epoch, "dbn.metadata", &bytes, &size,
                            h->err);
    if (rc == -ENOENT)
        return 0;
    if (rc == 0)
        rc = dbn_metadata_decode(&origin->metadata, bytes, size, h->err);
    free(bytes);
    if (rc < 0)
        return err_wrap(h->err, rc, "track %s, epoch %" PRIu64, origin->track, origin->epoch);
    origin->has_metadata = true;
    return 0;
}

/* Choose among the epochs in range, or among the others: those of a schema that is asked for, and
 * those that say none. *chosen: how many more. */
static int choose_among(struct dbn_head *h, bool in_range, size_t *chosen)
{
    int rc = 0;
    for (size_t i = 0; i < h->origin_count && rc == 0; i++) {
        struct origin *origin = &h->origins[i];
        if (origin->in_range != in_range)
            continue;
        rc = read_metadata(h, origin);
        origin->is_chosen = rc == 0 && (!origin->has_metadata ||
                                        schema_is_asked_for(h->query, origin->metadata.schema));
        *chosen += origin->is_chosen;
        if (!origin->is_chosen)
            dbn_metadata_close(&origin->metadata);
    }
    return rc;
}

/* Epochs outside the range count only when there are no others: even an empty answer should say
 * what it would be. Otherwise their heads, which may be many and large, are not read. */
static int choose_epochs(struct dbn_head *h)
{
    size_t chosen = 0, kept = 0;
    int rc = choose_among(h, true, &chosen);
    if (rc == 0 && chosen == 0)
        rc = choose_among(h, false, &chosen);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < h->origin_count; i++)
        if (h->origins[i].is_chosen)
            h->origins[kept++] = h->origins[i];
    h->origin_count = kept;
    return 0;
}

/* ---- version, send times, schema, times ---- */

/* Do records of this schema have the same layout in every version? Mixed ones may not. */
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

static bool is_dbn(const struct origin *origin)
{
    return origin->kind != TDK_KIND_WIDE && origin->kind != TDK_KIND_OPAQUE;
}

/* What the records themselves show. */
struct probe {
    uint8_t version;  /* of the first that depends on the version; 0: none does */
    bool any, ts_out; /* there is a record; the first one has a send time */
    bool stamped;     /* the first one's frame has another time than the record */
};

static void probe_record(struct probe *probe, const struct tdk_frame *frame)
{
    const struct tdk_dbn_head *record = (const struct tdk_dbn_head *)(frame + 1);
    if (frame->type != TDK_TYPE_DBN || !tdk_dbn_check(frame->type, record, frame->size))
        return;
    const struct dbn_layout *layout = dbn_layout_find(frame->type, record->rtype, frame->size);
    if (layout == NULL)
        return;
    if (!probe->any) {
        probe->ts_out = frame->size > layout->size;
        probe->stamped = frame->ts != dbn_index_ts(record, frame->size);
    }
    probe->any = true;
    if (probe->version == 0 &&
        (layout->first_version > 1 || layout->last_version < DBN_VERSION_MAX))
        probe->version = layout->last_version;
}

static void probe_run(struct probe *probe, const struct tdk_run *run)
{
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at))
        probe_record(probe, at);
}

/* Records that came without a head (fragments, live feeds) show their version, and whether they
 * have a send time, by their length. Look at the first of them, up to one that depends on the
 * version. */
static struct probe probe_records(const struct dbn_head *h, bool for_version)
{
    struct probe probe = {.version = 0};
    struct reader *reader;
    struct tdk_run run;
    uint64_t seen = 0;
    if (reader_open(&reader, h->depot, h->query, NULL) < 0)
        return probe;
    int rc = 1;
    while (!(for_version ? probe.version != 0 : probe.any) && seen < PROBE_SIZE && rc != 0) {
        rc = reader_read(reader, &run, NULL);
        if (rc == 1) {
            probe_run(&probe, &run);
            seen += run.size;
        } else if (rc != TDK_ECORRUPT) {
            break; /* delivering the range will meet and report it */
        }
    }
    reader_close(reader);
    return probe;
}

/* Is there a DBN track that was not made from a file with a head? */
static bool has_headless(const struct dbn_head *h)
{
    for (size_t i = 0; i < h->origin_count; i++)
        if (is_dbn(&h->origins[i]) && !h->origins[i].has_metadata)
            return true;
    return false;
}

static uint8_t choose_version(const struct dbn_head *h)
{
    uint8_t version = 0;
    if (asks_only_for_unchanged(h->query))
        return DBN_VERSION_MAX;
    for (size_t i = 0; i < h->origin_count; i++) {
        const struct origin *origin = &h->origins[i];
        if (origin->has_metadata && !is_same_in_all_versions(origin->metadata.schema) &&
            origin->metadata.version > version)
            version = origin->metadata.version;
    }
    if (version == 0 && has_headless(h))
        version = probe_records(h, true).version;
    return version != 0 ? version : DBN_VERSION_MAX;
}

/* Either all or no records of a file have send times: as a head says, else as the first record
 * has. */
static bool choose_ts_out(const struct dbn_head *h)
{
    bool headed = false, ts_out = false;
    for (size_t i = 0; i < h->origin_count; i++) {
        const struct origin *origin = &h->origins[i];
        headed |= origin->has_metadata;
        ts_out |= origin->has_metadata && origin->metadata.ts_out;
    }
    return !headed && has_headless(h) ? probe_records(h, false).ts_out : ts_out;
}

/* Keep what all heads agree on; anything else becomes "mixed". */
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

/* The head of a track that was not made from a file: what a live client would write. */
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

static void merge_heads(struct dbn_head *h)
{
    bool first = true;
    h->metadata = live_head(&(struct origin){.first_ts = 1}); /* for a tape with nothing at all */
    for (size_t i = 0; i < h->origin_count; i++) {
        const struct origin *origin = &h->origins[i];
        if (!is_dbn(origin))
            continue;
        struct dbn_metadata live = live_head(origin);
        merge_head(&h->metadata, origin->has_metadata ? &origin->metadata : &live, first);
        first = false;
    }
}

static bool is_of_rtype_of(uint16_t schema, uint16_t other)
{
    uint8_t a, b;
    return dbn_schema_rtype(schema, &a) && dbn_schema_rtype(other, &b) && a == b;
}

/* The schema asked for, unless a file says that its records of this type have another one. */
static uint16_t choose_schema(const struct dbn_head *h, uint16_t asked)
{
    for (size_t i = 0; i < h->origin_count; i++) {
        const struct origin *origin = &h->origins[i];
        if (origin->has_metadata && origin->metadata.schema != asked &&
            is_of_rtype_of(origin->metadata.schema, asked))
            return h->metadata.schema;
    }
    return asked != DBN_SCHEMA_MIXED ? asked : h->metadata.schema;
}

/* Limit the head's times to the range. If the producer gave the ticks new times (feed --stamp now),
 * the range says nothing about the times in the records. */
static void bound_times(struct dbn_head *h)
{
    struct dbn_metadata *head = &h->metadata;
    const bool recv = h->query->axis == TDK_AXIS_RECV;
    const uint64_t from = recv ? h->query->from : 0, to = recv ? h->query->to : UINT64_MAX;
    const bool headless = has_headless(h);
    if (from <= head->start && to >= head->end && !headless)
        return;
    if (!probe_records(h, false).stamped) {
        head->start = from > head->start ? from : head->start;
        head->end = to < head->end ? to : head->end;
    } else if (headless) {
        head->start = 0;
        head->end = UINT64_MAX;
    }
}

static void make_head(struct dbn_head *h, uint16_t schema)
{
    struct dbn_metadata *head = &h->metadata;
    merge_heads(h);
    head->version = choose_version(h);
    head->ts_out = choose_ts_out(h);
    head->symbol_size = 0;
    head->symbols = head->partial = head->not_found = (struct dbn_names){.items = NULL};
    head->mappings = NULL;
    head->mapping_count = 0;
    head->schema = choose_schema(h, schema);
    if (h->query->limit > 0)
        head->limit = h->query->limit;
    bound_times(h);
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

/* The names of a single file in its order; those of several files sorted, each once. */
static int merge_names(struct dbn_head *h, int list, struct dbn_names *names)
{
    size_t count = 0;
    for (size_t i = 0; i < h->origin_count; i++)
        count += names_of(&h->origins[i].metadata, list)->count;
    const char **items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return no_memory(h->err);
    h->names[list] = items;
    count = 0;
    for (size_t i = 0; i < h->origin_count; i++) {
        const struct dbn_names *more = names_of(&h->origins[i].metadata, list);
        for (size_t j = 0; j < more->count; j++)
            items[count++] = more->items[j];
    }
    if (h->origin_count > 1) {
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

/* Is this symbol of an epoch that was not made from a file? */
static bool is_live(const struct dbn_head *h, const struct tdk_symbol_info *symbol)
{
    for (size_t i = 0; i < h->origin_count; i++)
        if (h->origins[i].epoch == symbol->epoch && strcmp(h->origins[i].track, symbol->track) == 0)
            return !h->origins[i].has_metadata;
    return false;
}

static int add_tape_symbol(const struct tdk_symbol_info *symbol, void *context)
{
    struct dbn_head *h = context;
    const struct dbn_metadata *head = &h->metadata;
    if (!is_live(h, symbol))
        return 0;
    uint64_t from = symbol->from > head->start ? symbol->from : head->start;
    uint64_t to = symbol->to < head->end ? symbol->to : head->end;
    return mappings_add_symbol(&h->mappings, symbol->symbol, symbol->instrument_id, from, to);
}

static int merge_mappings(struct dbn_head *h)
{
    int rc = 0;
    for (size_t i = 0; i < h->origin_count && rc == 0; i++)
        rc = mappings_add_head(&h->mappings, &h->origins[i].metadata);
    if (rc == 0)
        rc = depot_symbols(h->depot, NULL, add_tape_symbol, h, h->err);
    if (rc == 0)
        rc = mappings_make(&h->mappings);
    if (rc == -ENOMEM)
        return no_memory(h->err);
    h->metadata.mappings = h->mappings.mappings;
    h->metadata.mapping_count = h->mappings.mapping_count;
    return rc;
}

int dbn_head_add_symbols(struct dbn_head *h, struct tdk_err *err)
{
    struct dbn_metadata *head = &h->metadata;
    h->err = err;
    int rc = merge_names(h, 0, &head->symbols);
    if (rc == 0)
        rc = merge_names(h, 1, &head->partial);
    if (rc == 0)
        rc = merge_names(h, 2, &head->not_found);
    if (rc < 0)
        return rc;
    if (h->origin_count == 1 && h->origins[0].has_metadata) {
        head->mappings = h->origins[0].metadata.mappings;
        head->mapping_count = h->origins[0].metadata.mapping_count;
        return 0;
    }
    return merge_mappings(h);
}

/* ---- open and close ---- */

int dbn_head_open(struct dbn_head **head, struct depot *depot, const struct tdk_query *query,
                  uint16_t schema, struct tdk_err *err)
{
    struct dbn_head *h = calloc(1, sizeof *h);
    if (h == NULL)
        return no_memory(err);
    h->depot = depot;
    h->query = query;
    h->err = err;
    int rc = depot_tracks(depot, add_track, h, err);
    if (rc == 0)
        rc = choose_epochs(h);
    if (rc < 0) {
        dbn_head_close(h);
        return rc;
    }
    make_head(h, schema);
    *head = h;
    return 0;
}

void dbn_head_close(struct dbn_head *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->origin_count; i++)
        dbn_metadata_close(&h->origins[i].metadata);
    for (size_t i = 0; i < sizeof h->names / sizeof h->names[0]; i++)
        free(h->names[i]);
    free(h->origins);
    mappings_close(&h->mappings);
    free(h);
}

const struct dbn_metadata *dbn_head_metadata(const struct dbn_head *h)
{
    return &h->metadata;
}

/* What a file without ticks said of itself. */
static uint8_t told_rtype(const struct dbn_head *h, const struct origin *origin)
{
    uint8_t rtype = TDK_RTYPE_WIDE_TRADE;
    void *value = NULL;
    size_t size;
    if (depot_property(h->depot, origin->track, origin->epoch, SOURCE_SCHEMA_KEY, &value, &size,
                       NULL) == 0) {
        char name[16] = "";
        memcpy(name, value, size < sizeof name ? size : 0);
        (void)dbn_rtype_parse(name, &rtype);
    }
    free(value);
    return rtype;
}

/* Of a wide track: the type of its first record from that epoch on. */
static uint8_t wide_rtype(const struct dbn_head *h, const struct origin *origin)
{
    const char *track = origin->track;
    const struct tdk_query query = {
        .from = origin->first_ts, .to = UINT64_MAX, .tracks = &track, .track_count = 1, .limit = 1};
    uint8_t rtype = TDK_RTYPE_WIDE_TRADE;
    struct reader *reader;
    struct tdk_run run;
    if (origin->first_ts > origin->last_ts)
        return told_rtype(h, origin);
    if (reader_open(&reader, h->depot, &query, NULL) < 0)
        return rtype;
    if (reader_read(reader, &run, NULL) == 1 && run.frames->type == TDK_TYPE_WIDE &&
        frame_is_record(run.frames))
        rtype = (uint8_t)frame_rtype(run.frames);
    reader_close(reader);
    return rtype;
}

static struct output_schema schema_of_origin(const struct dbn_head *h, const struct origin *origin)
{
    struct output_schema schema = {.type = 0};
    uint16_t number =
        h->metadata.schema != DBN_SCHEMA_MIXED ? h->metadata.schema : origin->metadata.schema;
    if (origin->kind == TDK_KIND_WIDE)
        return (struct output_schema){.type = TDK_TYPE_WIDE, .rtype = wide_rtype(h, origin)};
    if (origin->kind == TDK_KIND_OPAQUE)
        return (struct output_schema){.type = TDK_TYPE_OPAQUE};
    if (!origin->has_metadata || !dbn_schema_rtype(number, &schema.rtype))
        return schema;
    schema.type = TDK_TYPE_DBN;
    schema.version = origin->metadata.version;
    schema.ts_out = origin->metadata.ts_out;
    return schema;
}

struct output_schema dbn_head_schema(const struct dbn_head *h)
{
    struct output_schema schema = {.type = 0};
    for (size_t i = 0; i < h->origin_count; i++) {
        struct output_schema one = schema_of_origin(h, &h->origins[i]);
        if (i > 0 && (one.type != schema.type || one.rtype != schema.rtype))
            return (struct output_schema){.type = 0};
        one.ts_out = one.ts_out || schema.ts_out; /* some tracks may leave this column empty */
        schema = one;
    }
    return schema;
}
