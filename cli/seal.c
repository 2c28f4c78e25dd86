/* seal.c - packs sealed segments. */
#include <inttypes.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/seal_ask.h"
#include "cli/stretch.h"
#include "cli/table.h"
#include "tape/seal_tape.h"

struct args {
    struct range_args range;
    const char *segments;
    uint64_t jobs, level;
    int progress;
    bool keep_going, dry_run, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "segments", STRETCH_OPTION, .at = offsetof(struct args, segments)},
    {.name = "jobs",
     .letter = 'j',
     .kind = OPTION_COUNT,
     .max = 1024,
     .at = offsetof(struct args, jobs),
     .help = "segments packed at a time; by default one per processor"},
    {.name = "level",
     .kind = OPTION_COUNT,
     .preset = "1",
     .min = 1,
     .max = 19,
     .at = offsetof(struct args, level),
     .help = "zstd level; from 9 on one to three per cent smaller, and slower"},
    {.name = "keep-going",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, keep_going),
     .help = "continue with the others after a segment that cannot be packed"},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, dry_run),
     .help = "only print what there is to do"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print the totals as a JSON array of one object"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

struct work {
    struct progress progress;
    struct seal_totals totals;
};

static void on_found(const char *text, void *context)
{
    struct work *w = context;
    progress_clear(&w->progress);
    cli_warn("%s", text);
}

static void on_failed(uint64_t segment, const char *text, void *context)
{
    (void)segment;
    on_found(text, context);
}

static bool on_go_on(const struct seal_totals *totals, void *context)
{
    struct work *w = context;
    progress_at(&w->progress, totals->bytes, totals->bytes_total, "bytes", totals->ticks);
    return !interrupted();
}

static int show(const struct seal_totals *t, uint64_t elapsed_ns)
{
    static const struct column columns[] = {
        {"segments", COLUMN_COUNT},   {"failed", COLUMN_COUNT},      {"to_do", COLUMN_COUNT},
        {"ticks", COLUMN_COUNT},      {"bytes_before", COLUMN_SIZE}, {"bytes_after", COLUMN_SIZE},
        {"elapsed", COLUMN_DURATION},
    };
    const uint64_t numbers[] = {t->segments,     t->failed,      t->to_do,  t->ticks,
                                t->bytes_before, t->bytes_after, elapsed_ns};
    struct table *table;
    size_t count = sizeof columns / sizeof columns[0];
    int rc = table_open(&table, table_form_single(args.json), columns, count);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        table_number(table, numbers[i]);
    return table_close(table);
}

static int conclude(const struct seal_totals *t)
{
    if (t->segments > 0)
        cli_note("%" PRIu64 " %s packed, %.1f times smaller", t->segments,
                 quantity_word(t->segments, "segment", "segments"),
                 (double)t->bytes_before / (double)t->bytes_after);
    else if (t->to_do == 0)
        cli_note("there is nothing to pack");
    if (t->moved > 0)
        cli_note("%" PRIu64 " %s: pack first, then move", t->moved,
                 quantity_word(t->moved, "segment was moved and stays as it is",
                               "segments were moved and stay as they are"));
    if (t->failed == 0)
        return CLI_OK;
    cli_warn("%" PRIu64 " %s; `tapedeck verify` says more", t->failed,
             quantity_word(t->failed, "segment could not be packed and stays as it was",
                           "segments could not be packed and stay as they were"));
    return CLI_LOSSY;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct work w = {.totals = {.segments = 0}};
    struct seal_tape_options options = {.threads = (unsigned)args.jobs,
                                        .level = (int)args.level,
                                        .keep_going = args.keep_going,
                                        .dry_run = args.dry_run,
                                        .found = on_found,
                                        .failed = on_failed,
                                        .go_on = on_go_on,
                                        .context = &w};
    if (args.range.tape == NULL)
        return range_no_tape();
    if (!stretch_parse(args.segments, &options.first, &options.last))
        return cli_usage("--segments %s: neither a number nor a range (7, 7-19, or 7- to the end)",
                         args.segments);
    interrupt_catch();
    progress_begin(&w.progress, "seal", args.progress, cli->globals->quiet);
    int rc = seal_tape(args.range.tape, &options, &w.totals, &err);
    if (rc == TDK_EBUSY)
        rc = seal_by_recorder(args.range.tape, &options, &w.totals, &err);
    uint64_t elapsed_ns = progress_elapsed(&w.progress);
    progress_clear(&w.progress);
    if (rc < 0 && w.totals.failed == 0)
        return cli_fail(&err, w.totals.segments > 0 ? "what was packed stays packed" : NULL);
    int shown = show(&w.totals, elapsed_ns);
    if (shown < 0)
        return cli_fail_stdout(shown);
    return rc < 0 ? cli_fail(&err, "the others were not tried; --keep-going tries them")
                  : conclude(&w.totals);
}

const struct command seal_command = {
    .name = "seal",
    .brief = "pack sealed segments smaller; every answer stays the same",
    .usage = "-T DIR [-j N] [--segments A-B] [--dry-run] [--keep-going]",
    .about = "Packs each sealed segment by columns, reads it back and compares it; only then\n"
             "does it replace the old one. Queries, plays and digests give what they gave\n"
             "before, and readers are not disturbed. It may be stopped or killed at any moment\n"
             "and run again: it continues where it was. A recorder that holds the tape is\n"
             "asked to do the packing, one segment at a time and with its own options, and\n"
             "this waits until it is done. Exit 0: done; 3: some could not be packed and stay\n"
             "as they were; 1: not done, or another process holds the tape.",
    .sets = sets,
    .run = run,
};
