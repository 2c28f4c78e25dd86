/* tap.c - looks at a live ring without consuming; neither side knows that we are there. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/listen.h"

#define POLL_NS (1 * NS_PER_MS)
#define ROOM    (4u << 20) /* bytes copied out of the ring at a time, and at least one frame */

static struct listen_stop args;
static struct listen_options listen_args;

struct tap {
    struct tdk_ring *ring;
    struct listener listener;
    void *room; /* frames copied out of the ring */
    size_t room_size;
    uint64_t laps, missed; /* how often we were overtaken, and how many bytes we missed */
    uint64_t heard_ns;
};

static bool is_done(const struct tap *t)
{
    return (args.count != 0 && t->listener.ticks == args.count) || t->listener.gone;
}

static int take_copied(struct tap *t, size_t size, struct tdk_err *err)
{
    const struct tdk_frame *frame = t->room;
    const char *end = (const char *)t->room + size;
    int rc = 0;
    for (; rc == 0 && (const char *)frame < end && !is_done(t); frame = tdk_frame_after(frame))
        rc = listener_take(&t->listener, frame, err);
    if (rc == 0)
        rc = listener_flush(&t->listener, err); /* before the copy is overwritten */
    return rc;
}

/* 1: something came. 0: nothing did. */
static int take_some(struct tap *t, struct tdk_err *err)
{
    uint64_t missed = 0, ticks = t->listener.ticks;
    int64_t size = tdk_ring_tap(t->ring, t->room, t->room_size, &missed);
    if (size == TDK_ELAPPED) {
        t->laps++;
        t->missed += missed;
        listener_overtaken(&t->listener, t->ring);
        return 1;
    }
    if (size == 0 || size == TDK_EHOSTILE) /* the ring's own state says which rule was broken */
        return 0;
    if (size < 0)
        return err_set(err, (int)size, "follow the ring");
    int rc = take_copied(t, (size_t)size, err);
    if (t->listener.ticks != ticks)
        t->heard_ns = clock_mono();
    return rc < 0 ? rc : 1;
}

static bool is_late(const struct tap *t)
{
    return args.timeout_ns != 0 && clock_mono() - t->heard_ns >= args.timeout_ns;
}

static int tap_loop(struct tap *t, struct tdk_err *err)
{
    t->heard_ns = clock_mono();
    while (!is_done(t) && !interrupted()) {
        int rc = take_some(t, err);
        if (rc < 0)
            return rc;
        const char *broken = tdk_ring_hostile(t->ring);
        if (broken != NULL)
            return err_say(err, TDK_EHOSTILE, "the ring breaks its own rules: %s", broken);
        if (rc == 0 && is_late(t))
            return -ETIMEDOUT;
        if (rc == 0)
            attach_sleep(POLL_NS);
    }
    return 0;
}

static int tap_report(struct tap *t, int rc, const struct tdk_err *err)
{
    struct listener *l = &t->listener;
    char missed[QUANTITY_TEXT];
    int status = CLI_OK;
    if (t->laps > 0) {
        cli_warn("overtaken by the producer %" PRIu64 " %s: %s were not seen", t->laps,
                 quantity_word(t->laps, "time", "times"), quantity_size_text(missed, t->missed));
        status = CLI_LOSSY;
    }
    if (l->lost > 0) {
        cli_warn("%" PRIu64 " %s here", l->lost,
                 quantity_word(l->lost, "tick was lost before it arrived",
                               "ticks were lost before they arrived"));
        status = CLI_LOSSY;
    }
    if (rc == -ETIMEDOUT && args.count != 0) {
        cli_warn("no new tick for as long as --timeout says; %" PRIu64 " arrived", l->ticks);
        status = CLI_MISSED;
    } else if (rc < 0 && rc != -ETIMEDOUT) {
        status = listener_fail(err);
    } else if (interrupted() && args.count != 0) {
        status = cli_fail_words("interrupted after %" PRIu64 " %s", l->ticks,
                                quantity_word(l->ticks, "tick", "ticks"));
    }
    if (output_tell_losses(l->output) && status == CLI_OK)
        status = CLI_LOSSY;
    if (args.digest)
        cli_digest_line(l->digest);
    return status;
}

static int tap_open(struct tap *t, struct tdk_err *err)
{
    int rc = listener_open(&t->listener, &listen_args, t->ring, args.digest, err);
    if (rc < 0)
        return rc;
    size_t least = tdk_frame_span(t->listener.payload_max);
    t->room_size = least > ROOM ? least : ROOM;
    t->room = malloc(t->room_size);
    return t->room != NULL ? 0 : err_set(err, -ENOMEM, "make room for ticks");
}

static int tap_run(const struct cli *cli)
{
    struct tap tap = {.ring = NULL};
    struct tdk_err err = {.code = 0};
    const char *name = cli->operands->items[0];
    int status;

    interrupt_catch();
    if (attach_ring(&tap.ring, name, TDK_RING_TAP, args.wait_ns, &err) < 0)
        return cli_refuse(&err, NULL);
    if (tap_open(&tap, &err) < 0) {
        status = listener_fail(&err);
    } else {
        int rc = tap_loop(&tap, &err);
        if (rc == 0 || rc == -ETIMEDOUT) {
            int finished = output_finish(tap.listener.output, &err);
            rc = finished < 0 && finished != -EPIPE ? finished : rc;
        }
        status = tap_report(&tap, rc, &err);
    }
    listener_close(&tap.listener);
    free(tap.room);
    tdk_ring_detach(tap.ring);
    return status;
}

const struct command tap_command = {
    .name = "tap",
    .brief = "look at a live ring without consuming it",
    .usage = "NAME [-o FMT] [-n N] [options]",
    .about = "Shows the ticks that pass through ring NAME from now on. Producer and consumer\n"
             "do not notice it. A tap that is too slow is overtaken, and says how much it\n"
             "missed (exit 3).",
    .sets = (const struct option_set[]){{"options", listen_stop_rows, &args},
                                        {"output", listen_rows, &listen_args},
                                        {.rows = NULL}},
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .run = tap_run,
};
