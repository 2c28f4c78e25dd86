#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tests/support/taping.h"

struct fixture {
    char path[FOLDER_PATH];
    struct recovered tape;
    char told[4096]; /* what recovery reported */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_make(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->path);
    free(f);
    return 0;
}

static void on_found(const char *text, void *context)
{
    struct fixture *f = context;
    size_t used = strlen(f->told);
    snprintf(f->told + used, sizeof f->told - used, "%s\n", text);
}

static const struct recover_report *recover(struct fixture *f)
{
    const struct recover_options options = {.create = true, .found = on_found, .context = f};
    struct tdk_err err;
    f->told[0] = '\0';
    taping_ok(recover_open(&f->tape, f->path, &options, &err), &err);
    return &f->tape.report;
}

static void leave(struct fixture *f)
{
    struct tdk_err err;
    taping_ok(recover_close(&f->tape, true, &err), &err);
}

/* Close as a writer that dies: nothing is synced, marked or taken back. */
static void die(struct fixture *f)
{
    recover_close(&f->tape, false, NULL);
}

static uint64_t ticks_on(const struct fixture *f, const char *track)
{
    uint16_t number = catalog_find(f->tape.catalog, track);
    uint64_t epoch = catalog_last_epoch(f->tape.catalog, number);
    const struct epoch_ref *ref = catalog_epoch(f->tape.catalog, number, epoch);
    return ref != NULL ? ref->ticks : 0;
}

static bool exists(const struct fixture *f, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return access(path, F_OK) == 0;
}

/* Run a command in the tape's folder. */
static void shell(const struct fixture *f, const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "cd %s && %s", f->path, command);
    assert_int_equal(system(line), 0);
}

/* ---- a recorder's half-written segments ---- */

enum { BLOCK = 4096, PER_BLOCK = 10 };

/* A segment as a recorder writes it: each block is a write of its own. */
struct recording {
    struct segment_writer *writer;
    struct track_state state;
    uint32_t block;
    uint64_t synced_upto, previous_end;
};

static void begin_recording(struct fixture *f, struct recording *r, uint64_t epoch)
{
    struct tdk_err err;
    uint16_t track;
    taping_ok(catalog_track(f->tape.catalog, "rec", TDK_KIND_OPAQUE, &track, &err), &err);
    *r = (struct recording){
        .state = {.track = track, .payload_max = 4096, .epoch = epoch, .next_seq = 1}};
}

static void open_segment(struct fixture *f, struct recording *r)
{
    struct tdk_err err;
    r->previous_end = r->writer != NULL ? r->writer->end : f->tape.previous_end;
    segment_writer_close(r->writer);
    taping_ok(segment_create(&r->writer, &f->tape.folder, f->tape.next_segment++, SEGMENT_OPEN,
                             1 << 20, &err),
              &err);
    r->block = 0;
    r->synced_upto = SEGMENT_FIRST_OFFSET;
}

/* `lost`: the write never reached the disk, although others after it did. */
static void record_block(struct fixture *f, struct recording *r, bool lost)
{
    static struct block_scratch scratch;
    struct tdk_err err;
    struct block b;
    unsigned char *bytes = aligned_alloc(TAPE_ALIGN, BLOCK);
    block_begin(&b, bytes, BLOCK, &scratch, &r->state, TAPING_NOW);
    if (r->block == 0)
        assert_true(block_add_track(&b, "rec", TDK_KIND_OPAQUE));
    if (r->state.next_seq == 1) {
        struct tdk_epoch epoch = {.epoch = r->state.epoch, .ring_epoch = 99};
        assert_true(block_add_epoch(&b, &epoch));
    }
    for (unsigned i = 0; i < PER_BLOCK; i++)
        assert_true(block_add_tick(&b, TDK_TYPE_OPAQUE, 0, TAPING_NOW + i, "tick", 4));
    size_t size = block_seal(&b);
    memset(bytes + size, 0, BLOCK - size);
    struct block_place place = {.segment = r->writer->number,
                                .block = r->block++,
                                .span = BLOCK,
                                .synced_upto = r->synced_upto,
                                .previous_end = r->previous_end,
                                .written_ns = TAPING_NOW};
    memcpy(place.tape_id, f->tape.folder.tape_id, sizeof place.tape_id);
    block_finish(bytes, &place);
    if (!lost)
        assert_int_equal(pwrite(r->writer->fd, bytes, BLOCK, (off_t)r->writer->end), BLOCK);
    taping_ok(segment_note(r->writer, (const void *)bytes, r->writer->end, &err), &err);
    free(bytes);
}

