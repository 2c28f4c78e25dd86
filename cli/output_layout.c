#include "cli/output_layout.h"

#include "base/err.h"
#include "formats/dbn_names.h"

bool output_is_record(const struct tdk_frame *frame)
{
    return frame->type == TDK_TYPE_DBN || frame->type == TDK_TYPE_WIDE;
}

const struct dbn_layout *output_layout_of(struct output_layout *state,
                                          const struct tdk_frame *frame)
{
    if (!output_is_record(frame) || frame->size < sizeof(struct tdk_dbn_head))
        return NULL;
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)(frame + 1);
    if (head->length * 4u != frame->size)
        return NULL;
    if (frame->size != state->last_size || head->rtype != state->last_rtype ||
        frame->type != state->last_type) {
        state->last_type = frame->type;
        state->last_rtype = head->rtype;
        state->last_size = frame->size;
        state->last = tdk_dbn_check(frame->type, head, frame->size)
                          ? dbn_layout_find(frame->type, head->rtype, frame->size)
                          : NULL;
    }
    return state->last;
}

static const char *name_of(bool opaque, uint8_t rtype)
{
    const char *name = opaque ? "opaque payloads" : dbn_rtype_name(rtype);
    return name != NULL ? name : "unknown records";
}

static int refuse(const struct output *o, const struct output_layout *state, bool opaque,
                  uint8_t rtype, struct tdk_err *err)
{
    const char *one = o->kind->one_schema;
    if (rtype == state->rtype && opaque == state->opaque)
        return err_say(
            err, TDK_EFORMAT,
            "the range holds %s of more than one version of DBN, but %s has one: choose a "
            "track with --track, or -o jsonl",
            name_of(opaque, rtype), one);
    return err_say(err, TDK_EFORMAT,
                   "the %s holds more than one schema (%s, %s), but %s has one: choose %s-o jsonl",
                   o->options.live ? "ring" : "range", name_of(state->opaque, state->rtype),
                   name_of(opaque, rtype), one, o->options.live ? "" : "with -t, or ");
}

static bool has_ts_out(const struct dbn_layout *layout, const struct tdk_frame *frame)
{
    return layout != NULL && frame->size > layout->size;
}

int output_layout_match(const struct output *o, struct output_layout *state,
                        const struct tdk_frame *frame, const struct dbn_layout *layout,
                        struct tdk_err *err)
{
    bool opaque = layout == NULL;
    uint8_t rtype = opaque ? 0 : ((const struct tdk_dbn_head *)(frame + 1))->rtype;
    if (!state->settled) {
        state->settled = true;
        state->opaque = opaque;
        state->layout = layout;
        state->rtype = rtype;
        state->ts_out =
            has_ts_out(layout, frame) || (o->options.ts_out && frame->type == TDK_TYPE_DBN);
        return 0;
    }
    if (layout == state->layout && rtype == state->rtype) {
        if (state->ts_out || !has_ts_out(layout, frame))
            return 0;
        return err_say(
            err, TDK_EFORMAT,
            "%s of the %s have a send time (ts_out), those before them have none, and the columns "
            "of %s are fixed by now: choose a track with --track, or -o jsonl",
            name_of(opaque, rtype), o->options.live ? "ring" : "range", o->kind->one_schema);
    }
    return refuse(o, state, opaque, rtype, err);
}

bool output_layout_suppose(struct output_layout *state, const struct output_schema *schema)
{
    if (schema->type == 0)
        return false;
    const struct dbn_layout *layout = NULL;
    bool record = schema->type <= TDK_TYPE_WIDE;
    if (record)
        layout = dbn_layout_of_version(schema->type, schema->rtype,
                                       schema->version != 0 ? schema->version : 3);
    if (record && layout == NULL)
        return false;
    state->settled = true;
    state->opaque = !record;
    state->layout = layout;
    state->rtype = schema->rtype;
    state->ts_out = schema->ts_out;
    return true;
}

const char *output_record_symbol(const struct output *o, const struct output_run *run,
                                 const struct tdk_frame *frame)
{
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)(frame + 1);
    uint64_t ts = dbn_index_ts(head, frame->size);
    return output_symbol(o, run, head->instrument_id, ts != TDK_TS_UNDEFINED ? ts : frame->ts);
}
