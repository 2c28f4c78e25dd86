/* coverage.c - is a range of a tape whole? `coverage` shows everything, `gaps` what is missing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text_buffer.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/control_text.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"

#define KEPT_MAX ((size_t)1 << 20) /* bytes of JSON */

struct args {
    struct range_args range;
    struct ask_args where;
    int progress;
    bool quick, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "quick",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, quick),
     .help = "trust the index: do not read blocks to see whether they are still good"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "range", .rows = range_span_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

/* What has been written so far, as rows of a table or as JSON. */
struct telling {
    struct progress progress;
    struct table *table;
    struct text_buffer text;                   /* of `coverage --json`: what is not written yet, */
    struct text_buffer damaged, retired, away; /* and the epoch's gaps so far, but for losses; */
    struct text_buffer lost;                   /* segments */
    int failed;                                /* why it cannot be written */
    bool any_track, any_epoch, in_epoch, any_loss;
    uint64_t ticks, gaps, missing;
    uint64_t retired_ticks, away_ticks; /* parts of `missing` */
};

/* ---- what both count ---- */

static void count_gap(struct telling *t, const struct tdk_gap *gap)
{
    t->gaps++;
    t->missing += gap->count;
    t->retired_ticks += gap->retired ? gap->count : 0;
    t->away_ticks += gap->away ? gap->count : 0;
}

static int tell_progress(uint64_t bytes, uint64_t ticks, void *context)
{
    struct telling *t = context;
    t->ticks = ticks;
    progress_at(&t->progress, bytes, 0, "bytes", ticks);
    return interrupted() ? 1 : 0;
}

static int conclude(const struct telling *t)
{
    if (t->gaps == 0 && cli_is_lossy())
        return CLI_LOSSY;
    if (t->gaps == 0) {
        cli_note("whole: %" PRIu64 " %s, nothing is missing", t->ticks,
                 quantity_word(t->ticks, "tick", "ticks"));
        return CLI_OK;
    }
    cli_warn("not whole: %" PRIu64 " %s missing in %" PRIu64 " %s", t->missing,
             quantity_word(t->missing, "tick is", "ticks are"), t->gaps,
             quantity_word(t->gaps, "gap", "gaps"));
    if (t->retired_ticks > 0)
        cli_warn("%" PRIu64 " of them %s deleted on purpose, by retention", t->retired_ticks,
                 quantity_word(t->retired_ticks, "was", "were"));
    if (t->away_ticks > 0)
        cli_warn("%" PRIu64 " of them %s moved to a disk that is not there now; `tapedeck move "
                 "--list` says where",
                 t->away_ticks, quantity_word(t->away_ticks, "was", "were"));
    return CLI_LOSSY;
}

/* Walk the range with these callbacks, then `show` the result. */
static int survey(const struct cli *cli, const char *what, struct tdk_coverage_walk walk,
                  struct telling *t, int (*show)(struct telling *t))
{
    struct tdk_err err;
    struct range range;
    if (args.quick && ask_by_address(args.range.tape, args.where.address))
        return cli_usage("--quick reads the tape's index, so it needs -T");
    args.range.where = &args.where;
    int status = range_open(&range, &args.range);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    progress_begin(&t->progress, what, args.progress, cli->globals->quiet);
    walk.unread = args.quick;
    walk.progress = tell_progress;
    walk.context = t;
    int rc = depot_coverage(&range.depot, &range.query, &walk, &err);
    progress_end(&t->progress, 0, 0, "bytes", t->ticks);
    int shown = rc == 0 ? show(t) : 0;
    if (rc < 0)
        status = range_fail(&err);
    else if (rc > 0)
        status = cli_fail_words("interrupted after %" PRIu64 " %s", t->ticks,
                                quantity_word(t->ticks, "tick", "ticks"));
    else if (shown < 0)
        status = cli_fail_stdout(shown);
    else
        status = conclude(t);
    range_close(&range);
    return status;
}

static int show_table(struct telling *t)
{
    int rc = table_close(t->table);
    t->table = NULL;
    return rc;
}

/* show_table() closes the table and so frees it, but is not called when the walk fails. */
static int survey_table(const struct cli *cli, const char *what, struct tdk_coverage_walk walk,
                        const struct column *columns, size_t count)
{
    struct telling t = {.table = NULL};
    int rc = table_open(&t.table, table_form(args.json), columns, count);
    if (rc < 0)
        return cli_fail_words("%s: %s", what, tdk_strerror(rc));
    int status = survey(cli, what, walk, &t, show_table);
    table_drop(t.table);
    return status;
}

/* ---- gaps ---- */

