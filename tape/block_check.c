/* block_check.c - blocks read back: everything is checked before anything is believed. */
#include "tape/block.h"

#include <errno.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/frame.h"
#include "tape/pack.h"
#include "tape/sums.h"
#include "tape/unpack.h"

static int corrupt(struct tdk_err *err, const char *what)
{
    return err_set(err, TDK_ECORRUPT, "block: %s", what);
}

/* ---- the head ---- */

static bool sizes_are_possible(const struct block_head *head)
{
    uint64_t directory_max = DIRECTORY_ROOM + DIRECTORY_TICK_ROOM * (uint64_t)head->count +
                             DIRECTORY_ENTRY_ROOM * (uint64_t)BLOCK_ENTRIES_MAX;
    return head->frames_size <= BLOCK_FRAMES_MAX && head->frames_size % 8 == 0 &&
           head->frames_size > 0 && head->directory_size <= directory_max &&
           head->directory_size % 8 == 0 && head->span <= BLOCK_SPAN_MAX && head->span % 8 == 0 &&
           (uint64_t)sizeof *head + head->stored_size <= head->span;
}

static size_t raw_size(const struct block_head *head)
{
    return (size_t)head->frames_size + head->directory_size + sums_size(head->frames_size);
}

static bool counts_are_possible(const struct block_head *head)
{
    uint64_t frames = (uint64_t)head->count + head->controls;
    return head->count <= BLOCK_TICKS_MAX && head->odd <= head->count &&
           head->invalid <= head->count && head->track != 0 && head->first_seq != 0 &&
           head->first_seq - 1 <= head->last_seq &&
           head->last_seq - (head->first_seq - 1) == head->count + head->lost &&
           frames * sizeof(struct tdk_frame) <= head->frames_size && frames > 0;
}

int block_head_check(const void *bytes, size_t size, struct tdk_err *err)
{
    struct block_head head;
    if (size < sizeof head)
        return corrupt(err, "cut");
    memcpy(&head, bytes, sizeof head);
    if (head.magic != BLOCK_MAGIC)
        return corrupt(err, "there is none here");
    uint32_t crc = head.head_crc;
    head.head_crc = 0;
    if (crc32c(0, &head, sizeof head) != crc)
        return corrupt(err, "head fails its checksum");
    if (head.version != TAPE_VERSION || head.head_size != sizeof head)
        return err_say(err, TDK_EVERSION, "block of version %u, this program reads %u",
                       head.version, TAPE_VERSION);
    if (head.codec > BLOCK_BITS)
        return err_say(err, TDK_EVERSION, "block with codec %u, this program knows 0 to 3",
                       head.codec);
    if (!sizes_are_possible(&head) || !counts_are_possible(&head) ||
        (head.codec == BLOCK_RAW && head.stored_size != raw_size(&head)))
        return corrupt(err, "head contradicts itself");
    return 0;
}

/* ---- the frames ---- */

/* What a walk over the frames has counted so far. */
struct tally {
    uint64_t next_seq;
    uint64_t lost;
    uint32_t ticks, controls;
};

/* True: a payload that frame_is_record() takes for a record is large enough for one. */
static bool record_fits(const struct tdk_frame *frame)
{
    return !frame_is_record(frame) || frame->size >= sizeof(struct tdk_dbn_head);
}

static bool tally_control(struct tally *tally, const struct tdk_frame *frame)
{
    tally->controls++;
    if (frame->type == TDK_TYPE_LOSS) {
        struct tdk_loss loss;
        if (frame->size != sizeof loss)
            return false;
        memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
        if (loss.first_seq != tally->next_seq || loss.count == 0 ||
            loss.count > UINT64_MAX - tally->next_seq)
            return false;
        tally->next_seq += loss.count;
        tally->lost += loss.count;
    }
    return frame->seq == tally->next_seq;
}

static bool tally_tick(struct tally *tally, const struct tdk_frame *frame)
{
    bool right = frame->seq == tally->next_seq && record_fits(frame);
    tally->ticks++;
    tally->next_seq++;
    return right;
}

/* The directory's anchors must say where every sixteenth tick is. */
static bool anchor_agrees(const struct block_view *view, uint32_t ordinal, size_t offset)
{
    if (ordinal % DIRECTORY_STRIDE != 0)
        return true;
    struct directory_head d;
    memcpy(&d, view->directory, sizeof d);
    const unsigned char *anchors =
        view->directory + sizeof d + d.entries * sizeof(struct directory_entry);
    return ordinal / DIRECTORY_STRIDE < d.anchors &&
           load_u32(anchors + ordinal / DIRECTORY_STRIDE * sizeof(uint32_t)) == offset;
}

