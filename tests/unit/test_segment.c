#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tests/support/faulty.h"
#include "tests/support/taping.h"

struct fixture {
    char path[FOLDER_PATH];
    char file[128]; /* its first segment, sealed */
    struct folder folder;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tdk_err err;
    folder_make(f->path);
    taping_make(f->path, 500, 4096, 1 << 20);
    taping_path(f->path, 1, ".seg", f->file);
    taping_ok(folder_open(&f->folder, f->path, &err), &err);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faulty_end();
    folder_remove(f->path);
    free(f);
    return 0;
}

static struct segment *open_segment(const struct fixture *f)
{
    struct segment *segment;
    struct tdk_err err;
    taping_ok(segment_open(&segment, f->file, f->folder.tape_id, &err), &err);
    return segment;
}

/* ---- sealed ---- */

static void sealed_segment_tells_its_blocks(void **state)
{
    const struct fixture *f = *state;
    struct segment *segment = open_segment(f);
    struct segment_foot foot;
    struct block_ref *refs;
    struct tdk_err err;
    taping_ok(segment_read_foot(segment, &foot, &err), &err);
    assert_int_equal(foot.ticks, 500);
    assert_true(foot.blocks > 5);
    assert_int_equal(foot.min_ts, TAPING_NOW);
    assert_int_equal(foot.max_ts, TAPING_NOW + 499);
    assert_int_equal(segment->size % TAPE_ALIGN, 0);
    taping_ok(segment_read_table(segment, &foot, &refs, &err), &err);

    unsigned char *buffer = malloc(BLOCK_SPAN_MAX);
    uint64_t seq = 1;
    uint32_t digest = 0;
    for (uint64_t i = 0; i < foot.blocks; i++) {
        struct block_view view;
        taping_ok(segment_read(segment, &refs[i], buffer, &view, &err), &err);
        assert_int_equal(view.head->first_seq, seq);
        assert_int_equal(view.head->block, i);
        seq += view.head->count;
        digest = crc32c(digest, &view.head->head_crc, sizeof view.head->head_crc);
    }
    assert_int_equal(seq, 501);
    assert_int_equal(digest, foot.digest);
    free(buffer);
    free(refs);
    segment_close(segment);
}

static void scan_finds_what_the_table_tells(void **state)
{
    const struct fixture *f = *state;
    struct segment *segment = open_segment(f);
    struct segment_foot foot;
    struct segment_scan scan;
    struct block_ref *refs;
    struct tdk_err err;
    taping_ok(segment_read_foot(segment, &foot, &err), &err);
    taping_ok(segment_read_table(segment, &foot, &refs, &err), &err);
    taping_ok(segment_scan(segment, foot.end, &scan, &err), &err);
    assert_int_equal(scan.count, foot.blocks);
    assert_memory_equal(scan.refs, refs, foot.table_size);
    assert_int_equal(scan.gap_count, 0);
    assert_int_equal(scan.end, foot.end);
    segment_scan_close(&scan);

    /* If the scan does not know where the segment ends, it takes the footer for a gap: no block
     * begins there. */
    taping_ok(segment_scan(segment, UINT64_MAX, &scan, &err), &err);
    assert_int_equal(scan.count, foot.blocks);
    assert_int_equal(scan.gap_count, 1);
    assert_int_equal(scan.gaps[0].offset, foot.end);
    segment_scan_close(&scan);
    free(refs);
    segment_close(segment);
}

/* How many ticks of a segment can be read. 0 when it cannot be opened. */
static uint64_t ticks_of(const struct fixture *f, const char *file)
{
    struct segment *segment;
    struct segment_foot foot;
    struct segment_scan scan;
    uint64_t ticks = 0;
    if (segment_open(&segment, file, f->folder.tape_id, NULL) < 0)
        return 0;
    void *bytes;
    size_t size;
    struct block_ref *refs;
    if (segment_read_foot(segment, &foot, NULL) == 0) {
        if (segment_read_table(segment, &foot, &refs, NULL) == 0)
            free(refs);
        if (segment_read_catalog(segment, &foot, &bytes, &size, NULL) == 0)
            free(bytes);
    }
    assert_int_equal(segment_scan(segment, UINT64_MAX, &scan, NULL), 0);
    for (size_t i = 0; i < scan.count; i++)
        ticks += scan.refs[i].count;
    segment_scan_close(&scan);
    segment_close(segment);
    return ticks;
}