static const struct column gap_columns[] = {
    {"track", COLUMN_TEXT},  {"epoch", COLUMN_COUNT}, {"first_seq", COLUMN_COUNT},
    {"count", COLUMN_COUNT}, {"from", COLUMN_TIME},   {"to", COLUMN_TIME},
    {"reason", COLUMN_TEXT},
};

static int put_gap(const struct tdk_gap *gap, void *context)
{
    struct telling *t = context;
    count_gap(t, gap);
    table_text(t->table, gap->track);
    table_number(t->table, gap->epoch);
    table_number(t->table, gap->first_seq);
    table_number(t->table, gap->count);
    table_number(t->table, gap->from);
    table_number(t->table, gap->to);
    table_text(t->table, control_text_reason(gap->reason));
    return 0;
}

static int run_gaps(const struct cli *cli)
{
    return survey_table(cli, "gaps", (struct tdk_coverage_walk){.gap = put_gap}, gap_columns,
                        sizeof gap_columns / sizeof gap_columns[0]);
}

const struct command gaps_command = {
    .name = "gaps",
    .brief = "list what is missing from a range of a tape, a row per gap",
    .usage = "-T DIR|-a ADDRESS [--from T] [--to T] [--track TRACK]... [--quick] [--json]",
    .about = "Lists ticks that were lost before they reached the tape, as LOSS frames tell,\n"
             "and ticks that were recorded and cannot be read any more (reason `damage`), were\n"
             "deleted on purpose (`retired`), or lie on a disk that is not mounted now\n"
             "(`away`). Every block of the range is read and checked, unless --quick. Exit 0:\n"
             "nothing is missing; 3: something is. `--from start` leaves out what was deleted\n"
             "before the first tick that is left.",
    .sets = sets,
    .run = run_gaps,
};

/* ---- coverage as a table: a row an epoch ---- */

static const struct column epoch_columns[] = {
    {"track", COLUMN_TEXT},     {"epoch", COLUMN_COUNT},   {"first_seq", COLUMN_COUNT},
    {"last_seq", COLUMN_COUNT}, {"ticks", COLUMN_COUNT},   {"lost", COLUMN_COUNT},
    {"damaged", COLUMN_COUNT},  {"retired", COLUMN_COUNT}, {"away", COLUMN_COUNT},
    {"first_ts", COLUMN_TIME},  {"last_ts", COLUMN_TIME},  {"complete", COLUMN_FLAG},
};

static void put_pair(struct table *table, uint64_t first, uint64_t last, bool there)
{
    if (there) {
        table_number(table, first);
        table_number(table, last);
    } else {
        table_none(table);
        table_none(table);
    }
}

static int put_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct table *table = ((struct telling *)context)->table;
    table_text(table, epoch->track);
    table_number(table, epoch->epoch);
    put_pair(table, epoch->first_seq, epoch->last_seq, epoch->last_seq != 0);
    table_number(table, epoch->ticks);
    table_number(table, epoch->lost);
    table_number(table, epoch->damaged);
    table_number(table, epoch->retired);
    table_number(table, epoch->away);
    put_pair(table, epoch->first_ts, epoch->last_ts, epoch->first_ts <= epoch->last_ts);
    table_number(table, epoch->lost + epoch->damaged + epoch->retired + epoch->away == 0);
    return 0;
}

static int only_count(const struct tdk_gap *gap, void *context)
{
    count_gap(context, gap);
    return 0;
}

/* ---- coverage as JSON: tracks, their epochs, the gaps of each ---- */

/* As with a table: a command that fails early has written nothing, and long output is written as it
 * comes. */
static void write_text(struct telling *t, size_t kept)
{
    if (t->failed == 0)
        t->failed = text_error(&t->text);
    if (t->text.size <= kept)
        return;
    if (t->failed == 0 && fwrite(t->text.bytes, 1, t->text.size, stdout) != t->text.size)
        t->failed = -errno;
    text_clear(&t->text);
}

static void add_number(struct text_buffer *text, const char *key, uint64_t number)
{
    text_add_format(text, "\"%s\":%" PRIu64 ",", key, number);
}

static void end_track(struct telling *t)
{
    if (t->any_track)
        text_add_string(&t->text, "]}");
}

static int add_track(const char *track, void *context)
{
    struct telling *t = context;
    end_track(t);
    text_add_string(&t->text, t->any_track ? ",\n  {\"track\":" : "\n  {\"track\":");
    text_add_json(&t->text, track, strlen(track));
    text_add_string(&t->text, ",\"epochs\":[");
    t->any_track = true;
    t->any_epoch = false;
    return 0;
}

