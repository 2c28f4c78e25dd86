/* How a cursor reads: which blocks, how often, and what it reports of blocks that are damaged or
 * gone. */
#include "tests/support/taping.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "tape/cursor.h"
#include "tape/files.h"
#include "tapedeck/dbn.h"
#include "tests/support/asking.h"
#include "tests/support/oracle.h"
#include "tests/support/reel.h"

/* `ticks` trades; tick i is stamped when(i). */
static void make_track_named(const char *path, const char *name, unsigned ticks,
                             uint64_t (*when)(unsigned i), uint32_t block_size)
{
    struct append *append;
    const struct append_options options = {
        .block_size = block_size, .payload_max = 1024, .segment_size = 8 << 20};
    struct tdk_err err;
    if (append_open(&append, path, &options, &err) < 0 ||
        append_begin(append, name, TDK_KIND_DBN, &err) < 0)
        fail_msg("%s", err.text);
    for (unsigned i = 0; i < ticks; i++) {
        unsigned char record[48] = {48 / 4, TDK_RTYPE_TRADES};
        store_u32(record + 4, i % 7);
        store_u64(record + 8, when(i));
        assert_int_equal(append_tick(append, TDK_TYPE_DBN, 0, when(i), record, sizeof record, &err),
                         0);
    }
    if (append_close(append, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void make_track(const char *path, unsigned ticks, uint64_t (*when)(unsigned i),
                       uint32_t block_size)
{
    make_track_named(path, "t", ticks, when, block_size);
}

/* 1000 ticks, then 13601 at one time, then 1000 more. */
static uint64_t mostly_one_time(unsigned i)
{
    return i < 1000 ? 1000 + i : i < 14601 ? 5000 : 5000 + i;
}

static void cursor_finds_all_ticks_of_one_time_over_many_blocks(void **state)
{
    const char *folder = *state;
    make_track(folder, 15601, mostly_one_time, 16 << 10);
    struct tdk_tape *tape = asking_open(folder);
    struct tdk_cursor_stats stats;
    assert_int_equal(asking_count(tape, 5000, 5001, &stats), 13601);
    assert_int_equal(asking_count(tape, 0, 5000, &stats), 1000);
    assert_int_equal(asking_count(tape, 5001, UINT64_MAX, &stats), 1000);
    assert_int_equal(asking_count(tape, 4999, 5000, &stats), 0);
    tdk_tape_close(tape);
}

static uint64_t one_absurd(unsigned i)
{
    return i == 5000 ? UINT64_MAX : 1000 + i;
}

static void cursor_reads_no_more_blocks_for_one_absurd_time(void **state)
{
    const char *folder = *state;
    make_track(folder, 20000, one_absurd, 16 << 10);
    struct tdk_tape *tape = asking_open(folder);
    struct tdk_cursor_stats stats;
    assert_int_equal(asking_count(tape, UINT64_MAX, UINT64_MAX, &stats), 1);
    assert_int_equal(stats.blocks_read, 1);
    assert_int_equal(asking_count(tape, 20000, 20100, &stats), 100);
    assert_true(stats.blocks_read <= 2);
    assert_int_equal(asking_count(tape, 0, UINT64_MAX, &stats), 20000);
    tdk_tape_close(tape);
}

static uint64_t in_order(unsigned i)
{
    return 1000 + i;
}

struct outcome {
    uint64_t ticks;
    unsigned bad; /* runs that could not be read */
};

/* Read everything. `words` is a pattern for the errors of what cannot be read. */
static struct outcome read_all(struct tdk_cursor *cursor, const char *words)
{
    struct outcome answer = {0};
    struct tdk_run run;
    struct tdk_err err;
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0) {
        assert_int_equal(rc, rc < 0 ? TDK_ECORRUPT : 1);
        answer.ticks += rc == 1 ? run.ticks : 0;
        answer.bad += rc != 1;
        if (rc != 1 && fnmatch(words, err.text, 0) != 0)
            fail_msg("%s", err.text);
    }
    return answer;
}

static void cursor_tells_a_damaged_block_and_goes_on_behind_it(void **state)
{
    const char *folder = *state;
    make_track(folder, 5000, in_order, 16 << 10);
    char path[128];
    taping_path(folder, 1, ".seg", path);
    taping_flip(path, 100 << 10);

    struct tdk_tape *tape = asking_open(folder);
    for (int reverse = 0; reverse <= 1; reverse++) {
        const struct tdk_query query = {.to = UINT64_MAX, .reverse = reverse == 1};
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct outcome answer = read_all(cursor, "*segment 1 offset *track t *cannot be read*");
        struct tdk_cursor_stats stats;
        tdk_cursor_stats(cursor, &stats);
        assert_int_equal(answer.bad, 1);
        assert_int_equal(stats.damaged_blocks, 1);
        assert_in_range(answer.ticks, 4500, 4999);
        tdk_cursor_close(cursor);
    }
    tdk_tape_close(tape);
}

/* Each call reads at most one block. */
static void cursor_without_patience_tells_the_same_in_more_calls(void **state)
{
    const char *folder = *state;
    make_track(folder, 5000, in_order, 16 << 10);
    struct tdk_tape *tape = asking_open(folder);
    for (int which = 0; which < 4; which++) {
        const struct tdk_type_filter none = {.type = TDK_TYPE_OPAQUE, .rtype = -1};
        const struct tdk_query query = {.to = UINT64_MAX,
                                        .reverse = which % 2 == 1,
                                        .types = &none,
                                        .type_count = which < 2 ? 0 : 1};
        const uint64_t wanted = which < 2 ? 5000 : 0;
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct tdk_batch *batch = NULL;
        struct tdk_err err;
        uint64_t ticks = 0;
        unsigned calls = 0;
        int rc;
        tdk_cursor_set_patience(cursor, 1);
        while ((rc = tdk_cursor_batch(cursor, SIZE_MAX, &batch, &err)) != 0) {
            assert_int_equal(rc, rc < 0 ? -EAGAIN : 1);
            ticks += rc == 1 ? batch->ticks : 0;
            tdk_batch_free(rc == 1 ? batch : NULL);
            calls++;
        }
        assert_int_equal(ticks, wanted);
        assert_true(calls > 10); /* there are more blocks than that */
        tdk_cursor_close(cursor);
    }
    tdk_tape_close(tape);
}

/* The index gives blocks in batches. A range may end in the last block of a batch as well as in any
 * other. */
static void cursor_ends_in_any_block(void **state)
{
    enum { TICKS = 8000, STEP = 20 };
    const char *folder = *state;
    make_track(folder, TICKS, in_order, 4 << 10);
    struct tdk_tape *tape = asking_open(folder);
    const char *const nowhere = "#99";
    for (unsigned i = 0; i < TICKS; i += STEP) {
        const struct tdk_query query = {.to = in_order(i), .symbols = &nowhere, .symbol_count = 1};
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        assert_int_equal(read_all(cursor, "").ticks, 0);
        tdk_cursor_close(cursor);
    }
    tdk_tape_close(tape);
}

static unsigned count_bad(struct tdk_cursor *cursor, unsigned max)
{
    unsigned bad = 0;
    struct tdk_run run;
    int rc;
    while (bad < max && (rc = tdk_cursor_read(cursor, &run, NULL)) != 0)
        bad += rc < 0;
    return bad;
}

static void cursor_ends_in_any_block_that_is_damaged(void **state)
{
    enum { TICKS = 4000, STEP = 20, BYTES = 256 << 10, BLOCKS = 200 };
    const char *folder = *state;
    make_track(folder, 2 * TICKS, in_order, 4 << 10);
    char path[128];
    taping_path(folder, 1, ".seg", path);
    for (uint64_t offset = 8 << 10; offset < BYTES; offset += 1 << 10)
        taping_flip(path, offset);

    struct tdk_tape *tape = asking_open(folder);
    for (unsigned i = 0; i < TICKS; i += STEP) {
        const struct tdk_query query = {.to = in_order(i)};
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        assert_true(count_bad(cursor, BLOCKS) < BLOCKS);
        tdk_cursor_close(cursor);
    }
    tdk_tape_close(tape);
}

/* ---- how it reads ---- */

static atomic_uint reads;

static ssize_t count_read(int fd, void *bytes, size_t size, uint64_t offset)
{
    atomic_fetch_add(&reads, 1);
    return files_posix.pread(fd, bytes, size, offset);
}

/* Blocks of 256 KiB. The query asks for every seventh tick. */
static void cursor_reads_a_block_by_one_call_where_much_of_it_is_asked(void **state)
{
    const char *folder = *state;
    const char *symbol = "#3";
    static struct file_ops counting; /* outlives a test that fails */
    char path[128];
    make_track(folder, 60000, in_order, 256 << 10);
    counting = files_posix;
    counting.pread = count_read;
    files = &counting;
    for (int damaged = 0; damaged <= 1; damaged++) {
        struct tdk_tape *tape = asking_open(folder);
        const struct tdk_query query = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct tdk_cursor_stats stats;
        reads = 0;
        read_all(cursor, "*");
        tdk_cursor_stats(cursor, &stats);
        assert_in_range(stats.blocks_read + stats.damaged_blocks, 16, 20);
        /* More reads are for opening, for the first block, and for what a scout had begun beside
         * the damage. */
        assert_in_range(reads, stats.blocks_read, stats.blocks_read + 16);
        assert_int_equal(stats.damaged_blocks, damaged);
        tdk_cursor_close(cursor);
        tdk_tape_close(tape);
        taping_path(folder, 1, ".seg", path);
        taping_flip(path, 1 << 20);
    }
    files = &files_posix;
}

static uint64_t back_in_the_middle(unsigned i)
{
    return i < 10000 ? 1000 + i : 900 + i;
}

static bool always(void *context)
{
    (void)context;
    return true;
}

/* With several tracks in reverse, a track whose time goes back is looked into block by block before
 * the first tick is returned. This is part of the first read, and can be stopped there. */
static void cursor_looks_into_nothing_before_it_is_read(void **state)
{
    const char *folder = *state;
    static struct file_ops counting; /* outlives a test that fails */
    make_track_named(folder, "t", 20000, back_in_the_middle, 16 << 10);
    make_track_named(folder, "u", 1000, in_order, 16 << 10);
    struct tdk_run run;
    struct tdk_err err;
    struct tdk_tape *tape = asking_open(folder);
    const struct tdk_type_filter trades = {.type = TDK_TYPE_DBN, .rtype = TDK_RTYPE_TRADES};
    const struct tdk_query query = {
        .to = UINT64_MAX, .reverse = true, .types = &trades, .type_count = 1};
    counting = files_posix;
    counting.pread = count_read;
    files = &counting;
    reads = 0;
    struct tdk_cursor *cursor = asking_cursor(tape, &query);
    assert_in_range(reads, 0, 4);
    cursor_stop_when(cursor, always, NULL);
    assert_int_equal(tdk_cursor_read(cursor, &run, &err), -ECANCELED);
    assert_in_range(reads, 0, 4);
    tdk_cursor_close(cursor);
    cursor = asking_cursor(tape, &query);
    assert_int_equal(tdk_cursor_read(cursor, &run, &err), 1);
    assert_true(reads > 40); /* there are more blocks than that */
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    files = &files_posix;
}

static void cursor_counts_again_without_reading(void **state)
{
    const char *folder = *state;
    const char *symbol = "#3";
    make_track(folder, 60000, in_order, 256 << 10);
    struct tdk_tape *tape = asking_open(folder);
    for (int again = 0; again <= 1; again++) {
        const struct tdk_query query = {
            .to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1, .count_only = true};
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct tdk_cursor_stats stats;
        struct tdk_run run;
        while (tdk_cursor_read(cursor, &run, NULL) == 1)
            continue;
        tdk_cursor_stats(cursor, &stats);
        assert_int_equal(stats.ticks, 60000 / 7);
        assert_int_equal(stats.bytes_read != 0, again == 0);
        tdk_cursor_close(cursor);
    }
    tdk_tape_close(tape);
}

/* The index knows what was in a missing segment. */
static void cursor_tells_each_block_of_a_missing_segment(void **state)
{
    const char *folder = *state;
    char path[128];
    make_track(folder, 5000, in_order, 16 << 10);
    taping_path(folder, 1, ".seg", path);
    assert_int_equal(unlink(path), 0);
    struct tdk_tape *tape = asking_open(folder);
    const struct tdk_query query = {.from = 1100, .to = 1200};
    struct tdk_cursor *cursor = asking_cursor(tape, &query);
    struct outcome answer = read_all(cursor, "*segment 1 offset *");
    assert_int_equal(answer.ticks, 0);
    assert_true(answer.bad > 0);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
}

/* A count asks the index alone. What is missing is not counted, and is reported. */
static void count_tells_a_segment_that_is_missing_or_cut(void **state)
{
    const char *folder = *state;
    char path[128];
    size_t size;
    make_track(folder, 5000, in_order, 16 << 10);
    taping_path(folder, 1, ".seg", path);
    unsigned char *bytes = taping_load(path, &size);
    for (int i = 0; i < 4; i++) {
        struct tdk_tape *tape = asking_open(folder);
        const struct tdk_query query = {.to = UINT64_MAX, .count_only = true};
        if (i == 1)
            assert_int_equal(truncate(path, (off_t)size / 2), 0);
        if (i == 2)
            assert_int_equal(truncate(path, 0), 0);
        if (i == 3)
            assert_int_equal(unlink(path), 0);
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct outcome answer = read_all(cursor, "*segment 1 offset *");
        assert_int_equal(answer.bad == 0, i == 0);
        assert_int_equal(answer.ticks == 0, i > 1);
        assert_true(i != 1 || (answer.ticks > 1000 && answer.ticks < 4000));
        assert_int_equal(answer.ticks == 5000, i == 0);
        tdk_cursor_close(cursor);
        tdk_tape_close(tape);
    }
    free(bytes);
}

/* Without the index only the seqs and the segments' numbers show that a segment is missing. They
 * show it at the range where it was, and nowhere else. */
static void cursor_tells_a_missing_segment_that_no_index_knows(void **state)
{
    (void)state;
    static const struct oracle_plan plan = {
        .tracks = 2, .epochs = 1, .ticks = 6000, .block_size = 16 << 10, .segment_size = 128 << 10};
    struct oracle oracle;
    char path[128];
    oracle_make(&oracle, 31, &plan);
    taping_path(oracle.path, 3, ".seg", path);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/index", oracle.path);
    folder_remove(path);

    struct tdk_tape *tape = asking_open(oracle.path);
    const char *const track = oracle.names[0]; /* the first segments belong to this track alone */
    struct tdk_query query = {.to = UINT64_MAX, .tracks = &track, .track_count = 1};
    for (int mode = 0; mode < 3; mode++) {
        query.reverse = mode == 1;
        query.count_only = mode == 2;
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct outcome answer = read_all(cursor, "*missing*");
        assert_int_equal(answer.bad, 2);
        assert_in_range(answer.ticks, 3000, 5999);
        tdk_cursor_close(cursor);
    }

    /* Find where the hole is, by the first tick that is not returned any more. */
    struct tdk_cursor *cursor = asking_cursor(tape, &query);
    struct tdk_run run;
    uint64_t told = 0;
    query.count_only = false;
    tdk_cursor_close(cursor);
    cursor = asking_cursor(tape, &query);
    while (tdk_cursor_read(cursor, &run, NULL) == 1)
        told += run.ticks;
    tdk_cursor_close(cursor);
    const uint64_t inside = oracle.ticks[told + 200].ts; /* in the middle of the hole */
    query.from = inside;
    query.to = inside + 1;
    cursor = asking_cursor(tape, &query);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), TDK_ECORRUPT);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), TDK_ECORRUPT);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), 0);
    tdk_cursor_close(cursor);
    query.from = oracle.ticks[10].ts;
    query.to = oracle.ticks[told - 300].ts;
    cursor = asking_cursor(tape, &query);
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, NULL)) == 1)
        ;
    assert_int_equal(rc, 0);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

