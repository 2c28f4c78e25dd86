#include "tape/append.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/behind.h"
#include "tape/block.h"
#include "tape/files.h"
#include "tape/segment.h"

#define STAGE_SIZE    ((size_t)16 << 10) /* bytes of ticks that go into a block together */
#define STAGED_MAX    1024u              /* bytes of the payload of a staged tick, at most */
#define WRITES_MEMORY ((size_t)16 << 20) /* bytes that are being written, at most */

struct append {
    struct recovered tape;
    struct append_options options;
    struct append_totals totals;
    uint64_t refused_before; /* names that recovery refused */

    /* The epoch that is being written, and its block. */
    struct track_state state;
    struct tdk_epoch epoch;
    uint8_t kind;
    bool need_track, need_epoch; /* what the next block must begin with */
    bool filling;                /* `block` has been begun */
    size_t staged;               /* bytes of ticks in the stage: see settle() */
    uint32_t staged_ticks;
    struct tdk_loss loss; /* goes into a block with the tick after it; count 0: none */
    struct block block;
    struct block_scratch *scratch;
    /* Of `room` bytes: one block, one write; NULL: it must be taken first. */
    unsigned char *buffer;
    size_t room;
    struct behind *behind; /* owns the buffers */
    unsigned char *stage;  /* STAGE_SIZE bytes */

    /* The segments of this import, in order. All but the last are sealed; none is part of the tape
     * yet. */
    struct segment_writer **segments;
    size_t segment_count, segment_room;
    uint64_t next_number;
    uint32_t previous_digest;
    uint64_t previous_end;
    uint32_t blocks; /* in the last segment */
};

/* ---- open ---- */

/* As many as keep a disk busy; fewer of large ones, because they cost memory. */
static unsigned writes_for(size_t room)
{
    size_t writes = WRITES_MEMORY / room;
    return writes < 1 ? 1 : writes > BEHIND_WRITES_MAX ? BEHIND_WRITES_MAX : (unsigned)writes;
}

static void take_options(struct append *a, const struct append_options *options)
{
    if (options != NULL)
        a->options = *options;
    if (a->options.segment_size == 0)
        a->options.segment_size = UINT64_C(1) << 30;
    if (a->options.block_size == 0)
        a->options.block_size = 1u << 20;
    if (a->options.payload_max == 0)
        a->options.payload_max = TDK_PAYLOAD_DEFAULT_MAX;
    size_t room = block_room_for(a->options.payload_max);
    if (room < a->options.block_size)
        room = a->options.block_size;
    a->room = align_up(room, TAPE_ALIGN);
    if (a->options.writes == 0)
        a->options.writes = writes_for(a->room);
}

static int open_all(struct append *a, const char *path, struct tdk_err *err)
{
    if (a->room > BLOCK_SPAN_MAX)
        return err_say(err, TDK_EVALUE, "a block holds at most %u bytes", BLOCK_SPAN_MAX);
    a->scratch = malloc(sizeof *a->scratch);
    a->stage = malloc(STAGE_SIZE);
    if (a->scratch == NULL || a->stage == NULL)
        return err_set(err, -ENOMEM, "open tape %s", path);
    block_scratch_init(a->scratch);
    int rc = behind_open(&a->behind, a->room, a->options.writes, err);
    if (rc < 0)
        return rc;
    const struct recover_options options = {
        .create = true, .found = a->options.found, .context = a->options.context};
    rc = recover_open(&a->tape, path, &options, err);
    if (rc < 0)
        return rc;
    a->next_number = a->tape.next_segment;
    a->previous_digest = a->tape.previous_digest;
    a->previous_end = a->tape.previous_end;
    a->refused_before = catalog_refused(a->tape.catalog);
    return 0;
}

static void free_append(struct append *a)
{
    behind_close(a->behind);
    for (size_t i = 0; i < a->segment_count; i++)
        segment_writer_close(a->segments[i]);
    free(a->segments);
    free(a->scratch);
    free(a->stage);
    free(a);
}

