/* output_text.c - csv and jsonl: which layout a tick has, and who its instrument is. */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "cli/control_text.h"
#include "cli/output_kind.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_names.h"

/* Ticks of one kind come in long runs: the layout of the last one is at hand. */
struct text_state {
    struct text_options style;
    uint8_t type, rtype;
    uint32_t size;                   /* of the payload; 0: nothing at hand */
    const struct dbn_layout *layout; /* NULL: no record */
    /* csv: what the header line was made for. */
    bool headed, opaque;
    const struct dbn_layout *head;
    uint8_t head_rtype;
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

static bool is_record(const struct tdk_frame *frame)
{
    return frame->type == TDK_TYPE_DBN || frame->type == TDK_TYPE_WIDE;
}

/* NULL: opaque, or a payload that is not the record its type says. */
static const struct dbn_layout *layout_of(struct text_state *state, const struct tdk_frame *frame)
{
    if (!is_record(frame) || frame->size < sizeof(struct tdk_dbn_head))
        return NULL;
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)(frame + 1);
    if (head->length * 4u != frame->size)
        return NULL;
    if (frame->size != state->size || head->rtype != state->rtype || frame->type != state->type) {
        state->type = frame->type;
        state->rtype = head->rtype;
        state->size = frame->size;
        state->layout = tdk_dbn_check(frame->type, head, frame->size)
                            ? dbn_layout_find(frame->type, head->rtype, frame->size)
                            : NULL;
    }
    return state->layout;
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
    if (state->style.map_symbols && layout != NULL) {
        /* Mappings are by the record's own day, whatever the frame was stamped with. */
        const struct tdk_dbn_head *head = tick.payload;
        uint64_t ts = dbn_index_ts(head, frame->size);
        tick.symbol =
            output_symbol(o, run, head->instrument_id, ts != TDK_TS_UNDEFINED ? ts : frame->ts);
    }
    return tick;
}

/* ---- csv ---- */

static const char *name_of(bool opaque, uint8_t rtype)
{
    const char *name = opaque ? "opaque payloads" : dbn_rtype_name(rtype);
    return name != NULL ? name : "unknown records";
}

static void csv_head(struct output *o, struct text_state *state, const struct dbn_layout *layout,
                     uint8_t rtype)
{
    state->headed = true;
    state->opaque = layout == NULL;
    state->head = layout;
    state->head_rtype = rtype;
    if (layout != NULL)
        text_csv_header(&o->text, layout, &state->style);
    else
        text_csv_opaque_header(&o->text, &state->style);
}

/* The header line, or the refusal of a second kind of line under it. */
static int csv_match(struct output *o, struct text_state *state, const struct tdk_frame *frame,
                     const struct dbn_layout *layout, struct tdk_err *err)
{
    bool opaque = layout == NULL;
    uint8_t rtype = opaque ? 0 : ((const struct tdk_dbn_head *)(frame + 1))->rtype;
    if (!state->headed) {
        state->style.ts_out = !opaque && frame->size > layout->size;
        csv_head(o, state, layout, rtype);
        return 0;
    }
    if (layout == state->head && rtype == state->head_rtype)
        return 0;
    if (rtype == state->head_rtype && opaque == state->opaque)
        return err_say(
            err, TDK_EFORMAT,
            "the range holds %s of more than one version of DBN, a CSV has one: choose a "
            "track with --track, or -o jsonl",
            name_of(opaque, rtype));
    return err_say(err, TDK_EFORMAT,
                   "the %s holds more than one schema (%s, %s), a CSV has one: choose %s-o jsonl",
                   o->options.live ? "ring" : "range", name_of(state->opaque, state->head_rtype),
                   name_of(opaque, rtype), o->options.live ? "" : "with -t, or ");
}

static int csv_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                    struct tdk_err *err)
{
    struct text_state *state = o->state;
    const struct dbn_layout *layout = layout_of(state, frame);
    if (layout == NULL && is_record(frame)) {
        o->skipped++;
        return 0;
    }
    int rc = csv_match(o, state, frame, layout, err);
    if (rc < 0)
        return rc;
    struct text_tick tick = text_tick_of(o, state, run, frame, layout);
    if (layout != NULL)
        text_csv_record(&o->text, layout, &tick, &state->style);
    else
        text_csv_opaque(&o->text, &tick, &state->style);
    return 0;
}

/* A range without ticks still says what would have been in it. */
static int csv_finish(struct output *o, struct tdk_err *err)
{
    (void)err;
    struct text_state *state = o->state;
    const struct output_schema *schema = &o->options.schema;
    if (state->headed || schema->type == 0)
        return 0;
    const struct dbn_layout *layout = NULL;
    if (schema->type <= TDK_TYPE_WIDE)
        layout = dbn_layout_of_version(schema->type, schema->rtype,
                                       schema->version != 0 ? schema->version : 3);
    if (layout == NULL && schema->type <= TDK_TYPE_WIDE)
        return 0;
    state->style.ts_out = schema->ts_out;
    csv_head(o, state, layout, schema->rtype);
    return 0;
}

/* ---- jsonl ---- */

static int jsonl_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                      struct tdk_err *err)
{
    (void)err;
    struct text_state *state = o->state;
    const struct dbn_layout *layout = layout_of(state, frame);
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
    .open = text_open,
    .tick = csv_tick,
    .finish = csv_finish,
    .close = text_kind_close,
};

const struct output_kind output_jsonl = {
    .text = true,
    .control = true,
    .open = text_open,
    .tick = jsonl_tick,
    .about = jsonl_control,
    .close = text_kind_close,
};
