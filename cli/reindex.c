/* reindex.c - builds the index of a tape anew from its segments. */
#include "tape/reindex.h"

#include <inttypes.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"

struct args {
    struct range_args range;
    int progress;
    bool json;
};

static struct args args;

static const struct option rows[] = {
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

static void on_found(const char *text, void *context)
{
    progress_clear(context);
    cli_warn("%s", text);
}

static void on_progress(const struct rebuild_totals *totals, void *context)
{
    progress_at(context, totals->bytes, totals->bytes_total, "bytes", totals->ticks);
}

static int show(const struct rebuild_totals *totals, uint64_t elapsed_ns)
{
    static const struct column columns[] = {
        {"segments", COLUMN_COUNT}, {"blocks", COLUMN_COUNT},     {"ticks", COLUMN_COUNT},
        {"bytes", COLUMN_SIZE},     {"elapsed", COLUMN_DURATION}, {"bytes_per_second", COLUMN_SIZE},
    };
    const uint64_t numbers[] = {totals->segments, totals->blocks,
                                totals->ticks,    totals->bytes,
                                elapsed_ns,       quantity_per_second(totals->bytes, elapsed_ns)};
    struct table *table;
    size_t count = sizeof columns / sizeof columns[0];
    int rc = table_open(&table, table_form_single(args.json), columns, count);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        table_number(table, numbers[i]);
    return table_close(table);
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct progress progress;
    struct rebuild_totals totals;
    uint64_t damaged;
    if (args.range.tape == NULL)
        return range_no_tape();
    progress_begin(&progress, "reindex", args.progress, cli->globals->quiet);
    const struct reindex_options options = {
        .found = on_found, .progress = on_progress, .context = &progress};
    int rc = tape_reindex(args.range.tape, &options, &totals, &damaged, &err);
    uint64_t elapsed_ns = progress_elapsed(&progress);
    progress_clear(&progress);
    if (rc < 0)
        return cli_fail(&err, NULL);
    rc = show(&totals, elapsed_ns);
    if (rc < 0)
        return cli_fail_stdout(rc);
    if (damaged == 0)
        return CLI_OK;
    cli_warn("the index is whole, the segments are not: %" PRIu64 " damaged or missing %s", damaged,
             quantity_word(damaged, "part", "parts"));
    return CLI_LOSSY;
}

const struct command reindex_command = {
    .name = "reindex",
    .brief = "rebuild the index from the segments alone",
    .usage = "-T DIR [--json]",
    .about = "Reads sealed segments by their footers, and others block by block. The segments\n"
             "are not changed. Exit 0: done; 3: done, and part of the segments is missing or\n"
             "damaged; 1: a recorder holds the tape.",
    .sets = sets,
    .run = run,
};