int append_open(struct append **append, const char *path, const struct append_options *options,
                struct tdk_err *err)
{
    struct append *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, -ENOMEM, "open tape %s", path);
    take_options(a, options);
    int rc = open_all(a, path, err);
    if (rc < 0) {
        free_append(a);
        return rc;
    }
    *append = a;
    return 0;
}

const struct recover_report *append_report(const struct append *append)
{
    return &append->tape.report;
}

/* ---- segments ---- */

static struct segment_writer *current(const struct append *a)
{
    return a->segment_count > 0 ? a->segments[a->segment_count - 1] : NULL;
}

static int fail_write(const struct append *a, int rc, struct tdk_err *err)
{
    return err_set(err, rc, "write segment %llu of tape %s", (unsigned long long)current(a)->number,
                   a->tape.folder.path);
}

/* The segment is sealed and durable, but not renamed: that is done at the end. */
static int seal_segment(struct append *a, struct tdk_err *err)
{
    struct segment_writer *w = current(a);
    void *bytes = NULL;
    size_t size = 0;
    int rc = behind_wait(a->behind);
    if (rc < 0)
        return fail_write(a, rc, err);
    rc = catalog_encode(a->tape.catalog, w->refs, w->count, &bytes, &size, err);
    if (rc < 0)
        return rc;
    rc = segment_seal(w, bytes, size, a->previous_digest, err);
    free(bytes);
    if (rc < 0)
        return rc;
    files->close(w->fd);
    w->fd = -1;
    a->previous_digest = w->digest;
    a->previous_end = w->end;
    catalog_forget(a->tape.catalog);
    return 0;
}

static int new_segment(struct append *a, struct tdk_err *err)
{
    struct segment_writer **segments =
        array_grow(a->segments, &a->segment_room, a->segment_count + 1, sizeof *segments);
    if (segments == NULL)
        return err_set(err, -ENOMEM, "create a segment");
    a->segments = segments;
    /* Allocated as it grows: a small file must fit on a small disk. */
    int rc = segment_create(&a->segments[a->segment_count], &a->tape.folder, a->next_number,
                            SEGMENT_IMPORT, 0, err);
    if (rc < 0)
        return rc;
    a->segment_count++;
    a->next_number++;
    a->blocks = 0;
    a->need_track = true;
    return 0;
}

/* Make sure there is a segment with room for one more block of `room` bytes. */
static int need_segment(struct append *a, size_t room, struct tdk_err *err)
{
    const struct segment_writer *w = current(a);
    if (w != NULL && (w->count == 0 || w->end + room <= a->options.segment_size))
        return 0;
    int rc = w != NULL ? seal_segment(a, err) : 0;
    return rc == 0 ? new_segment(a, err) : rc;
}

/* ---- blocks ---- */

/* Begin a block of the configured size, or as large as a payload of this size needs. */
static int begin_block(struct append *a, uint32_t size, struct tdk_err *err)
{
    size_t room = align_up(a->options.block_size, TAPE_ALIGN);
    if (block_room_for(size) > room)
        room = a->room;
    int rc = need_segment(a, room, err);
    if (rc < 0)
        return rc;
    if (a->buffer == NULL)
        a->buffer = behind_buffer(a->behind);
    if (a->buffer == NULL)
        return err_set(err, -ENOMEM, "write a block");
    block_begin(&a->block, a->buffer, room, a->scratch, &a->state, clock_wall());
    a->filling = true;
    bool fits = true;
    if (a->need_track)
        fits = block_add_track(&a->block, catalog_name(a->tape.catalog, a->state.track), a->kind);
    if (a->need_epoch && fits)
        fits = block_add_epoch(&a->block, &a->epoch);
    assert(fits); /* block_room_for() includes them */
    a->need_track = a->need_epoch = false;
    return 0;
}

static uint64_t stamp(struct append *a)
{
    uint64_t now = clock_wall();
    if (now > a->tape.written_ns)
        a->tape.written_ns = now;
    return a->tape.written_ns;
}