/* No flip anywhere costs more than the block that it is in. */
static void flip_of_any_byte_costs_one_block(void **state)
{
    const struct fixture *f = *state;
    size_t size;
    unsigned char *bytes = taping_load(f->file, &size);
    char file[128];
    snprintf(file, sizeof file, "%s/flipped", f->path);
    for (size_t i = 4096; i < size; i += 61) {
        bytes[i] ^= 0x20;
        taping_store(file, bytes, size);
        bytes[i] ^= 0x20;
        assert_in_range(ticks_of(f, file), 440, 500);
    }
    free(bytes);
}

static void flip_of_any_byte_of_the_footer_is_found(void **state)
{
    const struct fixture *f = *state;
    size_t size;
    unsigned char *bytes = taping_load(f->file, &size);
    char file[128];
    snprintf(file, sizeof file, "%s/flipped", f->path);
    struct segment_foot foot;
    memcpy(&foot, bytes + size - sizeof foot, sizeof foot);
    size_t used = foot.end + foot.table_size + foot.catalog_size;
    for (size_t i = foot.end; i < size; i++) {
        if (i == used)
            i = size - sizeof foot; /* the zeros between are not read */
        struct segment *segment;
        struct block_ref *refs = NULL;
        void *catalog = NULL;
        size_t catalog_size;
        bytes[i] ^= 1;
        taping_store(file, bytes, size);
        bytes[i] ^= 1;
        assert_int_equal(segment_open(&segment, file, NULL, NULL), 0);
        int rc = segment_read_foot(segment, &foot, NULL);
        if (rc == 0)
            rc = segment_read_table(segment, &foot, &refs, NULL);
        if (rc == 0)
            rc = segment_read_catalog(segment, &foot, &catalog, &catalog_size, NULL);
        assert_true(rc < 0);
        free(refs);
        free(catalog);
        segment_close(segment);
    }
    free(bytes);
}

static void cut_anywhere_leaves_the_blocks_before_it(void **state)
{
    const struct fixture *f = *state;
    size_t size;
    unsigned char *bytes = taping_load(f->file, &size);
    char file[128];
    snprintf(file, sizeof file, "%s/cut", f->path);
    uint64_t last = 0;
    for (size_t cut = 0; cut < size; cut += 509) {
        taping_store(file, bytes, cut);
        uint64_t ticks = ticks_of(f, file);
        assert_true(ticks >= last);
        last = ticks;
    }
    assert_int_equal(last, 500);
    free(bytes);
}

static void segment_of_another_kind_is_refused_by_name(void **state)
{
    const struct fixture *f = *state;
    const uint8_t other[16] = "another tape";
    struct segment *segment;
    struct tdk_err err;
    assert_int_equal(segment_open(&segment, f->file, other, &err), TDK_EFOREIGN);
    assert_int_equal(segment_open(&segment, f->path, other, &err), TDK_EFORMAT);
    assert_int_equal(segment_open(&segment, "/nonexistent", other, &err), -ENOENT);

    size_t size;
    unsigned char *bytes = taping_load(f->file, &size);
    struct segment_head head;
    char file[128];
    snprintf(file, sizeof file, "%s/other", f->path);
    memcpy(&head, bytes, sizeof head);
    head.version = 9;
    head.crc = 0;
    head.crc = crc32c(0, &head, sizeof head);
    memcpy(bytes, &head, sizeof head);
    taping_store(file, bytes, size);
    assert_int_equal(segment_open(&segment, file, NULL, &err), TDK_EVERSION);
    assert_non_null(strstr(err.text, "version 9"));
    bytes[0] ^= 1;
    taping_store(file, bytes, size);
    assert_int_equal(segment_open(&segment, file, NULL, &err), TDK_EFORMAT);
    free(bytes);
}

static void segment_with_a_damaged_head_is_read_by_its_number(void **state)
{
    const struct fixture *f = *state;
    taping_flip(f->file, 17);
    struct segment *segment;
    struct segment_foot foot;
    struct tdk_err err;
    assert_int_equal(segment_open(&segment, f->file, NULL, &err), TDK_ECORRUPT);
    taping_ok(segment_open_number(&segment, &f->folder, 1, SEGMENT_SEALED, &err), &err);
    assert_true(segment->head_damaged);
    taping_ok(segment_read_foot(segment, &foot, &err), &err);
    segment_close(segment);
}

static void segment_under_another_name_is_refused(void **state)
{
    const struct fixture *f = *state;
    struct segment *segment;
    char file[128];
    taping_path(f->path, 7, ".seg", file);
    assert_int_equal(rename(f->file, file), 0);
    assert_int_equal(segment_open_number(&segment, &f->folder, 7, SEGMENT_SEALED, NULL),
                     TDK_EFOREIGN);
}

/* ---- written by hand ---- */

