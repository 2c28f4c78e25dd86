/*
 * output_dbn.c - DBN records as they came in, after metadata of our own.
 *
 * Whoever reads a ring (`live` below) learns what the file's head should say when the first record
 * comes, and the head of a pipe cannot be changed later. So later records have to agree with it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "cli/output_kind.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_names.h"
#include "formats/dbn_write.h"
#include "tapedeck/dbn.h"

#define TRACKS_MAX 65536u

/* By track number: the epoch whose records were last found to agree with the head. */
struct agreed {
    uint64_t epoch;
    bool known;
};

struct dbn_state {
    struct dbn_writer *writer;
    struct tdk_err sink_err; /* of the write that failed, if one did */
    struct sink *sink;
    uint8_t version;
    bool ts_out;
    /* The last record that was found to have the file's version. */
    uint8_t rtype;
    uint32_t size;
    /* If the head was made from the first record: */
    uint16_t schema;
    struct agreed *agreed; /* TRACKS_MAX of them; owned */
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
    free(state->agreed);
    free(state);
}

static int write_head(struct output *o, const struct dbn_metadata *metadata, struct tdk_err *err)
{
    struct dbn_state *state = o->state;
    state->version = metadata->version;
    state->ts_out = metadata->ts_out;
    state->schema = metadata->schema;
    return dbn_writer_open(&state->writer, metadata, o->options.format == OUTPUT_DBN_ZST,
                           write_bytes, state, err);
}

static int dbn_open(struct output *o, struct tdk_err *err)
{
    struct dbn_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return err_set(err, -ENOMEM, "open the output");
    o->state = state;
    state->sink = &o->sink;
    if (o->options.metadata != NULL)
        return write_head(o, o->options.metadata, err);
    state->agreed = calloc(TRACKS_MAX, sizeof *state->agreed);
    return state->agreed != NULL ? 0 : err_set(err, -ENOMEM, "open the output");
}

/* ---- live: no head before the first record ---- */

/* What a live client would write for a track that was not made from a file. */
static struct dbn_metadata bare_head(uint64_t start)
{
    return (struct dbn_metadata){.version = DBN_VERSION_MAX,
                                 .stype_in = DBN_STYPE_RAW_SYMBOL,
                                 .stype_out = DBN_STYPE_INSTRUMENT_ID,
                                 .schema = DBN_SCHEMA_MIXED,
                                 .start = start,
                                 .end = UINT64_MAX};
}

/* Get the head of the file that a track was made from, else a bare one. The caller frees it. */
static int told_head(const struct output *o, const struct output_run *run, uint64_t start,
                     struct dbn_metadata *head, struct tdk_err *err)
{
    const struct output_facts *facts = &o->options.facts;
    void *bytes = NULL;
    size_t size;
    int rc = facts->property == NULL ? -ENOENT
                                     : facts->property(facts->context, run->track, run->epoch,
                                                       "dbn.metadata", &bytes, &size);
    if (rc == -ENOENT) {
        *head = bare_head(start);
        return 0;
    }
    if (rc < 0)
        return err_set(err, rc, "ask for the DBN head of track %s", run->track);
    rc = dbn_metadata_decode(head, bytes, size, err);
    free(bytes);
    return rc < 0 ? err_wrap(err, rc, "the DBN head of track %s", run->track) : 0;
}

/* The version of the record's layout. If that is the same in all versions: 3, unless other records
 * may follow. */
static uint8_t version_of(const struct dbn_metadata *head, const struct dbn_layout *layout)
{
    if (layout != NULL && (layout->first_version > 1 || layout->last_version < DBN_VERSION_MAX))
        return layout->last_version;
    return head->schema == DBN_SCHEMA_MIXED ? head->version : DBN_VERSION_MAX;
}

static void agree(struct dbn_state *state, const struct output_run *run)
{
    state->agreed[run->number] = (struct agreed){.epoch = run->epoch, .known = true};
}

