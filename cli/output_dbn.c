/* output_dbn.c - DBN records as they came in, behind metadata of our own. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "cli/output_kind.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_names.h"
#include "formats/dbn_write.h"

struct dbn_state {
    struct dbn_writer *writer;
    struct tdk_err sink_err; /* of the write that failed, if one did */
    struct sink *sink;
    uint8_t version;
    bool ts_out;
    /* The last record that was found to fit the file's version. */
    uint8_t rtype;
    uint32_t size;
};

static int write_bytes(void *context, const void *bytes, size_t size)
{
    struct dbn_state *state = context;
    return sink_write(state->sink, bytes, size, &state->sink_err);
}

static void dbn_close(struct output *o)
{
    struct dbn_state *state = o->state;
    if (state == NULL)
        return;
    dbn_writer_close(state->writer);
    free(state);
}

static int dbn_open(struct output *o, struct tdk_err *err)
{
    const struct dbn_metadata *metadata = o->options.metadata;
    struct dbn_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return err_set(err, -ENOMEM, "open the output");
    o->state = state;
    state->sink = &o->sink;
    state->version = metadata->version;
    state->ts_out = metadata->ts_out;
    return dbn_writer_open(&state->writer, metadata, o->options.format == OUTPUT_DBN_ZST,
                           write_bytes, state, err);
}

/* What the sink said is closer to the matter than what the writer makes of it. */
static int tell(const struct dbn_state *state, int rc, struct tdk_err *err)
{
    if (rc < 0 && err != NULL && state->sink_err.code == rc)
        *err = state->sink_err;
    return rc;
}

/* Records that changed between versions of DBN are told apart by the file's version: a file holds
 * those of one. */
static int check_record(struct dbn_state *state, const struct tdk_dbn_head *head, uint32_t size,
                        struct tdk_err *err)
{
    if (size == state->size && head->rtype == state->rtype)
        return 0;
    const struct dbn_layout *layout = dbn_layout_find(TDK_TYPE_DBN, head->rtype, size);
    if (layout != NULL) {
        if (state->version < layout->first_version || state->version > layout->last_version)
            return err_say(err, TDK_EFORMAT,
                           "the range holds %s records of DBN version %u and others of version %u, "
                           "a file has one version: choose a track with --track",
                           dbn_rtype_name(head->rtype), layout->first_version, state->version);
        if ((size > layout->size) != state->ts_out)
            return err_say(
                err, TDK_EFORMAT,
                "the range holds records with a send time (ts_out) and others without, a "
                "DBN file has one kind: choose a track with --track");
    }
    state->rtype = head->rtype;
    state->size = size;
    return 0;
}

static int dbn_tick(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                    struct tdk_err *err)
{
    struct dbn_state *state = o->state;
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)(frame + 1);
    if (frame->type != TDK_TYPE_DBN)
        return err_say(
            err, TDK_EFORMAT,
            "track %s holds %s, which are not DBN: choose what is with --track or -t, or "
            "-o frames or -o jsonl",
            run->track, frame->type == TDK_TYPE_WIDE ? "wide ticks" : "opaque payloads");
    if (frame->size < sizeof *head || head->length * 4u != frame->size) {
        o->skipped++;
        return 0;
    }
    int rc = check_record(state, head, frame->size, err);
    if (rc == 0)
        rc = tell(state, dbn_writer_add(state->writer, head, frame->size, err), err);
    return rc;
}

static int dbn_finish(struct output *o, struct tdk_err *err)
{
    struct dbn_state *state = o->state;
    return tell(state, dbn_writer_finish(state->writer, err), err);
}

const struct output_kind output_dbn = {
    .binary = true,
    .open = dbn_open,
    .tick = dbn_tick,
    .finish = dbn_finish,
    .close = dbn_close,
};