/* A block of one tick, finished with what a writer would know. */
static size_t make_block(unsigned char *bytes, const struct folder *folder, uint64_t segment,
                         uint32_t block, uint64_t synced_upto)
{
    static struct block_scratch scratch;
    struct track_state state = {.track = 1, .payload_max = 100, .epoch = 5, .next_seq = block + 1u};
    struct block b;
    block_begin(&b, bytes, 4096, &scratch, &state, TAPING_NOW);
    assert_true(block_add_tick(&b, TDK_TYPE_OPAQUE, 0, TAPING_NOW + block, "tick", 4));
    size_t size = block_seal(&b);
    memset(bytes + size, 0, 4096 - size);
    struct block_place place = {
        .segment = segment, .block = block, .span = 4096, .synced_upto = synced_upto};
    memcpy(place.tape_id, folder->tape_id, sizeof place.tape_id);
    block_finish(bytes, &place);
    return size;
}

/* Ten blocks in segment 2. The last one says what was synced. */
static struct segment *make_open_segment(const struct fixture *f, unsigned char *bytes,
                                         uint64_t synced_upto)
{
    struct segment_writer *writer;
    struct segment *segment;
    struct tdk_err err;
    taping_ok(segment_create(&writer, &f->folder, 2, SEGMENT_OPEN, 65536, &err), &err);
    assert_int_equal(segment_create(&writer, &f->folder, 2, SEGMENT_OPEN, 65536, NULL), -EEXIST);
    segment_writer_close(writer);
    char file[128];
    taping_path(f->path, 2, ".open", file);
    size_t size;
    unsigned char *head = taping_load(file, &size);
    assert_int_equal(size, 65536);
    memcpy(bytes, head, size);
    free(head);
    for (uint32_t i = 0; i < 10; i++)
        make_block(bytes + 4096 * (i + 1), &f->folder, 2, i, i == 9 ? synced_upto : 0);
    taping_store(file, bytes, size);
    taping_ok(segment_open(&segment, file, f->folder.tape_id, &err), &err);
    return segment;
}

static void scan_again(const struct fixture *f, struct segment **segment,
                       const unsigned char *bytes, struct segment_scan *scan)
{
    struct tdk_err err;
    char file[128];
    taping_path(f->path, 2, ".open", file);
    taping_store(file, bytes, 65536);
    segment_close(*segment);
    taping_ok(segment_open(segment, file, f->folder.tape_id, &err), &err);
    taping_ok(segment_scan(*segment, UINT64_MAX, scan, &err), &err);
}

static void hole_is_torn_unless_something_behind_it_was_synced(void **state)
{
    const struct fixture *f = *state;
    unsigned char *bytes = malloc(65536);
    struct segment_scan scan;
    struct segment *segment = make_open_segment(f, bytes, 4096 * 4);

    scan_again(f, &segment, bytes, &scan);
    segment_scan_trim(&scan);
    assert_int_equal(scan.count, 10);
    assert_int_equal(scan.end, 4096 * 11);
    assert_int_equal(scan.data_end, scan.end);
    segment_scan_close(&scan);

    memset(bytes + 4096 * 7, 0, 4096); /* block 6 never came: it is cut with all that follows */
    scan_again(f, &segment, bytes, &scan);
    assert_int_equal(scan.count, 9);
    assert_int_equal(scan.gap_count, 1);
    segment_scan_trim(&scan);
    assert_int_equal(scan.count, 6);
    assert_int_equal(scan.end, 4096 * 7);
    assert_int_equal(scan.gap_count, 0);
    segment_scan_close(&scan);

    make_block(bytes + 4096 * 7, &f->folder, 2, 6, 0);
    bytes[4096 * 3 + 300] ^= 1; /* block 2 was synced: it is damage, and the rest stays */
    scan_again(f, &segment, bytes, &scan);
    segment_scan_trim(&scan);
    assert_int_equal(scan.count, 9);
    assert_int_equal(scan.end, 4096 * 11);
    assert_int_equal(scan.gap_count, 1);
    assert_int_equal(scan.gaps[0].offset, 4096 * 3);
    assert_int_equal(scan.gaps[0].size, 4096);
    segment_scan_close(&scan);
    segment_close(segment);
    free(bytes);
}

static void scan_tells_what_lies_behind_the_last_block(void **state)
{
    const struct fixture *f = *state;
    unsigned char *bytes = malloc(65536);
    struct segment_scan scan;
    struct segment *segment = make_open_segment(f, bytes, 0);
    const size_t places[] = {4096 * 11, 4096 * 11 + 7, 4096 * 12 + 5, 65535};
    for (size_t i = 0; i < array_size(places); i++) {
        bytes[places[i]] = 'x';
        scan_again(f, &segment, bytes, &scan);
        assert_int_equal(scan.count, 10);
        assert_int_equal(scan.data_end, places[i] + 1);
        segment_scan_close(&scan);
        bytes[places[i]] = 0;
    }
    segment_close(segment);
    free(bytes);
}

