/* bench.c - measure, keep the median, show a table: used by each `tapedeck bench`. */
#include "cli/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/table.h"

#define ROWS_MAX 24u
#define RUNS_MAX 101u
#define WHAT_MAX 64u

const struct option bench_rows[] = {
    {.name = "runs",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = RUNS_MAX,
     .preset = "5",
     .at = offsetof(struct bench_options, runs),
     .help = "number of runs, after one to warm up; the median is shown"},
    {.name = "only",
     .kind = OPTION_TEXT,
     .value = "TEXT",
     .variable = "",
     .at = offsetof(struct bench_options, only),
     .help = "measure only operations with TEXT in their name"},
    {.name = "baseline",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .variable = "",
     .at = offsetof(struct bench_options, baseline),
     .help = "compare with an earlier run, whose output is in FILE"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct bench_options, json),
     .help = "print a JSON array of objects; times are in ns"},
    {.name = NULL},
};

struct row {
    char what[WHAT_MAX];
    struct bench_run run;
    uint64_t before; /* operations a second in the baseline; 0: the row is not in it */
};

struct bench {
    const struct bench_options *options; /* borrowed */
    struct row rows[ROWS_MAX];
    size_t count;
    struct row *baseline; /* ours */
    size_t baseline_count;
};

void bench_run_latency(struct bench_run *run, const struct histogram *histogram)
{
    run->p50 = histogram_quantile(histogram, 500000);
    run->p99 = histogram_quantile(histogram, 990000);
    run->p99_9 = histogram_quantile(histogram, 999000);
    run->max = histogram->max;
}

/* ---- the baseline: a table as TSV, of which two columns count ---- */

/* "what" is the first column, "rate" the fourth. */
static bool read_row(const char *line, struct row *row)
{
    const char *end = strchr(line, '\t'), *at = end;
    if (end == NULL || (size_t)(end - line) >= sizeof row->what)
        return false;
    memcpy(row->what, line, (size_t)(end - line));
    row->what[end - line] = '\0';
    for (int column = 1; column < 3 && at != NULL; column++)
        at = strchr(at + 1, '\t');
    return at != NULL && sscanf(at, "%" SCNu64, &row->before) == 1;
}

static int read_baseline(struct bench *b, struct tdk_err *err)
{
    char line[512];
    FILE *file = fopen(b->options->baseline, "re");
    if (file == NULL)
        return err_set(err, -errno, "open the baseline %s", b->options->baseline);
    b->baseline = calloc(ROWS_MAX, sizeof *b->baseline);
    while (b->baseline != NULL && b->baseline_count < ROWS_MAX &&
           fgets(line, sizeof line, file) != NULL)
        if (read_row(line, &b->baseline[b->baseline_count]))
            b->baseline_count++;
    fclose(file);
    if (b->baseline == NULL)
        return err_set(err, -ENOMEM, "read the baseline %s", b->options->baseline);
    if (b->baseline_count == 0)
        return err_say(err, TDK_EFORMAT,
                       "%s is not a baseline; write one with `tapedeck bench ... >FILE`",
                       b->options->baseline);
    return 0;
}

static uint64_t rate_before(const struct bench *b, const char *what)
{
    for (size_t i = 0; i < b->baseline_count; i++)
        if (strcmp(b->baseline[i].what, what) == 0)
            return b->baseline[i].before;
    return 0;
}

/* ---- measuring ---- */

int bench_open(struct bench **bench, const struct bench_options *options, struct tdk_err *err)
{
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, -ENOMEM, "measure");
    b->options = options;
    int rc = options->baseline != NULL ? read_baseline(b, err) : 0;
    if (rc < 0) {
        free(b->baseline);
        free(b);
        return rc;
    }
    interrupt_catch();
    *bench = b;
    return 0;
}

static uint64_t rate_of(const struct bench_run *run)
{
    return quantity_per_second(run->operations, run->elapsed_ns);
}

static int by_rate(const void *a, const void *b)
{
    uint64_t left = rate_of(a), right = rate_of(b);
    return (left > right) - (left < right);
}

int bench_measure(struct bench *b, const char *what,
                  int (*measure)(void *context, struct bench_run *run, struct tdk_err *err),
                  void *context, struct tdk_err *err)
{
    struct bench_run runs[RUNS_MAX];
    struct bench_run warm = {.operations = 0};
    size_t count = (size_t)b->options->runs;
    if (b->options->only != NULL && strstr(what, b->options->only) == NULL)
        return 0;
    int rc = measure(context, &warm, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        runs[i] = (struct bench_run){.operations = 0};
        rc = measure(context, &runs[i], err);
        if (rc == 0 && interrupted())
            rc = err_set(err, -ECANCELED, "measure %s", what);
    }
    if (rc < 0)
        return rc;
    qsort(runs, count, sizeof runs[0], by_rate);
    struct row *row = &b->rows[b->count++];
    snprintf(row->what, sizeof row->what, "%s", what);
    row->run = runs[count / 2];
    row->before = rate_before(b, row->what);
    return 0;
}

/* ---- showing ---- */

static void put_duration(struct table *table, const struct bench_run *run, uint64_t ns)
{
    if (run->max == 0)
        table_none(table);
    else
        table_number(table, ns);
}

static void put_row(struct table *table, const struct row *row, bool compare)
{
    const struct bench_run *run = &row->run;
    char ratio[32];
    table_text(table, row->what);
    table_number(table, run->operations);
    table_number(table, run->elapsed_ns);
    table_number(table, rate_of(run));
    if (run->bytes != 0)
        table_number(table, quantity_per_second(run->bytes, run->elapsed_ns));
    else
        table_none(table);
    put_duration(table, run, run->p50);
    put_duration(table, run, run->p99);
    put_duration(table, run, run->p99_9);
    put_duration(table, run, run->max);
    if (!compare)
        return;
    snprintf(ratio, sizeof ratio, "%.2f", (double)rate_of(run) / (double)row->before);
    table_text(table, row->before != 0 ? ratio : NULL);
}

static int show(const struct bench *b)
{
    static const struct column columns[] = {
        {"what", COLUMN_TEXT},     {"operations", COLUMN_COUNT}, {"time", COLUMN_DURATION},
        {"rate", COLUMN_COUNT},    {"bytes_rate", COLUMN_SIZE},  {"p50", COLUMN_DURATION},
        {"p99", COLUMN_DURATION},  {"p99_9", COLUMN_DURATION},   {"max", COLUMN_DURATION},
        {"baseline", COLUMN_TEXT},
    };
    bool compare = b->baseline != NULL;
    struct table *table;
    int rc = table_open(&table, table_form(b->options->json), columns,
                        sizeof columns / sizeof columns[0] - !compare);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < b->count; i++)
        put_row(table, &b->rows[i], compare);
    return table_close(table);
}

int bench_close(struct bench *b, int rc, const struct tdk_err *err)
{
    int status = CLI_OK;
    if (rc < 0) {
        status = cli_fail(err, NULL);
    } else if (b->count == 0) {
        status = cli_usage("--only: no operation has '%s' in its name", b->options->only);
    } else {
        rc = show(b);
        if (rc < 0)
            status = cli_fail_stdout(rc);
    }
    free(b->baseline);
    free(b);
    return status;
}

static const struct command *const parts[] = {
    &bench_ring_command, &bench_record_command, &bench_query_command, &bench_play_command, NULL,
};

const struct command bench_command = {
    .name = "bench",
    .brief = "measure this machine: ring, record, query, play",
    .parts = parts,
};
