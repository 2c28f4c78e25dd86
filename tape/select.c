#include "tape/select.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/digits.h"
#include "base/err.h"
#include "tape/directory.h"

bool query_has_track(const struct tdk_query *query, const char *track)
{
    for (size_t i = 0; i < query->track_count; i++)
        if (strcmp(query->tracks[i], track) == 0)
            return true;
    return query->track_count == 0 && strcmp(track, TDK_CANARY_TRACK) != 0;
}

/* ---- symbols as they are written ---- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* "#123"; anything else that begins with '#' is a symbol like others. */
static bool parse_id(const char *word, uint32_t *id)
{
    size_t size = strlen(word);
    return word[0] == '#' && size <= 11 && digits_read_u32(word + 1, size - 1, id);
}

static int add_symbol(struct select *select, const char *word)
{
    if (parse_id(word, &select->ids[select->id_count])) {
        select->id_count++;
        return 0;
    }
    char *copy = strdup(word);
    if (copy == NULL)
        return -ENOMEM;
    if (strpbrk(word, "*?[") != NULL)
        select->globs[select->glob_count++] = copy;
    else
        select->words[select->word_count++] = copy;
    return 0;
}

static int init_symbols(struct select *select, const struct tdk_query *query)
{
    size_t n = query->symbol_count;
    select->by_symbol = n > 0;
    if (n == 0)
        return 0;
    select->words = calloc(n, sizeof *select->words);
    select->globs = calloc(n, sizeof *select->globs);
    select->ids = calloc(n, sizeof *select->ids);
    if (select->words == NULL || select->globs == NULL || select->ids == NULL)
        return -ENOMEM;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_symbol(select, query->symbols[i]);
    qsort(select->words, select->word_count, sizeof *select->words, compare_words);
    qsort(select->ids, select->id_count, sizeof *select->ids, compare_ids);
    return rc;
}

static void init_types(struct select *select, const struct tdk_query *query)
{
    select->by_type = query->type_count > 0;
    for (size_t i = 0; i < query->type_count; i++) {
        const struct tdk_type_filter *filter = &query->types[i];
        if (filter->rtype < 0)
            select->types[filter->type] = true;
        else if (filter->type == TDK_TYPE_DBN && filter->rtype <= UINT8_MAX)
            select->dbn[filter->rtype] = true;
        else if (filter->type == TDK_TYPE_WIDE && filter->rtype <= UINT8_MAX)
            select->wide[filter->rtype] = true;
    }
}

int select_init(struct select *select, const struct tdk_query *query, struct tdk_err *err)
{
    *select = (struct select){
        .from = query->from,
        .last = query->to == UINT64_MAX ? UINT64_MAX : query->to - 1,
        .axis = query->axis,
        .control = query->control,
    };
    if (query->to == 0) { /* nothing is before 0 */
        select->from = 1;
        select->last = 0;
    }
    init_types(select, query);
    int rc = init_symbols(select, query);
    if (rc < 0) {
        select_close(select);
        return err_set(err, rc, "read the query");
    }
    return 0;
}

void select_close(struct select *select)
{
    for (size_t i = 0; i < select->word_count; i++)
        free(select->words[i]);
    for (size_t i = 0; i < select->glob_count; i++)
        free(select->globs[i]);
    free(select->words);
    free(select->globs);
    free(select->ids);
    *select = (struct select){0};
}

static bool matches(const struct select *select, const char *symbol)
{
    if (select->word_count > 0 && bsearch(&symbol, select->words, select->word_count,
                                          sizeof *select->words, compare_words) != NULL)
        return true;
    for (size_t i = 0; i < select->glob_count; i++)
        if (strcmp(select->globs[i], symbol) == 0 || fnmatch(select->globs[i], symbol, 0) == 0)
            return true;
    return false;
}

/* ---- symbols as instruments ---- */

