#include "formats/dbn_metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * Bytes 0 to 57 are the same in all versions. Version 1 goes on with a record count that nobody
 * uses, so what follows is 8 bytes further there, up to the reserved bytes, which end at 108.
 */
enum {
    OFFSET_VERSION = 3,
    OFFSET_LENGTH = 4,
    OFFSET_DATASET = 8,
    OFFSET_SCHEMA = 24,
    OFFSET_START = 26,
    OFFSET_END = 34,
    OFFSET_LIMIT = 42,
    OFFSET_STYPES = 50,      /* stype_in, stype_out, ts_out; version 1: 58 */
    OFFSET_SYMBOL_SIZE = 53, /* not in version 1 */
    OFFSET_DEFINITION = 108, /* length of a schema definition: always 0 */
    OFFSET_LISTS = 112,
    FIXED_LENGTH = OFFSET_DEFINITION - DBN_PRELUDE_SIZE,
    SYMBOL_SIZE_V1 = 22,
    SYMBOL_SIZE_NOW = 71,
};

static const uint8_t magic[] = {'D', 'B', 'N'};

static size_t stypes_offset(uint8_t version)
{
    return OFFSET_STYPES + (version == 1 ? 8 : 0);
}

int dbn_metadata_size(const void *prelude, size_t *size, struct tdk_err *err)
{
    const uint8_t *bytes = prelude;
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return err_say(err, TDK_EFORMAT, "not DBN: does not begin with \"DBN\"");
    uint8_t version = bytes[OFFSET_VERSION];
    if (version > DBN_VERSION_MAX)
        return err_say(err, TDK_EVERSION, "DBN version %u; versions 1 to %d can be read", version,
                       DBN_VERSION_MAX);
    uint32_t length = load_u32(bytes + OFFSET_LENGTH);
    if (version == 0 || length < FIXED_LENGTH)
        return err_say(err, TDK_ECORRUPT, "DBN metadata of version %u cannot have %u bytes",
                       version, length);
    if (length > DBN_METADATA_MAX)
        return err_say(err, TDK_EFULL, "DBN metadata of %u bytes; at most %u are read", length,
                       DBN_METADATA_MAX);
    *size = DBN_PRELUDE_SIZE + (size_t)length;
    return 0;
}

/* ---- decoding: the lists are walked twice, first to check and to count, then to copy ---- */

struct lists {
    const uint8_t *at; /* the bytes not yet read */
    size_t left;
    size_t symbol_size;
    bool copying;
    /* While copying: where the next one goes. The counts are kept in both passes. */
    const char **names;
    struct dbn_mapping *mappings;
    struct dbn_interval *intervals;
    char *text;
    size_t name_count, mapping_count, interval_count, text_size;
};

static bool take_u32(struct lists *l, uint32_t *value)
{
    if (l->left < 4)
        return false;
    *value = load_u32(l->at);
    l->at += 4;
    l->left -= 4;
    return true;
}

/* How many items follow, of at least `item_size` bytes each. */
static bool take_count(struct lists *l, size_t item_size, uint32_t *count)
{
    return take_u32(l, count) && *count <= l->left / item_size;
}

static bool take_symbol(struct lists *l, const char **symbol)
{
    if (l->left < l->symbol_size)
        return false;
    size_t size = strnlen((const char *)l->at, l->symbol_size);
    if (l->copying) {
        char *copy = l->text + l->text_size;
        memcpy(copy, l->at, size);
        copy[size] = '\0';
        *symbol = copy;
    }
    l->text_size += size + 1;
    l->at += l->symbol_size;
    l->left -= l->symbol_size;
    return true;
}

static bool take_names(struct lists *l, struct dbn_names *names)
{
    uint32_t count;
    if (!take_count(l, l->symbol_size, &count))
        return false;
    const char *name = NULL, **items = l->copying ? l->names + l->name_count : NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_symbol(l, &name))
            return false;
        if (l->copying)
            items[i] = name;
    }
    l->name_count += count;
    names->items = items;
    names->count = count;
    return true;
}

static bool take_interval(struct lists *l)
{
    struct dbn_interval interval = {0};
    if (!take_u32(l, &interval.start_date) || !take_u32(l, &interval.end_date) ||
        !take_symbol(l, &interval.symbol))
        return false;
    if (l->copying)
        l->intervals[l->interval_count] = interval;
    l->interval_count++;
    return true;
}

