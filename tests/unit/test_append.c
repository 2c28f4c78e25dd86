#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "tapedeck/tape.h"
#include "tests/support/learned.h"
#include "tests/support/taping.h"

/* Every block of a tape, read without the index: counts the ticks, and checks that their seqs go on
 * without a gap. */
struct counted {
    uint64_t ticks, segments, next_seq;
    uint64_t epoch;
};

static void count_segment(const struct folder *folder, uint64_t number, struct counted *counted)
{
    struct segment *segment;
    struct segment_foot foot;
    struct block_ref *refs;
    struct tdk_err err;
    taping_ok(segment_open_number(&segment, folder, number, SEGMENT_SEALED, &err), &err);
    taping_ok(segment_read_foot(segment, &foot, &err), &err);
    taping_ok(segment_read_table(segment, &foot, &refs, &err), &err);
    unsigned char *buffer = malloc(BLOCK_SPAN_MAX);
    for (uint64_t i = 0; i < foot.blocks; i++) {
        struct block_view view;
        taping_ok(segment_read(segment, &refs[i], buffer, &view, &err), &err);
        if (view.head->epoch != counted->epoch)
            counted->next_seq = 1;
        counted->epoch = view.head->epoch;
        assert_int_equal(view.head->first_seq, counted->next_seq);
        counted->next_seq = view.head->last_seq + 1;
        counted->ticks += view.head->count;
        if (i == 0)
            assert_int_equal(((const struct tdk_frame *)view.frames)->type, TDK_TYPE_TRACK);
    }
    counted->segments++;
    free(buffer);
    free(refs);
    segment_close(segment);
}

static struct counted count_tape(const char *path)
{
    struct folder folder;
    struct segment_name *names;
    struct counted counted = {0};
    struct tdk_err err;
    size_t count;
    taping_ok(folder_open(&folder, path, &err), &err);
    taping_ok(folder_segments(&folder, &names, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(names[i].stage, SEGMENT_SEALED);
        assert_int_equal(names[i].number, i + 1);
        count_segment(&folder, names[i].number, &counted);
    }
    free(names);
    return counted;
}

static void append_makes_a_whole_tape(void **state)
{
    const char *path = *state;
    struct folder folder;
    taping_make(path, 1000, 4096, 1 << 20);
    assert_int_equal(count_tape(path).ticks, 1000);
    taping_ok(folder_open(&folder, path, NULL), NULL);
    assert_true(folder_is_clean(&folder, 1));
    assert_false(folder_is_held(&folder));
}

static void append_goes_on_through_segments(void **state)
{
    const char *path = *state;
    taping_make(path, 10000, 4096, 64 << 10);
    struct counted counted = count_tape(path);
    assert_int_equal(counted.ticks, 10000);
    assert_true(counted.segments > 5);
}

static void append_holds_a_million_ticks(void **state)
{
    const char *path = *state;
    taping_make(path, 1000000, 1 << 20, 16 << 20);
    struct counted counted = count_tape(path);
    assert_int_equal(counted.ticks, 1000000);
    assert_int_equal(counted.next_seq, 1000001);
}

static void append_adds_epochs_to_what_is_there(void **state)
{
    const char *path = *state;
    struct recovered tape;
    struct tdk_err err;
    taping_make(path, 100, 4096, 1 << 20);
    struct append *append = taping_open(path, 4096, 1 << 20);
    taping_ticks(append, "t", 50);
    uint64_t second = append_epoch(append);
    taping_ticks(append, "t", 50);
    assert_true(append_epoch(append) > second);
    taping_ticks(append, "u", 7);
    taping_close(append);
    assert_int_equal(count_tape(path).ticks, 207);

    taping_ok(recover_open(&tape, path, NULL, &err), &err);
    assert_false(tape.report.index_rebuilt);
    uint16_t t = catalog_find(tape.catalog, "t");
    assert_int_equal(t, 1);
    assert_int_equal(catalog_epoch(tape.catalog, t, second)->ticks, 50);
    assert_true(catalog_last_epoch(tape.catalog, t) > second);
    assert_int_equal(tape.next_segment, 3);
    taping_ok(recover_close(&tape, true, &err), &err);
}

static void append_keeps_a_track_without_ticks(void **state)
{
    const char *path = *state;
    struct recovered tape;
    struct tdk_err err;
    char value[10000];
    size_t size;
    memset(value, 'v', sizeof value);
    struct append *append = taping_open(path, 4096, 1 << 20);
    taping_ok(append_begin(append, "empty", TDK_KIND_DBN, &err), &err);
    taping_ok(append_info(append, "dbn.metadata", value, sizeof value, &err), &err);
    uint64_t epoch = append_epoch(append);
    taping_close(append);
    taping_ok(recover_open(&tape, path, NULL, &err), &err);
    uint16_t track = catalog_find(tape.catalog, "empty");
    const void *back = learned_info(tape.catalog, track, epoch, "dbn.metadata", &size);
    assert_non_null(back);
    assert_int_equal(size, sizeof value);
    assert_memory_equal(back, value, size);
    assert_int_equal(catalog_epoch(tape.catalog, track, epoch)->ticks, 0);
    taping_ok(recover_close(&tape, true, &err), &err);
}

static void append_refuses_a_payload_that_is_too_large_and_goes_on(void **state)
{
    const char *path = *state;
    struct tdk_err err;
    struct append *append = taping_open(path, 4096, 1 << 20);
    char payload[5000] = {0};
    taping_ticks(append, "t", 10);
    assert_int_equal(append_tick(append, TDK_TYPE_OPAQUE, 0, 1, payload, 4097, &err), TDK_EVALUE);
    taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, 1, payload, 4096, &err), &err);
    taping_close(append);
    assert_int_equal(count_tape(path).ticks, 11);
}