static void record(struct fixture *f, struct recording *r, unsigned blocks)
{
    for (unsigned i = 0; i < blocks; i++)
        record_block(f, r, false);
}

static void stop_recording(struct fixture *f, struct recording *r)
{
    segment_writer_close(r->writer);
    die(f);
}

static void scribble(const struct fixture *f, const char *name, off_t offset, const char *bytes)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_true(pwrite(fd, bytes, strlen(bytes), offset) > 0);
    close(fd);
}

static void unsealed_segment_is_sealed(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 5);
    stop_recording(f, &r);

    const struct recover_report *report = recover(f);
    assert_int_equal(report->sealed_now, 1);
    assert_int_equal(report->torn_bytes, 0);
    assert_int_equal(report->damaged, 0);
    assert_string_equal(f->told, "");
    assert_int_equal(ticks_on(f, "rec"), 50);
    assert_int_equal(f->tape.next_segment, 2);
    assert_int_equal(f->tape.previous_end, 4096 * 6);
    const struct epoch_ref *epoch = catalog_epoch(f->tape.catalog, 1, 1000);
    assert_int_equal(epoch->last_seq, 50);
    assert_int_equal(epoch->ring_epoch, 99);
    assert_true(exists(f, "segments/0000000001.seg"));
    leave(f);

    report = recover(f); /* and again: nothing is left to do */
    assert_int_equal(report->sealed_now, 0);
    assert_false(report->index_rebuilt);
    assert_int_equal(ticks_on(f, "rec"), 50);
    leave(f);
}

static void torn_tail_is_cut_and_kept(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 5);
    stop_recording(f, &r);
    scribble(f, "segments/0000000001.open", 4096 * 5 + 1000, "torn"); /* in the last block */

    const struct recover_report *report = recover(f);
    assert_int_equal(report->sealed_now, 1);
    assert_true(report->torn_bytes > 1000);
    assert_int_equal(report->damaged, 0);
    assert_non_null(strstr(f->told, "never completed"));
    assert_int_equal(ticks_on(f, "rec"), 40);
    assert_true(exists(f, "quarantine/0000000001.torn"));
    leave(f);
}

static void damage_in_what_was_synced_is_kept_and_told(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 5);
    r.synced_upto = r.writer->end;
    record(f, &r, 1);
    stop_recording(f, &r);
    scribble(f, "segments/0000000001.open", 4096 * 3 + 1000, "rot");

    const struct recover_report *report = recover(f);
    assert_int_equal(report->damaged, 1);
    assert_int_equal(report->torn_bytes, 0);
    assert_non_null(strstr(f->told, "segment 1: 4096 bytes from offset 12288 on are damaged"));
    assert_int_equal(ticks_on(f, "rec"), 50);
    assert_int_equal(folder_count_in(f->path, "quarantine"), 0);
    leave(f);
}

/* Nothing else in the segment names the track. */
static void rot_behind_the_name_of_a_new_track_does_not_cost_it(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 2);
    r.synced_upto = r.writer->end;
    record(f, &r, 2);
    stop_recording(f, &r);
    scribble(f, "segments/0000000001.open", 4096 * 2 - 100, "rot"); /* in the first block */

    const struct recover_report *report = recover(f);
    assert_int_equal(report->damaged, 1);
    assert_string_equal(catalog_name(f->tape.catalog, 1), "rec");
    assert_int_equal(ticks_on(f, "rec"), 30);
    leave(f);
}

/* The room of what follows has not been given back to the ring. It will come again, and must not be
 * there twice. */
static void what_follows_a_lost_write_is_cut_with_it(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 3);
    record_block(f, &r, true);
    record(f, &r, 2);
    stop_recording(f, &r);

    recover(f);
    assert_int_equal(ticks_on(f, "rec"), 30);
    assert_int_equal(f->tape.report.torn_bytes > 0, 1);
    leave(f);
}

static void lost_write_at_the_end_of_a_segment_takes_the_next_one_with_it(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 3);
    record_block(f, &r, true); /* nothing of it is there, not even torn bytes */
    open_segment(f, &r);
    record(f, &r, 2);
    r.state.epoch = 2000; /* what began there does not count either */
    r.state.next_seq = 1;
    record(f, &r, 1);
    stop_recording(f, &r);

    const struct recover_report *report = recover(f);
    assert_int_equal(ticks_on(f, "rec"), 30);
    assert_int_equal(catalog_last_epoch(f->tape.catalog, 1), 1000);
    assert_int_equal(report->sealed_now, 1);
    assert_int_equal(report->damaged, 0);
    assert_int_equal(f->tape.next_segment, 2);
    assert_true(exists(f, "quarantine/0000000002.torn"));
    leave(f);
}

