/* arbitrate.c - makes one whole tape from two tapes of one feed, with the origin of each tick. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/pairing.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/two_tapes.h"
#include "tape/append.h"

struct args {
    struct two_tapes_args tapes;
    const char *output;
    uint64_t segment_size;
    int progress;
    bool json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "output",
     .letter = 'O',
     .kind = OPTION_TEXT,
     .value = "TAPE",
     .required = true,
     .at = offsetof(struct args, output),
     .help = "the tape to create; it must not exist"},
    {.name = "segment-size",
     .kind = OPTION_SIZE,
     .preset = "1G",
     .min = 2 << 20,
     .at = offsetof(struct args, segment_size),
     .help = "close a segment file at about this size"},
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

static const struct column columns[] = {
    {"track", COLUMN_TEXT},   {"ticks", COLUMN_COUNT},  {"both", COLUMN_COUNT},
    {"only_a", COLUMN_COUNT}, {"only_b", COLUMN_COUNT}, {"lost_a", COLUMN_COUNT},
    {"lost_b", COLUMN_COUNT}, {"lost", COLUMN_COUNT},
};

enum origin { ORIGIN_NONE, ORIGIN_A, ORIGIN_B, ORIGIN_BOTH };

/* Where the next tick would be if it followed on from the one before. */
struct place {
    uint64_t epoch, seq;
};

struct arbitration {
    struct two_tapes tapes;
    struct progress progress;
    struct table *table;
    struct append *append;
    struct tdk_err *err;
    uint64_t uncounted, lost; /* in all */

    /* ---- the track ---- */
    const char *track;
    struct tdk_tape *const *has; /* the tapes that have the track */
    enum tdk_kind kind;
    bool begun;
    enum origin origin; /* as last written */
    struct place next[SIDES];
    uint64_t told_epoch[SIDES]; /* whose properties were last written; 0: none */
    uint64_t both, only[SIDES], still_lost;
    /* Since the last tick that both had: how many ticks each lost, and how many it alone had. */
    uint64_t gap_lost[SIDES], gap_only[SIDES];
    uint64_t last_ts;
};

/* ---- what a track says about itself ---- */

static int put_property(const char *key, const void *value, size_t size, void *context)
{
    struct arbitration *a = context;
    return append_info(a->append, key, value, size, a->err);
}

struct symbol_walk {
    struct arbitration *arbitration;
    uint64_t epoch;
};

static int put_symbol(const struct tdk_symbol_info *symbol, void *context)
{
    const struct symbol_walk *walk = context;
    unsigned char payload[sizeof(struct tdk_symbol) + 80];
    struct tdk_symbol head = {
        .instrument_id = symbol->instrument_id, .from = symbol->from, .to = symbol->to};
    size_t size = strnlen(symbol->symbol, 80);
    if (symbol->epoch != walk->epoch)
        return 0;
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, symbol->symbol, size);
    return append_control(walk->arbitration->append, TDK_TYPE_SYMBOL, payload,
                          (uint32_t)(sizeof head + size), walk->arbitration->err);
}

/* Write the properties and symbols of an epoch. A DBN track's symbols are in its properties and
 * ticks. */
static int put_facts(struct arbitration *a, enum pairing_side side, uint64_t epoch)
{
    struct symbol_walk walk = {a, epoch};
    a->told_epoch[side] = epoch;
    int rc = tdk_tape_properties(a->has[side], a->track, epoch, put_property, a, a->err);
    if (rc == 0 && a->kind != TDK_KIND_DBN)
        rc = tdk_tape_symbols(a->has[side], a->track, put_symbol, &walk, a->err);
    return rc;
}

static int keep_kind(const struct tdk_track_info *track, void *context)
{
    struct arbitration *a = context;
    if (strcmp(track->name, a->track) == 0)
        a->kind = (enum tdk_kind)track->kind;
    return 0;
}

