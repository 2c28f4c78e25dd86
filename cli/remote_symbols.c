/* remote_symbols.c - all symbols of a replayer's tape, in the order in which a tape gives them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/remote_private.h"

#define SYMBOLS_MAX ((size_t)4 << 20) /* some 700 MiB */

static int compare(const void *a, const void *b)
{
    const struct remote_symbol *x = a, *y = b;
    int order = strcmp(x->track, y->track);
    if (order == 0 && x->epoch != y->epoch)
        order = x->epoch < y->epoch ? -1 : 1;
    if (order == 0 && x->instrument_id != y->instrument_id)
        order = x->instrument_id < y->instrument_id ? -1 : 1;
    if (order == 0 && x->from != y->from)
        order = x->from < y->from ? -1 : 1;
    if (order == 0 && x->order != y->order)
        order = x->order < y->order ? -1 : 1;
    return order;
}

/* The order in which a replayer tells them. */
static int compare_told(const struct remote_symbol *x, const struct remote_symbol *y)
{
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

/* An older replayer knows only `after`, and tells of a symbol no more rows than are a page. */
static void put_after(struct text_buffer *out, const void *context)
{
    const struct remote_symbol *after = context;
    bool goes_on = after->symbol[0] != '\0';
    wire_put_map(out, goes_on ? 2 : 0);
    if (!goes_on)
        return;
    wire_pair_string(out, "after", after->symbol);
    wire_put_string(out, "behind");
    wire_put_map(out, 5);
    wire_pair_string(out, "symbol", after->symbol);
    wire_pair_string(out, "track", after->track);
    wire_pair_u64(out, "instrument_id", after->instrument_id);
    wire_pair_u64(out, "epoch", after->epoch);
    wire_pair_u64(out, "from", after->from);
}

static int read_row(struct wire_list list, uint32_t i, struct remote_symbol *symbol,
                    struct tdk_err *err)
{
    struct wire_map row = {NULL, 0};
    uint64_t id = 0;
    const struct remote_number rows[] = {{"instrument_id", &id},
                                         {"epoch", &symbol->epoch},
                                         {"from", &symbol->from},
                                         {"to", &symbol->to},
                                         {"order", &symbol->order}};
    memset(symbol, 0, sizeof *symbol);
    int rc = wire_may(wire_item_map(list, i, &row, err), err);
    if (rc >= 0)
        rc = wire_must(wire_string(row, "symbol", symbol->symbol, sizeof symbol->symbol, err),
                       "symbol", err);
    if (rc >= 0)
        rc = wire_must(wire_string(row, "track", symbol->track, sizeof symbol->track, err), "track",
                       err);
    if (rc >= 0)
        rc = remote_numbers(row, rows, sizeof rows / sizeof rows[0], err);
    symbol->instrument_id = (uint32_t)id;
    return rc < 0 ? rc : 0;
}

/* Fetch one page behind *after, which becomes its last row. 1: there is more. */
static int fetch_page(struct remote *r, struct remote_symbol *after, struct tdk_err *err)
{
    struct wire_map map = {NULL, 0};
    struct wire_list list = {NULL, 0};
    bool more = false;
    int rc = remote_call(r, "symbols", put_after, after, &map, err);
    if (rc == 0)
        rc = wire_must(wire_list(map, "symbols", &list, err), "symbols", err);
    if (rc < 0)
        return rc;
    if (r->symbol_count > SYMBOLS_MAX)
        return err_say(err, TDK_EFULL, "symbols: at most %zu are accepted", SYMBOLS_MAX);
    struct remote_symbol *symbols =
        reallocarray(r->symbols, r->symbol_count + list.count + 1, sizeof *symbols);
    if (symbols == NULL)
        return err_set(err, -ENOMEM, "list symbols");
    r->symbols = symbols;
    for (uint32_t i = 0; rc >= 0 && i < list.count; i++) {
        struct remote_symbol *symbol = &symbols[r->symbol_count++];
        rc = read_row(list, i, symbol, err);
        if (rc >= 0 && after->symbol[0] != '\0' && compare_told(symbol, after) <= 0)
            rc = err_say(err, TDK_EFORMAT, "symbols: the answer is out of order");
    }
    if (rc >= 0)
        rc = wire_may(wire_bool(map, "more", &more, err), err);
    if (rc >= 0 && list.count > 0)
        *after = symbols[r->symbol_count - 1];
    return rc < 0 ? rc : more && list.count > 0;
}

static int fetch(struct remote *r, struct tdk_err *err)
{
    struct remote_symbol after = {.epoch = 0};
    int rc = 1;
    if (r->symbols_known)
        return 0;
    while (rc == 1)
        rc = fetch_page(r, &after, err);
    if (rc < 0) {
        r->symbol_count = 0;
        return rc;
    }
    qsort(r->symbols, r->symbol_count, sizeof *r->symbols, compare);
    r->symbols_known = true;
    return 0;
}

struct search {
    const char *name;
    bool found;
};

static int look_for(const struct tdk_track_info *track, void *context)
{
    struct search *search = context;
    search->found |= strcmp(track->name, search->name) == 0;
    return 0;
}

static int check_track(struct remote *r, const char *track, struct tdk_err *err)
{
    struct search search = {.name = track};
    int rc = remote_tracks(r, look_for, &search, err);
    if (rc < 0 || search.found)
        return rc;
    return err_say(err, TDK_ENOTRACK, "no track %s on this tape", track);
}

int remote_symbols(struct remote *r, const char *track,
                   int (*each)(const struct tdk_symbol_info *symbol, void *context), void *context,
                   struct tdk_err *err)
{
    int rc = track != NULL ? check_track(r, track, err) : 0;
    if (rc == 0)
        rc = fetch(r, err);
    for (size_t i = 0; rc == 0 && i < r->symbol_count; i++) {
        const struct remote_symbol *s = &r->symbols[i];
        const struct tdk_symbol_info info = {.symbol = s->symbol,
                                             .track = s->track,
                                             .epoch = s->epoch,
                                             .instrument_id = s->instrument_id,
                                             .from = s->from,
                                             .to = s->to,
                                             .order = (uint16_t)s->order};
        if (track == NULL || strcmp(s->track, track) == 0)
            rc = each(&info, context);
    }
    return rc;
}

const char *remote_symbol(struct remote *r, const char *track, uint64_t epoch,
                          uint32_t instrument_id, uint64_t ts)
{
    if (fetch(r, NULL) < 0)
        return NULL;
    struct remote_symbol wanted = {
        .epoch = epoch, .instrument_id = instrument_id, .from = ts, .order = UINT64_MAX};
    snprintf(wanted.track, sizeof wanted.track, "%s", track);
    size_t low = 0, high = r->symbol_count; /* the last one that begins at or before `ts` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&r->symbols[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0; low--) { /* the latest that still holds; several may overlap */
        const struct remote_symbol *at = &r->symbols[low - 1];
        if (at->epoch != epoch || at->instrument_id != instrument_id ||
            strcmp(at->track, track) != 0)
            return NULL;
        if (ts < at->to || at->to == UINT64_MAX)
            return at->symbol;
    }
    return NULL;
}