static int write_live_head(struct output *o, const struct output_run *run,
                           const struct tdk_frame *frame, struct tdk_err *err)
{
    const struct tdk_dbn_head *record = (const struct tdk_dbn_head *)(frame + 1);
    const struct dbn_layout *layout = dbn_layout_find(TDK_TYPE_DBN, record->rtype, frame->size);
    struct dbn_state *state = o->state;
    struct dbn_metadata head = {.version = 0};
    uint64_t start = dbn_index_ts(record, frame->size); /* the frame's may have been shifted */
    int rc = told_head(o, run, start != TDK_TS_UNDEFINED ? start : 0, &head, err);
    if (rc < 0)
        return rc;
    head.version = version_of(&head, layout);
    head.symbol_size = 0;
    head.ts_out = layout != NULL && frame->size > layout->size;
    rc = write_head(o, &head, err);
    dbn_metadata_close(&head);
    agree(state, run);
    return rc;
}

/* Another track, or another file of the same track: does the head apply to it, too? */
static int check_run(struct output *o, const struct output_run *run, struct tdk_err *err)
{
    struct dbn_state *state = o->state;
    struct dbn_metadata head = {.version = 0};
    int rc = told_head(o, run, 0, &head, err);
    if (rc < 0)
        return rc;
    uint16_t schema = head.schema;
    dbn_metadata_close(&head);
    if (state->schema != DBN_SCHEMA_MIXED && schema != state->schema)
        return err_say(err, TDK_EFORMAT,
                       "track %s holds another schema than the file's header already says: choose "
                       "-o jsonl or -o frames",
                       run->track);
    agree(state, run);
    return 0;
}

static int go_live(struct output *o, const struct output_run *run, const struct tdk_frame *frame,
                   struct tdk_err *err)
{
    const struct dbn_state *state = o->state;
    if (state->writer == NULL)
        return write_live_head(o, run, frame, err);
    const struct agreed *agreed = &state->agreed[run->number];
    return agreed->known && agreed->epoch == run->epoch ? 0 : check_run(o, run, err);
}

/* ---- records ---- */

/* The sink's error is more precise than what the writer makes of it. */
static int tell(const struct dbn_state *state, int rc, struct tdk_err *err)
{
    if (rc < 0 && err != NULL && state->sink_err.code == rc)
        *err = state->sink_err;
    return rc;
}

/* Records that changed between versions of DBN can only be told apart by the file's version. So a
 * file holds those of one version. */
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
                           "but a file has one version: choose a track with --track",
                           dbn_rtype_name(head->rtype), layout->first_version, state->version);
        if ((size > layout->size) != state->ts_out)
            return err_say(err, TDK_EFORMAT,
                           "the range holds records with a send time (ts_out) and others without, "
                           "but a DBN file has one kind: choose a track with --track");
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
        return err_say(err, TDK_EFORMAT,
                       "track %s holds %s, which are not DBN: choose %s-o frames or "
                       "-o jsonl",
                       run->track, frame->type == TDK_TYPE_WIDE ? "wide ticks" : "opaque payloads",
                       o->options.live ? "" : "DBN records with --track or -t, or ");
    if (frame->size < sizeof *head || head->length * 4u != frame->size) {
        o->skipped++;
        return 0;
    }
    int rc = o->options.metadata == NULL ? go_live(o, run, frame, err) : 0;
    if (rc == 0)
        rc = check_record(state, head, frame->size, err);
    if (rc == 0)
        rc = tell(state, dbn_writer_add(state->writer, head, frame->size, err), err);
    return rc;
}

static int dbn_finish(struct output *o, struct tdk_err *err)
{
    struct dbn_state *state = o->state;
    const struct dbn_metadata bare = bare_head(0);
    int rc = state->writer == NULL ? write_head(o, &bare, err) : 0;
    if (rc == 0)
        rc = dbn_writer_finish(state->writer, err);
    return tell(state, rc, err);
}

const struct output_kind output_dbn = {
    .binary = true,
    .open = dbn_open,
    .tick = dbn_tick,
    .finish = dbn_finish,
    .close = dbn_close,
};