static int begin_track(struct arbitration *a)
{
    a->begun = true;
    struct tdk_tape *tape = a->has[SIDE_A] != NULL ? a->has[SIDE_A] : a->has[SIDE_B];
    int rc = tdk_tape_tracks(tape, keep_kind, a, a->err);
    return rc == 0 ? append_begin(a->append, a->track, a->kind, a->err) : rc;
}

/* ---- where a tick comes from ---- */

/* The first tape's facts are used, and the second's where the first has no epoch yet. */
static int tell_facts(struct arbitration *a, enum pairing_side side, uint64_t epoch)
{
    bool is_known = a->told_epoch[side] == epoch;
    bool counts = side == SIDE_A || a->told_epoch[SIDE_A] == 0;
    return is_known || !counts ? 0 : put_facts(a, side, epoch);
}

static bool goes_on(const struct place *next, const struct pairing_tick *tick)
{
    return tick == NULL || (next->epoch == tick->epoch && next->seq == tick->frame->seq);
}

/* Write "both a=EPOCH:SEQ b=EPOCH:SEQ". It holds from this tick on, until the next such mark. */
static int tell_origin(struct arbitration *a, const struct pairing_tick *ticks[SIDES])
{
    static const char *const words[] = {[ORIGIN_A] = "a", [ORIGIN_B] = "b", [ORIGIN_BOTH] = "both"};
    enum origin origin = ticks[SIDE_A] == NULL   ? ORIGIN_B
                         : ticks[SIDE_B] == NULL ? ORIGIN_A
                                                 : ORIGIN_BOTH;
    bool same = origin == a->origin && goes_on(&a->next[SIDE_A], ticks[SIDE_A]) &&
                goes_on(&a->next[SIDE_B], ticks[SIDE_B]);
    for (size_t i = 0; i < SIDES; i++)
        if (ticks[i] != NULL)
            a->next[i] = (struct place){ticks[i]->epoch, ticks[i]->frame->seq + 1};
    if (same)
        return 0;
    a->origin = origin;
    char text[128];
    int n = snprintf(text, sizeof text, "%s", words[origin]);
    for (size_t i = 0; i < SIDES; i++)
        if (ticks[i] != NULL)
            n += snprintf(text + n, sizeof text - (size_t)n, " %c=%" PRIu64 ":%" PRIu64,
                          i == SIDE_A ? 'a' : 'b', ticks[i]->epoch, ticks[i]->frame->seq);
    return append_info(a->append, "origin", text, (size_t)n, a->err);
}

static int put_tick(struct arbitration *a, const struct pairing_tick *ticks[SIDES])
{
    enum pairing_side side = ticks[SIDE_A] != NULL ? SIDE_A : SIDE_B;
    const struct tdk_frame *frame = ticks[side]->frame;
    int rc = a->begun ? 0 : begin_track(a);
    if (rc == 0)
        rc = tell_facts(a, side, ticks[side]->epoch);
    if (rc == 0)
        rc = tell_origin(a, ticks);
    if (rc == 0)
        rc = append_tick(a->append, frame->type, frame->flags, frame->ts, tdk_frame_payload(frame),
                         frame->size, a->err);
    a->last_ts = frame->ts;
    return rc;
}

/* ---- what is lost all the same ---- */

/* Ticks that one tape lost and the other did not have either. */
static uint64_t lost_by_both(const struct arbitration *a)
{
    uint64_t most = 0;
    for (size_t i = 0; i < SIDES; i++) {
        uint64_t lost = a->gap_lost[i], found = a->gap_only[i == SIDE_A ? SIDE_B : SIDE_A];
        if (lost > found && lost - found > most)
            most = lost - found;
    }
    return most;
}

