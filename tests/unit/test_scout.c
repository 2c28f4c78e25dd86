#include "tests/support/taping.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tape/cursor.h"
#include "tape/scout.h"
#include "tape/seal_tape.h"
#include "tape/search.h"
#include "tapedeck/dbn.h"

enum { TICKS = 120000, BLOCK_SIZE = 256 << 10, BLOCKS_MAX = 64 };

/* 10,700 of these ticks fill a block, and still take 200 KiB when it is packed. */
enum { LARGE_TICKS = 160000, LARGE_SIZE = 368, LARGE_ODD = 24 };

struct fixture {
    char path[64];
    struct tdk_tape *tape;
    struct answer answer;
    struct search search; /* for everything */
    struct block_ref refs[BLOCKS_MAX];
    int count;
};

/* Blocks of trades, in which each instrument has one trade in `instruments`. With seven instruments
 * there are 34 blocks, which an index returns in two batches. */
static void make_track(const char *path, unsigned instruments)
{
    const struct append_options options = {
        .block_size = BLOCK_SIZE, .payload_max = 1024, .segment_size = 64 << 20};
    struct append *append;
    assert_int_equal(append_open(&append, path, &options, NULL), 0);
    assert_int_equal(append_begin(append, "t", TDK_KIND_DBN, NULL), 0);
    for (unsigned i = 0; i < TICKS; i++) {
        unsigned char record[48] = {48 / 4, TDK_RTYPE_TRADES};
        store_u32(record + 4, i % instruments);
        store_u64(record + 8, 1000 + i);
        assert_int_equal(
            append_tick(append, TDK_TYPE_DBN, 0, 1000 + i, record, sizeof record, NULL), 0);
    }
    assert_int_equal(append_close(append, NULL, NULL), 0);
}

static void make_large_track(const char *path)
{
    const struct append_options options = {
        .block_size = BLOCK_SIZE, .payload_max = 1024, .segment_size = 128 << 20};
    struct append *append;
    uint64_t dice = 1;
    assert_int_equal(append_open(&append, path, &options, NULL), 0);
    assert_int_equal(append_begin(append, "t", TDK_KIND_DBN, NULL), 0);
    for (unsigned i = 0; i < LARGE_TICKS; i++) {
        unsigned char record[LARGE_SIZE] = {LARGE_SIZE / 4, TDK_RTYPE_MBP_10};
        store_u32(record + 4, i % 7);
        store_u64(record + 8, 1000 + i);
        for (size_t k = 0; k < LARGE_ODD; k++)
            record[16 + k] =
                (unsigned char)((dice = dice * UINT64_C(6364136223846793005) + 1) >> 56);
        assert_int_equal(
            append_tick(append, TDK_TYPE_DBN, 0, 1000 + i, record, sizeof record, NULL), 0);
    }
    assert_int_equal(append_close(append, NULL, NULL), 0);
}

static void pack(const char *path)
{
    const struct seal_tape_options options = {.threads = 1};
    struct seal_totals totals;
    assert_int_equal(seal_tape(path, &options, &totals, NULL), 0);
}

static void open_search(struct fixture *f)
{
    const struct tdk_query everything = {.to = UINT64_MAX};
    assert_int_equal(tdk_tape_open(&f->tape, f->path, NULL), 0);
    f->answer = (struct answer){.tape = f->tape};
    f->answer.view = tape_view(f->tape);
    assert_int_equal(select_init(&f->answer.select, &everything, NULL), 0);
    assert_int_equal(search_open(&f->search, &f->answer, tape_track(f->tape, "t"), NULL), 0);
    while (f->count < BLOCKS_MAX && search_next(&f->search, &f->refs[f->count], NULL) == 1)
        f->count++;
    assert_in_range(f->count, 8, BLOCKS_MAX - 1);
}

static void close_search(struct fixture *f)
{
    search_close(&f->search);
    select_close(&f->answer.select);
    view_drop(f->answer.view);
    tdk_tape_close(f->tape);
}

static int make_empty_folder(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->path, sizeof f->path, "/tmp/tapedeck-scout-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    scout_limit(1);
    *state = f;
    return 0;
}

static int make_folder(void **state)
{
    int rc = make_empty_folder(state);
    make_track(((const struct fixture *)*state)->path, 7);
    return rc;
}

static int make_packed_folder(void **state)
{
    int rc = make_empty_folder(state);
    const struct fixture *f = *state;
    make_large_track(f->path);
    pack(f->path);
    return rc;
}

