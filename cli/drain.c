/* drain.c - consumes a ring and writes it to stdout or a file. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/listen.h"

#define SLICE_NS (100 * NS_PER_MS) /* how often a wait looks for an interrupt */

static struct drain_args {
    struct listen_stop stop;
    bool until_end;
} args;
static struct listen_options listen_args;

static const struct option rows[] = {
    {.name = "until-end",
     .kind = OPTION_FLAG,
     .help = "stop at END, the end of a play, and check its digest",
     .at = offsetof(struct drain_args, until_end)},
    {.name = NULL},
};

/* Why the reading ended. */
enum ending { ENDED_DONE, ENDED_TIMEOUT, ENDED_INTERRUPT, ENDED_FAILED };

struct drain {
    struct tdk_ring *ring;
    struct listener listener;
    uint64_t heard_ns; /* when the last tick came */
    bool has_released; /* some ticks are now only in the output */
};

static bool is_done(const struct drain *d)
{
    return (args.until_end && d->listener.ended) ||
           (args.stop.count != 0 && d->listener.ticks == args.stop.count) || d->listener.gone;
}

/* Take all that is there, or up to where we are done, and then release it. */
static int take_all(struct drain *d, struct tdk_err *err)
{
    uint64_t ticks = d->listener.ticks;
    const struct tdk_frame *frame;
    size_t taken = 0;
    int rc = 0;
    /* Piece by piece: the producer may be waiting for this room. */
    while (rc == 0 && !is_done(d) && taken < 1 << 20 && (frame = tdk_ring_next(d->ring)) != NULL) {
        rc = listener_take(&d->listener, frame, err);
        taken += tdk_frame_span(frame->size);
    }
    if (rc == 0)
        rc = listener_flush(&d->listener, err);
    if (rc == 0 && !d->listener.gone) { /* otherwise it stays in the ring, for another try */
        tdk_ring_release(d->ring);
        d->has_released = d->has_released || taken > 0;
    }
    if (d->listener.ticks != ticks)
        d->heard_ns = clock_mono();
    return rc;
}

static uint64_t patience(const struct drain *d)
{
    uint64_t quiet = clock_mono() - d->heard_ns;
    if (args.stop.timeout_ns == 0)
        return SLICE_NS;
    uint64_t left = quiet < args.stop.timeout_ns ? args.stop.timeout_ns - quiet : 0;
    return left < SLICE_NS ? left : SLICE_NS;
}

static enum ending drain_loop(struct drain *d, struct tdk_err *err)
{
    d->heard_ns = clock_mono();
    for (;;) {
        if (take_all(d, err) < 0)
            return ENDED_FAILED;
        if (is_done(d))
            return ENDED_DONE;
        if (interrupted())
            return ENDED_INTERRUPT;
        const char *broken = tdk_ring_hostile(d->ring);
        if (broken != NULL) {
            err_say(err, TDK_EHOSTILE, "the ring breaks its own rules: %s", broken);
            return ENDED_FAILED;
        }
        uint64_t ns = patience(d);
        if (!tdk_ring_wait_frame(d->ring, TDK_WAIT_PARK, ns) && patience(d) == 0)
            return ENDED_TIMEOUT;
    }
}

/* If ticks were refused after the last one that came, only the ring's counters show it. */
static void count_refused_last(struct drain *d)
{
    struct listener *l = &d->listener;
    struct tdk_ring_info info;
    tdk_ring_info(d->ring, &info);
    if (info.fill == 0 && info.epoch == l->epoch && l->next_seq != 0 && info.seq >= l->next_seq)
        l->lost += info.seq - l->next_seq + 1;
}

/* Compare what END says was played with what came. */
static int check_end(const struct listener *l)
{
    static const uint8_t none[16];
    uint8_t value[16];
    char hex[33];
    if (!l->ended)
        return CLI_OK;
    if (!l->end.complete) {
        cli_warn("the play was not whole: %" PRIu64 " %s lost, or it was stopped", l->end.lost,
                 quantity_word(l->end.lost, "tick of the range was", "ticks of the range were"));
        return CLI_LOSSY;
    }
    uint64_t ticks = tdk_digest_ticks(l->digest);
    if (ticks < l->end.ticks) {
        cli_warn("only %" PRIu64 " of the %" PRIu64 " %s played arrived here", ticks, l->end.ticks,
                 quantity_word(l->end.ticks, "tick that was", "ticks that were"));
        return CLI_LOSSY;
    }
    if (ticks > l->end.ticks || memcmp(l->end.digest, none, sizeof none) == 0)
        return CLI_OK; /* the ring had other ticks, too, or END has no digest */
    tdk_digest_value(l->digest, value, hex);
    if (memcmp(l->end.digest, value, sizeof value) == 0)
        return CLI_OK;
    cli_warn("the ticks that arrived are not those that were played: the digests differ");
    return CLI_LOSSY;
}