/* A feed that can read the tape may put the tape's blocks into payloads. */
static void scan_takes_no_block_out_of_a_payload(void **state)
{
    const struct fixture *f = *state;
    unsigned char *bytes = malloc(65536);
    struct segment_scan scan;
    struct segment *segment = make_open_segment(f, bytes, 65536);
    memcpy(bytes + 4096 * 6 + 1024, bytes + 4096 * 3, 1024); /* an older block */
    scan_again(f, &segment, bytes, &scan);
    assert_int_equal(scan.count, 9);
    for (size_t i = 1; i < scan.count; i++)
        assert_true(scan.refs[i].block > scan.refs[i - 1].block);
    segment_scan_close(&scan);

    /* A block of another segment. */
    make_block(bytes + 4096 * 6, &f->folder, 1, 5, 0);
    scan_again(f, &segment, bytes, &scan);
    assert_int_equal(scan.count, 9);
    segment_scan_close(&scan);
    segment_close(segment);
    free(bytes);
}

static void writer_seals_what_it_was_told_of(void **state)
{
    const struct fixture *f = *state;
    struct segment_writer *w;
    struct segment *segment;
    struct segment_foot foot;
    struct tdk_err err;
    unsigned char *block = aligned_alloc(4096, 4096);
    taping_ok(segment_create(&w, &f->folder, 2, SEGMENT_OPEN, 1 << 20, &err), &err);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t offset = w->end;
        make_block(block, &f->folder, 2, i, 0);
        assert_int_equal(pwrite(w->fd, block, 4096, (off_t)offset), 4096);
        taping_ok(segment_note(w, (const void *)block, offset, &err), &err);
    }
    taping_ok(segment_seal(w, "", 0, 0x1234, &err), &err);
    taping_ok(segment_publish(w, &err), &err);
    struct segment_ref ref;
    segment_ref_of(w, true, &ref);
    assert_int_equal(ref.ticks, 3);
    assert_int_equal(ref.size, 4096 * 5);
    segment_writer_close(w);

    taping_ok(segment_open_number(&segment, &f->folder, 2, SEGMENT_SEALED, &err), &err);
    assert_int_equal(segment->size, 4096 * 5);
    taping_ok(segment_read_foot(segment, &foot, &err), &err);
    assert_int_equal(foot.previous_digest, 0x1234);
    assert_int_equal(foot.blocks, 3);
    segment_close(segment);
    free(block);
}

static void what_has_its_name_is_not_written_again(void **state)
{
    const struct fixture *f = *state;
    struct segment_writer *w;
    struct segment *segment;
    struct segment_foot foot;
    struct tdk_err err;
    taping_ok(segment_create(&w, &f->folder, 2, SEGMENT_OPEN, 1 << 20, &err), &err);
    taping_ok(segment_seal(w, "", 0, 0x1234, &err), &err);
    faulty_begin(2, true, -EIO); /* renamed, but the folder is not synced */
    assert_int_equal(segment_publish(w, &err), -EIO);
    assert_int_equal(faulty.calls, 2);

    /* It is tried again, on a disk that tears whatever is written. */
    taping_ok(segment_seal(w, "", 0, 0x5678, &err), &err);
    assert_int_equal(segment_publish(w, &err), -EIO);
    assert_int_equal(faulty.calls, 3);
    faulty_end();
    taping_ok(segment_publish(w, &err), &err);
    segment_writer_close(w);

    taping_ok(segment_open_number(&segment, &f->folder, 2, SEGMENT_SEALED, &err), &err);
    taping_ok(segment_read_foot(segment, &foot, &err), &err);
    assert_int_equal(foot.previous_digest, 0x1234);
    segment_close(segment);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sealed_segment_tells_its_blocks),
        TEST(scan_finds_what_the_table_tells),
        TEST(flip_of_any_byte_costs_one_block),
        TEST(flip_of_any_byte_of_the_footer_is_found),
        TEST(cut_anywhere_leaves_the_blocks_before_it),
        TEST(segment_of_another_kind_is_refused_by_name),
        TEST(segment_with_a_damaged_head_is_read_by_its_number),
        TEST(segment_under_another_name_is_refused),
        TEST(hole_is_torn_unless_something_behind_it_was_synced),
        TEST(scan_tells_what_lies_behind_the_last_block),
        TEST(scan_takes_no_block_out_of_a_payload),
        TEST(writer_seals_what_it_was_told_of),
        TEST(what_has_its_name_is_not_written_again),
    };
    return cmocka_run_group_tests_name("tape.segment", tests, NULL, NULL);
}