static void add_totals(struct append *a)
{
    const struct block_head *head = &a->block.head;
    a->totals.ticks += head->count;
    a->totals.bytes += head->frames_size;
    a->totals.odd += head->odd;
    a->totals.invalid += head->invalid;
    a->totals.back += a->block.back;
}

/* Note what is in the sealed block, for the foot and the catalogue. */
static int note_block(struct append *a, uint64_t offset, struct tdk_err *err)
{
    struct segment_writer *w = current(a);
    struct block_view view = block_view_of(a->buffer);
    struct block_ref ref;
    block_ref_of(view.head, offset, &ref);
    int rc = segment_note(w, view.head, offset, err);
    segment_note_states(w, &view);
    if (rc == 0)
        rc = catalog_learn(a->tape.catalog, &view, err);
    if (rc == 0)
        rc = catalog_note(a->tape.catalog, &ref, err);
    add_totals(a);
    return rc;
}

/* Write the block that is being filled to the file. */
static int flush_block(struct append *a, struct tdk_err *err)
{
    if (!a->filling)
        return 0;
    a->filling = false;
    if (block_is_empty(&a->block))
        return 0;
    struct segment_writer *w = current(a);
    size_t size = block_seal(&a->block), span = align_up(size, TAPE_ALIGN);
    memset(a->buffer + size, 0, span - size);
    struct block_place place = {.segment = w->number,
                                .block = a->blocks++,
                                .span = (uint32_t)span,
                                .previous_end = a->previous_end,
                                .written_ns = stamp(a)};
    memcpy(place.tape_id, a->tape.folder.tape_id, sizeof place.tape_id);
    block_finish(a->buffer, &place);
    uint64_t offset = w->end;
    int rc = note_block(a, offset, err);
    if (rc < 0)
        return rc;
    segment_allocate(w, offset + span);
    rc = behind_write(a->behind, w->fd, a->buffer, span, offset);
    a->buffer = NULL;
    return rc < 0 ? fail_write(a, rc, err) : 0;
}

static int next_block(struct append *a, uint32_t size, struct tdk_err *err)
{
    int rc = flush_block(a, err);
    return rc == 0 ? begin_block(a, size, err) : rc;
}

/* ---- the stage ---- */

static uint32_t size_of(const unsigned char *frame)
{
    return ((const struct tdk_frame *)(const void *)frame)->size;
}

/* The staged ticks go into blocks the way a recorder takes them from a ring: in runs, at half the
 * cost of one by one. */
static int settle(struct append *a, struct tdk_err *err)
{
    const unsigned char *at = a->stage, *end = at + a->staged;
    int rc = 0;
    a->staged = a->staged_ticks = 0;
    while (at != end && rc == 0) {
        size_t taken;
        enum block_stop stop = block_add_run(&a->block, at, (size_t)(end - at), &taken);
        at += taken;
        assert(stop == (at == end ? BLOCK_TAKEN : BLOCK_FULL));
        if (at != end)
            rc = next_block(a, size_of(at), err);
    }
    return rc;
}

/* Put a loss that waits into a block that has room for the tick after it, too. Only in one block do
 * they cover the time in between. */
static int put_loss(struct append *a, uint32_t size, struct tdk_err *err)
{
    if (a->loss.count == 0)
        return 0;
    struct tdk_loss loss = a->loss;
    a->loss.count = 0;
    int rc = block_has_room_for_loss(&a->block, size) ? 0 : next_block(a, size, err);
    if (rc < 0)
        return rc;
    loss.first_seq = a->state.next_seq;
    bool fits = block_add_loss(&a->block, &loss, loss.last_ts);
    assert(fits);
    return 0;
}

/* Empty the stage and write the block: nothing waits any more. */
static int end_block(struct append *a, struct tdk_err *err)
{
    int rc = settle(a, err);
    if (rc == 0)
        rc = put_loss(a, 0, err);
    return rc == 0 ? flush_block(a, err) : rc;
}