static void cursor_reads_a_lone_segment(void **state)
{
    const char *folder = *state;
    char from[128], path[128];
    make_track(folder, 5000, in_order, 16 << 10);
    taping_path(folder, 1, ".seg", from);
    snprintf(path, sizeof path, "%s/alone", folder);
    assert_int_equal(rename(from, path), 0);
    struct tdk_tape *tape = asking_open(path);
    struct tdk_cursor_stats stats;
    struct tdk_tape_info info;
    assert_int_equal(asking_count(tape, 1100, 1200, &stats), 100);
    assert_int_equal(asking_count(tape, 0, UINT64_MAX, &stats), 5000);
    tdk_tape_info(tape, &info);
    assert_int_equal(info.segments, 1);
    assert_int_equal(info.first_ts, 1000);
    assert_int_equal(info.last_ts, 5999);
    assert_int_equal(tdk_tape_refresh(tape, NULL), 0);
    tdk_tape_close(tape);
}

static void cursor_refuses_a_track_that_is_not_there(void **state)
{
    const char *folder = *state;
    make_track(folder, 10, in_order, 0);
    struct tdk_tape *tape = asking_open(folder);
    const char *const tracks[] = {"t", "u"};
    const struct tdk_query query = {.to = UINT64_MAX, .tracks = tracks, .track_count = 2};
    struct tdk_cursor *cursor;
    struct tdk_err err;
    assert_int_equal(tdk_cursor_open(&cursor, tape, &query, &err), TDK_ENOTRACK);
    assert_string_equal(err.text, "no track u on this tape");
    tdk_tape_close(tape);
}

