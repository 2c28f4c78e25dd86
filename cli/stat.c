/* stat.c - what the daemons count, from their counters pages, once or repeatedly. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text_buffer.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/pages.h"
#include "cli/range.h"
#include "cli/stat_ask.h"
#include "cli/table.h"

#define STATE_TEXT 128

struct args {
    struct range_args range;
    struct ask_args where; /* a socket instead of the pages */
    uint64_t interval_ns, count;
    bool json, all;
};

static struct args args;

static const struct option rows[] = {
    {.name = "interval",
     .letter = 'i',
     .kind = OPTION_DURATION,
     .min = 10 * NS_PER_MS,
     .at = offsetof(struct args, interval_ns),
     .help = "repeat at this interval, with rates over it"},
    {.name = "count",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .at = offsetof(struct args, count),
     .help = "with --interval: exit after this many times"},
    {.name = "all",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, all),
     .help = "print every counter by name, not a row per ring"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array, an object per daemon"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = ask_depot_rows, .into = &args.where},
    {.rows = NULL},
};

/* ---- JSON: the recorder's status ---- */

static void put_string(struct text_buffer *out, const char *text)
{
    text_add_json(out, text, strlen(text));
}

/* "ok", "quarantined: REASON", "refused: REASON" */
static const char *state_text(char text[STATE_TEXT], const struct ring_view *v)
{
    snprintf(text, STATE_TEXT, "%s%s%s", v->state, v->reason != NULL ? ": " : "",
             v->reason != NULL ? v->reason : "");
    return text;
}

struct json {
    struct text_buffer *out;
    const char *between;
};

static void put_ring_json(const struct ring_view *v, const struct counters_copy *page,
                          void *context)
{
    struct json *json = context;
    char state[STATE_TEXT];
    (void)page;
    text_add_string(json->out, json->between);
    json->between = ",";
    text_add_string(json->out, "{\"name\":");
    put_string(json->out, v->name);
    text_add_string(json->out, ",\"ring\":");
    put_string(json->out, v->name);
    text_add_string(json->out, ",\"track\":");
    put_string(json->out, v->track);
    text_add_format(json->out, ",\"epoch\":%" PRIu64 ",\"produced\":", v->epoch);
    if (v->seen)
        text_add_u64(json->out, v->info.produced);
    else
        text_add_string(json->out, "null");
    text_add_format(json->out,
                    ",\"written\":%" PRIu64 ",\"durable\":%" PRIu64 ",\"lost\":", v->written,
                    v->durable);
    if (v->seen)
        text_add_u64(json->out, v->info.lost);
    else
        text_add_string(json->out, "null");
    text_add_format(json->out,
                    ",\"lost_total\":%" PRIu64 ",\"fill\":%" PRIu64 ",\"high_water\":%" PRIu64
                    ",\"ticks\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"state\":",
                    v->lost_total, v->fill, v->high_water, v->ticks, v->bytes);
    put_string(json->out, state_text(state, v));
    text_add_char(json->out, '}');
}

static void put_counters_json(struct text_buffer *out, const struct counters_copy *page)
{
    const char *between = "";
    text_add_string(out, ",\"counters\":{");
    for (unsigned i = 0; i < page->rows; i++) {
        const struct counter_value *value = &page->values[i];
        if (value->ring[0] != '\0')
            continue;
        text_add_string(out, between);
        put_string(out, value->name);
        text_add_format(out, ":%" PRIu64, value->value);
        between = ",";
    }
    text_add_char(out, '}');
}

static void put_page_json(struct text_buffer *out, const struct counters_copy *page)
{
    struct json json = {.out = out, .between = ""};
    text_add_string(out, "{\"daemon\":");
    put_string(out, page->writer);
    text_add_string(out, ",\"tape\":");
    put_string(out, page->tape);
    text_add_format(
        out,
        ",\"pid\":%u,\"started\":%" PRIu64 ",\"state\":\"%s\",\"segment\":%" PRIu64 ",\"rings\":[",
        page->pid, page->started, page_state(page), page_value(page, "recorder_segment", NULL));
    page_rings(page, put_ring_json, &json);
    text_add_char(out, ']');
    put_counters_json(out, page);
    text_add_char(out, '}');
}