static void stage_tick(struct append *a, uint8_t type, uint8_t flags, uint64_t ts,
                       const void *payload, uint32_t size)
{
    unsigned char *at = a->stage + a->staged;
    *(struct tdk_frame *)(void *)at = (struct tdk_frame){.size = size,
                                                         .track = a->state.track,
                                                         .type = type,
                                                         .flags = flags,
                                                         .seq = a->state.next_seq + a->staged_ticks,
                                                         .ts = ts};
    if (size > 0)
        memcpy(at + sizeof(struct tdk_frame), payload, size);
    a->staged += tdk_frame_span(size); /* the padding is zeroed when it is taken */
    a->staged_ticks++;
}

/* ---- what goes in ---- */

int append_begin(struct append *append, const char *track, enum tdk_kind kind, struct tdk_err *err)
{
    struct catalog *catalog = append->tape.catalog;
    uint16_t number = 0;
    int rc = end_block(append, err);
    if (rc == 0)
        rc = catalog_track(catalog, track, kind, &number, err);
    if (rc < 0)
        return rc;
    uint64_t last = catalog_last_epoch(catalog, number), now = clock_wall();
    append->epoch = (struct tdk_epoch){
        .epoch = now > last ? now : last + 1, .previous = last, .clock = TDK_CLOCK_FILE};
    append->epoch.ring_epoch = append->epoch.epoch;
    append->state = (struct track_state){.track = number,
                                         .payload_max = append->options.payload_max,
                                         .epoch = append->epoch.epoch,
                                         .next_seq = 1};
    append->kind = (uint8_t)kind;
    append->need_track = append->need_epoch = true;
    return begin_block(append, 0, err);
}

uint64_t append_epoch(const struct append *append)
{
    return append->epoch.epoch;
}

static int check_size(const struct append *a, uint32_t size, struct tdk_err *err)
{
    if (size <= a->options.payload_max)
        return 0;
    return err_say(err, TDK_EVALUE, "a payload of %u bytes: at most %u are allowed", size,
                   a->options.payload_max);
}

int append_tick(struct append *append, uint8_t type, uint8_t flags, uint64_t ts,
                const void *payload, uint32_t size, struct tdk_err *err)
{
    struct append *a = append;
    assert(a->filling); /* append_begin() comes first */
    assert(type != TDK_TYPE_PADDING && !tdk_type_is_control(type));
    bool waits = size <= STAGED_MAX && size <= a->options.payload_max;
    int rc = put_loss(a, size, err);
    if (rc == 0 && (!waits || STAGE_SIZE - a->staged < tdk_frame_span(size)))
        rc = settle(a, err);
    if (rc < 0)
        return rc;
    if (waits) {
        stage_tick(a, type, flags, ts, payload, size);
        return 0;
    }
    if (block_add_tick(&a->block, type, flags, ts, payload, size))
        return 0;
    rc = check_size(a, size, err);
    if (rc == 0)
        rc = next_block(a, size, err);
    if (rc < 0)
        return rc;
    bool fits = block_add_tick(&a->block, type, flags, ts, payload, size);
    assert(fits);
    return 0;
}

int append_control(struct append *append, uint8_t type, const void *payload, uint32_t size,
                   struct tdk_err *err)
{
    assert(append->filling);
    int rc = settle(append, err);
    if (rc < 0)
        return rc;
    if (block_add_control(&append->block, type, 0, payload, size))
        return 0;
    rc = check_size(append, size, err);
    if (rc == 0)
        rc = next_block(append, size, err);
    if (rc < 0)
        return rc;
    bool fits = block_add_control(&append->block, type, 0, payload, size);
    assert(fits);
    return 0;
}

int append_loss(struct append *append, uint64_t count, uint64_t first_ts, uint64_t last_ts,
                struct tdk_err *err)
{
    assert(append->filling && count > 0);
    int rc = settle(append, err);
    if (rc == 0)
        rc = put_loss(append, 0, err); /* one that nothing came after */
    if (rc < 0)
        return rc;
    append->loss = (struct tdk_loss){
        .count = count, .first_ts = first_ts, .last_ts = last_ts, .reason = TDK_LOSS_UNKNOWN};
    return 0;
}

