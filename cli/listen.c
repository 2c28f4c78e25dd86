#include "cli/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"

#define RUN_MAX (256u << 10) /* bytes put out at a time */

const struct option listen_rows[] = {
    {.name = "format",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .value = "FORMAT",
     .help = "csv, jsonl, dbn, dbn.zst, parquet, arrow, pcap, pcapng, frames or none [jsonl, or "
             "from the name of FILE]",
     .at = offsetof(struct listen_options, format)},
    {.name = "output",
     .letter = 'O',
     .kind = OPTION_TEXT,
     .value = "FILE",
     .help = "write to FILE, which appears only when complete",
     .at = offsetof(struct listen_options, path)},
    {.name = "force",
     .kind = OPTION_FLAG,
     .help = "replace FILE if it exists",
     .at = offsetof(struct listen_options, force)},
    {.name = "pretty",
     .kind = OPTION_FLAG,
     .help = "print decimals and RFC 3339 times",
     .at = offsetof(struct listen_options, pretty)},
    {.name = "map-symbols",
     .kind = OPTION_FLAG,
     .help = "add the symbol",
     .at = offsetof(struct listen_options, map_symbols)},
    {.name = "envelope",
     .kind = OPTION_FLAG,
     .help = "put track, epoch, seq and ts in front",
     .at = offsetof(struct listen_options, envelope)},
    {.name = "five",
     .kind = OPTION_FLAG,
     .help = "jsonl: write five-field ticks",
     .at = offsetof(struct listen_options, five)},
    {.name = "control",
     .kind = OPTION_FLAG,
     .help = "include control frames (frames always has them)",
     .at = offsetof(struct listen_options, control)},
    {.name = NULL},
};

const struct option listen_stop_rows[] = {
    {.name = "count",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .help = "stop after this many ticks; a consumer leaves the next one in the ring",
     .at = offsetof(struct listen_stop, count)},
    {.name = "timeout",
     .kind = OPTION_DURATION,
     .min = 1,
     .help = "stop after this long without a new tick; exit 7 if --count or END was not reached",
     .at = offsetof(struct listen_stop, timeout_ns)},
    {.name = "wait",
     .kind = OPTION_DURATION,
     .help = "wait this long for the ring to appear",
     .at = offsetof(struct listen_stop, wait_ns)},
    {.name = "digest",
     .kind = OPTION_FLAG,
     .help = "print a last line on stderr: digest HEX ticks N",
     .at = offsetof(struct listen_stop, digest)},
    {.name = NULL},
};

static int settle_format(const struct listen_options *options, struct output_options *output,
                         struct tdk_err *err)
{
    output->format = output_has_name(options->path) ? OUTPUT_AUTO : OUTPUT_JSONL;
    if (options->format != NULL && !output_format_parse(options->format, &output->format))
        return err_say(err, TDK_EVALUE, "-o %s: no such format; choose one of %s", options->format,
                       output_format_words);
    return output_settle_format(output, err);
}

static int open_output(struct listener *l, const struct listen_options *options,
                       struct tdk_err *err)
{
    struct output_options output = {.path = options->path,
                                    .force = options->force,
                                    .pretty = options->pretty,
                                    .map_symbols = options->map_symbols,
                                    .envelope = options->envelope,
                                    .five = options->five,
                                    .live = true,
                                    .facts = lore_facts(l->lore)};
    int rc = settle_format(options, &output, err);
    if (rc < 0)
        return rc;
    output.control = options->control || output.format == OUTPUT_FRAMES;
    return output_open(&l->output, &output, err);
}

int listener_open(struct listener *l, const struct listen_options *options,
                  const struct tdk_ring *ring, bool digest, struct tdk_err *err)
{
    struct tdk_ring_info info;
    memset(l, 0, sizeof *l);
    tdk_ring_info(ring, &info);
    l->payload_max = info.payload_max;
    l->epoch = tdk_ring_epoch(ring);
    int rc = lore_open(&l->lore, info.track, l->epoch);
    if (rc == 0 && digest)
        rc = tdk_digest_open(&l->digest);
    if (rc < 0)
        return err_set(err, rc, "listen to %s", info.name);
    return open_output(l, options, err);
}

void listener_close(struct listener *l)
{
    output_close(l->output);
    lore_close(l->lore);
    tdk_digest_close(l->digest);
    free(l->copy);
    memset(l, 0, sizeof *l);
}

/* ---- a run ---- */

/* A play with --rebase shifted the times. The digest is of the tape's own times. */
static int digest_shifted(struct listener *l, const struct lore_track *track)
{
    if (l->copy == NULL)
        l->copy = malloc(tdk_frame_span(l->payload_max));
    if (l->copy == NULL)
        return -ENOMEM;
    const struct tdk_frame *frame = l->run;
    const char *end = (const char *)l->run + l->run_size;
    for (; (const char *)frame < end; frame = tdk_frame_after(frame)) {
        memcpy(l->copy, frame, tdk_frame_span(frame->size));
        l->copy->ts -= track->shift;
        tdk_digest_add(l->digest, track->name, track->epoch, l->copy);
    }
    return 0;
}

