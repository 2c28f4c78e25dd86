/* bars.c - a range of a tape as a given number of bars, for a chart. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text_buffer.h"
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/losses.h"
#include "cli/range.h"
#include "cli/table.h"
#include "tape/cursor.h"
#include "tape/frame.h"

struct args {
    struct range_args range;
    uint64_t bars, every_ns;
    bool json;
};

static struct args args;

enum { BARS_MAX = 10000 };

static const struct option rows[] = {
    {.name = "bars",
     .letter = 'b',
     .kind = OPTION_COUNT,
     .preset = "400",
     .min = 1,
     .max = BARS_MAX,
     .at = offsetof(struct args, bars),
     .help = "divide the range into this many equal parts"},
    {.name = "every",
     .kind = OPTION_DURATION,
     .min = 1,
     .at = offsetof(struct args, every_ns),
     .help = "or the length of a bar; bars begin at whole multiples of it"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "ticks", .rows = range_rows, .into = &args.range},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

struct bars {
    enum tdk_axis axis;
    bool is_named;       /* one symbol was asked for: its number may differ by track and time */
    bool is_mixed;       /* else: there is more than one instrument */
    uint16_t track;      /* else: the track of the first instrument */
    uint32_t instrument; /* else: the first instrument; 0: none yet */
    uint64_t from, step;
    struct bar *list; /* ours */
    size_t count;
    struct losses losses;
};

/* ---- reading ---- */

/* Returns false to end the walk. */
typedef bool each_cb(const struct tdk_run *run, const struct tdk_frame *frame, void *context);

static bool each_frame(const struct tdk_run *run, each_cb *each, void *context)
{
    const struct tdk_frame *end = (const void *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at))
        if (!each(run, at, context))
            return false;
    return true;
}

/* `losses` NULL: do not report losses, because the range will be read again. */
static int walk(const struct range *range, struct losses *losses, each_cb *each, void *context,
                struct tdk_err *err)
{
    struct tdk_cursor *cursor;
    struct tdk_run run;
    int rc = tdk_cursor_open(&cursor, range->tape, &range->query, err);
    if (rc < 0)
        return rc;
    cursor_stop_when(cursor, interrupt_asked, NULL);
    while (!interrupted() &&
           ((rc = tdk_cursor_read(cursor, &run, err)) == 1 || rc == TDK_ECORRUPT)) {
        if (rc == 1 && !each_frame(&run, each, context)) {
            rc = 0;
            break;
        }
        if (rc == 1 && losses != NULL)
            losses_look(losses, &run);
        else if (losses != NULL)
            losses_damage(losses, err);
    }
    tdk_cursor_close(cursor);
    return interrupted() ? err_say(err, -ECANCELED, "interrupted") : rc;
}

/* ---- which bars there are ---- */

struct extent {
    uint64_t first, last; /* nothing found: first > last */
};

static bool extend(const struct tdk_run *run, const struct tdk_frame *frame, void *context)
{
    struct extent *e = context;
    (void)run;
    uint64_t ts = frame_event_ts(frame);
    e->first = ts < e->first ? ts : e->first;
    e->last = ts > e->last ? ts : e->last;
    return true;
}

/* An open end is the tape's own. On the event axis only the ticks show where that is. */
static int bound(struct range *range, struct tdk_err *err)
{
    struct tdk_tape_info info;
    struct tdk_query *query = &range->query;
    tdk_tape_info(range->tape, &info);
    struct extent all = {.first = info.first_ts, .last = info.last_ts};
    if (query->axis == TDK_AXIS_EVENT && (query->from == 0 || query->to == UINT64_MAX)) {
        all = (struct extent){.first = UINT64_MAX};
        int rc = walk(range, NULL, extend, &all, err);
        if (rc < 0)
            return rc;
    }
    bool any = all.first <= all.last;
    if (query->from == 0 && any)
        query->from = all.first;
    if (query->to == UINT64_MAX)
        query->to = !any ? query->from : all.last < UINT64_MAX ? all.last + 1 : UINT64_MAX;
    if (query->from > query->to)
        query->to = query->from;
    return 0;
}

static int divide(struct bars *bars, const struct tdk_query *query)
{
    uint64_t span = query->to - query->from;
    bars->axis = query->axis;
    bars->from = query->from;
    bars->step = span / args.bars + (span % args.bars != 0);
    if (args.every_ns != 0) {
        bars->step = args.every_ns;
        bars->from -= bars->from % bars->step;
        span = query->to - bars->from;
    }
    bars->step = bars->step > 0 ? bars->step : 1;
    uint64_t count = span / bars->step + (span % bars->step != 0);
    if (count > BARS_MAX)
        return cli_usage(
            "--every: that would be %" PRIu64
            " bars, and at most %u are allowed; choose longer bars, or a shorter range",
            count, (unsigned)BARS_MAX);
    bars->count = (size_t)count;
    bars->list = calloc(bars->count + 1, sizeof *bars->list);
    if (bars->list == NULL)
        return cli_fail_words("bars: %s", tdk_strerror(-ENOMEM));
    for (size_t i = 0; i < bars->count; i++)
        bar_init(&bars->list[i]);
    return CLI_OK;
}

