/* tail.c - the last ticks of a tape, and with -f those that follow. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/listen.h"
#include "cli/losses.h"
#include "cli/output.h"
#include "cli/range.h"
#include "replayer/live.h"
#include "tape/cursor.h"

static struct tail_args {
    struct range_args range;
    uint64_t count, timeout_ns;
    bool follow;
} args;
static struct listen_options output_args;

static const struct option rows[] = {
    {.name = "count",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .preset = "10",
     .help = "number of ticks",
     .at = offsetof(struct tail_args, count)},
    {.name = "follow",
     .letter = 'f',
     .kind = OPTION_FLAG,
     .help = "then continue with what is recorded from now on, until ^C",
     .at = offsetof(struct tail_args, follow)},
    {.name = "timeout",
     .kind = OPTION_DURATION,
     .min = 1,
     .help = "with -f: stop after this long without a new tick",
     .at = offsetof(struct tail_args, timeout_ns)},
    {.name = NULL},
};

/* A tick kept until it can be put out. */
struct kept {
    struct tdk_run run; /* all but frames */
    size_t offset;
};

struct tail {
    struct range range;
    struct output *output;
    bool shows_control; /* control frames are to be shown */
    struct losses losses;
    struct tdk_cursor *cursor; /* from the last tick backwards */
    struct live *live;
    struct kept *kept;
    size_t kept_count, kept_room;
    unsigned char *frames;
    size_t frames_size, frames_room;
};

/* ---- the last ticks ---- */

static int keep(struct tail *t, const struct tdk_run *run, const struct tdk_frame *frame)
{
    size_t span = tdk_frame_span(frame->size);
    void *kept = array_grow(t->kept, &t->kept_room, t->kept_count + 1, sizeof *t->kept);
    if (kept == NULL)
        return -ENOMEM;
    t->kept = kept;
    void *frames = array_grow(t->frames, &t->frames_room, t->frames_size + span, 1);
    if (frames == NULL)
        return -ENOMEM;
    t->frames = frames;
    t->kept[t->kept_count] = (struct kept){.run = *run, .offset = t->frames_size};
    t->kept[t->kept_count++].run.size = span;
    memcpy(t->frames + t->frames_size, frame, span);
    t->frames_size += span;
    return 0;
}

/* A LOSS frame is always reported, whatever the output shows. */
static bool is_told(const struct tail *t, const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) || frame->type == TDK_TYPE_LOSS || t->shows_control;
}

static int keep_run(struct tail *t, const struct tdk_run *run, struct tdk_err *err)
{
    const struct tdk_frame *end = (const void *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at))
        if (is_told(t, at) && keep(t, run, at) < 0)
            return err_set(err, -ENOMEM, "keep %" PRIu64 " ticks", args.count);
    return 0;
}

static int put(struct tail *t, const struct tdk_run *run, struct tdk_err *err)
{
    losses_look(&t->losses, run);
    return output_put(t->output, run->track, run->number, run->epoch, run->frames, run->size, err);
}

/* The last ticks are read from the last one backwards. */
static int put_last(struct tail *t, struct tdk_err *err)
{
    struct tdk_run run;
    int rc = 1;
    while (args.count > 0 && rc != 0) {
        rc = interrupted() ? -ECANCELED : tdk_cursor_read(t->cursor, &run, err);
        if (rc == 1)
            rc = keep_run(t, &run, err) < 0 ? -ENOMEM : 1;
        else if (rc == TDK_ECORRUPT)
            losses_damage(&t->losses, err);
        if (rc < 0 && rc != TDK_ECORRUPT)
            return rc;
    }
    for (rc = 0; t->kept_count > 0 && rc == 0; t->kept_count--) {
        struct kept *kept = &t->kept[t->kept_count - 1];
        kept->run.frames = (const void *)(t->frames + kept->offset);
        rc = put(t, &kept->run, err);
    }
    return rc == 0 ? output_flush(t->output, err) : rc;
}

/* ---- what comes behind them ---- */