/* A tap that attached after a TRACK frame knows only the number. */
static const char *name_of(const struct listener *l, const struct lore_track *track,
                           char text[TDK_NAME_MAX + 1])
{
    if (track->name != NULL)
        return track->name;
    snprintf(text, TDK_NAME_MAX + 1, "#%u", l->run_number);
    return text;
}

static int put_run(struct listener *l, struct tdk_err *err)
{
    struct lore_track track = lore_track(l->lore, l->run_number);
    char text[TDK_NAME_MAX + 1];
    int rc = 0;
    if (l->run_size == 0)
        return 0;
    track.name = name_of(l, &track, text);
    if (l->digest != NULL && track.shift != 0)
        rc = digest_shifted(l, &track);
    else if (l->digest != NULL)
        tdk_digest_run(l->digest, track.name, track.epoch, l->run, l->run_size);
    if (rc < 0)
        return err_set(err, rc, "work out the digest");
    if (!l->gone)
        rc =
            output_put(l->output, track.name, l->run_number, track.epoch, l->run, l->run_size, err);
    l->run_size = 0;
    if (rc == -EPIPE) {
        l->gone = true;
        return 0;
    }
    return rc;
}

int listener_flush(struct listener *l, struct tdk_err *err)
{
    int rc = put_run(l, err);
    if (rc == 0 && !l->gone)
        rc = output_flush(l->output, err);
    if (rc == -EPIPE) {
        l->gone = true;
        return 0;
    }
    return rc;
}

/* ---- a frame ---- */

/* Ticks of track 0 are the producer's own, so a hole in their seq is loss. */
static void count_hole(struct listener *l, uint64_t seq)
{
    if (l->next_seq != 0 && seq > l->next_seq)
        l->lost += seq - l->next_seq;
    l->next_seq = seq + 1;
}

static void take_epoch(struct listener *l, const struct tdk_frame *frame)
{
    struct tdk_epoch epoch;
    if (frame->size < sizeof epoch || frame->track != 0)
        return;
    memcpy(&epoch, tdk_frame_payload(frame), sizeof epoch);
    /* Count what the previous epoch lost at its very end. */
    if (epoch.previous == l->epoch && l->next_seq != 0 && epoch.previous_seq >= l->next_seq)
        l->lost += epoch.previous_seq - l->next_seq + 1;
    l->epoch = epoch.epoch;
    l->next_seq = 1;
}

static void take_control(struct listener *l, const struct tdk_frame *frame)
{
    struct tdk_loss loss;
    if (frame->type == TDK_TYPE_EPOCH)
        take_epoch(l, frame);
    if (frame->type == TDK_TYPE_LOSS && frame->size >= sizeof loss) {
        memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
        l->lost += loss.count;
    }
    if (frame->type == TDK_TYPE_END && frame->size >= sizeof l->end) {
        memcpy(&l->end, tdk_frame_payload(frame), sizeof l->end);
        l->ended = true;
    }
}

int listener_take(struct listener *l, const struct tdk_frame *frame, struct tdk_err *err)
{
    bool tick = tdk_frame_is_tick(frame) != 0;
    bool joins = l->run_size > 0 && l->run_size < RUN_MAX && frame->track == l->run_number &&
                 (const char *)l->run + l->run_size == (const char *)frame;
    int rc = 0;
    /* A control frame applies to what follows it, so put out first what came before. */
    if (!joins || !tick)
        rc = put_run(l, err);
    if (rc == 0 && (rc = lore_learn(l->lore, frame)) < 0)
        return err_set(err, rc, "keep what the ring says about its tracks");
    if (rc < 0)
        return rc;
    if (!tick) {
        take_control(l, frame);
    } else if ((frame->flags & TDK_FLAG_PROLOGUE) == 0) { /* a prologue is shown, but not counted */
        l->ticks++;
        if (frame->track == 0)
            count_hole(l, frame->seq);
    }
    if (l->run_size == 0) {
        l->run = frame;
        l->run_number = frame->track;
    }
    l->run_size += tdk_frame_span(frame->size);
    return 0;
}

void listener_overtaken(struct listener *l, const struct tdk_ring *ring)
{
    l->epoch = tdk_ring_epoch(ring);
    l->next_seq = 0; /* we missed these ticks; the producer did not lose them */
    lore_begin(l->lore, l->epoch);
}

int listener_fail(const struct tdk_err *err)
{
    return err->code == -EEXIST ? cli_usage("%s", err->text) : cli_refuse(err, NULL);
}