static void cursor_gives_nothing_for_an_empty_range(void **state)
{
    const char *folder = *state;
    make_track(folder, 1000, in_order, 4096);
    struct tdk_tape *tape = asking_open(folder);
    struct tdk_cursor_stats stats;
    assert_int_equal(asking_count(tape, 1500, 1500, &stats), 0);
    assert_int_equal(asking_count(tape, 1600, 1500, &stats), 0);
    assert_int_equal(asking_count(tape, 0, 0, &stats), 0);
    assert_int_equal(stats.blocks_read, 0);
    tdk_tape_close(tape);
}

static bool is_third(void *context)
{
    unsigned *asked = context;
    return ++*asked == 3;
}

/* Nothing on the tape passes the filter, whether it is read or counted. The cursor is stopped at
 * the third block. */
static void cursor_is_stopped_where_nothing_passes(void **state)
{
    const char *folder = *state;
    const struct tdk_type_filter none = {.type = TDK_TYPE_OPAQUE, .rtype = -1};
    make_track(folder, 10000, in_order, 4096);
    for (int counts = 0; counts < 2; counts++) {
        struct tdk_tape *tape = asking_open(folder);
        const struct tdk_query query = {
            .to = UINT64_MAX, .types = &none, .type_count = 1, .count_only = counts};
        struct tdk_cursor *cursor = asking_cursor(tape, &query);
        struct tdk_cursor_stats stats;
        struct tdk_run run;
        unsigned asked = 0;
        cursor_stop_when(cursor, is_third, &asked);
        assert_int_equal(tdk_cursor_read(cursor, &run, NULL), -ECANCELED);
        tdk_cursor_stats(cursor, &stats);
        assert_int_equal(stats.blocks_read + stats.blocks_skipped, 3);
        assert_int_equal(tdk_cursor_read(cursor, &run, NULL), -ECANCELED);
        assert_int_equal(asked, 3);
        tdk_cursor_close(cursor);
        tdk_tape_close(tape);
    }
}

