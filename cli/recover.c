/* recover.c - by hand, what the recorder does at its start. */
#include "tape/recover.h"

#include <errno.h>
#include <inttypes.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"
#include "tape/verify.h"

struct args {
    struct range_args range;
    uint64_t jobs;
    int progress;
    bool quick, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "quick",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, quick),
     .help = "do not read every block to check it"},
    {.name = "jobs",
     .letter = 'j',
     .kind = OPTION_COUNT,
     .max = 1024,
     .at = offsetof(struct args, jobs),
     .help = "segments read at a time; by default one per processor"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print the report as a JSON array of one object"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

struct recovering {
    struct progress progress;
    struct recover_report report;
    struct verify_totals check;
};

static void on_found(const char *text, void *context)
{
    struct recovering *r = context;
    progress_clear(&r->progress);
    cli_warn("%s", text);
}

static void on_progress(const struct rebuild_totals *totals, void *context)
{
    struct recovering *r = context;
    progress_at(&r->progress, totals->bytes, totals->bytes_total, "bytes", totals->ticks);
}

static int recover(struct recovering *r, struct tdk_err *err)
{
    struct recovered tape;
    const struct recover_options options = {
        .anew = true, .found = on_found, .progress = on_progress, .context = r};
    int rc = recover_open(&tape, args.range.tape, &options, err);
    if (rc < 0)
        return rc;
    r->report = tape.report;
    return recover_close(&tape, true, err);
}

/* ---- is what is left what was written? ---- */

/* Missing segments have been reported when the index was made. */
static void on_finding(const struct verify_finding *finding, void *context)
{
    if (finding->code != -ENOENT)
        on_found(finding->what, context);
}

static void on_check(const struct verify_totals *totals, void *context)
{
    struct recovering *r = context;
    progress_at(&r->progress, totals->bytes, totals->bytes_total, "bytes", totals->ticks);
}

static int check(struct recovering *r, struct tdk_err *err)
{
    const struct verify_options options = {
        .threads = (unsigned)args.jobs, .finding = on_finding, .progress = on_check, .context = r};
    return tape_verify(args.range.tape, &options, &r->check, err);
}

/* ---- the report ---- */

static const struct column columns[] = {
    {"segments", COLUMN_COUNT},       {"sealed", COLUMN_COUNT},    {"torn_bytes", COLUMN_SIZE},
    {"imports_undone", COLUMN_COUNT}, {"set_aside", COLUMN_COUNT}, {"damaged", COLUMN_COUNT},
    {"meta_rebuilt", COLUMN_FLAG},    {"blocks", COLUMN_COUNT},    {"ticks", COLUMN_COUNT},
    {"findings", COLUMN_COUNT},       {"whole", COLUMN_FLAG},
};

/* Recovery does not read blocks that a footer describes. The check after it does. */
static uint64_t damaged(const struct recovering *r)
{
    return r->report.damaged + r->check.bad_blocks;
}

static bool is_whole(const struct recovering *r)
{
    return !recover_lost(&r->report) && r->check.findings + r->check.away == 0;
}

static int show(const struct recovering *r)
{
    struct table *table;
    const struct recover_report *report = &r->report;
    int rc = table_open(&table, table_form_single(args.json), columns,
                        sizeof columns / sizeof columns[0]);
    if (rc < 0)
        return rc;
    const uint64_t found[] = {report->segments,       report->sealed_now, report->torn_bytes,
                              report->imports_undone, report->set_aside,  damaged(r),
                              report->meta_rebuilt};
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        table_number(table, found[i]);
    const uint64_t checked[] = {r->check.blocks, r->check.ticks, r->check.findings};
    for (size_t i = 0; i < sizeof checked / sizeof checked[0]; i++) {
        if (args.quick)
            table_none(table);
        else
            table_number(table, checked[i]);
    }
    table_number(table, is_whole(r));
    return table_close(table);
}

/* What was set aside, and a lost tape.meta, cost no tick by themselves. */
static const char *what_is_missing(const struct recovering *r)
{
    if (damaged(r) + r->check.findings + r->check.away > 0)
        return "; `tapedeck gaps` names the ticks that are missing";
    return args.quick ? "" : "; no tick is missing";
}

static int conclude(const struct recovering *r)
{
    const struct recover_report *report = &r->report;
    char torn[QUANTITY_TEXT];
    if (report->sealed_now > 0 || report->torn_bytes > 0)
        cli_note("%" PRIu64 " %s sealed; %s of unfinished writes cut, and kept in quarantine/",
                 report->sealed_now, quantity_word(report->sealed_now, "segment", "segments"),
                 quantity_size_text(torn, report->torn_bytes));
    if (report->imports_undone > 0)
        cli_note("%" PRIu64 " %s of an unfinished import removed", report->imports_undone,
                 quantity_word(report->imports_undone, "segment", "segments"));
    if (is_whole(r)) {
        cli_note("%s: %" PRIu64 " %s, index rebuilt", args.quick ? "ready" : "ready and whole",
                 report->segments, quantity_word(report->segments, "segment", "segments"));
        return CLI_OK;
    }
    if (r->check.away > 0)
        cli_warn("%" PRIu64 " %s blocks were not checked", r->check.away,
                 quantity_word(r->check.away, "segment is on a disk that is not there now: its",
                               "segments are on a disk that is not there now: their"));
    cli_warn("ready, but not whole: damage %" PRIu64 ", set aside %" PRIu64 ", findings %" PRIu64
             "%s",
             damaged(r) + report->meta_rebuilt, report->set_aside, r->check.findings,
             what_is_missing(r));
    return CLI_LOSSY;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct recovering r = {.check = {.findings = 0}};
    if (args.range.tape == NULL)
        return range_no_tape();
    progress_begin(&r.progress, "recover", args.progress, cli->globals->quiet);
    int rc = recover(&r, &err);
    if (rc == 0 && !args.quick)
        rc = check(&r, &err);
    progress_clear(&r.progress);
    if (rc == TDK_EBUSY)
        return cli_fail(&err, NULL);
    if (rc < 0)
        return cli_fail(&err, "it is safe to try again");
    rc = show(&r);
    if (rc < 0)
        return cli_fail_stdout(rc);
    return conclude(&r);
}

const struct command recover_command = {
    .name = "recover",
    .brief = "repair a tape by hand, as the recorder does when it starts",
    .usage = "-T DIR [--quick] [-j N] [--json]",
    .about = "Cuts torn tails and keeps them in quarantine/, seals what a dead recorder left\n"
             "open, sets aside files that are not the tape's, rebuilds the index, and reads\n"
             "every block. Exit 0: all that was ever durable is there; 3: it is not, and what\n"
             "is missing was named; 1: a recorder holds the tape, or the disk fails. It may be\n"
             "killed and run again.",
    .sets = sets,
    .run = run,
};