static int picks_add(struct picks *picks, size_t *room, const struct pick *pick)
{
    struct pick *items = array_grow(picks->items, room, picks->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    picks->items = items;
    picks->items[picks->count++] = *pick;
    picks->timed |= pick->from != 0 || pick->to != UINT64_MAX;
    return 0;
}

int select_picks(const struct select *select, const struct symbols *symbols, struct picks *all,
                 struct tdk_err *err)
{
    size_t room = 0;
    *all = (struct picks){0};
    for (size_t i = 0; i < symbols->count; i++) {
        const struct symbol_ref *s = &symbols->items[i];
        if (!matches(select, s->symbol))
            continue;
        const struct pick pick = {
            .epoch = s->epoch, .instrument_id = s->instrument_id, .from = s->from, .to = s->to};
        if (picks_add(all, &room, &pick) < 0) {
            picks_close(all);
            return err_set(err, -ENOMEM, "look up symbols");
        }
    }
    return 0;
}

static int compare_picks(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    if (x->instrument_id != y->instrument_id)
        return x->instrument_id < y->instrument_id ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static size_t first_of_epoch(const struct picks *all, uint64_t epoch)
{
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->items[middle].epoch < epoch)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int picks_of_epoch(struct picks *picks, const struct select *select, const struct picks *all,
                   uint64_t epoch, struct tdk_err *err)
{
    picks_close(picks);
    size_t room = 0;
    int rc = 0;
    for (size_t i = first_of_epoch(all, epoch);
         i < all->count && all->items[i].epoch == epoch && rc == 0; i++)
        rc = picks_add(picks, &room, &all->items[i]);
    for (size_t i = 0; i < select->id_count && rc == 0; i++) {
        const struct pick any = {.instrument_id = select->ids[i], .to = UINT64_MAX};
        rc = picks_add(picks, &room, &any);
    }
    if (rc < 0)
        return err_set(err, rc, "look up symbols");
    if (picks->count > 0)
        qsort(picks->items, picks->count, sizeof *picks->items, compare_picks);
    return 0;
}

int picks_copy(struct picks *picks, const struct picks *from)
{
    struct picks copy = {.timed = from->timed};
    size_t room = 0;
    for (size_t i = 0; i < from->count; i++)
        if (picks_add(&copy, &room, &from->items[i]) < 0) {
            picks_close(&copy);
            return -ENOMEM;
        }
    picks_close(picks);
    *picks = copy;
    return 0;
}

void picks_close(struct picks *picks)
{
    free(picks->items);
    *picks = (struct picks){0};
}

/* Offset in a DBN record of the time it was received, which is then its index time; 0: it has
 * none. */
static unsigned receive_ts_offset(uint8_t rtype)
{
    switch (rtype) {
    case TDK_RTYPE_MBO:
        return 40;
    case TDK_RTYPE_TRADES:
    case TDK_RTYPE_MBP_1:
    case TDK_RTYPE_MBP_10:
    case TDK_RTYPE_CMBP_1:
    case TDK_RTYPE_CBBO_1S:
    case TDK_RTYPE_CBBO_1M:
    case TDK_RTYPE_TCBBO:
    case TDK_RTYPE_BBO_1S:
    case TDK_RTYPE_BBO_1M:
        return 32;
    case TDK_RTYPE_STATUS:
    case TDK_RTYPE_DEFINITION:
    case TDK_RTYPE_IMBALANCE:
    case TDK_RTYPE_STATISTICS:
        return 16;
    default:
        return 0;
    }
}

/* The time that symbol mappings refer to. It is not the frame's, because a feed may have stamped
 * that anew. */
static uint64_t index_ts(const struct tdk_frame *tick)
{
    if (tick->type != TDK_TYPE_DBN)
        return tick->ts;
    unsigned offset = receive_ts_offset(tdk_frame_payload(tick)[1]);
    if (offset + sizeof(uint64_t) > tick->size) /* a tape that was not written by this program */
        return tick->ts;
    uint64_t ts = load_u64(tdk_frame_payload(tick) + (offset != 0 ? offset : 8));
    return ts == TDK_TS_UNDEFINED ? tick->ts : ts;
}

static size_t first_pick(const struct picks *picks, uint32_t instrument_id)
{
    size_t low = 0, high = picks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (picks->items[middle].instrument_id < instrument_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool picks_name(const struct picks *picks, uint32_t instrument_id)
{
    size_t at = first_pick(picks, instrument_id);
    return at < picks->count && picks->items[at].instrument_id == instrument_id;
}

bool picks_pass(const struct picks *picks, const struct tdk_frame *tick)
{
    if (!frame_is_record(tick))
        return false;
    uint32_t id = frame_instrument(tick);
    size_t at = first_pick(picks, id);
    if (!picks->timed)
        return at < picks->count && picks->items[at].instrument_id == id;
    uint64_t ts = index_ts(tick);
    for (; at < picks->count && picks->items[at].instrument_id == id; at++) {
        const struct pick *pick = &picks->items[at];
        if (ts >= pick->from && (ts < pick->to || pick->to == UINT64_MAX))
            return true;
    }
    return false;
}

bool picks_may_be_in(const struct picks *picks, const uint64_t filter[2])
{
    for (size_t i = 0; i < picks->count; i++)
        if (filter_may_hold(filter, picks->items[i].instrument_id))
            return true;
    return false;
}

/* ---- times ---- */

bool select_covers(const struct select *select, const struct block_ref *block)
{
    if (select->axis == TDK_AXIS_EVENT)
        return block->lost == 0 && block->min_event >= select->from &&
               block->max_event <= select->last;
    return block->min_ts >= select->from && block->max_ts <= select->last &&
           (block->odd == 0 || (block->odd_min >= select->from && block->odd_max <= select->last));
}

bool select_meets_loss(const struct select *select, const struct tdk_loss *loss)
{
    const bool is_back = loss->last_ts < loss->first_ts; /* the clock was set back in between */
    const uint64_t low = is_back ? loss->last_ts : loss->first_ts,
                   high = is_back ? loss->first_ts : loss->last_ts;
    return high >= select->from && low <= select->last;
}