/* One tick of each instrument. What a directory says of it takes more than an eighth of the
 * tick. */
static int make_scattered_folder(void **state)
{
    int rc = make_empty_folder(state);
    const struct fixture *f = *state;
    make_track(f->path, TICKS);
    pack(f->path);
    return rc;
}

static int remove_folder(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->path);
    free(f);
    return 0;
}

static void flip_byte_at(const struct fixture *f, uint64_t at)
{
    char path[128];
    taping_path(f->path, 1, ".seg", path);
    if (access(path, F_OK) != 0)
        taping_path(f->path, 1, ".g1.seg", path); /* packed */
    taping_flip(path, at);
}

static void flip_byte(const struct fixture *f, const struct block_ref *ref)
{
    flip_byte_at(f, ref->offset + ref->span / 2);
}

/* ---- by itself ---- */

static void send(struct scout *scout, const struct block_ref *ref)
{
    const struct scout_errand errand = {.ref = *ref, .dense = true};
    scout_send(scout, &errand);
}

/* Send for a block and take it. The scout reads it, or it is read by a caller that asks for what
 * comes before it. */
static struct slice *take_or_wait(struct scout *scout, const struct block_ref *refs, int at,
                                  uint64_t *bytes_read)
{
    struct slice *slice = NULL;
    for (int i = 0; i < 100000 && slice == NULL; i++) { /* the scout may not have begun */
        send(scout, &refs[at]);
        usleep(100);
        slice = scout_take(scout, &refs[at], bytes_read);
    }
    assert_non_null(slice);
    return slice;
}

static void scout_reads_the_blocks_that_it_is_sent_for(void **state)
{
    struct fixture *f = *state;
    open_search(f);
    struct scout *scout = scout_start(&f->tape->shelf);
    assert_non_null(scout);
    for (int i = 0; i < f->count; i++) {
        uint64_t bytes_read;
        struct slice *slice = take_or_wait(scout, f->refs, i, &bytes_read);
        assert_int_equal(slice->state, SLICE_WHOLE);
        assert_true(slice_holds(slice, &f->refs[i]));
        assert_int_equal(bytes_read, f->refs[i].span);
        scout_give(scout, slice);
    }
    scout_stop(scout);
    close_search(f);
}

/* The scout has one slice of its own, and waits for it. The other slice on the shelf is its
 * caller's. */
static void scout_reads_into_the_same_memory_again(void **state)
{
    struct fixture *f = *state;
    struct slice *first = NULL, *lent = NULL;
    uint64_t bytes_read;
    open_search(f);
    struct scout *scout = scout_start(&f->tape->shelf);
    for (int i = 0; i < f->count; i++) {
        scout_give(scout, lent);
        lent = take_or_wait(scout, f->refs, i, &bytes_read);
        first = i == 0 ? lent : first;
        assert_ptr_equal(lent, first);
    }
    scout_stop(scout);
    assert_in_range(f->tape->shelf.count, 0, 1);
    assert_true(slice_holds(lent, &f->refs[f->count - 1])); /* the slice it lent stays */
    shelf_give(&f->tape->shelf, lent);
    close_search(f);
}

static void scout_reads_nothing_while_what_it_read_is_lent(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes_read;
    open_search(f);
    struct scout *scout = scout_start(&f->tape->shelf);
    struct slice *lent = take_or_wait(scout, f->refs, 0, &bytes_read);
    send(scout, &f->refs[1]);
    usleep(1000);
    assert_true(slice_holds(lent, &f->refs[0]));
    assert_null(scout_take(scout, &f->refs[1], &bytes_read));
    scout_give(scout, lent);
    scout_give(scout, take_or_wait(scout, f->refs, 1, &bytes_read));
    scout_stop(scout);
    close_search(f);
}

static void scout_drops_what_was_to_come_before(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes_read;
    open_search(f);
    struct scout *scout = scout_start(&f->tape->shelf);
    for (int i = 0; i + 1 < f->count; i += 2) {
        send(scout, &f->refs[i]);
        scout_give(scout, take_or_wait(scout, f->refs, i + 1, &bytes_read));
        assert_null(scout_take(scout, &f->refs[i], &bytes_read));
        assert_int_equal(bytes_read, 0);
    }
    scout_stop(scout);
    close_search(f);
}

