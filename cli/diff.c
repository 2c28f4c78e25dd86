/* diff.c - two tapes of one feed: which ticks has one and the other not, and whose clock is late.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/histogram.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/pairing.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"
#include "cli/two_tapes.h"

struct args {
    struct two_tapes_args tapes;
    int progress;
    bool missing, times, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "missing",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, missing),
     .help = "print a row for each stretch of ticks that only one tape has"},
    {.name = "times",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, times),
     .help = "compare receive times too: tapes that differ in them are different"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "range", .rows = two_tapes_rows, .into = &args.tapes},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

static const struct column track_columns[] = {
    {"track", COLUMN_TEXT},         {"ticks_a", COLUMN_COUNT},      {"ticks_b", COLUMN_COUNT},
    {"both", COLUMN_COUNT},         {"only_a", COLUMN_COUNT},       {"only_b", COLUMN_COUNT},
    {"lost_a", COLUMN_COUNT},       {"lost_b", COLUMN_COUNT},       {"same_time", COLUMN_COUNT},
    {"b_earlier", COLUMN_COUNT},    {"b_later", COLUMN_COUNT},      {"apart_p50", COLUMN_DURATION},
    {"apart_p99", COLUMN_DURATION}, {"apart_max", COLUMN_DURATION},
};

static const struct column missing_columns[] = {
    {"track", COLUMN_TEXT},      {"missing_in", COLUMN_TEXT}, {"epoch", COLUMN_COUNT},
    {"first_seq", COLUMN_COUNT}, {"count", COLUMN_COUNT},     {"from", COLUMN_TIME},
    {"to", COLUMN_TIME},
};

/* Successive ticks that one tape does not have. Epoch and seqs are those of the other. */
struct stretch {
    enum pairing_side side; /* the tape that has them */
    uint64_t epoch, first_seq, count, from, to;
};

struct comparison {
    struct two_tapes tapes;
    struct progress progress;
    struct table *table;
    const char *track;
    struct histogram *apart; /* ns between the two receive times of a tick */
    uint64_t both, only[SIDES], same_time, earlier, later;
    struct stretch stretch;  /* count 0: none */
    bool any_difference;     /* and the first one has been reported */
    uint64_t missing[SIDES]; /* in all, on that side */
    uint64_t damaged, times;
};

/* ---- the first difference ---- */

static void tell_first(struct comparison *c, const struct stretch *s)
{
    char from[MOMENT_TEXT];
    if (c->any_difference)
        return;
    c->any_difference = true;
    progress_clear(&c->progress);
    cli_warn("first difference: track %s: %" PRIu64 " %s from %s on %s only in %s (epoch %" PRIu64
             " seq %" PRIu64 ")",
             c->track, s->count, quantity_word(s->count, "tick", "ticks"),
             moment_text(from, s->from), quantity_word(s->count, "is", "are"),
             s->side == SIDE_A ? "A" : "B", s->epoch, s->first_seq);
}

static void tell_first_time(struct comparison *c, const struct pairing_tick *a,
                            const struct pairing_tick *b)
{
    char at_a[MOMENT_TEXT], at_b[MOMENT_TEXT];
    if (c->any_difference)
        return;
    c->any_difference = true;
    progress_clear(&c->progress);
    cli_warn("first difference: track %s: A received it at %s (epoch %" PRIu64 " seq %" PRIu64
             "), B at %s (epoch %" PRIu64 " seq %" PRIu64 ")",
             c->track, moment_text(at_a, a->frame->ts), a->epoch, a->frame->seq,
             moment_text(at_b, b->frame->ts), b->epoch, b->frame->seq);
}

/* ---- ticks as they come ---- */

static void end_stretch(struct comparison *c)
{
    const struct stretch *s = &c->stretch;
    if (s->count == 0)
        return;
    tell_first(c, s);
    if (args.missing) {
        table_text(c->table, c->track);
        table_text(c->table, s->side == SIDE_A ? "B" : "A");
        table_number(c->table, s->epoch);
        table_number(c->table, s->first_seq);
        table_number(c->table, s->count);
        table_number(c->table, s->from);
        table_number(c->table, s->to);
    }
    c->stretch.count = 0;
}

static int on_both(const struct pairing_tick *a, const struct pairing_tick *b, void *context,
                   struct tdk_err *err)
{
    struct comparison *c = context;
    (void)err;
    end_stretch(c);
    c->both++;
    uint64_t ts_a = a->frame->ts, ts_b = b->frame->ts;
    histogram_add(c->apart, ts_a < ts_b ? ts_b - ts_a : ts_a - ts_b);
    c->same_time += ts_a == ts_b;
    c->earlier += ts_b < ts_a;
    c->later += ts_b > ts_a;
    if (args.times && ts_a != ts_b)
        tell_first_time(c, a, b);
    return 0;
}