static int follow(struct tail *t, struct tdk_err *err)
{
    struct tdk_run run;
    bool owed = false; /* something was put out and not flushed */
    uint64_t heard = clock_mono();
    int rc = live_open(&t->live, t->range.tape, &t->range.query, 0, t->cursor, err);
    tdk_cursor_close(t->cursor);
    t->cursor = NULL;
    while (rc >= 0 && !interrupted()) {
        rc = live_read(t->live, &run, err);
        if (rc == TDK_ECORRUPT) {
            losses_damage(&t->losses, err);
            rc = 0;
        } else if (rc == 1) {
            rc = put(t, &run, err);
            owed = true;
            heard = clock_mono();
        } else if (rc == 0 && owed) {
            rc = output_flush(t->output, err);
            owed = false;
        } else if (rc == 0) {
            if (args.timeout_ns != 0 && clock_mono() - heard >= args.timeout_ns)
                return 0;
            live_wait(t->live);
        }
    }
    return rc;
}

/* ---- the command ---- */

static int open_output(struct tail *t, struct tdk_err *err)
{
    struct output_options options = {.format = OUTPUT_JSONL,
                                     .path = output_args.path,
                                     .force = output_args.force,
                                     .pretty = output_args.pretty,
                                     .map_symbols = output_args.map_symbols,
                                     .envelope = output_args.envelope,
                                     .five = output_args.five,
                                     .facts = depot_facts(&t->range.depot)};
    if (output_args.format == NULL && output_has_name(output_args.path))
        options.format = OUTPUT_AUTO;
    if (output_args.format != NULL && !output_format_parse(output_args.format, &options.format))
        return err_say(err, TDK_EVALUE, "-o %s: no such format; choose one of %s",
                       output_args.format, output_format_words);
    int rc = output_settle_format(&options, err);
    t->shows_control = output_args.control || options.format == OUTPUT_FRAMES;
    options.control = t->shows_control;
    return rc < 0 ? rc : output_open(&t->output, &options, err);
}

static int deliver(struct tail *t, struct tdk_err *err)
{
    t->range.query.control = true; /* losses are reported even if not shown */
    t->range.query.reverse = true;
    t->range.query.limit = args.count > 0 ? args.count : 1;
    int rc = tdk_cursor_open(&t->cursor, t->range.tape, &t->range.query, err);
    if (rc == 0) {
        cursor_stop_when(t->cursor, interrupt_asked, NULL);
        rc = put_last(t, err);
    }
    if (rc == 0 && args.follow)
        rc = follow(t, err);
    return rc == 0 ? output_finish(t->output, err) : rc;
}

static void close_tail(struct tail *t)
{
    live_close(t->live);
    tdk_cursor_close(t->cursor);
    output_close(t->output);
    free(t->kept);
    free(t->frames);
    range_close(&t->range);
}

static int tail_run(const struct cli *cli)
{
    (void)cli;
    struct tail tail = {.output = NULL};
    struct tdk_err err;
    if (args.follow && args.range.to.anchor != MOMENT_UNSET)
        return cli_usage("-f has no end; it cannot be combined with --to");
    int status = range_open(&tail.range, &args.range);
    if (status != CLI_OK) {
        range_close(&tail.range);
        return status;
    }
    interrupt_catch();
    if (open_output(&tail, &err) < 0) {
        status = listener_fail(&err);
    } else {
        int rc = deliver(&tail, &err);
        if (rc == -ECANCELED)
            status = cli_fail_words("interrupted");
        else if (rc < 0 && rc != -EPIPE)
            status = rc == TDK_EFORMAT ? cli_usage("%s", err.text) : range_fail(&err);
        else
            status = losses_status(&tail.losses);
        if (output_tell_losses(tail.output) && status == CLI_OK)
            status = CLI_LOSSY;
    }
    close_tail(&tail);
    return status;
}

const struct command tail_command = {
    .name = "tail",
    .brief = "print the last ticks of a tape, and follow it",
    .usage = "-T DIR [-n N] [-f] [-s SYMBOL]... [-o FORMAT]",
    .about = "Prints the last ticks, and names what was lost among them (exit 3). With -f it\n"
             "continues with what is recorded from now on: from the tape up to what the live\n"
             "ring still holds, then from the ring itself, and from the tape again where the\n"
             "ring was faster. Each tick comes once, whatever happens to the recorder.",
    .sets = (const struct option_set[]){{"ticks", range_rows, &args.range},
                                        {"options", rows, &args},
                                        {"output", listen_rows, &output_args},
                                        {.rows = NULL}},
    .run = tail_run,
};