/* It is kept like any torn tail. If it were set aside under a segment's name, somebody would have
 * to look at it. */
static void torn_first_write_of_a_segment_is_kept_as_one(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct recording r = {0};
        recover(f);
        begin_recording(f, &r, 1000 + (uint64_t)i);
        open_segment(f, &r);
        stop_recording(f, &r);
        scribble(f, "segments/0000000001.open", 4096, i == 0 ? "torn" : "torn again");

        const struct recover_report *report = recover(f);
        assert_true(report->torn_bytes > 0);
        assert_int_equal(report->set_aside, 0);
        assert_int_equal(f->tape.next_segment, 1);
        assert_int_equal(folder_count_in(f->path, "segments"), 0);
        leave(f);
    }
    assert_int_equal(folder_count_in(f->path, "quarantine"), 2);
    assert_true(exists(f, "quarantine/0000000001.torn"));
    assert_true(exists(f, "quarantine/0000000001.torn.1"));
}

static void lost_write_that_was_synced_is_damage_and_the_next_segment_stays(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 3);
    record_block(f, &r, true);
    open_segment(f, &r);
    record(f, &r, 2);
    r.synced_upto = r.writer->end; /* so all of segment 1 was synced, too */
    record(f, &r, 1);
    stop_recording(f, &r);

    const struct recover_report *report = recover(f);
    assert_int_equal(ticks_on(f, "rec"), 60);
    assert_int_equal(report->damaged, 1);
    assert_int_equal(report->sealed_now, 2);
    assert_int_equal(f->tape.next_segment, 3);
    leave(f);
}

static void segment_without_blocks_is_removed(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 3);
    open_segment(f, &r);
    stop_recording(f, &r);
    char path[160];
    snprintf(path, sizeof path, "%s/segments/0000000003.open", f->path);
    taping_store(path, "", 0); /* died between creating and allocating */

    recover(f);
    assert_int_equal(f->tape.next_segment, 2);
    assert_int_equal(folder_count_in(f->path, "segments"), 1);
    assert_int_equal(folder_count_in(f->path, "quarantine"), 0);
    leave(f);
}

/* ---- death at any point of it ---- */

static void footer_begun_and_not_finished_is_written_again(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 5);
    /* The writer died after the first sector of the footer. */
    unsigned char sector[512] = {0};
    memcpy(sector, r.writer->refs, sizeof sector);
    assert_int_equal(fcntl(r.writer->fd, F_SETFL, 0), 0);
    assert_int_equal(pwrite(r.writer->fd, sector, sizeof sector, (off_t)r.writer->end), 512);
    stop_recording(f, &r);

    const struct recover_report *report = recover(f);
    assert_int_equal(report->torn_bytes, 0);
    assert_int_equal(report->sealed_now, 1);
    assert_int_equal(ticks_on(f, "rec"), 50);
    assert_int_equal(folder_count_in(f->path, "quarantine"), 0);
    leave(f);
}

static void segment_sealed_and_not_renamed_is_renamed(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 5);
    taping_ok(segment_seal(r.writer, "", 0, 0, &err), &err);
    stop_recording(f, &r);

    const struct recover_report *report = recover(f);
    assert_int_equal(report->sealed_now, 1);
    assert_string_equal(f->told, "");
    assert_true(exists(f, "segments/0000000001.seg"));
    leave(f);
}

static void recovery_that_died_goes_on(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 3);
    open_segment(f, &r);
    record(f, &r, 2);
    stop_recording(f, &r);
    recover(f);
    die(f);
    const struct recover_report *report = recover(f);
    assert_int_equal(report->sealed_now, 0);
    assert_true(report->index_rebuilt);
    assert_int_equal(ticks_on(f, "rec"), 50);
    leave(f);
}

/* ---- imports ---- */

static void import_that_died_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    taping_make(f->path, 100, 4096, 1 << 20);
    struct append *append = taping_open(f->path, 4096, 64 << 10);
    taping_ticks(append, "half", 10000);
    /* A copy of the folder is what a crash would leave, because the lock is not copied. */
    char copy[FOLDER_PATH], command[256];
    folder_make(copy);
    snprintf(command, sizeof command, "cp -r . %s/", copy);
    shell(f, command);
    append_abort(append);
    folder_remove(f->path);
    memcpy(f->path, copy, sizeof copy);

    const struct recover_report *report = recover(f);
    assert_true(report->imports_undone > 5);
    assert_int_equal(catalog_find(f->tape.catalog, "half"), 0);
    assert_int_equal(folder_count_in(f->path, "segments"), 1);
    leave(f);
}