/* Ticks of a track, each followed by what its feed says, years later than the ticks. */
static void write_announced(struct reel *reel, uint16_t track, const char *name, const uint64_t *ts)
{
    reel_begin(reel, track, name, 77);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(block_add_control(&reel->block, TDK_TYPE_MARK, TAPING_NOW + track, name, 1));
        reel_tick(reel, ts[i]);
    }
    reel_write(reel);
}

static void check_times(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct tdk_cursor *cursor = asking_cursor(tape, query);
    struct tdk_run run;
    uint64_t count = 0;
    while (tdk_cursor_read(cursor, &run, NULL) == 1) {
        const void *end = (const char *)run.frames + run.size;
        for (const struct tdk_frame *at = run.frames; (const void *)at < end;
             at = tdk_frame_after(at))
            if (tdk_frame_is_tick(at)) {
                count++;
                assert_int_equal(at->ts, query->reverse ? 70 - 10 * count : 10 * count);
            }
    }
    assert_int_equal(count, 6);
    tdk_cursor_close(cursor);
}

/* A feed that publishes an old file stamps what it says of it with the clock. */
static void control_frames_hold_no_tick_of_their_track_back(void **state)
{
    const char *folder = *state;
    struct reel reel;
    reel_open(&reel, folder);
    write_announced(&reel, 1, "a", (const uint64_t[]){10, 30, 50});
    write_announced(&reel, 2, "b", (const uint64_t[]){20, 40, 60});
    reel_close(&reel);

    struct tdk_tape *tape = asking_open(folder);
    for (unsigned i = 0; i < 4; i++) {
        const struct tdk_query query = {
            .to = UINT64_MAX, .control = (i & 1) != 0, .reverse = (i & 2) != 0};
        check_times(tape, &query);
    }
    tdk_tape_close(tape);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(cursor_finds_all_ticks_of_one_time_over_many_blocks),
        IN_FOLDER(cursor_reads_no_more_blocks_for_one_absurd_time),
        IN_FOLDER(cursor_tells_a_damaged_block_and_goes_on_behind_it),
        IN_FOLDER(cursor_without_patience_tells_the_same_in_more_calls),
        IN_FOLDER(cursor_ends_in_any_block),
        IN_FOLDER(cursor_ends_in_any_block_that_is_damaged),
        IN_FOLDER(cursor_reads_a_block_by_one_call_where_much_of_it_is_asked),
        IN_FOLDER(cursor_looks_into_nothing_before_it_is_read),
        IN_FOLDER(cursor_counts_again_without_reading),
        IN_FOLDER(cursor_tells_each_block_of_a_missing_segment),
        IN_FOLDER(count_tells_a_segment_that_is_missing_or_cut),
        cmocka_unit_test(cursor_tells_a_missing_segment_that_no_index_knows),
        IN_FOLDER(cursor_reads_a_lone_segment),
        IN_FOLDER(cursor_refuses_a_track_that_is_not_there),
        IN_FOLDER(cursor_gives_nothing_for_an_empty_range),
        IN_FOLDER(cursor_is_stopped_where_nothing_passes),
        IN_FOLDER(control_frames_hold_no_tick_of_their_track_back),
    };
    return cmocka_run_group_tests_name("tape.cursor_reading", tests, NULL, NULL);
}