static int show_json(const struct pages *pages)
{
    struct text_buffer out;
    text_init(&out);
    text_add_char(&out, '[');
    for (unsigned i = 0; i < pages->count; i++) {
        if (i > 0)
            text_add_char(&out, ',');
        put_page_json(&out, &pages->items[i]);
    }
    text_add_string(&out, "]\n");
    int rc = text_error(&out);
    if (rc == 0 && (fwrite(out.bytes, 1, out.size, stdout) != out.size || fflush(stdout) != 0))
        rc = errno == EPIPE ? 0 : -errno;
    text_close(&out);
    return rc;
}

/* ---- tables ---- */

static const struct column ring_columns[] = {
    {"name", COLUMN_TEXT},       {"track", COLUMN_TEXT},       {"epoch", COLUMN_COUNT},
    {"produced", COLUMN_COUNT},  {"written", COLUMN_COUNT},    {"durable", COLUMN_COUNT},
    {"lost", COLUMN_COUNT},      {"lost_total", COLUMN_COUNT}, {"fill", COLUMN_SIZE},
    {"high_water", COLUMN_SIZE}, {"ticks_s", COLUMN_COUNT},    {"bytes_s", COLUMN_SIZE},
    {"state", COLUMN_TEXT},
};

struct sheet {
    struct table *table;
    const struct pages *before; /* NULL: no rates yet */
    uint64_t elapsed_ns;
};

static void put_rate(const struct sheet *sheet, const struct counters_copy *before,
                     const char *name, const struct ring_view *v, uint64_t now)
{
    uint64_t was = before != NULL ? page_value(before, name, v->name) : UINT64_MAX;
    if (was <= now)
        table_number(sheet->table, quantity_per_second(now - was, sheet->elapsed_ns));
    else
        table_none(sheet->table);
}

static void put_ring_row(const struct ring_view *v, const struct counters_copy *page, void *context)
{
    const struct sheet *sheet = context;
    const struct counters_copy *before =
        sheet->before != NULL ? pages_same(sheet->before, page) : NULL;
    struct table *table = sheet->table;
    char state[STATE_TEXT];
    table_text(table, v->name);
    table_text(table, v->track);
    table_number(table, v->epoch);
    if (v->seen)
        table_number(table, v->info.produced);
    else
        table_none(table);
    table_number(table, v->written);
    table_number(table, v->durable);
    if (v->seen)
        table_number(table, v->info.lost);
    else
        table_none(table);
    table_number(table, v->lost_total);
    table_number(table, v->fill);
    table_number(table, v->high_water);
    put_rate(sheet, before, "ring_ticks", v, v->ticks);
    put_rate(sheet, before, "ring_taken", v, v->bytes);
    table_text(table, state_text(state, v));
}

static const struct column all_columns[] = {
    {"daemon", COLUMN_TEXT}, {"counter", COLUMN_TEXT}, {"ring", COLUMN_TEXT},
    {"track", COLUMN_TEXT},  {"value", COLUMN_COUNT},  {"help", COLUMN_TEXT},
};

static void put_all(struct table *table, const struct counters_copy *page)
{
    for (unsigned i = 0; i < page->rows; i++) {
        const struct counter_value *value = &page->values[i];
        table_text(table, page->writer);
        table_text(table, value->name);
        table_text(table, value->ring);
        table_text(table, value->track);
        table_number(table, value->value);
        table_text(table, value->help);
    }
}

/* A replayer has no rings. If there are only replayers, show them counter by counter. */
static bool is_by_counter(const struct pages *pages)
{
    for (unsigned i = 0; i < pages->count; i++)
        if (strcmp(pages->items[i].writer, "replayer") != 0)
            return args.all;
    return true;
}

