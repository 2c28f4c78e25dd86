/*
 * output_kind.h - what each output format does: cli/output.c drives, a kind knows its bytes.
 *
 * Internal to cli/output*.c.
 */
#ifndef TDK_CLI_OUTPUT_KIND_H
#define TDK_CLI_OUTPUT_KIND_H

#include "base/text_buffer.h"
#include "cli/output.h"
#include "cli/sink.h"
#include "formats/text.h"

/* Whose frames they are. */
struct output_run {
    const char *track;
    uint64_t epoch;
    uint16_t number;
};

struct output_kind {
    bool binary;
    bool control;           /* has a form for control frames */
    bool loss;              /* LOSS frames are in it without being asked for */
    bool text;              /* `pretty` means something, and so do the columns below */
    bool columns;           /* symbols and envelope mean something, and `decimal` without `text` */
    const char *unfit;      /* what a skipped tick is; NULL: not a whole record */
    const char *one_schema; /* "a CSV", for a refusal; NULL: any mix of schemas */
    int (*open)(struct output *output, struct tdk_err *err); /* may be NULL, like the next */
    int (*tick)(struct output *output, const struct output_run *run, const struct tdk_frame *frame,
                struct tdk_err *err);
    /* Instead of `tick`: a run at once, for who can make use of that. Control frames are in it. */
    int (*run)(struct output *output, const struct output_run *run, const struct tdk_frame *frames,
               size_t size, struct tdk_err *err);
    int (*about)(struct output *output, const struct output_run *run, const struct tdk_frame *frame,
                 struct tdk_err *err); /* a control frame */
    int (*finish)(struct output *output, struct tdk_err *err);
    void (*close)(struct output *output); /* what `open` made, or half made */
};

extern const struct output_kind output_csv, output_jsonl, output_five, output_dbn, output_frames,
    output_parquet, output_arrow, output_pcap, output_pcapng, output_none;

struct output {
    const struct output_kind *kind;
    struct output_options options;
    struct output_schema supposed;
    struct sink sink;
    struct text_buffer text; /* on its way to the sink */
    uint64_t skipped;
    uint64_t late; /* times that the format has no room for */
    void *state;   /* the kind's own */
};

/* The symbol of a tick, or NULL. `ts`: the tick's own time. */
const char *output_symbol(const struct output *output, const struct output_run *run,
                          uint32_t instrument_id, uint64_t ts);

#endif