static void append_counts_what_it_flags(void **state)
{
    const char *path = *state;
    struct append_totals totals;
    struct tdk_err err;
    struct append *append = taping_open(path, 4096, 1 << 20);
    taping_ticks(append, "t", 10);
    taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, 1, "", 0, &err), &err);
    taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, UINT64_MAX, "", 0, &err), &err);
    taping_ok(append_tick(append, TDK_TYPE_DBN, 0, TAPING_NOW, "", 0, &err), &err);
    taping_ok(append_close(append, &totals, &err), &err);
    assert_int_equal(totals.ticks, 13);
    assert_int_equal(totals.back, 2);
    assert_int_equal(totals.odd, 1);
    assert_int_equal(totals.invalid, 1);
    assert_int_equal(totals.segments, 1);
}

/* How many ticks were lost in a nanosecond of which nothing is on the tape. */
static uint64_t lost_at(struct tdk_tape *tape, uint64_t ts)
{
    const struct tdk_query query = {.from = ts, .to = ts + 1};
    struct tdk_cursor *cursor;
    struct tdk_cursor_stats stats;
    struct tdk_run run;
    struct tdk_err err;
    taping_ok(tdk_cursor_open(&cursor, tape, &query, &err), &err);
    taping_ok(tdk_cursor_read(cursor, &run, &err), &err);
    tdk_cursor_stats(cursor, &stats);
    tdk_cursor_close(cursor);
    assert_int_equal(stats.ticks, 0);
    return stats.lost;
}

/* Wherever in a block it comes, and whatever is told between it and the tick after it. */
static void loss_is_met_between_its_ticks(void **state)
{
    const char *path = *state;
    const unsigned lost_each = 3, info_each = 5;
    struct tdk_tape *tape;
    struct tdk_err err;
    struct append *append = taping_open(path, 4096, 64 << 10);
    taping_ticks(append, "t", 1);
    for (unsigned i = 1; i < 2000; i++) {
        const uint64_t ts = TAPING_NOW + 10 * i;
        const char payload[1000] = {0};
        if (i % lost_each == 0)
            taping_ok(append_loss(append, 2, ts - 10, ts, &err), &err);
        if (i % info_each == 0)
            taping_ok(append_info(append, "key", payload, 100 + i % 50, &err), &err);
        taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, ts, payload, i % 100 * 10, &err), &err);
    }
    taping_ok(append_loss(append, 7, TAPING_NOW + 19990, TAPING_NOW + 19990, &err), &err);
    taping_close(append);

    taping_ok(tdk_tape_open(&tape, path, &err), &err);
    for (unsigned i = 1; i < 2000; i++)
        assert_int_equal(lost_at(tape, TAPING_NOW + 10 * i - 5), i % lost_each == 0 ? 2 : 0);
    tdk_tape_close(tape);
    assert_int_equal(count_tape(path).next_seq, 2000 + 666 * 2 + 7 + 1);
}