int append_info(struct append *append, const char *key, const void *value, size_t size,
                struct tdk_err *err)
{
    size_t key_size = strnlen(key, 256);
    if (key_size == 0 || key_size > 245 || size > UINT32_MAX ||
        sizeof(struct tdk_info) + key_size >= append->options.payload_max)
        return err_say(err, TDK_EVALUE, "a property's key has 1 to 245 bytes: \"%.80s\"", key);
    unsigned char *payload = malloc(append->options.payload_max);
    if (payload == NULL)
        return err_set(err, -ENOMEM, "property %s", key);
    size_t room = append->options.payload_max - sizeof(struct tdk_info) - key_size, done = 0;
    int rc = 0;
    do {
        size_t part = size - done < room ? size - done : room;
        struct tdk_info info = {
            .total = (uint32_t)size, .offset = (uint32_t)done, .key_size = (uint16_t)key_size};
        memcpy(payload, &info, sizeof info);
        memcpy(payload + sizeof info, key, key_size);
        if (part > 0)
            memcpy(payload + sizeof info + key_size, (const char *)value + done, part);
        rc = append_control(append, TDK_TYPE_INFO, payload,
                            (uint32_t)(sizeof info + key_size + part), err);
        done += part;
    } while (rc == 0 && done < size);
    free(payload);
    return rc;
}

/* ---- end ---- */

/* From the last to the first. With the first of these renames the import is part of the tape, and
 * recovery completes the others (mend.c). */
static int publish(struct append *a, bool *begun, struct tdk_err *err)
{
    int rc = 0;
    for (size_t i = a->segment_count; i > 0 && rc == 0; i--) {
        rc = segment_publish(a->segments[i - 1], err);
        *begun = *begun || a->segments[i - 1]->stage == SEGMENT_SEALED;
    }
    return rc;
}

static int put_segment(struct append *a, const struct segment_writer *w, struct tdk_err *err)
{
    struct index *index = a->tape.index;
    int rc = index_begin(index, err);
    for (size_t i = 0; i < w->count && rc == 0; i++)
        rc = index_put_block(index, &w->refs[i], err);
    if (rc == 0)
        rc = segment_put(w, index, err);
    if (rc == 0)
        rc = catalog_store(a->tape.catalog, index, err);
    return rc == 0 ? index_commit(index, err) : rc;
}

/* The tape has the segments. An index that could not take them is built anew by the next writer. */
static bool index_segments_now(struct append *a)
{
    bool whole = true;
    for (size_t i = 0; i < a->segment_count && whole; i++)
        whole = put_segment(a, a->segments[i], NULL) == 0;
    a->tape.next_segment = a->next_number;
    return whole;
}

int append_close(struct append *append, struct append_totals *totals, struct tdk_err *err)
{
    struct append *a = append;
    bool begun = false;
    int rc = end_block(a, err);
    if (rc == 0 && a->segment_count > 0)
        rc = seal_segment(a, err);
    if (rc == 0)
        rc = publish(a, &begun, err);
    if (rc < 0 && !begun) {
        append_abort(a);
        return rc;
    }
    a->totals.segments = a->segment_count;
    a->totals.refused = catalog_refused(a->tape.catalog) - a->refused_before;
    if (totals != NULL)
        *totals = a->totals;
    recover_close(&a->tape, rc == 0 && index_segments_now(a), NULL);
    free_append(a);
    return rc < 0 ? err_wrap(err, rc, "the import is whole, the next writer completes it") : 0;
}

static void remove_segments(struct append *a)
{
    behind_wait(a->behind);
    for (size_t i = a->segment_count; i > 0; i--)
        segment_remove(a->segments[i - 1], NULL);
    if (a->segment_count > 0)
        files_sync_folder(a->tape.folder.segments, NULL);
}

void append_abort(struct append *append)
{
    if (append == NULL)
        return;
    remove_segments(append);
    recover_discard(&append->tape, true); /* the index is as recovery left it */
    free_append(append);
}