/* ---- filling them ---- */

/* A bar of two instruments would have no meaning. */
static bool is_of_one(struct bars *bars, uint16_t track, uint32_t instrument)
{
    if (bars->is_named || instrument == 0)
        return true;
    if (bars->instrument == 0) {
        bars->instrument = instrument;
        bars->track = track;
    }
    bars->is_mixed = instrument != bars->instrument || track != bars->track;
    return !bars->is_mixed;
}

static bool add(const struct tdk_run *run, const struct tdk_frame *frame, void *context)
{
    struct bars *bars = context;
    uint64_t ts = bars->axis == TDK_AXIS_EVENT ? frame_event_ts(frame) : frame->ts;
    if (!is_of_one(bars, run->number, frame_instrument(frame)))
        return false;
    if (ts < bars->from)
        return true; /* a control frame from before the range */
    uint64_t which = (ts - bars->from) / bars->step;
    if (which < bars->count)
        bar_add(&bars->list[which], frame);
    return true;
}

/* ---- showing them ---- */

static const struct column columns[] = {
    {"time", COLUMN_TIME},    {"open", COLUMN_TEXT},   {"high", COLUMN_TEXT}, {"low", COLUMN_TEXT},
    {"close", COLUMN_TEXT},   {"volume", COLUMN_TEXT}, {"bid", COLUMN_TEXT},  {"ask", COLUMN_TEXT},
    {"trades", COLUMN_COUNT}, {"ticks", COLUMN_COUNT},
};

static void put_text(struct table *table, struct text_buffer *text)
{
    text_add_char(text, '\0');
    table_text(table, text_error(text) == 0 ? text->bytes : NULL);
    text_clear(text);
}

static void put_price(struct table *table, struct text_buffer *text, int64_t price)
{
    if (price == TDK_PRICE_UNDEFINED) {
        table_none(table);
        return;
    }
    text_add_short(text, price);
    put_text(table, text);
}

static void put_volume(struct table *table, struct text_buffer *text, const struct bar *bar)
{
    text_add_u64(text, bar->volume);
    if (bar->volume_nano != 0) {
        text_add_format(text, ".%09" PRIu64, bar->volume_nano);
        while (text->bytes != NULL && text->bytes[text->size - 1] == '0')
            text->size--;
    }
    put_text(table, text);
}

static void put_bar(struct table *table, struct text_buffer *text, const struct bars *bars,
                    size_t which)
{
    const struct bar *bar = &bars->list[which];
    table_number(table, bars->from + which * bars->step);
    put_price(table, text, bar->open);
    put_price(table, text, bar->high);
    put_price(table, text, bar->low);
    put_price(table, text, bar->close);
    put_volume(table, text, bar);
    put_price(table, text, bar->bid);
    put_price(table, text, bar->ask);
    table_number(table, bar->trades);
    table_number(table, bar->ticks);
}

static int show(const struct bars *bars)
{
    struct table *table;
    struct text_buffer text;
    int rc = table_open(&table, table_form(args.json), columns, sizeof columns / sizeof columns[0]);
    if (rc < 0)
        return rc;
    text_init(&text);
    for (size_t i = 0; i < bars->count; i++)
        if (bars->list[i].ticks > 0)
            put_bar(table, &text, bars, i);
    rc = table_close(table);
    text_close(&text);
    return rc;
}

/* ---- the command ---- */

static int make(struct bars *bars, struct range *range)
{
    struct tdk_err err;
    if (bound(range, &err) < 0)
        return range_fail(&err);
    int status = divide(bars, &range->query);
    range->query.control = true; /* losses_look() needs them */
    if (status != CLI_OK)
        return status;
    if (walk(range, &bars->losses, add, bars, &err) < 0)
        return range_fail(&err);
    return bars->is_mixed ? cli_usage("the range has more than one instrument: choose one with -s "
                                      "SYMBOL (`tapedeck ls symbols` lists them)")
                          : CLI_OK;
}

static bool is_one_symbol(const struct tdk_query *query)
{
    return query->symbol_count == 1 && query->symbols[0][0] != '#' &&
           strpbrk(query->symbols[0], "*?[") == NULL;
}

static int run(const struct cli *cli)
{
    struct bars bars = {.list = NULL};
    struct range range;
    (void)cli;
    int status = range_open(&range, &args.range);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    bars.is_named = is_one_symbol(&range.query);
    status = make(&bars, &range);
    if (status == CLI_OK) {
        int rc = show(&bars);
        status = rc < 0 ? cli_fail_stdout(rc) : losses_status(&bars.losses);
    }
    free(bars.list);
    range_close(&range);
    return status;
}

const struct command bars_command = {
    .name = "bars",
    .brief = "compute bars of a range: open, high, low, close, volume, quote",
    .usage = "-T DIR -s SYMBOL [--from T] [--to T] [-b N | --every D] [--json]",
    .about = "Summarizes the trades of one instrument in [from, to) by equal intervals, with\n"
             "the last bid and ask of each. More than one instrument is wrong usage. Intervals\n"
             "without a tick have no row. With --axis event a tick counts in the interval in\n"
             "which it happened. The charts of the page at --http are drawn from this.",
    .sets = sets,
    .run = run,
};
