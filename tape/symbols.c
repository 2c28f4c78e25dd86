#include "tape/symbols.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/zone.h"
#include "tape/frame.h"

#define ENTRIES_MAX (1u << 21) /* names in one epoch; what a feed tells beyond is not kept */
#define SLOT_SHIFT  10         /* of 32 bits: 2 * ENTRIES_MAX slots at most */
#define LOOK_BACK   256 /* an instrument's latest names that are looked at, whoever sent them */

void symbols_close(struct symbols_of *symbols)
{
    free(symbols->entries);
    free(symbols->slots);
    symbols->entries = NULL;
    symbols->slots = NULL;
    symbols->count = symbols->room = symbols->slot_count = symbols->first_changed = 0;
}

/* ---- the table ---- */

/* The instrument's slot: its last entry, or free. */
static uint32_t *slot_of(const struct symbols_of *symbols, uint32_t instrument_id)
{
    uint32_t mask = symbols->slot_count - 1;
    uint32_t at = scatter_of(&symbols->scatter, instrument_id) >> SLOT_SHIFT & mask;
    while (symbols->slots[at] != 0 &&
           symbols->entries[symbols->slots[at] - 1].ref.instrument_id != instrument_id)
        at = (at + 1) & mask;
    return &symbols->slots[at];
}