static void abort_leaves_the_tape_as_it_was(void **state)
{
    const char *path = *state;
    struct folder folder;
    taping_make(path, 100, 4096, 1 << 20);
    struct append *append = taping_open(path, 4096, 64 << 10);
    taping_ticks(append, "half", 10000);
    assert_true(folder_count_in(path, "segments") > 5);
    append_abort(append);
    assert_int_equal(folder_count_in(path, "segments"), 1);
    assert_int_equal(count_tape(path).ticks, 100);
    taping_ok(folder_open(&folder, path, NULL), NULL);
    assert_true(folder_is_clean(&folder, 1));

    struct recovered tape;
    struct tdk_err err;
    taping_ok(recover_open(&tape, path, NULL, &err), &err);
    assert_int_equal(catalog_find(tape.catalog, "half"), 0);
    taping_ok(recover_close(&tape, true, &err), &err);
}

/* Abort removes only what was made for this append. A folder that existed before stays, and so do
 * the files that others have put there. */
static void abort_leaves_no_tape_that_was_made_for_it(void **state)
{
    const char *path = *state;
    char made[FOLDER_PATH + 8], socket[FOLDER_PATH + 24];
    snprintf(made, sizeof made, "%s/made", path);
    snprintf(socket, sizeof socket, "%s/replayer.sock", made);
    for (int ticks = 0; ticks <= 10000; ticks += 10000) {
        struct append *append = taping_open(made, 4096, 64 << 10);
        taping_ticks(append, "half", (unsigned)ticks);
        append_abort(append);
        assert_int_equal(folder_count(path), 0);
        append = taping_open(path, 4096, 64 << 10);
        taping_ticks(append, "half", (unsigned)ticks);
        append_abort(append);
        assert_int_equal(folder_count(path), 0);
    }
    struct append *append = taping_open(made, 4096, 64 << 10);
    taping_store(socket, "", 0);
    append_abort(append);
    assert_int_equal(access(socket, F_OK), 0);
    assert_int_equal(count_tape(made).ticks, 0);
}

static void nothing_is_part_of_the_tape_before_the_end(void **state)
{
    const char *path = *state;
    taping_make(path, 100, 4096, 1 << 20);
    struct append *append = taping_open(path, 4096, 64 << 10);
    taping_ticks(append, "half", 10000);
    struct folder folder;
    struct segment_name *names;
    size_t count, sealed = 0;
    taping_ok(folder_open(&folder, path, NULL), NULL);
    taping_ok(folder_segments(&folder, &names, &count, NULL), NULL);
    for (size_t i = 0; i < count; i++)
        sealed += names[i].stage == SEGMENT_SEALED;
    assert_int_equal(sealed, 1);
    free(names);
    taping_close(append);
    assert_int_equal(count_tape(path).ticks, 10100);
}

static void second_writer_is_refused(void **state)
{
    const char *path = *state;
    struct append *append = taping_open(path, 4096, 1 << 20), *second;
    struct tdk_err err;
    assert_int_equal(append_open(&second, path, NULL, &err), TDK_EBUSY);
    assert_non_null(strstr(err.text, "pid "));
    struct folder folder;
    taping_ok(folder_open(&folder, path, NULL), NULL);
    assert_true(folder_is_held(&folder));
    append_abort(append);
    assert_false(folder_is_held(&folder));
}

static void folder_of_somebody_else_is_not_touched(void **state)
{
    const char *path = *state;
    char file[128];
    struct append *append;
    struct tdk_err err;
    snprintf(file, sizeof file, "%s/letter.txt", path);
    taping_store(file, "dear", 4);
    assert_int_equal(append_open(&append, path, NULL, &err), TDK_ENOTAPE);
    assert_int_equal(folder_count(path), 1);
    assert_int_equal(append_open(&append, file, NULL, &err), TDK_ENOTAPE);
    snprintf(file, sizeof file, "%s/no/such", path);
    assert_int_equal(append_open(&append, file, NULL, &err), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(append_makes_a_whole_tape),
        TEST(append_goes_on_through_segments),
        TEST(append_holds_a_million_ticks),
        TEST(append_adds_epochs_to_what_is_there),
        TEST(append_keeps_a_track_without_ticks),
        TEST(append_refuses_a_payload_that_is_too_large_and_goes_on),
        TEST(append_counts_what_it_flags),
        TEST(loss_is_met_between_its_ticks),
        TEST(abort_leaves_the_tape_as_it_was),
        TEST(abort_leaves_no_tape_that_was_made_for_it),
        TEST(nothing_is_part_of_the_tape_before_the_end),
        TEST(second_writer_is_refused),
        TEST(folder_of_somebody_else_is_not_touched),
    };
    return cmocka_run_group_tests_name("tape.append", tests, NULL, NULL);
}
