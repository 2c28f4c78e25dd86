#include "tape/seal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/scratch.h"
#include "tape/files.h"
#include "tape/pack.h"
#include "tape/retired.h"
#include "tape/segment.h"

enum {
    FRAMES_MAX = 4 << 20, /* bytes of frames in a packed block: what a reader needs per track */
    WRITE_SIZE = 1 << 20, /* bytes of one write */
    UNIFORM_MIN = 4096,   /* ticks of one span that justify a block of their own */
    DIRECTORY_MAX = DIRECTORY_ROOM + 3 * BLOCK_TICKS_MAX + 8 * BLOCK_ENTRIES_MAX,
    SUMS_MAX = (FRAMES_MAX / BLOCK_CHUNK + 1) * 8,
    BLOCK_ROOM = (1 << 20) + FRAMES_MAX + DIRECTORY_MAX + SUMS_MAX,
};

/* What is needed to pack one segment. */
struct worker {
    const struct seal_options *options;
    struct sealing *sealing; /* borrowed, as is the next */
    struct segment *segment;
    struct segment_foot foot;
    struct segment_writer *writer;
    struct packer *packer;
    struct block_scratch *scratch;
    struct pack *pack;
    struct scratch source;   /* a block as it was read; ours, like all of these */
    struct scratch unpacked; /* the same, unpacked */
    unsigned char *built;    /* the block that is being put together */
    struct scratch output;   /* packed blocks that are not written yet */
    size_t used;
    size_t last; /* offset of the last of them */

    struct block block;
    struct track_state state;
    /* Head of the last source block, which gives what the next block's place must say. */
    struct block_head told;
    bool filling;
    uint32_t losses;  /* LOSS frames in that block */
    bool behind_loss; /* the next tick is the one behind the last of them */
    uint32_t number;  /* of the next block */
    uint64_t written_ns, done;
    XXH3_state_t *digest;
    XXH128_hash_t *digests; /* of each track's frames, in order of the tracks' first blocks */
    uint16_t *tracks;
    size_t track_count;
    struct tdk_err *err;
};

static int no_memory(const struct worker *w)
{
    return err_set(w->err, -ENOMEM, "pack segment %llu", (unsigned long long)w->sealing->number);
}

static void worker_close(struct worker *w)
{
    segment_close(w->segment);
    segment_writer_close(w->writer);
    packer_close(w->packer);
    pack_close(w->pack);
    XXH3_freeState(w->digest);
    free(w->scratch);
    scratch_close(&w->source);
    scratch_close(&w->unpacked);
    scratch_close(&w->output);
    free(w->built);
    free(w->digests);
    free(w->tracks);
}

static int worker_open(struct worker *w)
{
    w->packer =
        packer_open(w->options->level != 0 ? w->options->level : SEAL_LEVEL, PACK_ALL_FORMS);
    w->pack = pack_open(PACK_WHOLE_BLOCKS);
    w->scratch = malloc(sizeof *w->scratch);
    w->digest = XXH3_createState();
    w->built = aligned_alloc(TAPE_ALIGN, align_up(BLOCK_SPAN_MAX, TAPE_ALIGN));
    if (w->packer == NULL || w->pack == NULL || w->scratch == NULL || w->digest == NULL ||
        w->built == NULL)
        return no_memory(w);
    block_scratch_init(w->scratch);
    return 0;
}

/* ---- blocks to the file ---- */

/* The place of the block that was packed last. The last block of a write is extended to the end of
 * the write later. */
static struct block_place place_of(const struct worker *w, size_t span)
{
    struct block_place place = {
        .segment = w->sealing->number,
        .block = w->number - 1,
        .span = (uint32_t)span,
        .synced_upto = SEGMENT_FIRST_OFFSET,
        .previous_end = w->told.previous_end,
        .written_ns = w->written_ns,
        .flags = w->told.flags & BLOCK_REWRITTEN,
    };
    memcpy(place.tape_id, w->sealing->folder->tape_id, sizeof place.tape_id);
    return place;
}

