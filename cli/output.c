#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/output_kind.h"
#include "formats/dbn_metadata.h"

#define FLUSH_SIZE                                                                                 \
    (256u << 10) /* so large that a write costs little beside making the text that it holds */

/* ---- formats by name ---- */

const char output_format_words[] =
    "csv, jsonl, dbn, dbn.zst, parquet, arrow, pcap, pcapng, frames, none";

static const struct {
    const char *word;
    enum output_format format;
} words[] = {
    {"csv", OUTPUT_CSV},         {"jsonl", OUTPUT_JSONL},     {"dbn", OUTPUT_DBN},
    {"dbn.zst", OUTPUT_DBN_ZST}, {"parquet", OUTPUT_PARQUET}, {"arrow", OUTPUT_ARROW},
    {"pcap", OUTPUT_PCAP},       {"pcapng", OUTPUT_PCAPNG},   {"frames", OUTPUT_FRAMES},
    {"none", OUTPUT_NONE},
};

bool output_format_parse(const char *word, enum output_format *format)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, word) == 0) {
            *format = words[i].format;
            return true;
        }
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static bool format_of_name(const char *path, enum output_format *format)
{
    static const struct {
        const char *end;
        enum output_format format;
    } ends[] = {
        {".csv", OUTPUT_CSV},      {".jsonl", OUTPUT_JSONL},     {".json", OUTPUT_JSONL},
        {".dbn", OUTPUT_DBN},      {".dbn.zst", OUTPUT_DBN_ZST}, {".frames", OUTPUT_FRAMES},
        {".ndjson", OUTPUT_JSONL}, {".parquet", OUTPUT_PARQUET}, {".arrow", OUTPUT_ARROW},
        {".pcap", OUTPUT_PCAP},    {".pcapng", OUTPUT_PCAPNG},   {".arrows", OUTPUT_ARROW},
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends_with(path, ends[i].end)) {
            *format = ends[i].format;
            return true;
        }
    }
    return false;
}

bool output_format_is_headed(enum output_format format)
{
    return format == OUTPUT_CSV || format == OUTPUT_DBN || format == OUTPUT_DBN_ZST ||
           format == OUTPUT_PARQUET || format == OUTPUT_ARROW;
}

static const struct output_kind *kind_of(const struct output_options *options)
{
    switch (options->format) {
    case OUTPUT_CSV:
        return &output_csv;
    case OUTPUT_JSONL:
        return options->five ? &output_five : &output_jsonl;
    case OUTPUT_DBN:
    case OUTPUT_DBN_ZST:
        return &output_dbn;
    case OUTPUT_FRAMES:
        return &output_frames;
    case OUTPUT_PARQUET:
        return &output_parquet;
    case OUTPUT_ARROW:
        return &output_arrow;
    case OUTPUT_PCAP:
        return &output_pcap;
    case OUTPUT_PCAPNG:
        return &output_pcapng;
    case OUTPUT_NONE:
    case OUTPUT_AUTO:
        break;
    }
    return &output_none;
}

/* ---- open ---- */

bool output_has_name(const char *path)
{
    return path != NULL && strcmp(path, "-") != 0;
}

int output_settle_format(struct output_options *options, struct tdk_err *err)
{
    if (options->format != OUTPUT_AUTO)
        return 0;
    bool file = output_has_name(options->path);
    if (file && format_of_name(options->path, &options->format))
        return 0;
    if (file)
        return err_say(err, TDK_EVALUE, "the name %s implies no format; choose one with -o: %s",
                       options->path, output_format_words);
    return err_say(err, TDK_EVALUE, "no output format; choose one with -o: %s",
                   output_format_words);
}

static int check_options(const struct output_options *options, const struct output_kind *kind,
                         struct tdk_err *err)
{
    if (options->five && kind != &output_five)
        return err_say(err, TDK_EVALUE, "--five works with -o jsonl only");
    if (options->five && (options->pretty || options->map_symbols || options->envelope))
        return err_say(err, TDK_EVALUE,
                       "--five writes its five keys and no others; it cannot be combined with "
                       "--pretty, --map-symbols or --envelope");
    if (!kind->text && options->pretty)
        return err_say(err, TDK_EVALUE, "--pretty works with text only: -o csv or -o jsonl");
    if (!kind->columns && (options->map_symbols || options->envelope))
        return err_say(err, TDK_EVALUE,
                       "%s works with text and columns only: -o csv, jsonl, parquet or arrow",
                       options->map_symbols ? "--map-symbols" : "--envelope");
    if (options->decimal && (kind->text || !kind->columns))
        return err_say(err, TDK_EVALUE, "--decimal works with -o parquet and -o arrow only");
    if (options->control && !kind->control)
        return err_say(err, TDK_EVALUE,
                       "this format cannot hold control frames; --control works with -o jsonl "
                       "and -o frames");
    return 0;
}