static void import_that_died_at_its_last_step_is_finished(void **state)
{
    struct fixture *f = *state;
    char from[128], to[128];
    taping_make(f->path, 10000, 4096, 64 << 10);
    int count = folder_count_in(f->path, "segments");
    for (uint64_t i = 1; i < (uint64_t)count; i++) { /* all but the last were not renamed yet */
        taping_path(f->path, i, ".seg", from);
        taping_path(f->path, i, ".import", to);
        assert_int_equal(rename(from, to), 0);
    }
    snprintf(from, sizeof from, "%s/index/clean", f->path);
    assert_int_equal(unlink(from), 0);

    const struct recover_report *report = recover(f);
    assert_int_equal(report->imports_undone, 0);
    assert_int_equal(report->segments, count);
    assert_int_equal(ticks_on(f, "t"), 10000);
    leave(f);
}

/* ---- the index ---- */

static void index_is_rebuilt_from_the_segments(void **state)
{
    struct fixture *f = *state;
    taping_make(f->path, 5000, 4096, 64 << 10);
    const char *const ways[] = {"rm -rf index", "rm index/clean", "rm index/data.mdb",
                                "truncate -s 5000 index/data.mdb",
                                "head -c 20000 /dev/urandom > index/data.mdb"};
    for (size_t i = 0; i < array_size(ways); i++) {
        shell(f, ways[i]);
        const struct recover_report *report = recover(f);
        assert_true(report->index_rebuilt);
        assert_int_equal(report->damaged, 0);
        assert_int_equal(ticks_on(f, "t"), 5000);
        leave(f);
    }
}

static void lost_tape_meta_is_written_anew(void **state)
{
    struct fixture *f = *state;
    char path[128];
    taping_make(f->path, 500, 4096, 1 << 20);
    snprintf(path, sizeof path, "%s/tape.meta", f->path);
    size_t size;
    unsigned char *meta = taping_load(path, &size);
    assert_int_equal(unlink(path), 0);
    assert_true(recover(f)->meta_rebuilt);
    assert_int_equal(ticks_on(f, "t"), 500);
    leave(f);
    assert_memory_equal(f->tape.folder.tape_id, meta + 16, 16);
    meta[20] ^= 1;
    taping_store(path, meta, size);
    assert_true(recover(f)->meta_rebuilt);
    leave(f);
    assert_false(recover(f)->meta_rebuilt);
    leave(f);
    free(meta);
}

/* ---- files that are not as they should be ---- */

static void forget_index(const struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/index/clean", f->path);
    assert_int_equal(unlink(path), 0);
}

static void missing_segment_is_told(void **state)
{
    struct fixture *f = *state;
    char path[128];
    taping_make(f->path, 5000, 4096, 64 << 10);
    taping_path(f->path, 2, ".seg", path);
    assert_int_equal(unlink(path), 0);
    const struct recover_report *report = recover(f); /* although the index says all is well */
    assert_int_equal(report->damaged, 1);
    assert_non_null(strstr(f->told, "missing"));
    assert_true(ticks_on(f, "t") < 5000);
    leave(f);
}

static void foreign_and_doubled_segments_are_set_aside(void **state)
{
    struct fixture *f = *state;
    char other[FOLDER_PATH], command[256];
    folder_make(other);
    taping_make(other, 100, 4096, 1 << 20);
    taping_make(f->path, 500, 4096, 1 << 20);
    snprintf(command, sizeof command, "cp %s/segments/0000000001.seg segments/0000000002.seg",
             other);
    shell(f, command);
    shell(f, "cp segments/0000000001.seg segments/0000000003.seg");
    shell(f, "cp segments/0000000001.seg segments/0000000001.open");
    shell(f, "echo hello > segments/0000000004.seg");
    folder_remove(other);
    const struct recover_report *report = recover(f);
    assert_int_equal(report->set_aside, 4);
    assert_int_equal(ticks_on(f, "t"), 500);
    assert_int_equal(folder_count_in(f->path, "quarantine"), 4);
    assert_int_equal(f->tape.next_segment, 2);
    leave(f);
}