static int write_out(struct worker *w)
{
    if (w->used == 0)
        return 0;
    size_t size = align_up(w->used, TAPE_ALIGN);
    struct block_head *last = (void *)(w->output.bytes + w->last);
    memset(w->output.bytes + w->used, 0, size - w->used);
    last->span = (uint32_t)(size - w->last);
    last->head_crc = 0;
    last->head_crc = crc32c(0, last, sizeof *last);
    uint64_t offset = w->writer->end;
    int rc = files_write(w->writer->fd, w->output.bytes, size, offset);
    if (rc < 0)
        return err_set(w->err, rc, "write segment %llu", (unsigned long long)w->sealing->number);
    for (size_t at = 0; at < size && rc == 0;) {
        const struct block_head *head = (const void *)(w->output.bytes + at);
        rc = segment_note(w->writer, head, offset + at, w->err);
        at += head->span;
    }
    w->writer->end = offset + size;
    w->used = 0;
    return rc;
}

/* Pack the block that was put together, and add it to those that wait to be written. */
static int end_block(struct worker *w)
{
    if (!w->filling)
        return 0;
    w->filling = false;
    size_t raw_size = block_seal(&w->block);
    struct block_view view = block_view_of(w->built);
    segment_note_states(w->writer, &view);
    if (w->used > 0 && w->used + raw_size > w->output.room) {
        int rc = write_out(w);
        if (rc < 0)
            return rc;
    }
    if (w->used == 0 && !scratch_need_aligned(&w->output, TAPE_ALIGN, raw_size + WRITE_SIZE))
        return no_memory(w);
    size_t size = packer_pack(w->packer, &view, raw_size, w->output.bytes + w->used);
    w->number++;
    w->last = w->used;
    struct block_place place = place_of(w, size);
    block_finish(w->output.bytes + w->last, &place);
    w->used += size;
    return w->used >= WRITE_SIZE ? write_out(w) : 0;
}

/* ---- frames into blocks ---- */

static int begin_block(struct worker *w, uint64_t first_seq, size_t span)
{
    size_t room = BLOCK_ROOM;
    int rc = end_block(w);
    if (rc < 0)
        return rc;
    if (span > FRAMES_MAX)
        room = BLOCK_SPAN_MAX;
    w->state.next_seq = first_seq;
    block_begin(&w->block, w->built, room, w->scratch, &w->state, 0);
    w->filling = true;
    w->losses = 0;
    w->behind_loss = false;
    return 0;
}

/*
 * Where one block ends and the next begins. Ticks that all have one span pack best, and can be read
 * in parts. So names, losses and other sizes are kept out of their blocks, unless there are too
 * many of those. A loss stays with the tick after it: together they cover its time.
 */
static bool begins_another(const struct worker *w, const struct tdk_frame *frame, size_t span)
{
    const struct block *block = &w->block;
    const struct block_head *head = &block->head;
    if (w->behind_loss)
        return false;
    if (block->used + span > FRAMES_MAX && !block_is_empty(block))
        return true;
    if (tdk_type_is_control(frame->type))
        return head->count >= UNIFORM_MIN && block->uniform != 0;
    if (head->controls > 0)
        return head->count == w->losses; /* only ticks that came with their losses */
    return block->uniform != span && block->uniform != 0 && head->count >= UNIFORM_MIN;
}

/* The seq with which a block must begin if this is its first frame. */
static uint64_t seq_before(const struct tdk_frame *frame)
{
    struct tdk_loss loss;
    if (frame->type != TDK_TYPE_LOSS)
        return frame->seq;
    memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
    return loss.first_seq;
}

static bool keep(struct worker *w, const struct tdk_frame *frame)
{
    if (!block_keep(&w->block, frame))
        return false;
    if (frame->type == TDK_TYPE_LOSS)
        w->losses++;
    w->behind_loss = frame->type == TDK_TYPE_LOSS || (w->behind_loss && !tdk_frame_is_tick(frame));
    return true;
}

static int keep_frame(struct worker *w, const struct tdk_frame *frame)
{
    size_t span = tdk_frame_span(frame->size);
    int rc = 0;
    if (!w->filling || begins_another(w, frame, span))
        rc = begin_block(w, seq_before(frame), span);
    if (rc < 0 || keep(w, frame))
        return rc;
    rc = begin_block(w, seq_before(frame), span);
    if (rc < 0 || keep(w, frame))
        return rc;
    return err_say(w->err, TDK_EINTERNAL, "a frame of %zu bytes fits no block", span);
}

