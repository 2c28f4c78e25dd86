/* bench_query.c - what it costs to ask a tape: a symbol's minute, its day, everything. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/bench.h"
#include "cli/bench_tape.h"
#include "cli/command.h"
#include "cli/commands.h"

#define MINUTE_NS (60 * NS_PER_S)

static struct args {
    struct bench_options bench;
    struct bench_tape_options tape;
    const char *symbol;
    uint64_t repeat;
    bool minutes;
} args;

static const struct option rows[] = {
    {.name = "symbol",
     .letter = 's',
     .kind = OPTION_TEXT,
     .value = "SYM",
     .preset = "S010",
     .at = offsetof(struct args, symbol),
     .help = "the symbol to query"},
    {.name = "repeat",
     .kind = OPTION_COUNT,
     .min = 1,
     .preset = "100",
     .at = offsetof(struct args, repeat),
     .help = "queries in a run, where they are quick"},
    {.name = "minutes",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, minutes),
     .help = "query only a minute: what does not grow with the tape"},
    {.name = NULL},
};

struct question {
    const char *path;
    struct tdk_tape *tape; /* kept open for the hot queries */
    struct tdk_query query;
    uint64_t repeat;
    bool streams;      /* count ticks, not answers */
    bool anew, cold;   /* anew: open the tape for each answer; cold: drop it from the page cache */
    uint64_t expected; /* ticks, once known: each later answer must have as many */
};

/* Read one whole answer, and touch each frame of it. */
static int ask(struct question *q, struct tdk_tape *tape, uint64_t *ticks, uint64_t *bytes,
               struct tdk_err *err)
{
    struct tdk_cursor *cursor;
    struct tdk_run run;
    int rc = tdk_cursor_open(&cursor, tape, &q->query, err);
    if (rc < 0)
        return rc;
    uint64_t walked = 0;
    while ((rc = tdk_cursor_read(cursor, &run, err)) == 1) {
        *ticks += run.ticks;
        *bytes += run.size;
        const unsigned char *end = (const unsigned char *)run.frames + run.size;
        for (const struct tdk_frame *f = run.frames;
             run.frames != NULL && (const unsigned char *)f < end; f = tdk_frame_after(f))
            walked += f->ts != 0;
    }
    tdk_cursor_close(cursor);
    return rc == 0 && walked > *ticks
               ? err_say(err, TDK_EINTERNAL, "more ticks came than were announced")
               : rc;
}

static int ask_anew(struct question *q, uint64_t *ticks, uint64_t *bytes, uint64_t *elapsed_ns,
                    struct tdk_err *err)
{
    struct tdk_tape *tape = NULL;
    int rc = q->cold ? bench_tape_evict(q->path, err) : 0;
    uint64_t begin_ns = clock_mono();
    if (rc == 0)
        rc = tdk_tape_open(&tape, q->path, err);
    if (rc < 0)
        return rc;
    rc = ask(q, tape, ticks, bytes, err);
    *elapsed_ns = clock_mono() - begin_ns;
    tdk_tape_close(tape);
    return rc;
}

static int ask_hot(struct question *q, uint64_t *ticks, uint64_t *bytes, uint64_t *elapsed_ns,
                   struct tdk_err *err)
{
    uint64_t begin_ns = clock_mono();
    int rc = ask(q, q->tape, ticks, bytes, err);
    *elapsed_ns = clock_mono() - begin_ns;
    return rc;
}

/* Queries that take microseconds are counted in answers, those that stream in ticks. */
static int measure(void *context, struct bench_run *run, struct tdk_err *err)
{
    static struct histogram latency;
    struct question *q = context;
    histogram_init(&latency);
    for (uint64_t i = 0; i < q->repeat; i++) {
        uint64_t ticks = 0, bytes = 0, elapsed_ns = 0;
        int rc = q->anew ? ask_anew(q, &ticks, &bytes, &elapsed_ns, err)
                         : ask_hot(q, &ticks, &bytes, &elapsed_ns, err);
        if (rc < 0)
            return rc;
        if (q->expected != UINT64_MAX && ticks != q->expected)
            return err_say(err, TDK_ECORRUPT,
                           "the same query gave %" PRIu64 " ticks, then %" PRIu64, q->expected,
                           ticks);
        q->expected = ticks;
        histogram_add(&latency, elapsed_ns);
        run->operations += q->streams ? ticks : 1;
        run->bytes += bytes;
        run->elapsed_ns += elapsed_ns;
    }
    bench_run_latency(run, &latency);
    return 0;
}