static void copy_with_a_digit_too_many_in_its_name_costs_nothing(void **state)
{
    struct fixture *f = *state;
    taping_make(f->path, 500, 4096, 1 << 20);
    shell(f, "cp segments/0000000001.seg segments/00000000001.seg");
    forget_index(f);
    const struct recover_report *report = recover(f);
    assert_int_equal(report->set_aside, 0);
    assert_int_equal(report->damaged, 0);
    assert_int_equal(report->segments, 1);
    assert_int_equal(ticks_on(f, "t"), 500);
    leave(f);
}

static void bad_footer_costs_a_scan_and_no_tick(void **state)
{
    struct fixture *f = *state;
    char path[128];
    size_t size;
    taping_make(f->path, 500, 4096, 1 << 20);
    taping_path(f->path, 1, ".seg", path);
    unsigned char *bytes = taping_load(path, &size);
    const size_t places[] = {size - 1, size - 100, size - 4096};
    for (size_t i = 0; i < array_size(places); i++) {
        bytes[places[i]] ^= 1;
        taping_store(path, bytes, size);
        bytes[places[i]] ^= 1;
        forget_index(f);
        const struct recover_report *report = recover(f);
        assert_int_equal(ticks_on(f, "t"), 500);
        assert_int_equal(report->damaged, 1);
        leave(f);
    }
    free(bytes);
}

static void damaged_head_of_a_segment_costs_no_tick(void **state)
{
    struct fixture *f = *state;
    taping_make(f->path, 500, 4096, 1 << 20);
    scribble(f, "segments/0000000001.seg", 100, "x"); /* it should be zero */
    forget_index(f);
    const struct recover_report *report = recover(f);
    assert_int_equal(report->damaged, 1);
    assert_int_equal(report->set_aside, 0);
    assert_int_equal(ticks_on(f, "t"), 500);
    leave(f);
}

/* Whatever its length, a cut tape is read as far as it goes, and a second time in the same way. */
static void unsealed_segment_cut_at_any_length_keeps_its_good_prefix(void **state)
{
    struct fixture *f = *state;
    struct recording r = {0};
    recover(f);
    begin_recording(f, &r, 1000);
    open_segment(f, &r);
    record(f, &r, 6);
    stop_recording(f, &r);
    char path[128];
    size_t size;
    taping_path(f->path, 1, ".open", path);
    unsigned char *bytes = taping_load(path, &size);
    uint64_t last = 0;
    for (size_t cut = 4096; cut <= 4096 * 8; cut += 333) {
        taping_path(f->path, 1, ".seg", path);
        unlink(path);
        taping_path(f->path, 1, ".open", path);
        taping_store(path, bytes, cut);
        recover(f);
        uint64_t ticks = ticks_on(f, "rec");
        leave(f);
        assert_true(ticks >= last && ticks % PER_BLOCK == 0);
        assert_in_range(ticks, cut / 4096 > 1 ? (cut / 4096 - 2) * 10 : 0, 60);
        last = ticks;
        recover(f);
        assert_int_equal(ticks_on(f, "rec"), ticks);
        leave(f);
    }
    assert_int_equal(last, 60);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unsealed_segment_is_sealed),
        TEST(torn_tail_is_cut_and_kept),
        TEST(torn_first_write_of_a_segment_is_kept_as_one),
        TEST(damage_in_what_was_synced_is_kept_and_told),
        TEST(rot_behind_the_name_of_a_new_track_does_not_cost_it),
        TEST(what_follows_a_lost_write_is_cut_with_it),
        TEST(lost_write_at_the_end_of_a_segment_takes_the_next_one_with_it),
        TEST(lost_write_that_was_synced_is_damage_and_the_next_segment_stays),
        TEST(segment_without_blocks_is_removed),
        TEST(footer_begun_and_not_finished_is_written_again),
        TEST(segment_sealed_and_not_renamed_is_renamed),
        TEST(recovery_that_died_goes_on),
        TEST(import_that_died_leaves_nothing),
        TEST(import_that_died_at_its_last_step_is_finished),
        TEST(index_is_rebuilt_from_the_segments),
        TEST(lost_tape_meta_is_written_anew),
        TEST(missing_segment_is_told),
        TEST(foreign_and_doubled_segments_are_set_aside),
        TEST(copy_with_a_digit_too_many_in_its_name_costs_nothing),
        TEST(bad_footer_costs_a_scan_and_no_tick),
        TEST(damaged_head_of_a_segment_costs_no_tick),
        TEST(unsealed_segment_cut_at_any_length_keeps_its_good_prefix),
    };
    return cmocka_run_group_tests_name("tape.recover", tests, NULL, NULL);
}