static bool walk_mixed(const struct block_view *view, struct tally *tally)
{
    const struct block_head *head = view->head;
    for (size_t at = 0; at < head->frames_size;) {
        size_t rest = head->frames_size - at;
        const struct tdk_frame *frame = (const void *)(view->frames + at);
        if (rest < sizeof *frame || frame->size > TDK_PAYLOAD_HARD_MAX ||
            tdk_frame_span(frame->size) > rest || frame->track != head->track ||
            frame->type == TDK_TYPE_PADDING)
            return false;
        if (tdk_type_is_control(frame->type)) {
            if (!tally_control(tally, frame))
                return false;
        } else if (tally->ticks == head->count || !anchor_agrees(view, tally->ticks, at) ||
                   !tally_tick(tally, frame)) {
            return false;
        }
        at += tdk_frame_span(frame->size);
    }
    return true;
}

static uint64_t frame_is_wrong(const struct block_head *head, const struct tdk_frame *frame,
                               uint32_t span)
{
    return (tdk_frame_span(frame->size) ^ span) | (uint64_t)(frame->track ^ head->track) |
           (uint64_t)!tdk_frame_is_tick(frame) | (uint64_t)!record_fits(frame);
}

/* All frames are ticks of one span. No step depends on the one before, so this runs at the speed of
 * memory. Differences are collected and tested once at the end. A frame that begins with the same
 * word as the one before it is as right as that one. */
static bool walk_uniform(const struct block_view *view, uint32_t span, struct tally *tally)
{
    const struct block_head *head = view->head;
    const struct tdk_frame *first = (const void *)view->frames;
    if (first->size > TDK_PAYLOAD_HARD_MAX || head->controls != 0)
        return false;
    uint64_t wrong = 0, word = ~load_u64(first);
    const unsigned char *at = view->frames;
    for (uint32_t i = 0; i < head->count; i++, at += span) {
        const struct tdk_frame *frame = (const void *)at;
        wrong |= frame->seq ^ (tally->next_seq + i);
        if (load_u64(frame) != word) {
            word = load_u64(frame);
            wrong |= frame_is_wrong(head, frame, span);
        }
    }
    tally->ticks = head->count;
    tally->next_seq += head->count;
    return wrong == 0;
}

static int check_directory(const struct block_view *view, struct tdk_err *err)
{
    return directory_check_bounds(view) < 0 ? corrupt(err, "its directory contradicts itself") : 0;
}

static int check_contents(const struct block_view *view, struct tdk_err *err)
{
    const struct block_head *head = view->head;
    int rc = check_directory(view, err);
    if (rc < 0)
        return rc;
    uint32_t uniform = 0;
    if (head->count > 0)
        uniform = load_u32(view->directory + offsetof(struct directory_head, uniform));
    struct tally tally = {.next_seq = head->first_seq};
    bool right = uniform != 0 ? walk_uniform(view, uniform, &tally) : walk_mixed(view, &tally);
    if (!right || tally.ticks != head->count || tally.controls != head->controls ||
        tally.lost != head->lost || tally.next_seq - 1 != head->last_seq)
        return corrupt(err, "its frames contradict its head");
    return 0;
}

/* ---- the whole ---- */

