#include "tape/verify_segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/catalog.h"
#include "tape/files.h"
#include "tape/frame.h"
#include "tape/moved.h"
#include "tape/pack.h"

/* ---- bytes ---- */

static bool need(struct report *report, struct scratch *scratch, size_t size)
{
    if (scratch_need(scratch, size))
        return true;
    report->failed = -ENOMEM;
    return false;
}

void verify_reader_close(struct verify_reader *reader)
{
    scratch_close(&reader->stored);
    scratch_close(&reader->unpacked);
    states_maker_close(reader->states);
    pack_close(reader->pack);
    reader->states = NULL;
    reader->pack = NULL;
}

/* Bytes that hold nothing must be zeros. */
static void check_zeros(struct verify_reader *reader, int fd, struct report *report, uint64_t begin,
                        uint64_t end)
{
    enum { PIECE = 1 << 20 };
    while (begin < end && need(report, &reader->stored, PIECE)) {
        size_t size = end - begin < PIECE ? end - begin : PIECE;
        int rc = files_read(fd, reader->stored.bytes, size, begin);
        if (rc < 0) {
            report_add(report, begin, rc, "offset %llu: cannot be read: %s",
                       (unsigned long long)begin, tdk_strerror(rc));
            return;
        }
        for (size_t i = 0; i < size; i++)
            if (reader->stored.bytes[i] != 0) {
                report_add(report, begin + i, TDK_ECORRUPT,
                           "offset %llu: something is written where nothing should be",
                           (unsigned long long)begin + i);
                return;
            }
        begin += size;
        atomic_fetch_add(reader->bytes_done, size);
    }
}

/* ---- a block ---- */

/* What its head says of times and instruments, worked out again from its frames. A LOSS widens the
 * bounds no further than time had come by then (block_note_loss()), which the block does not tell:
 * they lie between those of the ticks and those of all. */
struct facts {
    uint64_t min_ts, max_ts, min_of_all, max_of_all, min_event, max_event, odd_min, odd_max;
    uint32_t odd, invalid;
};

static void widen(uint64_t *low, uint64_t *high, uint64_t ts)
{
    if (ts < *low)
        *low = ts;
    if (ts > *high)
        *high = ts;
}

static void add_facts(struct facts *facts, const struct tdk_frame *frame)
{
    if (frame->type == TDK_TYPE_LOSS) {
        struct tdk_loss loss;
        memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
        widen(&facts->min_of_all, &facts->max_of_all, loss.first_ts);
        widen(&facts->min_of_all, &facts->max_of_all, loss.last_ts);
    }
    if (!tdk_frame_is_tick(frame))
        return;
    uint64_t event = frame_event_ts(frame);
    widen(&facts->min_event, &facts->max_event, event);
    if ((frame->flags & TDK_FLAG_TS_UNTRUSTED) != 0) {
        facts->odd++;
        widen(&facts->odd_min, &facts->odd_max, frame->ts);
    } else {
        widen(&facts->min_ts, &facts->max_ts, frame->ts);
        widen(&facts->min_of_all, &facts->max_of_all, frame->ts);
    }
    facts->invalid += (frame->flags & TDK_FLAG_INVALID) != 0;
}

static bool facts_agree(const struct block_view *view)
{
    const struct block_head *head = view->head;
    struct facts facts = {.min_ts = UINT64_MAX,
                          .min_of_all = UINT64_MAX,
                          .min_event = UINT64_MAX,
                          .odd_min = UINT64_MAX};
    for (size_t at = 0; at < head->frames_size;) {
        const struct tdk_frame *frame = (const void *)(view->frames + at);
        add_facts(&facts, frame);
        at += tdk_frame_span(frame->size);
    }
    return facts.min_of_all <= head->min_ts && head->min_ts <= facts.min_ts &&
           facts.max_ts <= head->max_ts && head->max_ts <= facts.max_of_all &&
           facts.min_event == head->min_event && facts.max_event == head->max_event &&
           facts.odd_min == head->odd_min && facts.odd_max == head->odd_max &&
           facts.odd == head->odd && facts.invalid == head->invalid;
}

/* Read and check a block as a reader would, before the further checks. An error names segment and
 * offset. */