/* An epoch begins with its losses, which may be millions. */
static void begin_epoch(struct telling *t, uint64_t epoch)
{
    if (t->in_epoch)
        return;
    text_add_string(&t->text, t->any_epoch ? ",\n    {" : "\n    {");
    add_number(&t->text, "epoch", epoch);
    text_add_string(&t->text, "\"lost\":[");
    t->any_epoch = t->in_epoch = true;
    t->any_loss = false;
}

static void put_gap_json(struct text_buffer *list, const struct tdk_gap *gap, bool first)
{
    text_add_string(list, first ? "{" : ",{");
    add_number(list, "first_seq", gap->first_seq);
    add_number(list, "count", gap->count);
    add_number(list, "from", gap->from);
    add_number(list, "to", gap->to);
    text_add_format(list, "\"reason\":\"%s\"}", control_text_reason(gap->reason));
}

static int add_gap(const struct tdk_gap *gap, void *context)
{
    struct telling *t = context;
    struct text_buffer *list = gap->damaged   ? &t->damaged
                               : gap->retired ? &t->retired
                               : gap->away    ? &t->away
                                              : NULL;
    count_gap(t, gap);
    begin_epoch(t, gap->epoch);
    if (list != NULL) {
        put_gap_json(list, gap, list->size == 0);
        return 0;
    }
    put_gap_json(&t->text, gap, !t->any_loss);
    t->any_loss = true;
    write_text(t, KEPT_MAX);
    return 0;
}

static void add_list(struct text_buffer *text, const char *key, struct text_buffer *list)
{
    text_add_format(text, ",\"%s\":[", key);
    text_add_buffer(text, list);
    text_add_char(text, ']');
    text_clear(list);
}

static int add_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct telling *t = context;
    begin_epoch(t, epoch->epoch);
    t->in_epoch = false;
    text_add_string(&t->text, "],");
    add_number(&t->text, "first_seq", epoch->first_seq);
    add_number(&t->text, "last_seq", epoch->last_seq);
    if (epoch->first_ts <= epoch->last_ts) {
        add_number(&t->text, "first_ts", epoch->first_ts);
        add_number(&t->text, "last_ts", epoch->last_ts);
    }
    text_add_format(&t->text, "\"ticks\":%" PRIu64, epoch->ticks);
    add_list(&t->text, "damaged", &t->damaged);
    add_list(&t->text, "retired", &t->retired);
    add_list(&t->text, "away", &t->away);
    text_add_char(&t->text, '}');
    write_text(t, KEPT_MAX);
    return 0;
}

static int add_lost(const struct tdk_lost_segments *lost, void *context)
{
    struct telling *t = context;
    text_add_format(&t->lost, "%s{\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"cut\":%s}",
                    t->lost.size > 0 ? "," : "", lost->first, lost->last,
                    lost->is_cut ? "true" : "false");
    return depot_lost(lost, context);
}

static int show_json(struct telling *t)
{
    end_track(t);
    text_add_char(&t->text, ']');
    add_list(&t->text, "lost_segments", &t->lost);
    text_add_format(&t->text, ",\"complete\":%s}]\n",
                    t->gaps == 0 && !cli_is_lossy() ? "true" : "false");
    write_text(t, 0);
    if (t->failed == 0 && fflush(stdout) != 0)
        t->failed = -errno;
    return t->failed == -EPIPE ? 0 : t->failed;
}

static int survey_json(const struct cli *cli)
{
    struct telling t = {.table = NULL};
    text_init(&t.text);
    text_init(&t.damaged);
    text_init(&t.retired);
    text_init(&t.away);
    text_init(&t.lost);
    text_add_string(&t.text, "[{\"tracks\":[");
    const struct tdk_coverage_walk walk = {
        .lost = add_lost, .track = add_track, .gap = add_gap, .epoch = add_epoch};
    int status = survey(cli, "coverage", walk, &t, show_json);
    text_close(&t.text);
    text_close(&t.damaged);
    text_close(&t.retired);
    text_close(&t.away);
    text_close(&t.lost);
    return status;
}

static int run_coverage(const struct cli *cli)
{
    if (args.json)
        return survey_json(cli);
    return survey_table(cli, "coverage",
                        (struct tdk_coverage_walk){.gap = only_count, .epoch = put_epoch},
                        epoch_columns, sizeof epoch_columns / sizeof epoch_columns[0]);
}

const struct command coverage_command = {
    .name = "coverage",
    .brief = "show whether a range is whole: epochs, seqs, losses, damage",
    .usage = "-T DIR|-a ADDRESS [--from T] [--to T] [--track TRACK]... [--quick] [--json]",
    .about = "Prints a row per epoch of each track; `tapedeck gaps` has a row for each thing\n"
             "that is missing. Every block of the range is read and checked, unless --quick.\n"
             "Exit 0: the range is whole; 3: it is not.",
    .sets = sets,
    .run = run_coverage,
};