static bool all_zeros(const unsigned char *bytes, size_t size)
{
    unsigned char any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

/* The first `size` bytes of its frames: whole chunks, or all. */
static bool raw_sums_agree(const struct block_head *head, const unsigned char *stored, size_t size)
{
    const unsigned char *tail = stored + head->frames_size;
    return crc32c(0, tail, head->stored_size - head->frames_size) == head->tail_crc &&
           sums_check(stored, size, 0, tail + head->directory_size);
}

int block_check(const void *bytes, size_t size, struct block_view *view, struct tdk_err *err)
{
    int rc = block_head_check(bytes, size, err);
    if (rc < 0)
        return rc;
    const struct block_head *head = bytes;
    const unsigned char *stored = (const unsigned char *)bytes + sizeof *head;
    bool raw = head->codec == BLOCK_RAW;
    if (size < head->span)
        return corrupt(err, "cut");
    if (raw ? !raw_sums_agree(head, stored, head->frames_size)
            : crc32c(0, stored, head->stored_size) != head->tail_crc)
        return corrupt(err, "contents fail their checksum");
    if (!all_zeros(stored + head->stored_size, head->span - sizeof *head - head->stored_size))
        return corrupt(err, "something is written after its end");
    *view = (struct block_view){.head = head};
    if (!raw)
        return 0;
    view->frames = stored;
    view->directory = stored + head->frames_size;
    return check_contents(view, err);
}

const struct tdk_frame *block_first_frame(const void *bytes, size_t size)
{
    const struct block_head *head = bytes;
    if (block_head_check(bytes, size, NULL) < 0 || size < head->span || head->codec != BLOCK_RAW)
        return NULL;
    const unsigned char *stored = (const unsigned char *)bytes + sizeof *head;
    const size_t sound = head->frames_size < BLOCK_CHUNK ? head->frames_size : BLOCK_CHUNK;
    const struct tdk_frame *frame = (const void *)stored;
    return raw_sums_agree(head, stored, sound) && frame->size <= sound - sizeof *frame &&
                   frame->track == head->track
               ? frame
               : NULL;
}

static int unpack_zstd(const struct block_head *head, void *buffer, struct tdk_err *err)
{
    const unsigned char *stored = (const unsigned char *)(head + 1);
    size_t size = (size_t)head->frames_size + head->directory_size;
    /* Look at the frame's own size first: nothing that claims another size is unpacked. */
    if (ZSTD_getFrameContentSize(stored, head->stored_size) != size ||
        ZSTD_findFrameCompressedSize(stored, head->stored_size) != head->stored_size)
        return corrupt(err, "packed contents have another size than its head says");
    int rc = unpack(buffer, size, stored, head->stored_size);
    if (rc == -ENOMEM)
        return err_set(err, rc, "unpack a block");
    return rc < 0 ? corrupt(err, "contents cannot be unpacked") : 0;
}

/* *is_right: its frames need not be walked. */
static int unpack_columns(const struct block_head *head, struct pack *pack, void *buffer,
                          bool *is_right, struct tdk_err *err)
{
    struct block_view view;
    struct pack *own = pack == NULL ? pack = pack_open(PACK_WHOLE_BLOCKS) : NULL;
    if (pack == NULL)
        return err_set(err, -ENOMEM, "unpack a block");
    int rc = head->stored_size < sizeof(struct pack_head)
                 ? corrupt(err, "packed contents are cut")
                 : pack_begin(pack, head, (const unsigned char *)(head + 1), buffer, &view, err);
    if (rc == 0)
        rc = pack_all(pack, is_right, err);
    pack_close(own);
    return rc;
}

int block_unpack(const void *bytes, struct pack *pack, void *buffer, size_t room,
                 struct block_view *view, struct tdk_err *err)
{
    const struct block_head *head = bytes;
    size_t size = (size_t)head->frames_size + head->directory_size;
    if (room < size)
        return err_set(err, -ENOBUFS, "unpack a block of %zu bytes", size);
    bool is_right = false;
    int rc = head->codec == BLOCK_ZSTD ? unpack_zstd(head, buffer, err)
                                       : unpack_columns(head, pack, buffer, &is_right, err);
    if (rc < 0)
        return rc;
    *view = (struct block_view){.head = head,
                                .frames = buffer,
                                .directory = (const unsigned char *)buffer + head->frames_size};
    return is_right ? check_directory(view, err) : check_contents(view, err);
}

/* ---- its reference ---- */

void block_ref_of(const struct block_head *head, uint64_t offset, struct block_ref *ref)
{
    *ref = (struct block_ref){
        .epoch = head->epoch,
        .first_seq = head->first_seq,
        .last_seq = head->last_seq,
        .running_max = head->running_max,
        .min_ts = head->min_ts,
        .max_ts = head->max_ts,
        .min_event = head->min_event,
        .max_event = head->max_event,
        .odd_min = head->odd_min,
        .odd_max = head->odd_max,
        .segment = head->segment,
        .offset = offset,
        .span = head->span,
        .stored_size = head->stored_size,
        .count = head->count,
        .block = head->block,
        .frames_size = head->frames_size,
        .lost = head->lost,
        .filter = {head->filter[0], head->filter[1]},
        .track = head->track,
        .flags = head->flags,
        .odd = head->odd,
        .step_back = head->step_back,
    };
}

bool block_is_ref(const struct block_head *head, const struct block_ref *ref)
{
    return head->segment == ref->segment && head->block == ref->block &&
           head->track == ref->track && head->epoch == ref->epoch &&
           head->first_seq == ref->first_seq && head->last_seq == ref->last_seq &&
           head->count == ref->count && head->span == ref->span &&
           head->stored_size == ref->stored_size && head->frames_size == ref->frames_size;
}