static void scout_brings_nothing_of_a_damaged_block(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes_read;
    open_search(f);
    flip_byte(f, &f->refs[1]);
    struct scout *scout = scout_start(&f->tape->shelf);
    send(scout, &f->refs[1]);
    usleep(1000);
    assert_null(scout_take(scout, &f->refs[1], &bytes_read));
    scout_give(scout, take_or_wait(scout, f->refs, 2, &bytes_read));
    scout_stop(scout);
    close_search(f);
}

static void scouts_are_as_many_as_may_be(void **state)
{
    struct fixture *f = *state;
    open_search(f);
    struct scout *scout = scout_start(&f->tape->shelf);
    assert_non_null(scout);
    assert_null(scout_start(&f->tape->shelf));
    scout_stop(scout);
    scout = scout_start(&f->tape->shelf);
    assert_non_null(scout);
    scout_stop(scout);
    scout_stop(NULL);
    close_search(f);
}

/* ---- in a cursor ---- */

struct result {
    uint64_t ticks, sum, failures;
    uint64_t spans; /* runs whose frames were said to be alike */
    struct tdk_cursor_stats stats;
};

static struct result ask(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct result result = {.ticks = 0};
    struct tdk_cursor *cursor;
    struct tdk_run run;
    int rc;
    assert_int_equal(tdk_cursor_open(&cursor, tape, query, NULL), 0);
    while ((rc = tdk_cursor_read(cursor, &run, NULL)) != 0) {
        result.failures += rc < 0;
        if (rc < 0)
            continue;
        if (run.ticks >= 1000) /* a block: let a scout have its turn on busy processors, too */
            usleep(500);
        size_t span = cursor_run_span(cursor);
        result.spans += span > 0;
        const unsigned char *end = (const unsigned char *)run.frames + run.size;
        for (const struct tdk_frame *f = run.frames; (const unsigned char *)f < end;
             f = tdk_frame_after(f)) {
            assert_true(span == 0 || tdk_frame_span(f->size) == span);
            result.sum = result.sum * 31 + f->seq + tdk_frame_payload(f)[4];
        }
        result.ticks += run.ticks;
    }
    tdk_cursor_stats(cursor, &result.stats);
    tdk_cursor_close(cursor);
    return result;
}

static void read_and_close(struct tdk_tape *tape, const struct tdk_query *query, int runs)
{
    struct tdk_cursor *cursor;
    struct tdk_run run;
    assert_int_equal(tdk_cursor_open(&cursor, tape, query, NULL), 0);
    for (int i = 0; i < runs; i++)
        assert_int_equal(tdk_cursor_read(cursor, &run, NULL), 1);
    tdk_cursor_close(cursor);
}

/* Put as many slices on the shelf as it takes to send a scout early for parts, and one for the
 * caller. */
static void warm(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct tdk_cursor *cursors[1 + SCOUT_AHEAD_MAX];
    struct tdk_run run;
    for (int i = 0; i <= SCOUT_AHEAD_MAX; i++) {
        assert_int_equal(tdk_cursor_open(&cursors[i], tape, query, NULL), 0);
        assert_int_equal(tdk_cursor_read(cursors[i], &run, NULL), 1);
    }
    for (int i = 0; i <= SCOUT_AHEAD_MAX; i++)
        tdk_cursor_close(cursors[i]);
}

/* Forward and in reverse, everything and one instrument, with a scout and without. */
static void compare_answers(const char *path, uint64_t failures)
{
    static const char *const symbol = "#3";
    for (size_t i = 0; i < 4; i++) {
        const struct tdk_query query = {
            .to = UINT64_MAX, .symbols = &symbol, .symbol_count = i % 2, .reverse = i / 2 == 1};
        struct result results[2];
        for (int limit = 0; limit <= 1; limit++) {
            struct tdk_tape *tape;
            scout_limit(limit);
            assert_int_equal(tdk_tape_open(&tape, path, NULL), 0);
            warm(tape, &query);
            results[limit] = ask(tape, &query);
            tdk_tape_close(tape);
        }
        assert_int_equal(results[0].failures, failures);
        assert_int_equal(results[1].failures, failures);
        assert_int_equal(results[0].ticks, results[1].ticks);
        assert_int_equal(results[0].sum, results[1].sum);
        assert_int_equal(results[0].stats.blocks_read, results[1].stats.blocks_read);
        assert_int_equal(results[0].stats.damaged_blocks, results[1].stats.damaged_blocks);
    }
}

static void answers_are_the_same_with_a_scout(void **state)
{
    const struct fixture *f = *state;
    compare_answers(f->path, 0);
}