/* Measure once from memory and once from the disk. The first answer also gives the number of
 * ticks. */
static int ask_twice(struct bench *bench, struct question *q, const char *what, struct tdk_err *err)
{
    char row[96];
    q->expected = UINT64_MAX;
    int rc = bench_measure(bench, what, measure, q, err);
    if (rc < 0)
        return rc;
    if (q->expected != UINT64_MAX) /* else it was not asked for */
        cli_note("%s: %" PRIu64 " ticks", what, q->expected);
    snprintf(row, sizeof row, "%s, cold", what);
    q->cold = q->anew = true;
    q->repeat = 1;
    return bench_measure(bench, row, measure, q, err);
}

static int measure_all(struct bench *bench, struct tdk_tape *tape, const struct bench_tape *day,
                       struct tdk_err *err)
{
    const struct tdk_query first = {.from = day->from, .to = day->from + MINUTE_NS};
    const struct tdk_query minute = {.from = day->noon, .to = day->noon + MINUTE_NS};
    const struct tdk_query whole = {.from = 0, .to = UINT64_MAX};
    const struct {
        const char *what;
        const struct tdk_query *range;
        bool anew, symbol, count, streams;
    } asked[] = {
        {"open, the first minute", &first, .anew = true},
        {"one symbol, a minute", &minute, .symbol = true},
        {"all symbols, a minute", &minute, .symbol = false},
        {"one symbol, everything", &whole, .symbol = true, .streams = true},
        {"count of one symbol", &whole, .symbol = true, .count = true},
        {"everything, in order", &whole, .streams = true},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof asked / sizeof asked[0]; i++) {
        if (args.minutes && asked[i].range == &whole)
            continue;
        struct question q = {.path = day->path, .tape = tape, .query = *asked[i].range};
        q.anew = asked[i].anew;
        q.query.symbols = &args.symbol;
        q.query.symbol_count = asked[i].symbol;
        q.query.count_only = asked[i].count;
        q.streams = asked[i].streams;
        q.repeat = q.streams ? 1 : args.repeat;
        rc = ask_twice(bench, &q, asked[i].what, err);
    }
    return rc;
}

static int run(const struct cli *cli)
{
    static struct bench_tape day;
    struct tdk_err err;
    struct bench *bench;
    struct tdk_tape *tape = NULL;
    (void)cli;
    if (bench_open(&bench, &args.bench, &err) < 0)
        return cli_fail(&err, NULL);
    int rc = bench_tape_open(&day, &args.tape, 1, &err);
    if (rc == 0)
        rc = tdk_tape_open(&tape, day.path, &err);
    if (rc == 0)
        rc = measure_all(bench, tape, &day, &err);
    tdk_tape_close(tape);
    bench_tape_close(&day);
    return bench_close(bench, rc, &err);
}

const struct command bench_query_command = {
    .name = "query",
    .brief = "query a tape, from memory and from the disk",
    .usage =
        "[-T DIR] [--ticks N] [--days N] [--symbols K] [-s SYM] [--minutes] [--runs N] [--json]",
    .about = "Each query runs hot (again and again on one open tape) and cold (the tape's\n"
             "files dropped from the page cache, the tape opened anew). Rates are answers per\n"
             "second, or ticks per second for what streams. Several --days show what grows\n"
             "with the tape.",
    .sets = (const struct option_set[]){{"tape", bench_tape_rows, &args.tape},
                                        {"workload", rows, &args},
                                        {"options", bench_rows, &args.bench},
                                        {.rows = NULL}},
    .run = run,
};
