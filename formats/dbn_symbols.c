#include "formats/dbn_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/zone.h"
#include "formats/dbn_names.h"

bool dbn_date_to_ns(uint32_t date, uint64_t *ns)
{
    struct civil c = {
        .year = (int)(date / 10000), .month = (int)(date / 100 % 100), .day = (int)(date % 100)};
    /* 2554-07-21 is the last whole day that fits in a u64 of ns. */
    if (c.year < 1970 || date > 25540721 || civil_check(&c, NULL) < 0)
        return false;
    *ns = (uint64_t)civil_to_utc(&c) * NS_PER_S;
    return true;
}

uint32_t dbn_date_of_ns(uint64_t ns)
{
    struct civil c;
    civil_from_utc((int64_t)(ns / NS_PER_S), &c);
    return (uint32_t)(c.year * 10000 + c.month * 100 + c.day);
}

static void add_interval(struct dbn_symbols *symbols, const char *id, const char *symbol,
                         const struct dbn_interval *interval)
{
    struct dbn_symbol s = {.symbol = symbol, .order = (uint32_t)symbols->count};
    if (*symbol == '\0' || !digits_read_u32(id, strlen(id), &s.instrument_id) ||
        !dbn_date_to_ns(interval->start_date, &s.from) ||
        !dbn_date_to_ns(interval->end_date, &s.to))
        return; /* "not resolved", or not an id */
    symbols->items[symbols->count++] = s;
}

static int compare(const void *a, const void *b)
{
    const struct dbn_symbol *x = a, *y = b;
    if (x->instrument_id != y->instrument_id)
        return x->instrument_id < y->instrument_id ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

int dbn_symbols_open(struct dbn_symbols *symbols, const struct dbn_metadata *metadata)
{
    bool names_to_ids = metadata->stype_out == DBN_STYPE_INSTRUMENT_ID;
    *symbols = (struct dbn_symbols){0};
    if (!names_to_ids && metadata->stype_in != DBN_STYPE_INSTRUMENT_ID)
        return 0;
    size_t count = 0;
    for (size_t i = 0; i < metadata->mapping_count; i++)
        count += metadata->mappings[i].interval_count;
    if (count == 0)
        return 0;
    symbols->items = calloc(count, sizeof *symbols->items);
    if (symbols->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < metadata->mapping_count; i++) {
        const struct dbn_mapping *m = &metadata->mappings[i];
        for (size_t k = 0; k < m->interval_count; k++)
            if (names_to_ids)
                add_interval(symbols, m->intervals[k].symbol, m->raw_symbol, &m->intervals[k]);
            else
                add_interval(symbols, m->raw_symbol, m->intervals[k].symbol, &m->intervals[k]);
    }
    qsort(symbols->items, symbols->count, sizeof *symbols->items, compare);
    return 0;
}

void dbn_symbols_close(struct dbn_symbols *symbols)
{
    free(symbols->items);
    *symbols = (struct dbn_symbols){0};
}

const char *dbn_symbols_find(const struct dbn_symbols *symbols, uint32_t instrument_id, uint64_t ts)
{
    size_t low = 0, high = symbols->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols->items[middle].instrument_id < instrument_id)
            low = middle + 1;
        else
            high = middle;
    }
    const struct dbn_symbol *found = NULL;
    for (; low < symbols->count; low++) {
        const struct dbn_symbol *s = &symbols->items[low];
        if (s->instrument_id != instrument_id || s->from > ts)
            break;
        if (ts < s->to && (found == NULL || s->order < found->order))
            found = s;
    }
    return found == NULL ? NULL : found->symbol;
}