static bool take_mapping(struct lists *l)
{
    struct dbn_mapping mapping = {0};
    uint32_t count;
    if (!take_symbol(l, &mapping.raw_symbol) || !take_count(l, l->symbol_size + 8, &count))
        return false;
    mapping.intervals = l->copying ? l->intervals + l->interval_count : NULL;
    mapping.interval_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!take_interval(l))
            return false;
    if (l->copying)
        l->mappings[l->mapping_count] = mapping;
    l->mapping_count++;
    return true;
}

static bool take_lists(struct lists *l, struct dbn_metadata *m)
{
    uint32_t mappings;
    if (!take_names(l, &m->symbols) || !take_names(l, &m->partial) ||
        !take_names(l, &m->not_found) || !take_count(l, l->symbol_size + 4, &mappings))
        return false;
    for (uint32_t i = 0; i < mappings; i++)
        if (!take_mapping(l))
            return false;
    m->mappings = l->mappings;
    m->mapping_count = l->mapping_count;
    return true;
}

static void decode_fixed(struct dbn_metadata *m, const uint8_t *bytes)
{
    *m = (struct dbn_metadata){
        .version = bytes[OFFSET_VERSION],
        .schema = load_u16(bytes + OFFSET_SCHEMA),
        .start = load_u64(bytes + OFFSET_START),
        .end = load_u64(bytes + OFFSET_END),
        .limit = load_u64(bytes + OFFSET_LIMIT),
    };
    memcpy(m->dataset, bytes + OFFSET_DATASET, DBN_DATASET_MAX + 1);
    const uint8_t *stypes = bytes + stypes_offset(m->version);
    m->stype_in = stypes[0];
    m->stype_out = stypes[1];
    m->ts_out = stypes[2] != 0;
    m->symbol_size = m->version == 1 ? SYMBOL_SIZE_V1 : load_u16(bytes + OFFSET_SYMBOL_SIZE);
}

/* One allocation for all: pointers first, so that each part is aligned, and text last. */
static int lists_allocate(struct lists *l, const struct lists *counted, void **memory)
{
    size_t mappings = counted->mapping_count * sizeof(struct dbn_mapping);
    size_t intervals = counted->interval_count * sizeof(struct dbn_interval);
    size_t names = counted->name_count * sizeof(char *);
    char *bytes = malloc(mappings + intervals + names + counted->text_size + 1);
    if (bytes == NULL)
        return -ENOMEM;
    l->copying = true;
    l->mappings = (struct dbn_mapping *)(void *)bytes;
    l->intervals = (struct dbn_interval *)(void *)(bytes + mappings);
    l->names = (const char **)(void *)(bytes + mappings + intervals);
    l->text = bytes + mappings + intervals + names;
    *memory = bytes;
    return 0;
}

int dbn_metadata_decode(struct dbn_metadata *metadata, const void *bytes, size_t size,
                        struct tdk_err *err)
{
    size_t whole = 0;
    if (size < DBN_PRELUDE_SIZE)
        return err_say(err, TDK_ETRUNCATED, "DBN metadata ends after %zu bytes", size);
    int rc = dbn_metadata_size(bytes, &whole, err);
    if (rc < 0)
        return rc;
    if (size < whole)
        return err_say(err, TDK_ETRUNCATED, "DBN metadata of %zu bytes ends after %zu", whole,
                       size);
    const uint8_t *at = bytes;
    if (whole < OFFSET_LISTS || load_u32(at + OFFSET_DEFINITION) != 0)
        return err_say(err, TDK_ECORRUPT, "DBN metadata with a schema definition cannot be read");

    struct dbn_metadata m;
    decode_fixed(&m, at);
    struct lists start = {
        .at = at + OFFSET_LISTS, .left = whole - OFFSET_LISTS, .symbol_size = m.symbol_size};
    struct lists counted = start, copied = start;
    if (m.symbol_size < 2 || !take_lists(&counted, &m))
        return err_say(err, TDK_ECORRUPT,
                       "DBN metadata is damaged: its lists do not fit into its %zu bytes", whole);
    rc = lists_allocate(&copied, &counted, &m.memory);
    if (rc < 0)
        return err_set(err, rc, "decode DBN metadata");
    take_lists(&copied, &m);
    *metadata = m;
    return 0;
}

void dbn_metadata_close(struct dbn_metadata *metadata)
{
    free(metadata->memory);
    *metadata = (struct dbn_metadata){0};
}

/* ---- encoding ---- */