/* ---- blocks as they are ---- */

static int read_block(struct worker *w, const struct segment *segment, const struct block_ref *ref,
                      struct block_view *view)
{
    if (!scratch_need(&w->source, ref->span))
        return no_memory(w);
    int rc = segment_read(segment, ref, w->source.bytes, view, w->err);
    if (rc < 0 || view->frames != NULL)
        return rc;
    size_t size = (size_t)view->head->frames_size + view->head->directory_size;
    if (!scratch_need(&w->unpacked, size))
        return no_memory(w);
    return block_unpack(w->source.bytes, w->pack, w->unpacked.bytes, w->unpacked.room, view,
                        w->err);
}

/*
 * The running maximum before an epoch's first block in this segment, or a higher value that does no
 * harm. It must not be below, or blocks would change places in the index. And no tick may lie
 * further below it than the block says, or a search for that tick would stop before it.
 */
static uint64_t maximum_before(const struct block_view *view)
{
    const struct block_head *head = view->head;
    const struct tdk_frame *frame = (const void *)view->frames;
    const void *end = view->frames + head->frames_size;
    uint64_t most = UINT64_MAX;
    if (head->count == head->odd || head->max_ts < head->running_max)
        return head->running_max; /* nothing in the block raises it */
    for (; frame != end; frame = tdk_frame_after(frame)) {
        if (!tdk_frame_is_tick(frame) || (frame->flags & TDK_FLAG_TS_UNTRUSTED) != 0)
            continue;
        /* A tick that steps back does so from something at or below the first that does not. */
        const bool steps = (frame->flags & TDK_FLAG_CLOCK_BACK) != 0;
        const uint64_t here = steps ? frame->ts + head->step_back : frame->ts;
        most = here < most ? here : most;
        if (!steps)
            return most;
    }
    return head->running_max;
}

/* Does the block go on where the one before it ended? */
static bool goes_on(const struct worker *w, const struct block_head *head)
{
    return w->told.track == head->track && w->told.epoch == head->epoch &&
           w->told.last_seq + 1 == head->first_seq &&
           (w->told.flags & BLOCK_REWRITTEN) == (head->flags & BLOCK_REWRITTEN);
}

static int keep_block(struct worker *w, const struct block_view *view)
{
    const struct block_head *head = view->head;
    int rc = 0;
    if (!goes_on(w, head)) {
        rc = end_block(w);
        bool same = w->told.track == head->track && w->told.epoch == head->epoch;
        w->state =
            (struct track_state){.track = head->track,
                                 .epoch = head->epoch,
                                 .next_seq = head->first_seq,
                                 .running_max = same ? w->told.running_max : maximum_before(view)};
    }
    w->told = *head;
    if (head->written_ns > w->written_ns)
        w->written_ns = head->written_ns;
    const struct tdk_frame *frame = (const void *)view->frames;
    const void *end = view->frames + head->frames_size;
    for (; frame != end && rc == 0; frame = tdk_frame_after(frame))
        rc = keep_frame(w, frame);
    XXH3_128bits_update(w->digest, view->frames, head->frames_size);
    return rc;
}

static int go_on(struct worker *w, uint64_t size)
{
    w->done += size;
    if (w->options->go_on != NULL && !w->options->go_on(w->options->context, w->done))
        return err_set(w->err, -ECANCELED, "pack segment %llu",
                       (unsigned long long)w->sealing->number);
    return 0;
}

/* ---- track by track ---- */

/* The tracks of the segment, in order of their first blocks. */
static int list_tracks(struct worker *w)
{
    const struct sealing *s = w->sealing;
    bool *seen = calloc(UINT16_MAX + 1, sizeof *seen);
    w->tracks = calloc(s->before_count + 1, sizeof *w->tracks);
    w->digests = calloc(s->before_count + 1, sizeof *w->digests);
    if (seen == NULL || w->tracks == NULL || w->digests == NULL) {
        free(seen);
        return no_memory(w);
    }
    for (size_t i = 0; i < s->before_count; i++)
        if (!seen[s->before[i].track]) {
            seen[s->before[i].track] = true;
            w->tracks[w->track_count++] = s->before[i].track;
        }
    free(seen);
    return 0;
}

