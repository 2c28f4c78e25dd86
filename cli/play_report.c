#include "cli/play_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/table.h"

static void tell_summary(const struct play_args *args, const struct play_outcome *o)
{
    char elapsed[QUANTITY_TEXT], rate[QUANTITY_TEXT], bytes[QUANTITY_TEXT], stalled[QUANTITY_TEXT];
    cli_note("%" PRIu64 " %s (%s bytes) in %s, %s/s%s", o->ticks,
             quantity_word(o->ticks, "tick", "ticks"), quantity_size_text(bytes, o->bytes),
             quantity_duration_text(elapsed, o->elapsed_ns),
             quantity_count_text(rate, quantity_per_second(o->ticks, o->elapsed_ns)),
             o->stopped ? "; stopped before the end" : "");
    if (args->prime)
        cli_note("%" PRIu64 " %s of the state before the range came first", o->primed,
                 quantity_word(o->primed, "tick", "ticks"));
    if (args->speed.kind != SPEED_MAX && o->stalls > 0)
        cli_note("full ring: %" PRIu64 " %s, %s in all; the tape stood still", o->stalls,
                 quantity_word(o->stalls, "wait", "waits"),
                 quantity_duration_text(stalled, o->stalled_ns));
    if (o->complete && !cli_is_lossy())
        cli_note("whole: nothing of the range was lost or damaged");
}

static void tell_lateness(const struct play_outcome *o)
{
    char p50[QUANTITY_TEXT], p99[QUANTITY_TEXT], p999[QUANTITY_TEXT], max[QUANTITY_TEXT];
    if (o->timed)
        fprintf(stderr, "lateness p50 %s p99 %s p99.9 %s max %s\n",
                quantity_duration_text(p50, o->p50), quantity_duration_text(p99, o->p99),
                quantity_duration_text(p999, o->p99_9), quantity_duration_text(max, o->max));
}

static int show_json(const struct play_args *args, const struct play_outcome *o)
{
    static const struct column columns[] = {
        {"ticks", COLUMN_COUNT},      {"bytes", COLUMN_SIZE},    {"rounds", COLUMN_COUNT},
        {"lost", COLUMN_COUNT},       {"damaged", COLUMN_COUNT}, {"complete", COLUMN_FLAG},
        {"elapsed", COLUMN_DURATION}, {"rate", COLUMN_COUNT},    {"stalls", COLUMN_COUNT},
        {"stalled", COLUMN_DURATION}, {"p50", COLUMN_DURATION},  {"p99", COLUMN_DURATION},
        {"p99_9", COLUMN_DURATION},   {"max", COLUMN_DURATION},  {"digest", COLUMN_TEXT},
    };
    const uint64_t numbers[] = {
        o->ticks,   o->bytes,      o->rounds,     o->lost,
        o->damaged, o->complete,   o->elapsed_ns, quantity_per_second(o->ticks, o->elapsed_ns),
        o->stalls,  o->stalled_ns,
    };
    const uint64_t lateness[] = {o->p50, o->p99, o->p99_9, o->max};
    struct table *table;
    int rc = table_open(&table, TABLE_JSON, columns, sizeof columns / sizeof columns[0]);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        table_number(table, numbers[i]);
    for (size_t i = 0; i < sizeof lateness / sizeof lateness[0]; i++) {
        if (o->timed)
            table_number(table, lateness[i]);
        else
            table_none(table);
    }
    table_text(table, args->digest ? o->digest : NULL);
    return table_close(table);
}

static uint64_t reached(const struct fidelity *fidelity, const struct play_outcome *o)
{
    switch (fidelity->quantile) {
    case 500000:
        return o->p50;
    case 990000:
        return o->p99;
    case 999000:
        return o->p99_9;
    default:
        return o->max;
    }
}

static bool is_missed(const struct play_args *args, const struct fidelity *fidelity,
                      const struct play_outcome *o)
{
    char text[QUANTITY_TEXT];
    if (fidelity == NULL || !o->timed || reached(fidelity, o) < fidelity->limit_ns)
        return false;
    cli_warn("fidelity missed: %s was asked for, it was %s", args->fidelity,
             quantity_duration_text(text, reached(fidelity, o)));
    return true;
}

int play_report(const struct play_args *args, const struct fidelity *fidelity,
                const struct play_outcome *outcome, const struct losses *losses)
{
    int rc = args->json ? show_json(args, outcome) : 0;
    if (rc < 0)
        return cli_fail_stdout(rc);
    tell_summary(args, outcome);
    tell_lateness(outcome);
    int status = losses_status(losses);
    if (outcome->signalled && !args->then_live)
        status = cli_fail_words("interrupted after %" PRIu64 " %s", outcome->ticks,
                                quantity_word(outcome->ticks, "tick", "ticks"));
    else if (outcome->taken && !args->then_live)
        status = cli_fail_words(
            "stopped after %" PRIu64
            " %s by somebody else (session stop), or because the replayer is stopping",
            outcome->ticks, quantity_word(outcome->ticks, "tick", "ticks"));
    else if (is_missed(args, fidelity, outcome))
        status = CLI_MISSED;
    if (args->digest)
        fprintf(stderr, "digest %s ticks %" PRIu64 "\n", outcome->digest, outcome->digest_ticks);
    return status;
}