static int check_block(struct verify_reader *reader, const struct segment *segment,
                       const struct block_ref *ref, struct block_view *view, struct tdk_err *err)
{
    int rc = segment_read(segment, ref, reader->stored.bytes, view, err);
    if (rc < 0 || view->frames != NULL)
        return rc;
    if (reader->pack == NULL)
        reader->pack = pack_open(PACK_WHOLE_BLOCKS);
    if (reader->pack == NULL)
        return err_set(err, -ENOMEM, "unpack a block");
    rc = block_unpack(reader->stored.bytes, reader->pack, reader->unpacked.bytes,
                      reader->unpacked.room, view, err);
    return rc == 0 ? 0
                   : err_wrap(err, rc, "segment %llu offset %llu",
                              (unsigned long long)segment->head.number,
                              (unsigned long long)ref->offset);
}

/* Does the index lead to exactly this block? If it was written again, to either of the two? */
static bool index_agrees(struct verify_reader *reader, const struct block_ref *ref)
{
    const struct index_range range = {.track = ref->track, .epoch = ref->epoch, .to = UINT64_MAX};
    struct block_ref before = block_before(ref), found;
    int n = index_find(reader->index, &range, &before, false, &found, 1, NULL);
    /* Of another generation, its number is no sign of it: the segment is being packed meanwhile. */
    if (n == 1 && found.segment == ref->segment && found.block == ref->block &&
        block_ref_generation(&found) == block_ref_generation(ref))
        return memcmp(&found, ref, sizeof found) == 0;
    if ((ref->flags & BLOCK_REWRITTEN) == 0)
        return reader->live;
    before.first_seq--;
    n = index_find(reader->index, &range, &before, false, &found, 1, NULL);
    return reader->live ||
           (n == 1 && found.first_seq == ref->first_seq && found.running_max == ref->running_max);
}

/* Check what the head says about its place among the others. */
static void check_place(const struct segment *segment, const struct block_head *head,
                        const struct block_ref *ref, uint32_t number, struct report *report)
{
    unsigned long long offset = ref->offset;
    struct block_ref true_ref;
    block_ref_of(head, ref->offset, &true_ref);
    true_ref.flags |= (uint16_t)(segment->head.generation << BLOCK_GENERATION_SHIFT);
    if (memcmp(&true_ref, ref, sizeof true_ref) != 0)
        report_add(report, ref->offset, TDK_ECORRUPT,
                   "offset %llu: the footer's table says something else than the block", offset);
    if (head->block != number)
        report_add(report, ref->offset, TDK_ECORRUPT, "offset %llu: block %u where %u should be",
                   offset, head->block, number);
    if (head->written_ns < report->written_ns || head->synced_upto > ref->offset)
        report_add(report, ref->offset, TDK_ECORRUPT,
                   "offset %llu: it was not written after the one before it", offset);
    report->written_ns = head->written_ns;
    report->blocks_digest = crc32c(report->blocks_digest, &head->head_crc, sizeof head->head_crc);
}

static void check_one(struct verify_reader *reader, const struct segment *segment,
                      const struct block_ref *ref, uint32_t number, struct report *report)
{
    struct tdk_err err;
    struct block_view view;
    unsigned long long offset = ref->offset;
    size_t unpacked = ref->frames_size + (ref->stored_size < ref->frames_size ? ref->span : 0) +
                      BLOCK_ENTRIES_MAX * sizeof(struct directory_entry) +
                      (size_t)4 * BLOCK_TICKS_MAX;
    if (!need(report, &reader->stored, ref->span) || !need(report, &reader->unpacked, unpacked))
        return;
    int rc = check_block(reader, segment, ref, &view, &err);
    atomic_fetch_add(reader->bytes_done, ref->span);
    /* What the table says of a bad block is noted, so that its ticks are not reported as a hole,
     * too. */
    if (rc < 0) {
        report_say(report, ref->offset, rc, err.text);
        report->bad_blocks++;
        report_block(report, ref);
        return;
    }
    const struct block_head *head = view.head;
    check_place(segment, head, ref, number, report);
    if (directory_check(&view) < 0)
        report_add(report, ref->offset, TDK_ECORRUPT,
                   "offset %llu: its directory does not say what its frames are", offset);
    if (!facts_agree(&view))
        report_add(report, ref->offset, TDK_ECORRUPT,
                   "offset %llu: its head does not say what its frames are", offset);
    if (reader->index != NULL && !index_agrees(reader, ref))
        report_add(report, ref->offset, TDK_ECORRUPT, "offset %llu: the index does not have it",
                   offset);
    report_block(report, ref);
    if (reader->states != NULL)
        states_note(reader->states, &view);
    atomic_fetch_add(reader->blocks_done, 1);
    atomic_fetch_add(reader->ticks_done, head->count);
}

/* ---- all blocks ---- */

/* What is known of the blocks before they are read. */
struct outline {
    struct block_ref *refs; /* NULL: there are none */
    size_t count;
    uint64_t end;  /* where the blocks end */
    bool numbered; /* every block is there, so they are numbered from 0 */
};

