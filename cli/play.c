/* play.c - plays a range of a tape into rings, as fast or as slow as asked for. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/losses.h"
#include "cli/play_report.h"
#include "cli/range.h"
#include "replayer/player.h"

static struct play_args args;

static const struct option rows[] = {
    {.name = "into",
     .kind = OPTION_NAME,
     .value = "RING",
     .required = true,
     .at = offsetof(struct play_args, into),
     .help = "the ring to play into"},
    {.name = "per-track",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, per_track),
     .help = "one ring per track: RING.TRACK"},
    {.name = "create",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .at = offsetof(struct play_args, create_size),
     .help = "create rings that do not exist, each of this size, a power of two"},
    {.name = "speed",
     .kind = OPTION_SPEED,
     .preset = "max",
     .at = offsetof(struct play_args, speed),
     .help = "max, 1x (as recorded), 10x, 0.5x, or ticks per second as in 1000/s"},
    {.name = "limit",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .at = offsetof(struct play_args, limit),
     .help = "at most this many ticks"},
    {.name = "paused",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, paused),
     .help = "start paused; keys: space pause, right step, up and down speed, q quit"},
    {.name = "loop",
     .kind = OPTION_COUNT,
     .min = 1,
     .preset = "1",
     .at = offsetof(struct play_args, loop),
     .help = "play the range this many times"},
    {.name = "max-idle",
     .kind = OPTION_DURATION,
     .at = offsetof(struct play_args, max_idle_ns),
     .help = "shorten idle stretches to this"},
    {.name = "rebase",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct play_args, rebase),
     .help = "shift all times so that the first tick is stamped now, or with this time"},
    {.name = "lockstep",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, lockstep),
     .help = "advance tape time only when all ticks up to it have been released"},
    {.name = "then-live",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, then_live),
     .help = "continue into the present: JOIN, then ticks as they are published; ^C ends it"},
    {.name = "prime",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, prime),
     .help = "play each instrument's last definition, status, quote and trade first"},
    {.name = "prime-back",
     .kind = OPTION_DURATION,
     .min = 1,
     .at = offsetof(struct play_args, prime_back_ns),
     .help = "look no further back for those; by default to the tape's beginning"},
    {.name = "wait-consumers",
     .kind = OPTION_COUNT,
     .at = offsetof(struct play_args, wait_consumers),
     .help = "wait until this many consumers and taps are attached"},
    {.name = "timeout",
     .kind = OPTION_DURATION,
     .at = offsetof(struct play_args, timeout_ns),
     .help = "wait no longer than this for them: exit 7"},
    {.name = "stall-timeout",
     .kind = OPTION_DURATION,
     .min = 1,
     .preset = "30s",
     .at = offsetof(struct play_args, stall_ns),
     .help = "give up when a full ring's consumer takes nothing for this long"},
    {.name = "fidelity",
     .kind = OPTION_TEXT,
     .value = "EXPR",
     .at = offsetof(struct play_args, fidelity),
     .help = "exit 7 unless lateness meets this, as in p99<50us (p50, p99, p99.9, max)"},
    {.name = "require-complete",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, require_complete),
     .help = "if the range has a gap, play nothing and exit 3"},
    {.name = "digest",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, digest),
     .help = "print a last line on stderr: digest HEX ticks N; END carries it too"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct play_args, json),
     .help = "print the fidelity report as JSON on stdout"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "ticks", .rows = range_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

struct play {
    const struct cli *cli;
    struct range range;
    struct player *player;
    struct losses losses;
    bool signalled; /* ended by SIGINT or SIGTERM, not by a key */
};

static enum player_order next_order(void *context)
{
    struct play *play = context;
    if (interrupted()) {
        play->signalled = true;
        return PLAYER_QUIT;
    }
    switch (keys_read()) {
    case KEY_SPACE:
        return PLAYER_TOGGLE;
    case KEY_RIGHT:
        return PLAYER_STEP;
    case KEY_UP:
        return PLAYER_FASTER;
    case KEY_DOWN:
        return PLAYER_SLOWER;
    case KEY_QUIT:
        return PLAYER_QUIT;
    case KEY_NONE:
    case KEY_LEFT:
        break;
    }
    return PLAYER_GO_ON;
}

static void tell_damage(const struct tdk_err *err, void *context)
{
    struct play *play = context;
    losses_damage(&play->losses, err);
}

static void tell_loss(const struct tdk_run *piece, void *context)
{
    struct play *play = context;
    losses_look(&play->losses, piece);
}

/* ---- the report ---- */

static int report(const struct play *play, const struct fidelity *fidelity)
{
    const struct player_report *r = player_report(play->player);
    const struct histogram *h = &r->lateness;
    struct play_outcome outcome = {
        .ticks = r->ticks,
        .bytes = r->bytes,
        .rounds = r->rounds,
        .primed = r->primed,
        .lost = r->lost,
        .damaged = r->damaged,
        .stalls = r->stalls,
        .stalled_ns = r->stalled_ns,
        .elapsed_ns = r->elapsed_ns,
        .complete = r->complete,
        .stopped = r->stopped,
        .signalled = play->signalled,
        .timed = r->paced && h->count > 0,
        .digest_ticks = r->digest_ticks,
    };
    memcpy(outcome.digest, r->digest_hex, sizeof outcome.digest);
    if (outcome.timed) {
        outcome.p50 = histogram_quantile(h, 500000);
        outcome.p99 = histogram_quantile(h, 990000);
        outcome.p99_9 = histogram_quantile(h, 999000);
        outcome.max = h->max;
    }
    return play_report(&args, fidelity, &outcome, &play->losses);
}