static int on_only(enum pairing_side side, const struct pairing_tick *tick, void *context,
                   struct tdk_err *err)
{
    struct comparison *c = context;
    struct stretch *s = &c->stretch;
    (void)err;
    c->only[side]++;
    c->missing[side]++;
    if (s->count == 0 || s->side != side || s->epoch != tick->epoch ||
        s->first_seq + s->count != tick->frame->seq) {
        end_stretch(c);
        *s = (struct stretch){.side = side,
                              .epoch = tick->epoch,
                              .first_seq = tick->frame->seq,
                              .from = tick->frame->ts};
    }
    s->count++;
    s->to = tick->frame->ts;
    return 0;
}

static int on_progress(uint64_t ticks, void *context)
{
    struct comparison *c = context;
    progress_at(&c->progress, ticks, 0, "ticks", ticks);
    return interrupted() ? 1 : 0;
}

/* ---- a track ---- */

static void put_track(struct comparison *c, const struct pairing_totals *totals)
{
    const uint64_t numbers[] = {totals->ticks[SIDE_A],
                                totals->ticks[SIDE_B],
                                c->both,
                                c->only[SIDE_A],
                                c->only[SIDE_B],
                                totals->lost[SIDE_A],
                                totals->lost[SIDE_B],
                                c->same_time,
                                c->earlier,
                                c->later};
    table_text(c->table, c->track);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        table_number(c->table, numbers[i]);
    if (c->both > 0) {
        table_number(c->table, histogram_quantile(c->apart, 500000));
        table_number(c->table, histogram_quantile(c->apart, 990000));
        table_number(c->table, c->apart->max);
    } else {
        for (int i = 0; i < 3; i++)
            table_none(c->table);
    }
}

static int compare_track(const char *track, struct tdk_tape *const tapes[SIDES], void *context,
                         struct tdk_err *err)
{
    struct comparison *c = context;
    const struct pairing_events events = {
        .both = on_both, .only = on_only, .progress = on_progress, .context = c};
    struct pairing_totals totals;
    c->track = track;
    c->both = c->only[SIDE_A] = c->only[SIDE_B] = c->same_time = c->earlier = c->later = 0;
    histogram_init(c->apart);
    int rc = pairing_run(tapes, track, &c->tapes.query, &events, &totals, err);
    if (rc != 0)
        return rc;
    end_stretch(c);
    c->times += c->earlier + c->later;
    c->damaged += totals.damaged[SIDE_A] + totals.damaged[SIDE_B];
    if (totals.damage[0] != '\0')
        cli_warn("%s; it counts as missing", totals.damage);
    if (!args.missing)
        put_track(c, &totals);
    return 0;
}

/* ---- the whole ---- */

static int conclude(const struct comparison *c)
{
    if (c->missing[SIDE_A] + c->missing[SIDE_B] + c->damaged == 0 && !c->any_difference) {
        cli_note(c->times == 0 ? "equal"
                               : "equal, except for the times at which ticks were received");
        return CLI_OK;
    }
    cli_warn("different: B lacks %" PRIu64 " %s that A has, A lacks %" PRIu64 " that B has",
             c->missing[SIDE_A], quantity_word(c->missing[SIDE_A], "tick", "ticks"),
             c->missing[SIDE_B]);
    return CLI_LOSSY;
}

static int compare(struct comparison *c)
{
    struct tdk_err err;
    const struct column *columns = args.missing ? missing_columns : track_columns;
    size_t count = args.missing ? sizeof missing_columns / sizeof missing_columns[0]
                                : sizeof track_columns / sizeof track_columns[0];
    int rc = table_open(&c->table, table_form(args.json), columns, count);
    if (rc < 0)
        return cli_fail_words("compare tapes: %s", tdk_strerror(rc));
    rc = two_tapes_each(&c->tapes, compare_track, c, &err);
    progress_end(&c->progress, 0, 0, "ticks", 0);
    if (rc != 0) {
        table_drop(c->table);
        return rc < 0 ? cli_fail(&err, NULL) : cli_fail_words("interrupted");
    }
    rc = table_close(c->table);
    return rc < 0 ? cli_fail_stdout(rc) : conclude(c);
}

static int run(const struct cli *cli)
{
    struct comparison c = {.table = NULL};
    int status = two_tapes_open(&c.tapes, &args.tapes, cli->operands);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    progress_begin(&c.progress, "diff", args.progress, cli->globals->quiet);
    c.apart = malloc(sizeof *c.apart);
    status = c.apart != NULL ? compare(&c) : cli_fail_words("compare tapes: out of memory");
    free(c.apart);
    two_tapes_close(&c.tapes);
    return status;
}

const struct command diff_command = {
    .name = "diff",
    .brief = "compare two tapes of one feed: missing ticks, receive times",
    .usage = "TAPE_A TAPE_B [--from T] [--to T] [--track TRACK]... [--missing] [--times] [--json]",
    .about = "Matches tracks by name, and ticks in order by type and payload: two recorders\n"
             "give a feed different epochs, seqs and times. Prints a row per track, or with\n"
             "--missing a row per stretch that one tape lacks. `apart` is the difference\n"
             "between the times at which the two received a tick. The first difference is\n"
             "named on stderr. Exit 0: no tick is missing on either tape; 3: some are, or with\n"
             "--times some times differ.",
    .sets = sets,
    .operand = "TAPE",
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
