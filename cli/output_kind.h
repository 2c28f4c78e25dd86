/*
 * output_kind.h - what each output format does. cli/output.c drives; a kind knows its bytes.
 *
 * Internal to cli/output*.c.
 */
#ifndef TDK_CLI_OUTPUT_KIND_H
#define TDK_CLI_OUTPUT_KIND_H

#include "base/text_buffer.h"
#include "cli/output.h"
#include "cli/sink.h"
#include "formats/text.h"

/* The track and epoch that frames belong to. */
struct output_run {
    const char *track;
    uint64_t epoch;
    uint16_t number;
};

struct output_kind {
    bool binary;
    bool control;      /* it can hold control frames */
    bool loss;         /* includes LOSS frames without being asked */
    bool text;         /* `pretty` has a meaning, and so has what `columns` says */
    bool columns;      /* symbols and envelope have a meaning; without `text`, so has `decimal` */
    const char *unfit; /* why a tick was skipped; NULL: not a whole record */
    const char *one_schema; /* "a CSV", for the error message; NULL: schemas may be mixed */
    int (*open)(struct output *output, struct tdk_err *err); /* may be NULL; so may those below */
    int (*tick)(struct output *output, const struct output_run *run, const struct tdk_frame *frame,
                struct tdk_err *err);
    /* Instead of `tick`: takes a whole run at once, for kinds that gain from it. The run includes
     * control frames. */
    int (*run)(struct output *output, const struct output_run *run, const struct tdk_frame *frames,
               size_t size, struct tdk_err *err);
    int (*about)(struct output *output, const struct output_run *run, const struct tdk_frame *frame,
                 struct tdk_err *err); /* for a control frame */
    int (*finish)(struct output *output, struct tdk_err *err);
    void (*close)(struct output *output); /* frees what `open` made, also if it failed */
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
    uint64_t late; /* times that the format cannot hold */
    void *state;   /* the kind's own */
};

/* The symbol of a tick, or NULL. `ts` is the tick's own time. */
const char *output_symbol(const struct output *output, const struct output_run *run,
                          uint32_t instrument_id, uint64_t ts);

#endif