static int show_table(const struct pages *pages, const struct pages *before, uint64_t elapsed_ns)
{
    struct sheet sheet = {.before = before, .elapsed_ns = elapsed_ns};
    bool all = is_by_counter(pages);
    int rc = all ? table_open(&sheet.table, table_form(false), all_columns,
                              sizeof all_columns / sizeof all_columns[0])
                 : table_open(&sheet.table, table_form(false), ring_columns,
                              sizeof ring_columns / sizeof ring_columns[0]);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < pages->count; i++) {
        if (all)
            put_all(sheet.table, &pages->items[i]);
        else
            page_rings(&pages->items[i], put_ring_row, &sheet);
    }
    return table_close(sheet.table);
}

/* ---- again and again ---- */

static int nobody(const char *writer)
{
    cli_warn("no %s runs here%s; is it started, and with the same TAPEDECK_RINGS as this command?",
             writer != NULL ? writer : "daemon", args.range.tape != NULL ? " on that tape" : "");
    return CLI_UNREACHABLE;
}

/* Show one round. Then *now has become *before. 0, or CLI_... after printing why. */
static int show(struct pages *now, struct pages *before, uint64_t *shown_ns)
{
    struct tdk_err err;
    uint64_t at_ns = clock_mono();
    if (pages_read(now, args.range.tape, &err) < 0)
        return cli_fail(&err, NULL);
    if (now->count == 0)
        return nobody(now->writer);
    int rc = args.json ? show_json(now)
                       : show_table(now, *shown_ns != 0 ? before : NULL, at_ns - *shown_ns);
    pages_forget(before);
    *before = *now;
    now->count = 0;
    *shown_ns = at_ns;
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

/* Wait for the next round, and return whether there is to be one. If writing failed and the status
 * is good, the reader has gone. */
static bool goes_on(int status, uint64_t shown)
{
    if (status != CLI_OK || args.interval_ns == 0 || interrupted() || ferror(stdout) ||
        (args.count != 0 && shown == args.count))
        return false;
    attach_sleep(args.interval_ns);
    return !interrupted();
}

static int run_asking(void)
{
    struct tdk_client *client;
    args.where.timeout_ns = ASK_SILENCE_NS;
    int status = ask_open(&client, &args.where, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    uint64_t shown = 0;
    do
        status = stat_ask(client, args.all, args.json);
    while (goes_on(status, ++shown));
    tdk_client_close(client);
    return status;
}

static int run(const struct cli *cli)
{
    static struct pages now, before;
    const char *writer = cli->operands->count > 0 ? cli->operands->items[0] : NULL;
    uint64_t shown_ns = 0, shown = 0;
    if (writer != NULL && strcmp(writer, "recorder") != 0 && strcmp(writer, "replayer") != 0)
        return cli_usage("'%s' is neither recorder nor replayer", writer);
    if (args.count != 0 && args.interval_ns == 0)
        return cli_usage("--count needs --interval, the time between the reports");
    interrupt_catch();
    if (ask_by_address(args.range.tape, args.where.address))
        return run_asking();
    now.writer = before.writer = writer;
    int status;
    do
        status = show(&now, &before, &shown_ns);
    while (goes_on(status, ++shown));
    pages_forget(&before);
    return status;
}

const struct command stat_command = {
    .name = "stat",
    .brief = "show counters of recorder and replayer, once or repeatedly",
    .usage = "[recorder|replayer] [-T DIR|-a ADDRESS] [-i 1s [-n N]] [--all] [--json]",
    .about = "Reads the pages of counters in shared memory. It asks nobody, so it answers even\n"
             "while the disk or the daemon hangs. Prints a row per ring: epoch, ticks produced\n"
             "in it, the last seq written and durable, losses, bytes that wait, and with -i\n"
             "ticks and bytes per second. With -a the daemon at that address is asked instead.\n"
             "Exit 6: no such daemon runs.",
    .sets = sets,
    .operand = "DAEMON",
    .operands_max = 1,
    .run = run,
};