static void check_blocks(struct verify_reader *reader, const struct segment *segment,
                         const struct outline *outline, struct report *report)
{
    uint64_t at = SEGMENT_FIRST_OFFSET;
    report->ref.min_ts = UINT64_MAX;
    for (size_t i = 0; outline->refs != NULL && i < outline->count && report->failed == 0; i++) {
        const struct block_ref *ref = &outline->refs[i];
        if (outline->numbered && ref->offset != at)
            report_add(report, at, TDK_ECORRUPT, "offset %llu: no block follows",
                       (unsigned long long)at);
        check_one(reader, segment, ref, outline->numbered ? (uint32_t)i : ref->block, report);
        at = ref->offset + ref->span;
        report->ref.ticks += ref->count;
        if (ref->min_ts <= ref->max_ts) { /* else it has no tick with a trusted time */
            widen(&report->ref.min_ts, &report->ref.max_ts, ref->min_ts);
            widen(&report->ref.min_ts, &report->ref.max_ts, ref->max_ts);
        }
    }
    report->ref.blocks = outline->count;
    if (outline->numbered)
        check_zeros(reader, segment->fd, report, at, outline->end);
}

/* The blocks are away: all that is known of them is what the foot says. */
static void believe_blocks(const struct segment *segment, const struct outline *outline,
                           struct report *report)
{
    if (segment->away.code == TDK_EAWAY)
        report->is_away = true;
    else
        report_add(report, UINT64_MAX, segment->away.code, "%s", segment->away.text);
    for (size_t i = 0; outline->refs != NULL && i < outline->count; i++)
        report_block(report, &outline->refs[i]);
}

/* For a segment that was moved: does the stub's end equal that of the whole file? */
static void compare_ends(struct verify_reader *reader, const struct segment *segment,
                         const struct segment_foot *foot, struct report *report)
{
    uint64_t size = segment->size - foot->end;
    if (!need(report, &reader->stored, size) || !need(report, &reader->unpacked, size))
        return;
    int rc = files_read(segment->home_fd, reader->stored.bytes, size, foot->end);
    if (rc == 0)
        rc = files_read(segment->fd, reader->unpacked.bytes, size, foot->end);
    if (rc < 0)
        report_add(report, foot->end, rc, "offset %llu: cannot be read: %s",
                   (unsigned long long)foot->end, tdk_strerror(rc));
    else if (memcmp(reader->stored.bytes, reader->unpacked.bytes, size) != 0)
        report_add(report, foot->end, TDK_ECORRUPT,
                   "its footer is another than that of %s, where it was moved to", segment->whole);
}

static void check_counts(struct report *report, const struct segment_foot *foot,
                         const struct outline *outline)
{
    uint64_t lost = 0;
    for (size_t i = 0; outline->refs != NULL && i < outline->count; i++)
        lost += outline->refs[i].lost;
    if (foot->ticks != report->ref.ticks || foot->lost != lost ||
        foot->min_ts != report->ref.min_ts || foot->max_ts != report->ref.max_ts)
        report_add(report, UINT64_MAX, TDK_ECORRUPT, "its footer counts other ticks than it has");
    if (report->bad_blocks == 0 && foot->digest != report->blocks_digest)
        report_add(report, UINT64_MAX, TDK_ECORRUPT, "its footer's digest is of other blocks");
}

/* ---- by its foot, or without ---- */

static void check_catalog(const struct segment *segment, const struct segment_foot *foot,
                          struct report *report)
{
    struct tdk_err err;
    struct catalog *catalog;
    void *bytes = NULL;
    size_t size;
    int rc = catalog_open(&catalog, &err);
    if (rc < 0) {
        report->failed = rc;
        return;
    }
    rc = segment_read_catalog(segment, foot, &bytes, &size, &err);
    if (rc == 0)
        rc = catalog_decode(catalog, bytes, size, &err);
    if (rc < 0)
        report_add(report, foot->end + foot->table_size, rc, "%s", err.text);
    free(bytes);
    catalog_close(catalog);
}