static int pack_track(struct worker *w, size_t t)
{
    const struct sealing *s = w->sealing;
    int rc = 0;
    XXH3_128bits_reset(w->digest);
    for (size_t i = 0; i < s->before_count && rc == 0; i++) {
        struct block_view view = {.head = NULL};
        if (s->before[i].track != w->tracks[t])
            continue;
        rc = read_block(w, w->segment, &s->before[i], &view);
        assert(rc < 0 || view.head != NULL);
        if (rc == 0)
            rc = keep_block(w, &view);
        if (rc == 0)
            rc = go_on(w, s->before[i].span);
    }
    w->digests[t] = XXH3_128bits_digest(w->digest);
    return rc == 0 ? end_block(w) : rc;
}

static int pack_tracks(struct worker *w)
{
    int rc = list_tracks(w);
    for (size_t t = 0; t < w->track_count && rc == 0; t++)
        rc = pack_track(w, t);
    return rc == 0 ? write_out(w) : rc;
}

/* Write the footer: as it was, except for what it says of the blocks. Durable. */
static int finish_file(struct worker *w)
{
    void *catalog = NULL;
    size_t size;
    int rc = segment_read_catalog(w->segment, &w->foot, &catalog, &size, w->err);
    if (rc < 0)
        return rc;
    w->writer->recorded_digest = segment_chain_digest(&w->foot);
    w->writer->recorded_end = segment_chain_end(&w->foot);
    rc = segment_seal(w->writer, catalog, size, w->foot.previous_digest, w->err);
    free(catalog);
    return rc;
}

/* ---- is it the same? ---- */

static int differs(const struct worker *w)
{
    return err_say(w->err, TDK_EINTERNAL,
                   "segment %llu: what was packed does not read back the same; it stays as it is",
                   (unsigned long long)w->sealing->number);
}

static int compare_track(struct worker *w, const struct segment *packed, size_t t)
{
    XXH3_128bits_reset(w->digest);
    for (size_t i = 0; i < w->writer->count; i++) {
        struct block_view view = {.head = NULL};
        const struct block_ref *ref = &w->writer->refs[i];
        if (ref->track != w->tracks[t])
            continue;
        int rc = read_block(w, packed, ref, &view);
        if (rc == 0 && directory_check(&view) < 0)
            rc = differs(w);
        if (rc == 0)
            rc = go_on(w, 0);
        if (rc < 0)
            return rc;
        assert(view.head != NULL);
        XXH3_128bits_update(w->digest, view.frames, view.head->frames_size);
    }
    XXH128_hash_t digest = XXH3_128bits_digest(w->digest);
    return XXH128_isEqual(digest, w->digests[t]) ? 0 : differs(w);
}

/* Read the file back and compare it with what went in. */
static int compare(struct worker *w)
{
    struct segment *packed;
    struct segment_foot foot;
    int rc = segment_open_number(&packed, w->sealing->folder, w->sealing->number, SEGMENT_PACKING,
                                 w->err);
    if (rc < 0)
        return rc;
    rc = segment_read_foot(packed, &foot, w->err);
    if (rc == 0 && (foot.ticks != w->foot.ticks || foot.lost != w->foot.lost))
        rc = differs(w);
    for (size_t t = 0; t < w->track_count && rc == 0; t++)
        rc = compare_track(w, packed, t);
    segment_close(packed);
    return rc;
}

/* ---- the whole ---- */

static void take_result(struct worker *w)
{
    struct sealing *s = w->sealing;
    s->after = w->writer->refs;
    s->after_count = w->writer->count;
    s->bytes_after = w->writer->size;
    s->ticks = w->writer->ticks;
    segment_ref_of(w->writer, true, &s->ref);
    s->states = w->writer->states;
    w->writer->states = (struct states){.bytes = NULL};
    w->writer->refs = NULL;
    w->writer->count = 0;
}

