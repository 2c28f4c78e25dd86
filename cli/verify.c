/* verify.c - is every byte of a tape what was written? */
#include "tape/verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/moment.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"

struct args {
    struct range_args range;
    uint64_t jobs;
    int progress;
    bool json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "jobs",
     .letter = 'j',
     .kind = OPTION_COUNT,
     .max = 1024,
     .at = offsetof(struct args, jobs),
     .help = "segments read at a time; by default one per processor"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print the findings as a JSON array on stdout"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_tape_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

static const struct column columns[] = {
    {"segment", COLUMN_COUNT},
    {"offset", COLUMN_COUNT},
    {"kind", COLUMN_TEXT},
    {"what", COLUMN_TEXT},
};

enum { NAMED_MAX = 10 };

struct verification {
    struct progress progress;
    struct table *table; /* NULL while nothing was found */
    uint64_t away;
    int rc; /* why there is no table although something was found */
};

static bool open_table(struct verification *v)
{
    if (v->table == NULL && v->rc == 0)
        v->rc = table_open(&v->table, table_form(args.json), columns,
                           sizeof columns / sizeof columns[0]);
    return v->rc == 0;
}

/* Findings are the output of this command: one line each on stdout, however many there are. */
static void on_finding(const struct verify_finding *finding, void *context)
{
    struct verification *v = context;
    progress_clear(&v->progress);
    if (!open_table(v))
        return;
    if (finding->segment == 0)
        table_none(v->table); /* about the tape as a whole, or its index */
    else
        table_number(v->table, finding->segment);
    if (finding->offset == UINT64_MAX)
        table_none(v->table);
    else
        table_number(v->table, finding->offset);
    table_text(v->table, tdk_strerror(finding->code));
    table_text(v->table, finding->what);
}

static void on_away(uint64_t segment, const char *why, void *context)
{
    struct verification *v = context;
    (void)segment;
    if (v->away++ < NAMED_MAX) {
        progress_clear(&v->progress);
        cli_warn("%s", why);
    }
}

static void on_unread(const char *why, void *context)
{
    struct verification *v = context;
    progress_clear(&v->progress);
    cli_warn("only the segments were checked, not the index: %s", why);
}

static void on_progress(const struct verify_totals *totals, void *context)
{
    struct verification *v = context;
    progress_at(&v->progress, totals->bytes, totals->bytes_total, "bytes", totals->ticks);
}

static int conclude(const struct verify_totals *totals, uint64_t elapsed_ns)
{
    char bytes[QUANTITY_TEXT], elapsed[QUANTITY_TEXT];
    cli_note("%" PRIu64 " %s, %" PRIu64 " %s, %" PRIu64 " %s, %s in %s: %s", totals->segments,
             quantity_word(totals->segments, "segment", "segments"), totals->blocks,
             quantity_word(totals->blocks, "block", "blocks"), totals->ticks,
             quantity_word(totals->ticks, "tick", "ticks"),
             quantity_size_text(bytes, totals->bytes), quantity_duration_text(elapsed, elapsed_ns),
             totals->findings > 0 ? "damage"
             : totals->away > 0   ? "whole, as far as it is here"
                                  : "all whole");
    if (totals->away > 0)
        cli_warn(
            "%" PRIu64 " %s checked", totals->away,
            quantity_word(totals->away,
                          "segment is on a disk that is not there now: only its footer was",
                          "segments are on a disk that is not there now: only their footers were"));
    if (totals->findings == 0)
        return totals->away == 0 ? CLI_OK : CLI_LOSSY;
    cli_warn("findings: %" PRIu64 "; `tapedeck query` still gives all that is not damaged",
             totals->findings);
    return CLI_DAMAGED;
}

static int show(struct verification *v)
{
    if (args.json)
        (void)open_table(v); /* an empty array is an answer, too */
    if (v->table != NULL)
        v->rc = table_close(v->table);
    return v->rc;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct verification v = {.table = NULL};
    struct verify_totals totals = {.findings = 0};
    if (args.range.tape == NULL)
        return range_no_tape();
    progress_begin(&v.progress, "verify", args.progress, cli->globals->quiet);
    struct verify_options options = {.threads = (unsigned)args.jobs,
                                     .finding = on_finding,
                                     .away = on_away,
                                     .unread = on_unread,
                                     .progress = on_progress,
                                     .context = &v};
    int rc = tape_verify(args.range.tape, &options, &totals, &err);
    progress_end(&v.progress, totals.bytes, totals.bytes_total, "bytes", totals.ticks);
    int shown = show(&v);
    if (rc < 0)
        return cli_fail(&err, NULL);
    if (shown < 0)
        return cli_fail_stdout(shown);
    return conclude(&totals, progress_elapsed(&v.progress));
}

const struct command verify_command = {
    .name = "verify",
    .brief = "check every checksum, chain and count of a tape, and its index",
    .usage = "-T DIR [-j N] [--json]",
    .about = "Reads every byte. Exit 0: all is whole; 5: damage, a line each on stdout; 3: no\n"
             "damage, but some segments were moved to a disk that is not there now. An index\n"
             "that may not be read from here is not damage, and is named on stderr. A segment\n"
             "that may not be read is exit 1.",
    .sets = sets,
    .run = run,
};