static int drain_report(struct drain *d, enum ending ending, const struct tdk_err *err)
{
    struct listener *l = &d->listener;
    bool wanted_more = args.stop.count != 0 || args.until_end;
    int status = CLI_OK;
    if (ending == ENDED_TIMEOUT || ending == ENDED_INTERRUPT)
        count_refused_last(d);
    if (l->lost > 0) {
        cli_warn("%" PRIu64 " %s here", l->lost,
                 quantity_word(l->lost, "tick was lost before it arrived",
                               "ticks were lost before they arrived"));
        status = CLI_LOSSY;
    }
    if (args.until_end && check_end(l) != CLI_OK)
        status = CLI_LOSSY;
    if (ending == ENDED_FAILED)
        status = listener_fail(err);
    else if (ending == ENDED_TIMEOUT && wanted_more) {
        cli_warn("no new tick for as long as --timeout says; %" PRIu64 " arrived", l->ticks);
        status = CLI_MISSED;
    } else if (ending == ENDED_INTERRUPT && wanted_more)
        status = cli_fail_words("interrupted after %" PRIu64 " %s", l->ticks,
                                quantity_word(l->ticks, "tick", "ticks"));
    return status;
}

/* Their room in the ring has been given back, so keep in the file what was taken. */
static void save(struct drain *d)
{
    struct tdk_err err;
    if (!d->has_released || listen_args.path == NULL)
        return;
    if (output_save(d->listener.output, &err) == 0)
        cli_warn("what was taken before is in %s; its last ticks may come again", listen_args.path);
    else
        cli_warn("what was taken before is lost: %s", err.text);
}

static int drain_end(struct drain *d, enum ending ending, struct tdk_err *err)
{
    struct listener *l = &d->listener;
    const bool is_cut = ending == ENDED_FAILED;
    if (!is_cut && !l->gone) {
        int rc = output_finish(l->output, err);
        if (rc < 0 && rc != -EPIPE)
            ending = ENDED_FAILED;
    }
    int status = drain_report(d, ending, err);
    if (ending == ENDED_FAILED) {
        if (is_cut)
            save(d);
        return status;
    }
    if (output_tell_losses(l->output) && status == CLI_OK)
        status = CLI_LOSSY;
    cli_note("%" PRIu64 " %s%s", l->ticks, quantity_word(l->ticks, "tick", "ticks"),
             l->gone ? "; nobody reads them any more, and what was being written stays in the ring"
                     : "");
    if (args.stop.digest)
        cli_digest_line(l->digest);
    return status;
}

static int drain_run(const struct cli *cli)
{
    struct drain drain = {.ring = NULL};
    struct tdk_err err = {.code = 0};
    const char *name = cli->operands->items[0];
    int status;

    interrupt_catch();
    if (attach_ring(&drain.ring, name, TDK_RING_CONSUMER, args.stop.wait_ns, &err) < 0)
        return cli_refuse(&err, err.code == TDK_EBUSY
                                    ? "`tapedeck tap` shows its ticks without consuming them"
                                    : NULL);
    if (listener_open(&drain.listener, &listen_args, drain.ring, args.stop.digest || args.until_end,
                      &err) < 0)
        status = listener_fail(&err);
    else
        status = drain_end(&drain, drain_loop(&drain, &err), &err);
    listener_close(&drain.listener);
    tdk_ring_detach(drain.ring);
    return status;
}

const struct command drain_command = {
    .name = "drain",
    .brief = "consume a ring to stdout",
    .usage = "NAME [-o FMT] [--count N] [--until-end] [--timeout D] [options]",
    .about = "Consumes the ticks of ring NAME, as a strategy or recorder would: they leave the\n"
             "ring. Runs until interrupted, unless --count, --until-end or --timeout ends it.\n"
             "What was written has left the ring, even if a reader such as `head` ends before\n"
             "it has read that: for some ticks use --count. Loss is named (exit 3).",
    .sets = (const struct option_set[]){{"options", rows, &args},
                                        {NULL, listen_stop_rows, &args.stop},
                                        {"output", listen_rows, &listen_args},
                                        {.rows = NULL}},
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .run = drain_run,
};
