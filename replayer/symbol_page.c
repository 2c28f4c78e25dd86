#include "replayer/symbol_page.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/name.h"
#include "wire/frame.h"

#define PAGE_MAX FRAME_ANSWER_ITEMS
#define ROOM     (2 * PAGE_MAX)

static int take_behind(struct symbol_page *p, struct wire_map params, struct tdk_err *err)
{
    struct symbol_row *row = &p->after;
    struct wire_map map = {NULL, 0};
    uint64_t id = 0;
    int rc = wire_map(params, "behind", &map, err);
    if (rc <= 0)
        return rc;
    p->has_behind = true;
    rc = wire_must(wire_string(map, "symbol", row->symbol, sizeof row->symbol, err), "symbol", err);
    if (rc >= 0)
        rc = wire_string(map, "track", row->track, sizeof row->track, err);
    if (rc >= 0)
        rc = wire_u64(map, "instrument_id", &id, err);
    if (rc >= 0)
        rc = wire_u64(map, "epoch", &row->epoch, err);
    if (rc >= 0)
        rc = wire_u64(map, "from", &row->from, err);
    row->instrument_id = (uint32_t)id;
    return rc;
}

int symbol_page_take(struct symbol_page *p, struct wire_map params, struct tdk_err *err)
{
    memset(p, 0, sizeof *p);
    p->limit = PAGE_MAX;
    int rc = wire_string(params, "track", p->track, sizeof p->track, err);
    if (rc > 0 && !name_is_valid(p->track, strlen(p->track)))
        rc = err_set(err, TDK_ENAME, "track '%s'", p->track);
    if (rc >= 0)
        rc = wire_string(params, "glob", p->glob, sizeof p->glob, err);
    p->has_glob = rc > 0;
    if (rc >= 0)
        rc = wire_string(params, "after", p->after.symbol, sizeof p->after.symbol, err);
    p->has_after = rc > 0;
    if (rc >= 0)
        rc = take_behind(p, params, err);
    if (rc >= 0)
        rc = wire_u64(params, "limit", &p->limit, err);
    if (p->limit == 0 || p->limit > PAGE_MAX)
        p->limit = PAGE_MAX;
    return rc < 0 ? rc : 0;
}

void symbol_page_close(struct symbol_page *p)
{
    free(p->rows);
    p->rows = NULL;
}

/* ---- the least rows behind `after` ---- */

static int compare(const void *a, const void *b)
{
    const struct symbol_row *x = a, *y = b;
    int order = strcmp(x->symbol, y->symbol);
    if (order == 0)
        order = strcmp(x->track, y->track);
    if (order == 0 && x->instrument_id != y->instrument_id)
        order = x->instrument_id < y->instrument_id ? -1 : 1;
    if (order == 0 && x->from != y->from)
        order = x->from < y->from ? -1 : 1;
    if (order == 0 && x->epoch != y->epoch)
        order = x->epoch < y->epoch ? -1 : 1;
    return order;
}

/* Does it belong to this page, or to one that comes later? */
static bool is_to_come(const struct symbol_page *p, const struct symbol_row *row)
{
    if (p->has_behind)
        return compare(row, &p->after) > 0;
    return !p->has_after || strcmp(row->symbol, p->after.symbol) > 0;
}

/* The rows are full: drop those that are not on this page. */
static void cut(struct symbol_page *p)
{
    qsort(p->rows, p->count, sizeof *p->rows, compare);
    if (p->count > PAGE_MAX + 1)
        p->count = PAGE_MAX + 1; /* one more row shows that there is more */
}

static int add(const struct tdk_symbol_info *symbol, void *context)
{
    struct symbol_page *p = context;
    if (strcmp(symbol->symbol, p->after.symbol) < 0) /* most rows of a long list */
        return 0;
    if (p->has_glob && fnmatch(p->glob, symbol->symbol, 0) != 0)
        return 0;
    if (p->count == ROOM)
        cut(p);
    struct symbol_row *row = &p->rows[p->count];
    snprintf(row->symbol, sizeof row->symbol, "%s", symbol->symbol);
    snprintf(row->track, sizeof row->track, "%s", symbol->track);
    row->instrument_id = symbol->instrument_id;
    row->epoch = symbol->epoch;
    row->from = symbol->from;
    row->to = symbol->to;
    row->order = symbol->order;
    p->count += is_to_come(p, row);
    return 0;
}

static bool is_within_symbol(const struct symbol_page *p, size_t at)
{
    return at > 0 && at < p->count && strcmp(p->rows[at].symbol, p->rows[at - 1].symbol) == 0;
}

/* How many rows the page has: up to the limit, and on to the last row of that symbol. If that does
 * not fit: up to the last row of the symbol before. */
static size_t page_size(const struct symbol_page *p)
{
    size_t size = p->count < p->limit ? p->count : (size_t)p->limit;
    while (size < PAGE_MAX && is_within_symbol(p, size))
        size++;
    const size_t most = size;
    while (is_within_symbol(p, size))
        size--;
    return size > 0 ? size : most;
}

static void put_row(struct text_buffer *out, const struct symbol_row *row)
{
    wire_put_map(out, 7);
    wire_pair_string(out, "symbol", row->symbol);
    wire_pair_u64(out, "instrument_id", row->instrument_id);
    wire_pair_string(out, "track", row->track);
    wire_pair_u64(out, "epoch", row->epoch);
    wire_pair_u64(out, "from", row->from);
    wire_pair_u64(out, "to", row->to);
    wire_pair_u64(out, "order", row->order);
}

int symbol_page_read(struct symbol_page *p, struct tdk_tape *tape, struct text_buffer *out,
                     struct tdk_err *err)
{
    p->rows = malloc(ROOM * sizeof *p->rows);
    if (p->rows == NULL)
        return err_set(err, -ENOMEM, "list symbols");
    int rc = tdk_tape_symbols(tape, p->track[0] != '\0' ? p->track : NULL, add, p, err);
    if (rc < 0)
        return rc;
    cut(p);
    size_t size = page_size(p);
    wire_put_map(out, 2);
    wire_put_string(out, "symbols");
    wire_put_list(out, (uint32_t)size);
    for (size_t i = 0; i < size; i++)
        put_row(out, &p->rows[i]);
    wire_pair_bool(out, "more", size < p->count);
    return 0;
}