/* Check by foot and table. False: they cannot be used, which is reported. */
static bool check_by_foot(struct verify_reader *reader, const struct segment *segment,
                          struct report *report)
{
    struct tdk_err err;
    struct segment_foot foot;
    struct outline outline = {.numbered = true};
    int rc = segment_read_foot(segment, &foot, &err);
    if (rc == 0)
        rc = segment_read_table(segment, &foot, &outline.refs, &err);
    if (rc < 0) {
        report_add(report, UINT64_MAX, rc, "%s", err.text);
        return false;
    }
    outline.count = foot.blocks;
    outline.end = foot.end;
    if (reader->states == NULL)
        reader->states = states_maker_open();
    if (reader->states == NULL)
        report->failed = -ENOMEM;
    else
        states_maker_clear(reader->states);
    if (segment_is_away(segment)) {
        believe_blocks(segment, &outline, report);
    } else {
        check_blocks(reader, segment, &outline, report);
        check_counts(report, &foot, &outline);
        verify_states(reader, segment, &foot, outline.refs, report);
        if (segment_is_moved(segment))
            compare_ends(reader, segment, &foot, report);
    }
    check_catalog(segment, &foot, report);
    uint64_t parts = foot.table_size + foot.catalog_size + foot.states_size;
    check_zeros(reader, segment->home_fd, report, foot.end + parts, segment->size - sizeof foot);
    atomic_fetch_add(reader->bytes_done, parts + sizeof foot);
    report->has_foot = true;
    report->digest = segment_chain_digest(&foot);
    report->previous_digest = foot.previous_digest;
    report->ref.size = segment->size;
    report->ref.sealed = 1;
    free(outline.refs);
    return true;
}

/* Check by looking for the blocks. In an unsealed segment a torn tail is no damage. */
static void check_by_scan(struct verify_reader *reader, const struct segment *segment, bool sealed,
                          struct report *report)
{
    struct tdk_err err;
    struct segment_scan scan;
    int rc = segment_scan(segment, UINT64_MAX, &scan, &err);
    if (rc < 0) {
        report_add(report, UINT64_MAX, rc, "%s", err.text);
        return;
    }
    if (!sealed)
        segment_scan_trim(&scan);
    for (size_t i = 0; i < scan.gap_count; i++)
        if (!sealed || scan.gaps[i].offset != scan.end) /* else it is what is left of its footer */
            report_add(report, scan.gaps[i].offset, TDK_ECORRUPT,
                       "offset %llu: %llu bytes hold no block that can be read",
                       (unsigned long long)scan.gaps[i].offset,
                       (unsigned long long)scan.gaps[i].size);
    const struct outline outline = {.refs = scan.refs, .count = scan.count, .end = scan.end};
    check_blocks(reader, segment, &outline, report);
    report->ref.size = scan.end;
    segment_scan_close(&scan);
}

static uint64_t segment_heads_size(const struct segment *segment)
{
    return segment_is_moved(segment) ? 2 * STUB_HEAD_COPY : sizeof(struct segment_head);
}

/* For a segment that was moved: check the second head, which stands in for the first. */
static void check_head_copy(const struct segment *segment, struct report *report)
{
    struct segment_head copy;
    int rc = files_read(segment->home_fd, &copy, sizeof copy, STUB_HEAD_COPY);
    if (rc < 0 || (!segment->head_damaged && memcmp(&copy, &segment->head, sizeof copy) != 0))
        report_add(report, STUB_HEAD_COPY, TDK_ECORRUPT, "the second of its heads is damaged");
}

/* Check the head of the file in the annex. */
static void check_whole_head(struct verify_reader *reader, const struct segment *segment,
                             struct report *report)
{
    struct tdk_err err;
    struct segment *whole;
    if (segment_check_size(segment, &err) < 0)
        report_add(report, UINT64_MAX, err.code, "%s", err.text);
    int rc = segment_open(&whole, segment->whole, segment->head.tape_id, &err);
    if (rc < 0) {
        report_add(report, 0, rc, "%s", err.text);
        return;
    }
    check_zeros(reader, whole->fd, report, sizeof(struct segment_head), SEGMENT_FIRST_OFFSET);
    segment_close(whole);
}

void verify_segment(struct verify_reader *reader, const struct segment *segment,
                    enum segment_stage stage, struct report *report)
{
    bool sealed = segment_is_sealed(stage);
    report->ref.number = report->number;
    report->ref.generation = segment->head.generation;
    if (segment->head_damaged)
        report_add(report, 0, TDK_ECORRUPT, "its head fails its checksum");
    else
        check_zeros(reader, segment->home_fd, report, segment_heads_size(segment),
                    SEGMENT_FIRST_OFFSET);
    if (segment_is_moved(segment))
        check_head_copy(segment, report);
    if (segment_is_moved(segment) && !segment_is_away(segment))
        check_whole_head(reader, segment, report);
    atomic_fetch_add(reader->bytes_done, sizeof(struct segment_head));
    if (!sealed || !check_by_foot(reader, segment, report))
        check_by_scan(reader, segment, sealed, report);
}