static void damage_is_told_the_same_with_a_scout(void **state)
{
    struct fixture *f = *state;
    open_search(f);
    flip_byte(f, &f->refs[f->count / 2]);
    close_search(f);
    compare_answers(f->path, 1);
}

static void packed_blocks_are_the_same_with_a_scout(void **state)
{
    const struct fixture *f = *state;
    pack(f->path);
    compare_answers(f->path, 0);
}

static void packed_blocks_in_parts_are_the_same_with_a_scout(void **state)
{
    struct fixture *f = *state;
    open_search(f);
    assert_in_range(f->count, 14, 20);
    assert_in_range(f->refs[0].span, 128 << 10, 512 << 10);
    close_search(f);
    compare_answers(f->path, 0);
}

/* The damage is in the outline of a block that a scout comes to, and in the times of a later
 * block. */
static void damage_of_packed_blocks_in_parts_is_told_the_same_with_a_scout(void **state)
{
    struct fixture *f = *state;
    open_search(f);
    flip_byte_at(f, f->refs[10].offset + sizeof(struct block_head) + 64);
    flip_byte_at(f, f->refs[12].offset + sizeof(struct block_head) + 2048);
    close_search(f);
    compare_answers(f->path, 2);
}

static void cursors_are_closed_while_a_scout_is_out(void **state)
{
    static const char *const symbol = "#3";
    const struct fixture *f = *state;
    const struct tdk_query query = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
    struct tdk_tape *tape;
    assert_int_equal(tdk_tape_open(&tape, f->path, NULL), 0);
    warm(tape, &query);
    assert_true(shelf_is_warm(&tape->shelf, 1 + SCOUT_AHEAD_MAX));
    for (int runs = 8; runs < 13; runs++)
        read_and_close(tape, &query, runs);
    struct scout *scout = scout_start(&tape->shelf); /* all others have ended */
    assert_non_null(scout);
    scout_stop(scout);
    tdk_tape_close(tape);
}

/* The directory does not fit after what was read. */
static void blocks_of_large_directories_are_scanned(void **state)
{
    const struct fixture *f = *state;
    const struct tdk_query everything = {.to = UINT64_MAX};
    struct tdk_tape *tape;
    for (int scouts = 0; scouts <= 1; scouts++) {
        scout_limit(scouts);
        assert_int_equal(tdk_tape_open(&tape, f->path, NULL), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(ask(tape, &everything).ticks, TICKS);
        tdk_tape_close(tape);
    }
}

/* The block that the scan passed through is on the shelf afterwards. */
static void scan_without_a_scout_needs_memory_for_one_block(void **state)
{
    const struct fixture *f = *state;
    const struct tdk_query everything = {.to = UINT64_MAX};
    struct tdk_tape *tape;
    scout_limit(0);
    assert_int_equal(tdk_tape_open(&tape, f->path, NULL), 0);
    struct result result = ask(tape, &everything);
    assert_int_equal(result.ticks, TICKS);
    assert_int_equal(result.spans,
                     result.stats.blocks_read - 1); /* the first begins with a TRACK */
    assert_int_equal(tape->shelf.count, 1);
    tdk_tape_close(tape);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
#define IN_PACKED_FOLDER(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, make_packed_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(scout_reads_the_blocks_that_it_is_sent_for),
        IN_FOLDER(scout_reads_into_the_same_memory_again),
        IN_FOLDER(scout_reads_nothing_while_what_it_read_is_lent),
        IN_FOLDER(scout_drops_what_was_to_come_before),
        IN_FOLDER(scout_brings_nothing_of_a_damaged_block),
        IN_FOLDER(scouts_are_as_many_as_may_be),
        IN_FOLDER(answers_are_the_same_with_a_scout),
        IN_FOLDER(damage_is_told_the_same_with_a_scout),
        IN_FOLDER(packed_blocks_are_the_same_with_a_scout),
        IN_PACKED_FOLDER(packed_blocks_in_parts_are_the_same_with_a_scout),
        IN_PACKED_FOLDER(damage_of_packed_blocks_in_parts_is_told_the_same_with_a_scout),
        IN_PACKED_FOLDER(cursors_are_closed_while_a_scout_is_out),
        IN_FOLDER(scan_without_a_scout_needs_memory_for_one_block),
        cmocka_unit_test_setup_teardown(blocks_of_large_directories_are_scanned,
                                        make_scattered_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("tape.scout", tests, NULL, NULL);
}