static int grow(struct symbols_of *symbols)
{
    if (symbols->room == 0)
        scatter_init(&symbols->scatter);
    uint32_t room = symbols->room == 0 ? 64 : 2 * symbols->room;
    struct symbol_entry *entries = realloc(symbols->entries, room * sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    symbols->entries = entries;
    uint32_t *slots = calloc((size_t)2 * room, sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    free(symbols->slots);
    symbols->slots = slots;
    symbols->slot_count = 2 * room;
    symbols->room = room;
    for (uint32_t i = 0; i < symbols->count; i++)
        *slot_of(symbols, entries[i].ref.instrument_id) = i + 1;
    return 0;
}

static int append(struct symbols_of *symbols, const struct symbol_ref *ref)
{
    if (symbols->count == ENTRIES_MAX) {
        symbols->refused++;
        return 0;
    }
    if (symbols->count == symbols->room) {
        int rc = grow(symbols);
        if (rc < 0)
            return rc;
    }
    uint32_t *slot = slot_of(symbols, ref->instrument_id);
    symbols->entries[symbols->count] = (struct symbol_entry){.ref = *ref, .before = *slot};
    *slot = ++symbols->count;
    return 0;
}

static uint32_t last_of(const struct symbols_of *symbols, uint32_t instrument_id)
{
    return symbols->slot_count == 0 ? 0 : *slot_of(symbols, instrument_id);
}

static void mark_changed(struct symbols_of *symbols, uint32_t at)
{
    symbols->entries[at].changed = true;
    if (at < symbols->first_changed)
        symbols->first_changed = at;
}

/* ---- adding ---- */

/* `is_new`: it comes after all names that are there for the same time. */
static int add(struct symbols_of *symbols, struct symbol_ref *ref, bool is_new)
{
    uint32_t at = last_of(symbols, ref->instrument_id);
    if (is_new)
        ref->order = UINT16_MAX;
    for (int i = 0; at != 0 && i < LOOK_BACK; i++, at = symbols->entries[at - 1].before) {
        struct symbol_ref *old = &symbols->entries[at - 1].ref;
        bool same = strcmp(old->symbol, ref->symbol) == 0;
        if (same && old->from <= ref->from && old->to >= ref->to)
            return 0;
        if (is_new && old->from == ref->from && old->order <= ref->order && old->order > 0)
            ref->order = (uint16_t)(old->order - 1);
        if (old->to == UINT64_MAX && old->from < ref->from) {
            old->to = ref->from;
            mark_changed(symbols, at - 1);
        }
    }
    uint32_t count = symbols->count;
    int rc = append(symbols, ref);
    if (rc == 0 && symbols->count > count)
        mark_changed(symbols, count);
    return rc;
}

int symbols_add(struct symbols_of *symbols, uint32_t instrument_id, uint64_t from, uint64_t to,
                const char *name, size_t name_size)
{
    struct symbol_ref ref = {.epoch = symbols->epoch,
                             .from = from,
                             .to = to,
                             .instrument_id = instrument_id,
                             .track = symbols->track};
    name_size = strnlen(name, name_size);
    if (name_size == 0 || name_size >= sizeof ref.symbol || from >= to)
        return 0;
    memcpy(ref.symbol, name, name_size);
    return add(symbols, &ref, true);
}

/* The name keeps its place among the names of one time: its source may have listed them in another
 * order. */
int symbols_merge(struct symbols_of *symbols, const struct symbol_ref *told)
{
    struct symbol_ref ref = *told;
    if (ref.symbol[0] == '\0' || ref.from >= ref.to ||
        strnlen(ref.symbol, sizeof ref.symbol) == sizeof ref.symbol)
        return 0;
    return add(symbols, &ref, false);
}

int symbols_restore(struct symbols_of *symbols, const struct symbol_ref *ref)
{
    struct symbol_ref copy = *ref;
    copy.symbol[sizeof copy.symbol - 1] = '\0';
    int rc = append(symbols, &copy);
    symbols->first_changed = symbols->count;
    return rc;
}

const char *symbols_find(const struct symbols_of *symbols, uint32_t instrument_id, uint64_t ts)
{
    const struct symbol_ref *best = NULL;
    uint32_t at = last_of(symbols, instrument_id);
    for (int i = 0; at != 0 && i < LOOK_BACK; i++, at = symbols->entries[at - 1].before) {
        const struct symbol_ref *ref = &symbols->entries[at - 1].ref;
        if (ts < ref->from || (ts >= ref->to && ref->to != UINT64_MAX))
            continue;
        if (best == NULL || ref->from > best->from ||
            (ref->from == best->from && ref->order > best->order))
            best = ref;
    }
    return best != NULL ? best->symbol : NULL;
}

/* ---- from DBN's metadata ---- */

#define STYPE_INSTRUMENT_ID 0

/* What is left of a header. An item is taken only if all of it is there. */
struct reader {
    const unsigned char *at;
    size_t left;
};

static const unsigned char *take(struct reader *reader, size_t size)
{
    if (size > reader->left)
        return NULL;
    const unsigned char *at = reader->at;
    reader->at += size;
    reader->left -= size;
    return at;
}

static bool take_u32(struct reader *reader, uint32_t *value)
{
    const unsigned char *at = take(reader, sizeof *value);
    if (at != NULL)
        *value = load_u32(at);
    return at != NULL;
}

/* 20201228 as ns of its UTC midnight; a date that ns cannot hold is the nearest that they can. */
static uint64_t date_to_ns(uint32_t date)
{
    const struct civil day = {
        .year = (int)(date / 10000), .month = (int)(date / 100 % 100), .day = (int)(date % 100)};
    int64_t seconds = civil_to_utc(&day);
    if (seconds < 0)
        return 0;
    return (uint64_t)seconds > UINT64_MAX / NS_PER_S ? UINT64_MAX : (uint64_t)seconds * NS_PER_S;
}

/* In a field of `width` bytes, behind which there may be NULs. */
static bool read_id(const char *text, size_t width, uint32_t *id)
{
    return digits_read_u32(text, strnlen(text, width), id);
}

/* Add one mapping with its intervals. 1; 0: the header ends inside it; -ENOMEM. */
static int add_mapping(struct symbols_of *symbols, struct reader *reader, size_t width,
                       bool id_first)
{
    const char *raw = (const char *)take(reader, width);
    uint32_t intervals;
    if (raw == NULL || !take_u32(reader, &intervals))
        return 0;
    for (; intervals > 0; intervals--) {
        const unsigned char *interval = take(reader, 8 + width);
        if (interval == NULL)
            return 0;
        const char *symbol = (const char *)interval + 8;
        uint32_t id;
        if (!read_id(id_first ? raw : symbol, width, &id))
            continue;
        int rc = symbols_add(symbols, id, date_to_ns(load_u32(interval)),
                             date_to_ns(load_u32(interval + 4)), id_first ? symbol : raw, width);
        if (rc < 0)
            return rc;
    }
    return 1;
}

/* After the fixed part come three lists of symbols, which are skipped, then the mappings. */
static int add_mappings(struct symbols_of *symbols, struct reader reader, size_t width,
                        bool id_first)
{
    uint32_t count;
    for (int list = 0; list < 3; list++)
        if (!take_u32(&reader, &count) || take(&reader, (size_t)count * width) == NULL)
            return 0;
    if (!take_u32(&reader, &count))
        return 0;
    int rc = 1;
    for (; count > 0 && rc == 1; count--)
        rc = add_mapping(symbols, &reader, width, id_first);
    return rc < 0 ? rc : 0;
}

int symbols_from_metadata(struct symbols_of *symbols, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    if (size < 112 || memcmp(at, "DBN", 3) != 0 || at[3] < 1 || at[3] > 3)
        return 0;
    bool first = at[3] == 1;
    uint8_t stype_in = at[first ? 58 : 50], stype_out = at[first ? 59 : 51];
    size_t width = first ? 22 : load_u16(at + 53);
    if (width == 0 || (stype_in != STYPE_INSTRUMENT_ID && stype_out != STYPE_INSTRUMENT_ID))
        return 0;
    struct reader reader = {at + 112, size - 112};
    return add_mappings(symbols, reader, width, stype_in == STYPE_INSTRUMENT_ID);
}

/* ---- from DBN's records ---- */

/* A gateway's mapping holds from then on, unless it says from when to when. */
static int add_live(struct symbols_of *symbols, const struct tdk_frame *frame, const char *name,
                    size_t name_size, uint64_t start, uint64_t end)
{
    uint32_t id = frame_instrument(frame);
    uint64_t from = start;
    /* An instrument's first name also holds for what was recorded before it. */
    if (start == TDK_TS_UNDEFINED)
        from = last_of(symbols, id) == 0 ? 0 : frame->ts;
    return symbols_add(symbols, id, from, end, name, name_size);
}

/* A definition names an instrument only where nothing else does. */
static int add_definition(struct symbols_of *symbols, const struct tdk_frame *frame,
                          const char *name, size_t name_size)
{
    uint32_t id = frame_instrument(frame);
    if (symbols_find(symbols, id, frame->ts) != NULL)
        return 0;
    uint64_t from = last_of(symbols, id) == 0 ? 0 : frame->ts;
    return symbols_add(symbols, id, from, UINT64_MAX, name, name_size);
}

int symbols_from_record(struct symbols_of *symbols, const struct tdk_frame *frame)
{
    const unsigned char *p = tdk_frame_payload(frame);
    if (frame->type != TDK_TYPE_DBN || !tdk_dbn_check(frame->type, p, frame->size))
        return 0;
    if (frame_rtype(frame) == TDK_RTYPE_SYMBOL_MAPPING) {
        const struct tdk_dbn_symbol_mapping_v1 *v1 = (const void *)p;
        const struct tdk_dbn_symbol_mapping *v2 = (const void *)p;
        if (frame->size < sizeof *v2)
            return add_live(symbols, frame, v1->stype_out_symbol, sizeof v1->stype_out_symbol,
                            v1->start_ts, v1->end_ts);
        return add_live(symbols, frame, v2->stype_out_symbol, sizeof v2->stype_out_symbol,
                        v2->start_ts, v2->end_ts);
    }
    if (frame_rtype(frame) != TDK_RTYPE_DEFINITION)
        return 0;
    const struct tdk_dbn_definition_v1 *d1 = (const void *)p;
    const struct tdk_dbn_definition_v2 *d2 = (const void *)p;
    const struct tdk_dbn_definition *d3 = (const void *)p;
    if (frame->size < sizeof *d2)
        return add_definition(symbols, frame, d1->raw_symbol, sizeof d1->raw_symbol);
    if (frame->size < sizeof *d3)
        return add_definition(symbols, frame, d2->raw_symbol, sizeof d2->raw_symbol);
    return add_definition(symbols, frame, d3->raw_symbol, sizeof d3->raw_symbol);
}