/* End a gap at a tick received at `ts`. 0: there is no tick after it. */
static int close_gap(struct arbitration *a, uint64_t ts)
{
    uint64_t lost = lost_by_both(a);
    memset(a->gap_lost, 0, sizeof a->gap_lost);
    memset(a->gap_only, 0, sizeof a->gap_only);
    if (lost == 0)
        return 0;
    a->still_lost += lost;
    int rc = a->begun ? 0 : begin_track(a);
    return rc == 0 ? append_loss(a->append, lost, a->last_ts != 0 ? a->last_ts : ts,
                                 ts != 0 ? ts : a->last_ts, a->err)
                   : rc;
}

/* ---- ticks as they come ---- */

static int on_both(const struct pairing_tick *x, const struct pairing_tick *y, void *context,
                   struct tdk_err *err)
{
    struct arbitration *a = context;
    const struct pairing_tick *ticks[SIDES] = {x, y};
    a->err = err;
    a->both++;
    a->gap_lost[SIDE_A] += x->lost;
    a->gap_lost[SIDE_B] += y->lost;
    int rc = close_gap(a, x->frame->ts);
    return rc == 0 ? put_tick(a, ticks) : rc;
}

static int on_only(enum pairing_side side, const struct pairing_tick *tick, void *context,
                   struct tdk_err *err)
{
    struct arbitration *a = context;
    const struct pairing_tick *ticks[SIDES] = {NULL, NULL};
    ticks[side] = tick;
    a->err = err;
    a->only[side]++;
    a->gap_only[side]++;
    a->gap_lost[side] += tick->lost;
    return put_tick(a, ticks);
}

static int on_progress(uint64_t ticks, void *context)
{
    struct arbitration *a = context;
    progress_at(&a->progress, ticks, 0, "ticks", ticks);
    return interrupted() ? 1 : 0;
}

/* ---- a track ---- */

static void put_row(struct arbitration *a, const struct pairing_totals *totals)
{
    const uint64_t numbers[] = {a->both + a->only[SIDE_A] + a->only[SIDE_B],
                                a->both,
                                a->only[SIDE_A],
                                a->only[SIDE_B],
                                totals->lost[SIDE_A],
                                totals->lost[SIDE_B],
                                a->still_lost};
    table_text(a->table, a->track);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        table_number(a->table, numbers[i]);
}

static void begin_pairing(struct arbitration *a, const char *track,
                          struct tdk_tape *const tapes[SIDES])
{
    a->track = track;
    a->has = tapes;
    a->kind = TDK_KIND_MIXED;
    a->begun = false;
    a->origin = ORIGIN_NONE;
    a->both = a->still_lost = a->last_ts = 0;
    memset(a->next, 0, sizeof a->next);
    memset(a->only, 0, sizeof a->only);
    memset(a->told_epoch, 0, sizeof a->told_epoch);
    memset(a->gap_lost, 0, sizeof a->gap_lost);
    memset(a->gap_only, 0, sizeof a->gap_only);
}

static int arbitrate_track(const char *track, struct tdk_tape *const tapes[SIDES], void *context,
                           struct tdk_err *err)
{
    struct arbitration *a = context;
    const struct pairing_events events = {
        .both = on_both, .only = on_only, .progress = on_progress, .context = a};
    struct pairing_totals totals;
    begin_pairing(a, track, tapes);
    a->err = err;
    int rc = pairing_run(tapes, track, &a->tapes.query, &events, &totals, err);
    if (rc == 0) {
        a->gap_lost[SIDE_A] += totals.lost_at_end[SIDE_A];
        a->gap_lost[SIDE_B] += totals.lost_at_end[SIDE_B];
        rc = close_gap(a, 0);
    }
    if (rc == 0 && !a->begun)
        rc = begin_track(a); /* a track without ticks is still a track */
    if (rc != 0)
        return rc;
    a->lost += a->still_lost;
    a->uncounted += totals.uncounted;
    if (totals.damage[0] != '\0')
        cli_warn("%s; ticks are taken from the other tape where it has them", totals.damage);
    put_row(a, &totals);
    return 0;
}

/* ---- the whole ---- */