/* Nothing here can overflow 64 bits, because each item is in memory. */
static size_t encoded_length(const struct dbn_metadata *m, size_t symbol_size)
{
    size_t names = m->symbols.count + m->partial.count + m->not_found.count;
    size_t length = FIXED_LENGTH + 20 + names * symbol_size;
    for (size_t i = 0; i < m->mapping_count; i++)
        length += symbol_size + 4 + m->mappings[i].interval_count * (symbol_size + 8);
    return m->version >= 3 ? align_up(length, 8) : length;
}

struct encoder {
    uint8_t *at;
    size_t symbol_size;
    const char *bad; /* the first string that does not fit */
};

static void put_u32(struct encoder *e, size_t value)
{
    store_u32(e->at, (uint32_t)value);
    e->at += 4;
}

/* The memory has been zeroed. */
static void put_string(struct encoder *e, const char *string, size_t room)
{
    size_t size = strlen(string);
    if (size < room)
        memcpy(e->at, string, size);
    else if (e->bad == NULL)
        e->bad = string;
    e->at += room;
}

static void put_names(struct encoder *e, const struct dbn_names *names)
{
    put_u32(e, names->count);
    for (size_t i = 0; i < names->count; i++)
        put_string(e, names->items[i], e->symbol_size);
}

static void put_mapping(struct encoder *e, const struct dbn_mapping *mapping)
{
    put_string(e, mapping->raw_symbol, e->symbol_size);
    put_u32(e, mapping->interval_count);
    for (size_t i = 0; i < mapping->interval_count; i++) {
        put_u32(e, mapping->intervals[i].start_date);
        put_u32(e, mapping->intervals[i].end_date);
        put_string(e, mapping->intervals[i].symbol, e->symbol_size);
    }
}

static void put_fixed(struct encoder *e, const struct dbn_metadata *m, size_t length)
{
    uint8_t *bytes = e->at;
    memcpy(bytes, magic, sizeof magic);
    bytes[OFFSET_VERSION] = m->version;
    store_u32(bytes + OFFSET_LENGTH, (uint32_t)length);
    e->at = bytes + OFFSET_DATASET;
    put_string(e, m->dataset, DBN_DATASET_MAX + 1);
    store_u16(bytes + OFFSET_SCHEMA, m->schema);
    store_u64(bytes + OFFSET_START, m->start);
    store_u64(bytes + OFFSET_END, m->end);
    store_u64(bytes + OFFSET_LIMIT, m->limit);
    uint8_t *stypes = bytes + stypes_offset(m->version);
    if (m->version == 1)
        store_u64(stypes - 8, UINT64_MAX); /* the record count, which is never filled in */
    else
        store_u16(bytes + OFFSET_SYMBOL_SIZE, (uint16_t)e->symbol_size);
    stypes[0] = m->stype_in;
    stypes[1] = m->stype_out;
    stypes[2] = m->ts_out;
    e->at = bytes + OFFSET_LISTS;
}

int dbn_metadata_encode(const struct dbn_metadata *metadata, void **bytes, size_t *size,
                        struct tdk_err *err)
{
    const struct dbn_metadata *m = metadata;
    if (m->version < 1 || m->version > DBN_VERSION_MAX)
        return err_say(err, TDK_EVERSION, "DBN version %u cannot be written", m->version);
    struct encoder e = {.symbol_size = m->version == 1       ? SYMBOL_SIZE_V1
                                       : m->symbol_size != 0 ? m->symbol_size
                                                             : SYMBOL_SIZE_NOW};
    size_t length = encoded_length(m, e.symbol_size);
    if (length > DBN_METADATA_MAX)
        return err_say(err, TDK_EFULL, "DBN metadata of %zu bytes; at most %u can be written",
                       length, DBN_METADATA_MAX);
    uint8_t *memory = calloc(1, DBN_PRELUDE_SIZE + length);
    if (memory == NULL)
        return err_set(err, -ENOMEM, "encode DBN metadata");
    e.at = memory;
    put_fixed(&e, m, length);
    put_names(&e, &m->symbols);
    put_names(&e, &m->partial);
    put_names(&e, &m->not_found);
    put_u32(&e, m->mapping_count);
    for (size_t i = 0; i < m->mapping_count; i++)
        put_mapping(&e, &m->mappings[i]);
    if (e.bad != NULL) {
        err_say(err, TDK_EVALUE, "\"%.80s\" is too long for DBN version %u", e.bad, m->version);
        free(memory);
        return TDK_EVALUE;
    }
    *bytes = memory;
    *size = DBN_PRELUDE_SIZE + length;
    return 0;
}
