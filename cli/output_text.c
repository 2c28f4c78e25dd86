/* output_text.c - csv and jsonl: one line for each tick. */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "cli/control_text.h"
#include "cli/output_layout.h"

struct text_state {
    struct text_options style;
    struct output_layout layout;
};

static int text_open(struct output *o, struct tdk_err *err)
{
    struct text_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return err_set(err, -ENOMEM, "open the output");
    state->style = (struct text_options){.pretty = o->options.pretty,
                                         .map_symbols = o->options.map_symbols,
                                         .envelope = o->options.envelope};
    o->state = state;
    return 0;
}

static void text_kind_close(struct output *o)
{
    free(o->state);
}

static struct text_tick text_tick_of(const struct output *o, const struct text_state *state,
                                     const struct output_run *run, const struct tdk_frame *frame,
                                     const struct dbn_layout *layout)
{
    struct text_tick tick = {.track = run->track,
                             .epoch = run->epoch,
                             .seq = frame->seq,
                             .ts = frame->ts,
                             .payload = frame + 1,
                             .size = frame->size,
                             .type = frame->type};
    if (state->style.map_symbols && layout != NULL)
        tick.symbol = output_record_symbol(o, run, frame);
    return tick;
}

/* ---- csv ---- */

static void csv_head(struct output *o, struct text_state *state)
{
    state->style.ts_out = state->layout.ts_out;
    if (state->layout.layout != NULL)
        text_csv_header(&o->text, state->layout.layout, &state->style);
    else
        text_csv_opaque_header(&o->text, &state->style);
}

static int csv_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                    struct tdk_err *err)
{
    struct text_state *state = o->state;
    const struct dbn_layout *layout = output_layout_of(&state->layout, frame);
    if (layout == NULL && output_is_record(frame)) {
        o->skipped++;
        return 0;
    }
    bool first = !state->layout.settled;
    int rc = output_layout_match(o, &state->layout, frame, layout, err);
    if (rc < 0)
        return rc;
    if (first)
        csv_head(o, state);
    struct text_tick tick = text_tick_of(o, state, run, frame, layout);
    if (layout != NULL)
        text_csv_record(&o->text, layout, &tick, &state->style);
    else
        text_csv_opaque(&o->text, &tick, &state->style);
    return 0;
}

/* A range without ticks still has the columns that ticks would have had. */
static int csv_finish(struct output *o, struct tdk_err *err)
{
    (void)err;
    struct text_state *state = o->state;
    if (!state->layout.settled && output_layout_suppose(&state->layout, &o->supposed))
        csv_head(o, state);
    return 0;
}

/* ---- jsonl ---- */

static int jsonl_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                      struct tdk_err *err)
{
    (void)err;
    struct text_state *state = o->state;
    const struct dbn_layout *layout = output_layout_of(&state->layout, frame);
    struct text_tick tick = text_tick_of(o, state, run, frame, layout);
    if (layout != NULL)
        text_json_record(&o->text, layout, &tick, &state->style);
    else
        text_json_opaque(&o->text, &tick, &state->style);
    return 0;
}

static int jsonl_control(struct output *o, const struct output_run *run,
                         const struct tdk_frame *frame, struct tdk_err *err)
{
    (void)err;
    control_text_json(&o->text, run->track, run->epoch, frame);
    return 0;
}

const struct output_kind output_csv = {
    .text = true,
    .columns = true,
    .one_schema = "a CSV",
    .open = text_open,
    .tick = csv_tick,
    .finish = csv_finish,
    .close = text_kind_close,
};

const struct output_kind output_jsonl = {
    .text = true,
    .columns = true,
    .control = true,
    .open = text_open,
    .tick = jsonl_tick,
    .about = jsonl_control,
    .close = text_kind_close,
};
