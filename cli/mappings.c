#include "cli/mappings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "formats/dbn_symbols.h"

#define DAY_NS UINT64_C(86400000000000)

void mappings_close(struct mappings *m)
{
    for (size_t i = 0; i < m->string_count; i++)
        free(m->strings[i]);
    free(m->strings);
    free(m->items);
    free(m->mappings);
    free(m->intervals);
    *m = (struct mappings){.items = NULL};
}

static int add(struct mappings *m, const struct mapped *mapped)
{
    struct mapped *items = array_grow(m->items, &m->room, m->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    m->items = items;
    items[m->count++] = *mapped;
    return 0;
}

int mappings_add_head(struct mappings *m, const struct dbn_metadata *metadata)
{
    for (size_t i = 0; i < metadata->mapping_count; i++) {
        const struct dbn_mapping *mapping = &metadata->mappings[i];
        for (size_t j = 0; j < mapping->interval_count; j++) {
            const struct dbn_interval *interval = &mapping->intervals[j];
            int rc = add(m, &(struct mapped){mapping->raw_symbol, interval->symbol,
                                             interval->start_date, interval->end_date});
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static const char *keep_string(struct mappings *m, const char *string)
{
    char **strings = array_grow(m->strings, &m->string_room, m->string_count + 1, sizeof *strings);
    if (strings == NULL)
        return NULL;
    m->strings = strings;
    char *copy = strdup(string);
    if (copy != NULL)
        strings[m->string_count++] = copy;
    return copy;
}

int mappings_add_symbol(struct mappings *m, const char *symbol, uint32_t instrument_id,
                        uint64_t from, uint64_t to)
{
    char id[16];
    snprintf(id, sizeof id, "%" PRIu32, instrument_id);
    if (from >= to)
        return 0;
    uint64_t last = to - 1;
    struct mapped mapped = {
        .raw = keep_string(m, symbol),
        .symbol = keep_string(m, id),
        .start_date = dbn_date_of_ns(from),
        .end_date = dbn_date_of_ns(last < UINT64_MAX - DAY_NS ? last + DAY_NS : UINT64_MAX),
    };
    return mapped.raw != NULL && mapped.symbol != NULL ? add(m, &mapped) : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
    const struct mapped *x = a, *y = b;
    int order = strcmp(x->raw, y->raw);
    if (order == 0 && x->start_date != y->start_date)
        order = x->start_date < y->start_date ? -1 : 1;
    if (order == 0 && x->end_date != y->end_date)
        order = x->end_date < y->end_date ? -1 : 1;
    return order != 0 ? order : strcmp(x->symbol, y->symbol);
}

/* Both arrays get as many places as there are items, which is always enough. */
static void group(struct mappings *m)
{
    size_t interval_count = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct mapped *item = &m->items[i];
        if (i > 0 && compare(item, item - 1) == 0)
            continue;
        if (i == 0 || strcmp(item->raw, item[-1].raw) != 0)
            m->mappings[m->mapping_count++] = (struct dbn_mapping){
                .raw_symbol = item->raw, .intervals = &m->intervals[interval_count]};
        m->mappings[m->mapping_count - 1].interval_count++;
        m->intervals[interval_count++] =
            (struct dbn_interval){item->start_date, item->end_date, item->symbol};
    }
}

int mappings_make(struct mappings *m)
{
    m->mappings = calloc(m->count + 1, sizeof *m->mappings);
    m->intervals = calloc(m->count + 1, sizeof *m->intervals);
    if (m->mappings == NULL || m->intervals == NULL)
        return -ENOMEM;
    if (m->count > 0)
        qsort(m->items, m->count, sizeof *m->items, compare);
    group(m);
    return 0;
}