int output_open(struct output **output, const struct output_options *options, struct tdk_err *err)
{
    struct output *o = calloc(1, sizeof *o);
    if (o == NULL)
        return err_set(err, -ENOMEM, "open the output");
    o->options = *options;
    o->sink.fd = -1;
    text_init(&o->text);
    int rc = output_settle_format(&o->options, err);
    if (rc < 0)
        goto fail;
    o->kind = kind_of(&o->options);
    rc = check_options(&o->options, o->kind, err);
    if (rc < 0)
        goto fail;
    if (o->kind != &output_none)
        rc = sink_open(&o->sink, options->path, o->kind->binary, options->force, err);
    if (rc == 0 && o->kind->open != NULL)
        rc = o->kind->open(o, err);
    if (rc < 0)
        goto fail;
    *output = o;
    return 0;
fail:
    output_close(o);
    return rc;
}

void output_close(struct output *o)
{
    if (o == NULL)
        return;
    if (o->kind != NULL && o->kind->close != NULL)
        o->kind->close(o);
    text_close(&o->text);
    sink_close(&o->sink);
    free(o);
}

/* ---- put ---- */

int output_flush(struct output *o, struct tdk_err *err)
{
    if (text_error(&o->text) < 0)
        return err_set(err, -ENOMEM, "make the text of a tick");
    if (o->text.size == 0)
        return 0;
    int rc = sink_write(&o->sink, o->text.bytes, o->text.size, err);
    text_clear(&o->text);
    return rc;
}

/* TRACK frames are needed where frames are read on their own: in a ring, in a segment. Elsewhere
 * each tick's track is named with it. */
static bool is_shown(const struct output *o, const struct tdk_frame *frame)
{
    if (frame->type == TDK_TYPE_TRACK && !o->options.live)
        return false;
    return o->options.control || (o->kind->loss && frame->type == TDK_TYPE_LOSS);
}

static int put_frame(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                     struct tdk_err *err)
{
    int rc = 0;
    if (tdk_frame_is_tick(frame))
        rc = o->kind->tick(o, run, frame, err);
    else if (tdk_type_is_control(frame->type) && is_shown(o, frame))
        rc = o->kind->about(o, run, frame, err);
    if (rc == 0 && o->text.size >= FLUSH_SIZE)
        rc = output_flush(o, err);
    return rc;
}

int output_put(struct output *o, const char *track, uint16_t number, uint64_t epoch,
               const struct tdk_frame *frames, size_t size, struct tdk_err *err)
{
    if (o->kind == &output_none)
        return 0;
    struct output_run run = {.track = track, .epoch = epoch, .number = number};
    if (o->kind->run != NULL)
        return o->kind->run(o, &run, frames, size, err);
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)frames + size);
    for (const struct tdk_frame *at = frames; at < end; at = tdk_frame_after(at)) {
        int rc = put_frame(o, &run, at, err);
        if (rc < 0)
            return rc;
    }
    return o->options.flush ? output_flush(o, err) : 0;
}

bool output_tell_losses(const struct output *o)
{
    if (o->skipped > 0)
        cli_warn("%" PRIu64 " %s no form in this format (%s); -o jsonl and -o frames show %s",
                 o->skipped, quantity_word(o->skipped, "tick has", "ticks have"),
                 o->kind->unfit != NULL ? o->kind->unfit : "not a whole record",
                 quantity_word(o->skipped, "it", "them"));
    if (o->late > 0)
        cli_warn("%" PRIu64 " %s past 2262 and null in this format; -o csv shows %s", o->late,
                 quantity_word(o->late, "time is", "times are"),
                 quantity_word(o->late, "it", "them"));
    return o->skipped > 0 || o->late > 0;
}

const char *output_symbol(const struct output *o, const struct output_run *run,
                          uint32_t instrument_id, uint64_t ts)
{
    const struct output_facts *facts = &o->options.facts;
    if (facts->symbol == NULL)
        return NULL;
    return facts->symbol(facts->context, run->track, run->number, run->epoch, instrument_id, ts);
}

void output_suppose(struct output *o, const struct output_schema *schema)
{
    o->supposed = *schema;
}

int output_finish(struct output *o, struct tdk_err *err)
{
    int rc = o->kind->finish != NULL ? o->kind->finish(o, err) : 0;
    if (rc == 0)
        rc = output_flush(o, err);
    if (rc == 0)
        rc = sink_finish(&o->sink, err);
    return rc;
}

int output_save(struct output *o, struct tdk_err *err)
{
    int rc = output_finish(o, err);
    return rc == 0 ? 0 : sink_finish(&o->sink, err);
}

/* ---- none: somebody only counts ---- */

static int none_frame(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                      struct tdk_err *err)
{
    (void)o;
    (void)run;
    (void)frame;
    (void)err;
    return 0;
}

const struct output_kind output_none = {
    .control = true, .text = true, .columns = true, .tick = none_frame, .about = none_frame};