static int conclude(const struct arbitration *a)
{
    if (a->lost + a->uncounted == 0) {
        cli_note("whole: no tick is missing from both tapes");
        return CLI_OK;
    }
    if (a->uncounted > 0)
        cli_warn(
            "not known to be whole: how many ticks the damaged parts of the tapes held is unknown");
    if (a->lost == 0)
        return CLI_LOSSY;
    cli_warn("%" PRIu64 " %s recorded as lost on the new one", a->lost,
             quantity_word(a->lost, "tick is on neither tape; it is",
                           "ticks are on neither tape; they are"));
    return CLI_LOSSY;
}

static int arbitrate(struct arbitration *a)
{
    struct tdk_err err;
    int rc = two_tapes_each(&a->tapes, arbitrate_track, a, &err);
    if (rc != 0) {
        append_abort(a->append);
        progress_clear(&a->progress);
        return rc < 0 ? cli_fail(&err, "nothing was written")
                      : cli_fail_words("interrupted; nothing was written");
    }
    rc = append_close(a->append, NULL, &err);
    progress_end(&a->progress, 0, 0, "ticks", 0);
    if (rc < 0)
        return cli_fail(&err, NULL);
    rc = table_close(a->table);
    a->table = NULL;
    return rc < 0 ? cli_fail_stdout(rc) : conclude(a);
}

/* An existing tape may be used only if it is empty: an earlier attempt of ours may have left it. */
static int check_output(void)
{
    struct tdk_tape *tape;
    struct tdk_tape_info info;
    if (access(args.output, F_OK) != 0)
        return CLI_OK;
    int rc = tdk_tape_open(&tape, args.output, NULL);
    if (rc == TDK_ENOTAPE || rc == -ENOENT)
        return CLI_OK; /* the folder is empty or half made; if not, append_open() says so */
    if (rc == 0) {
        tdk_tape_info(tape, &info);
        tdk_tape_close(tape);
        if (info.tracks == 0 && info.segments == 0)
            return CLI_OK;
    }
    return cli_usage("-O %s: it exists already; name a new tape", args.output);
}

static int open_output(struct arbitration *a, struct tdk_err *err)
{
    const struct append_options options = {.segment_size = args.segment_size,
                                           .payload_max = TDK_PAYLOAD_HARD_MAX};
    int rc = append_open(&a->append, args.output, &options, err);
    return rc == 0 ? table_open(&a->table, table_form(args.json), columns,
                                sizeof columns / sizeof columns[0])
                   : rc;
}

static int run(const struct cli *cli)
{
    struct tdk_err err = {.code = 0};
    struct arbitration a = {.table = NULL};
    int status = check_output();
    if (status == CLI_OK)
        status = two_tapes_open(&a.tapes, &args.tapes, cli->operands);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    progress_begin(&a.progress, "arbitrate", args.progress, cli->globals->quiet);
    int rc = open_output(&a, &err);
    if (rc == TDK_ENOTAPE)
        status = cli_usage("-O: %s", err.text);
    else
        status = rc < 0 ? cli_fail(&err, NULL) : arbitrate(&a);
    table_drop(a.table);
    two_tapes_close(&a.tapes);
    return status;
}

const struct command arbitrate_command = {
    .name = "arbitrate",
    .brief = "merge two tapes of one feed into one whole tape",
    .usage = "TAPE_A TAPE_B -O TAPE [--from T] [--to T] [--track TRACK]...",
    .about = "Matches ticks as `diff` does, and writes each once: with A's time where A has\n"
             "it, else with B's. The property `origin` in front of the first tick of each\n"
             "stretch says where it came from: `both a=EPOCH:SEQ b=EPOCH:SEQ`, `a a=...` or `b\n"
             "b=...`; the seqs of the ticks after it follow from there. What both tapes lost\n"
             "is a loss on the new tape (exit 3). Until all is written, the new tape holds\n"
             "nothing.",
    .sets = sets,
    .operand = "TAPE",
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
