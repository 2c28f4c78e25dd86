/* output_columns.c - formats written column by column: ticks are collected in a sheet. */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "cli/output_layout.h"
#include "formats/arrow.h"
#include "formats/parquet.h"
#include "formats/sheet.h"

#define BATCH                                                                                      \
    512 /* ticks whose fields are copied column by column: their bytes stay in the cache */

/* Turns sheets into bytes. */
union writer {
    struct parquet *parquet;
    struct arrow *arrow;
};

struct columns_state {
    struct output_layout layout;
    struct sheet *sheet;    /* NULL: no tick yet */
    union writer writer;    /* that of the format; NULL likewise */
    const struct output *o; /* for symbol_of() */
    struct output_run run;  /* of the batch */
    const struct tdk_frame *batch[BATCH];
    size_t count;
};

/* ---- the writer ---- */

static int write_bytes(void *context, const void *bytes, size_t size, struct tdk_err *err)
{
    return sink_write(context, bytes, size, err);
}

static int writer_open(struct output *o, struct columns_state *state, struct tdk_err *err)
{
    if (o->options.format == OUTPUT_ARROW)
        return arrow_open(&state->writer.arrow, state->sheet, write_bytes, &o->sink, err);
    return parquet_open(&state->writer.parquet, state->sheet, write_bytes, &o->sink, err);
}

static int writer_put(const struct output *o, struct columns_state *state, struct tdk_err *err)
{
    if (o->options.format == OUTPUT_ARROW)
        return arrow_put(state->writer.arrow, state->sheet, err);
    return parquet_put(state->writer.parquet, state->sheet, err);
}

static int writer_finish(const struct output *o, struct columns_state *state, struct tdk_err *err)
{
    if (o->options.format == OUTPUT_ARROW)
        return arrow_finish(state->writer.arrow, err);
    return parquet_finish(state->writer.parquet, err);
}

static void writer_close(const struct output *o, struct columns_state *state)
{
    if (o->options.format == OUTPUT_ARROW)
        arrow_close(state->writer.arrow);
    else
        parquet_close(state->writer.parquet);
}

/* ---- the sheet ---- */

static int columns_open(struct output *o, struct tdk_err *err)
{
    struct columns_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return err_set(err, -ENOMEM, "open the output");
    state->o = o;
    o->state = state;
    return 0;
}

static void columns_close(struct output *o)
{
    struct columns_state *state = o->state;
    if (state == NULL)
        return;
    writer_close(o, state);
    sheet_close(state->sheet);
    free(state);
}

/* The columns are known now: begin the file. */
static int begin(struct output *o, struct columns_state *state, struct tdk_err *err)
{
    struct sheet_options options = {.envelope = o->options.envelope,
                                    .map_symbols = o->options.map_symbols,
                                    .decimal = o->options.decimal,
                                    .ts_out = state->layout.ts_out};
    int rc = state->layout.settled ? sheet_open(&state->sheet, state->layout.layout, &options, err)
                                   : sheet_open_bare(&state->sheet, err);
    if (rc == 0)
        rc = writer_open(o, state, err);
    return rc;
}

static int write_sheet(struct output *o, struct columns_state *state, struct tdk_err *err)
{
    int rc = sheet_seal(state->sheet, err);
    if (rc == 0)
        rc = writer_put(o, state, err);
    o->late = state->sheet->late;
    sheet_clear(state->sheet);
    return rc;
}

static const char *symbol_of(void *context, const struct tdk_frame *frame)
{
    const struct columns_state *state = context;
    return output_record_symbol(state->o, &state->run, frame);
}

/* Put the batch into the sheet, and write the sheet whenever it is full. */
static int put_batch(struct output *o, struct columns_state *state, struct tdk_err *err)
{
    struct sheet_part part = {.frames = state->batch,
                              .count = state->count,
                              .track = state->run.track,
                              .epoch = state->run.epoch,
                              .symbol = symbol_of,
                              .context = state};
    state->count = 0;
    while (part.count > 0) {
        size_t taken = sheet_put(state->sheet, &part);
        part.frames += taken;
        part.count -= taken;
        int rc = sheet_is_full(state->sheet) ? write_sheet(o, state, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put_tick(struct output *o, struct columns_state *state, const struct tdk_frame *frame,
                    struct tdk_err *err)
{
    const struct dbn_layout *layout = output_layout_of(&state->layout, frame);
    if (layout == NULL && output_is_record(frame)) {
        o->skipped++;
        return 0;
    }
    int rc = output_layout_match(o, &state->layout, frame, layout, err);
    if (rc == 0 && state->sheet == NULL)
        rc = begin(o, state, err);
    if (rc < 0)
        return rc;
    state->batch[state->count++] = frame;
    return state->count == BATCH ? put_batch(o, state, err) : 0;
}

static int columns_run(struct output *o, const struct output_run *run,
                       const struct tdk_frame *frames, size_t size, struct tdk_err *err)
{
    struct columns_state *state = o->state;
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)frames + size);
    state->run = *run;
    for (const struct tdk_frame *at = frames; at < end; at = tdk_frame_after(at)) {
        int rc = tdk_frame_is_tick(at) ? put_tick(o, state, at, err) : 0;
        if (rc < 0)
            return rc;
    }
    return put_batch(o, state, err); /* frames are not borrowed any longer */
}

/* A range without ticks still has the columns that ticks would have had. */
static int columns_finish(struct output *o, struct tdk_err *err)
{
    struct columns_state *state = o->state;
    int rc = 0;
    if (state->sheet == NULL) {
        (void)output_layout_suppose(&state->layout, &o->supposed);
        rc = begin(o, state, err);
    }
    if (rc == 0)
        rc = write_sheet(o, state, err);
    if (rc == 0)
        rc = writer_finish(o, state, err);
    return rc;
}

const struct output_kind output_parquet = {
    .binary = true,
    .columns = true,
    .one_schema = "a Parquet file",
    .open = columns_open,
    .run = columns_run,
    .finish = columns_finish,
    .close = columns_close,
};

const struct output_kind output_arrow = {
    .binary = true,
    .columns = true,
    .one_schema = "an Arrow stream",
    .open = columns_open,
    .run = columns_run,
    .finish = columns_finish,
    .close = columns_close,
};