/* ---- the command ---- */

/* Refuse options that exclude each other. CLI_OK, or the exit status after printing why. */
static int check_args(void)
{
    if (args.fidelity != NULL && args.speed.kind == SPEED_MAX)
        return cli_usage(
            "--fidelity: a play at max has no schedule to be late for; give a --speed");
    if (!args.then_live)
        return CLI_OK;
    if (args.range.to.anchor != MOMENT_UNSET)
        return cli_usage("--then-live has no end; it cannot be combined with --to");
    if (args.lockstep)
        return cli_usage(
            "--lockstep cannot be combined with --then-live: the present waits for nobody");
    if (args.loop != 1 || args.rebase.anchor != MOMENT_UNSET)
        return cli_usage("--then-live cannot be combined with --loop or --rebase: the present has "
                         "one round and its own times");
    return CLI_OK;
}

uint64_t play_rebase(const struct play_args *asked, struct depot *depot)
{
    struct tdk_tape_info info = {.first_ts = 0};
    (void)depot_info(depot, &info, NULL);
    struct moment_bounds bounds = {
        .now = clock_wall(), .start = info.first_ts, .end = info.last_ts + 1};
    if (asked->rebase.anchor == MOMENT_NOW && asked->rebase.ns == 0)
        return UINT64_MAX; /* the time of the first tick, not of the command */
    return moment_resolve(&asked->rebase, &bounds, UINT64_MAX);
}

static int open_player(struct play *play, struct tdk_err *err)
{
    struct player_options options = {
        .into = args.into,
        .per_track = args.per_track,
        .create_size = args.create_size,
        .speed = args.speed,
        .max_idle_ns = args.max_idle_ns,
        .rounds = args.loop,
        .rebase = args.rebase.anchor != MOMENT_UNSET,
        .rebase_ts = play_rebase(&args, &play->range.depot),
        .paused = args.paused,
        .lockstep = args.lockstep,
        .then_live = args.then_live,
        .prime = args.prime,
        .prime_back_ns = args.prime_back_ns,
        .digest = args.digest,
        .stall_ns = args.stall_ns,
        .ask = next_order,
        .damage = tell_damage,
        .loss = tell_loss,
        .context = play,
    };
    play->range.query.limit = args.limit;
    return player_open(&play->player, play->range.tape, &play->range.query, &options, err);
}

static int wait_and_run(struct play *play, const struct fidelity *fidelity)
{
    struct tdk_err err;
    int rc = 0;
    if (args.wait_consumers > 0)
        rc = player_wait_consumers(play->player, args.wait_consumers, args.timeout_ns, &err);
    if (rc < 0)
        (void)player_run(play->player, NULL); /* puts END, for those that came */
    if (rc == -ETIMEDOUT) {
        cli_fail(&err, NULL);
        return CLI_MISSED;
    }
    if (rc == 0)
        rc = player_run(play->player, &err);
    keys_close();
    if (rc == 0)
        return report(play, fidelity);
    if (rc == TDK_ESTALLED)
        return cli_fail(&err, "start its consumer before the play, or play into a larger ring");
    return cli_fail(&err, NULL);
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct fidelity fidelity = {.quantile = 0};
    if (args.fidelity != NULL && fidelity_parse(args.fidelity, &fidelity, &err) < 0)
        return cli_usage("--fidelity: %s", err.text);
    int status = check_args();
    if (status != CLI_OK)
        return status;
    struct play play = {.cli = cli};
    const struct fidelity *gate = args.fidelity != NULL ? &fidelity : NULL;
    args.range.where = &args.where;
    status = range_open(&play.range, &args.range);
    if (status == CLI_OK && args.require_complete)
        status = losses_check(&play.range.depot, &play.range.query);
    if (status != CLI_OK) {
        range_close(&play.range);
        return status;
    }
    interrupt_catch();
    if (play.range.tape == NULL) {
        status = play_in_replayer(&args, gate, &play.range);
        range_close(&play.range);
        return status;
    }
    (void)keys_open();
    if (open_player(&play, &err) == 0)
        status = wait_and_run(&play, gate);
    else
        status =
            err.code == TDK_ENORING ? cli_fail(&err, "or use --create SIZE") : range_fail(&err);
    keys_close();
    player_close(play.player);
    range_close(&play.range);
    return status;
}

const struct command play_command = {
    .name = "play",
    .brief = "play a range of a tape into a ring, at any speed",
    .usage = "-T DIR|-a ADDRESS [--from T] [--to T] ... --into RING [--speed S] [--create SIZE]",
    .about = "Plays ticks into a ring as they were recorded: tracks merged by time or one ring\n"
             "per track, on an absolute schedule, and END after the last. Nothing is dropped:\n"
             "while a ring is full, the tape stands still. A consumer that takes nothing for\n"
             "30 s ends the play.",
    .sets = sets,
    .run = run,
};