static int make(struct worker *w)
{
    struct sealing *s = w->sealing;
    int rc = segment_create(&w->writer, s->folder, s->number, SEGMENT_PACKING, 0, w->err);
    if (rc < 0)
        return rc;
    rc = pack_tracks(w);
    if (rc == 0)
        rc = finish_file(w);
    if (rc == 0)
        rc = compare(w);
    if (rc == 0)
        rc = segment_publish(w->writer, w->err);
    if (rc == 0)
        take_result(w);
    else
        segment_remove(w->writer, NULL);
    return rc;
}

static int open_source(struct worker *w)
{
    struct sealing *s = w->sealing;
    int rc = segment_open_number(&w->segment, s->folder, s->number, SEGMENT_SEALED, w->err);
    if (rc == 0 && segment_is_moved(w->segment))
        return err_say(w->err, -EXDEV, "segment %llu was moved, and moved segments are not packed",
                       (unsigned long long)s->number);
    if (rc == 0)
        rc = segment_read_foot(w->segment, &w->foot, w->err);
    if (rc == 0)
        rc = segment_read_table(w->segment, &w->foot, &s->before, w->err);
    if (rc < 0)
        return rc;
    s->before_count = w->foot.blocks;
    s->bytes_before = w->segment->size;
    if (w->foot.generation != 0)
        return err_say(w->err, -EALREADY, "segment %llu is packed already",
                       (unsigned long long)s->number);
    return 0;
}

/* Remove what an earlier try left when it died. */
static int remove_leftover(const struct folder *folder, uint64_t number, enum segment_stage stage,
                           struct tdk_err *err)
{
    int rc = stub_remove(folder, number, stage, err);
    return rc == TDK_EAWAY ? 0 : rc; /* moved just now, and away again: the next start removes it */
}

int seal_pack(struct sealing *sealing, const struct folder *folder, uint64_t number,
              const struct seal_options *options, struct tdk_err *err)
{
    static const struct seal_options none;
    struct worker w = {
        .options = options != NULL ? options : &none, .sealing = sealing, .err = err};
    *sealing = (struct sealing){.folder = folder, .number = number};
    int rc = worker_open(&w);
    if (rc == 0)
        rc = open_source(&w);
    if (rc == 0)
        rc = remove_leftover(folder, number, SEGMENT_PACKING, err);
    if (rc == 0)
        rc = make(&w);
    worker_close(&w);
    return rc;
}

int seal_check(const struct sealing *sealing, struct tdk_err *err)
{
    struct retired *retired = NULL;
    int rc = retired_load(&retired, sealing->folder, err);
    if (rc == 0 && retired_find(retired, sealing->number) != NULL)
        rc = err_say(err, -ENOENT, "segment %llu was deleted", (unsigned long long)sealing->number);
    retired_drop(retired);
    return rc;
}

int seal_switch(const struct sealing *sealing, struct index *index, struct tdk_err *err)
{
    struct segment_ref ref = sealing->ref;
    int rc = index_begin(index, err);
    for (size_t i = 0; i < sealing->before_count && rc == 0; i++)
        rc = index_remove_block(index, &sealing->before[i], err);
    for (size_t i = 0; i < sealing->after_count && rc == 0; i++)
        rc = index_put_block(index, &sealing->after[i], err);
    if (rc == 0 && sealing->states.kinds != 0)
        rc = states_put(&sealing->states, sealing->after, index, &ref.states, err);
    if (rc == 0)
        rc = index_put_segment(index, &ref, err);
    if (rc == 0)
        rc = index_commit(index, err);
    if (rc < 0)
        index_abort(index);
    return rc;
}

int seal_drop(const struct sealing *sealing, struct tdk_err *err)
{
    int rc = remove_leftover(sealing->folder, sealing->number, SEGMENT_SEALED, err);
    return rc == 0 ? files_sync_folder(sealing->folder->segments, err) : rc;
}

int seal_undo(const struct sealing *sealing, struct tdk_err *err)
{
    int rc = remove_leftover(sealing->folder, sealing->number, SEGMENT_PACKED, err);
    return rc == 0 ? files_sync_folder(sealing->folder->segments, err) : rc;
}

void seal_close(struct sealing *sealing)
{
    free(sealing->before);
    free(sealing->after);
    states_close(&sealing->states);
    sealing->before = sealing->after = NULL;
    sealing->before_count = sealing->after_count = 0;
}
