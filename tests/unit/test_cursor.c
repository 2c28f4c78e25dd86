#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tape/append.h"
#include "tape/cursor.h"
#include "tape/files.h"
#include "tape/seal_tape.h"
#include "tapedeck/dbn.h"
#include "tests/support/oracle.h"

/* Two hundred small blocks in several segments, everything that time can do. */
static const struct oracle_plan disordered = {.tracks = 4,
                                              .epochs = 3,
                                              .ticks = 900,
                                              .disorder = 600,
                                              .odd = 150,
                                              .block_size = 4096,
                                              .segment_size = 256 << 10};
static const struct oracle_plan ordered = {
    .tracks = 3, .epochs = 2, .ticks = 1500, .block_size = 4096, .segment_size = 1 << 20};
/* Blocks so large that they are read in parts. */
static const struct oracle_plan large = {
    .tracks = 2, .epochs = 1, .ticks = 12000, .block_size = 512 << 10, .segment_size = 64 << 20};

static struct tdk_tape *open_tape(const char *path)
{
    struct tdk_tape *tape;
    struct tdk_err err;
    if (tdk_tape_open(&tape, path, &err) < 0)
        fail_msg("%s", err.text);
    return tape;
}

static struct tdk_cursor *open_cursor(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct tdk_cursor *cursor;
    struct tdk_err err;
    if (tdk_cursor_open(&cursor, tape, query, &err) < 0)
        fail_msg("%s", err.text);
    return cursor;
}

/* ---- a query against the oracle ---- */

static void assert_tick(const struct oracle *oracle, const struct oracle_tick *want,
                        const struct tdk_run *run, const struct tdk_frame *frame)
{
    assert_string_equal(run->track, oracle->names[want->track]);
    assert_int_equal(run->epoch, want->epoch);
    assert_int_equal(frame->track, run->number);
    assert_int_equal(frame->seq, want->seq);
    assert_int_equal(frame->ts, want->ts);
    assert_int_equal(frame->type, want->type);
    assert_int_equal(frame->size, want->size);
    assert_memory_equal(tdk_frame_payload(frame), want->payload, want->size);
}

static void describe(const struct tdk_query *query, char text[200])
{
    snprintf(text, 200, "from %llu to %llu axis %d tracks %zu symbols %zu types %zu limit %llu%s",
             (unsigned long long)query->from, (unsigned long long)query->to, (int)query->axis,
             query->track_count, query->symbol_count, query->type_count,
             (unsigned long long)query->limit, query->reverse ? " reverse" : "");
}

static void check_ticks(const struct oracle *oracle, struct tdk_tape *tape,
                        const struct tdk_query *query)
{
    size_t count, at = 0;
    size_t *answer = oracle_answer(oracle, query, &count);
    struct tdk_cursor *cursor = open_cursor(tape, query);
    struct tdk_run run;
    struct tdk_err err;
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1) {
        const struct tdk_frame *frame = run.frames;
        uint64_t ticks = 0;
        for (size_t size = 0; size < run.size; frame = tdk_frame_after(frame)) {
            assert_true(tdk_frame_is_tick(frame));
            assert_true(at < count);
            assert_tick(oracle, &oracle->ticks[answer[at++]], &run, frame);
            size += tdk_frame_span(frame->size);
            assert_true(size <= run.size);
            ticks++;
        }
        assert_int_equal(ticks, run.ticks);
    }
    if (rc < 0)
        fail_msg("%s", err.text);
    if (at != count) {
        char text[200];
        describe(query, text);
        fail_msg("%zu of %zu ticks: %s", at, count, text);
    }
    struct tdk_cursor_stats stats;
    tdk_cursor_stats(cursor, &stats);
    assert_int_equal(stats.ticks, count);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.damaged_blocks, 0);
    tdk_cursor_close(cursor);
    free(answer);
}

/* ---- the same, woven where tracks take turns ---- */

struct woven_check {
    const struct oracle *oracle;
    const size_t *answer; /* places in oracle->ticks */
    size_t count, at;
    uint64_t epochs[16]; /* told by runs, by a track's number */
};

static uint64_t ticks_woven; /* by all checks */

static void check_frames(struct woven_check *check, const struct tdk_run *run)
{
    const struct tdk_frame *frame = run->frames;
    for (size_t size = 0; size < run->size; frame = tdk_frame_after(frame)) {
        assert_true(check->at < check->count);
        assert_tick(check->oracle, &check->oracle->ticks[check->answer[check->at++]], run, frame);
        size += tdk_frame_span(frame->size);
        assert_true(size <= run->size);
    }
}

static void check_woven(struct woven_check *check, const struct woven *woven)
{
    const unsigned char *at = woven->bytes, *end = at + woven->size;
    uint64_t ticks = 0, last_ts = 0;
    for (; at < end; ticks++) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)at;
        assert_true(check->at < check->count);
        const struct oracle_tick *want = &check->oracle->ticks[check->answer[check->at]];
        struct tdk_run run = {.frames = frame,
                              .size = tdk_frame_span(frame->size),
                              .epoch = check->epochs[frame->track],
                              .track = check->oracle->names[want->track],
                              .number = frame->track};
        check_frames(check, &run);
        if ((frame->flags & TDK_FLAG_TS_UNTRUSTED) == 0 && frame->ts != TDK_TS_UNDEFINED)
            last_ts = frame->ts;
        at += run.size;
    }
    assert_ptr_equal(at, end);
    assert_int_equal(ticks, woven->ticks);
    assert_int_equal(last_ts, woven->last_ts);
    ticks_woven += ticks;
}

/* Into pieces of any size: from one that takes no tick to one that takes several blocks. */
static void check_ticks_woven(struct oracle *oracle, struct tdk_tape *tape,
                              const struct tdk_query *query)
{
    static uint64_t bytes[8192 / 8];
    struct woven_check check = {.oracle = oracle};
    size_t *answer = oracle_answer(oracle, query, &check.count);
    struct tdk_cursor *cursor = open_cursor(tape, query);
    struct tdk_run run;
    int rc = 1;
    check.answer = answer;
    while (rc == 1) {
        size_t room = oracle_random(oracle, 4) == 0 ? 8192 : oracle_random(oracle, 600);
        struct woven woven = {.bytes = bytes, .room = cursor_weave_size(cursor, room)};
        assert_true(woven.room <= room);
        if (woven.room > 0) {
            cursor_weave(cursor, &woven);
            assert_true(woven.ticks > 0 && woven.size <= woven.room);
            check_woven(&check, &woven);
        } else if ((rc = tdk_cursor_read(cursor, &run, NULL)) == 1) {
            check.epochs[run.number] = run.epoch;
            check_frames(&check, &run);
        }
    }
    assert_int_equal(rc, 0);
    assert_int_equal(check.at, check.count);
    struct tdk_cursor_stats stats;
    tdk_cursor_stats(cursor, &stats);
    assert_int_equal(stats.ticks, check.count);
    tdk_cursor_close(cursor);
    free(answer);
}

static void check_count(const struct oracle *oracle, struct tdk_tape *tape,
                        const struct tdk_query *query)
{
    struct tdk_query counting = *query;
    counting.count_only = true;
    size_t count;
    free(oracle_answer(oracle, query, &count));
    struct tdk_cursor *cursor = open_cursor(tape, &counting);
    struct tdk_run run;
    uint64_t ticks = 0;
    while (tdk_cursor_read(cursor, &run, NULL) == 1) {
        assert_null(run.frames);
        ticks += run.ticks;
    }
    assert_int_equal(ticks, count);

    uint64_t blocks, bytes;
    assert_int_equal(tdk_cursor_explain(cursor, &blocks, &bytes, NULL), 0);
    assert_true(count == 0 || blocks > 0);
    assert_true(bytes >= blocks * 224);
    tdk_cursor_close(cursor);
}

static void check_query(const struct oracle *oracle, struct tdk_tape *tape,
                        const struct tdk_query *query)
{
    check_ticks(oracle, tape, query);
    check_count(oracle, tape, query);
}

static const struct tdk_query everything = {.to = UINT64_MAX};

/* ---- queries by chance ---- */

struct words {
    const char *tracks[3], *symbols[3];
    struct tdk_type_filter types[2];
};

static uint64_t some_ts(struct oracle *oracle)
{
    const struct oracle_tick *tick = &oracle->ticks[oracle_random(oracle, oracle->count)];
    uint64_t ts = oracle_random(oracle, 2) == 0 ? tick->ts : tick->event_ts;
    return ts == UINT64_MAX ? ts : ts + oracle_random(oracle, 3) - 1;
}

static void choose_range(struct oracle *oracle, struct tdk_query *query)
{
    query->to = UINT64_MAX;
    switch (oracle_random(oracle, 5)) {
    case 0:
        return;
    case 1: /* all at t */
        query->from = some_ts(oracle);
        query->to = query->from == UINT64_MAX ? UINT64_MAX : query->from + 1;
        return;
    case 2:
        query->from = some_ts(oracle);
        return;
    default:
        query->from = some_ts(oracle);
        query->to = some_ts(oracle);
        if (query->from > query->to) {
            uint64_t from = query->from;
            query->from = query->to;
            query->to = from;
        }
    }
}

static void choose_words(struct oracle *oracle, struct tdk_query *query, struct words *words)
{
    static const char *const symbols[] = {"BTC-USD", "BTC-USDT", "S0", "S4", "S*",    "Q[357]",
                                          "#3",      "#12",      "#0", "?1", "nobody"};
    static const struct tdk_type_filter types[] = {
        {TDK_TYPE_DBN, TDK_RTYPE_TRADES},      {TDK_TYPE_DBN, -1},
        {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_TRADE}, {TDK_TYPE_OPAQUE, -1},
        {TDK_TYPE_DBN, TDK_RTYPE_MBP_1},       {TDK_TYPE_OPAQUE, 3}};
    query->tracks = words->tracks;
    query->symbols = words->symbols;
    query->types = words->types;
    if (oracle_random(oracle, 2) == 0)
        query->track_count = 1 + oracle_random(oracle, 3);
    if (oracle_random(oracle, 2) == 0)
        query->symbol_count = 1 + oracle_random(oracle, 3);
    if (oracle_random(oracle, 3) == 0)
        query->type_count = 1 + oracle_random(oracle, 2);
    for (size_t i = 0; i < query->track_count; i++)
        words->tracks[i] = oracle->names[oracle_random(oracle, oracle->tracks)];
    for (size_t i = 0; i < query->symbol_count; i++)
        words->symbols[i] = symbols[oracle_random(oracle, array_size(symbols))];
    for (size_t i = 0; i < query->type_count; i++)
        words->types[i] = types[oracle_random(oracle, array_size(types))];
}

static void ask_many(struct oracle *oracle_of, struct tdk_tape *tape, unsigned queries)
{
    struct oracle oracle = *oracle_of;
    for (unsigned i = 0; i < queries; i++) {
        struct words words;
        struct tdk_query query = {.axis = oracle_random(&oracle, 3) == 0 ? TDK_AXIS_EVENT
                                                                         : TDK_AXIS_RECV,
                                  .reverse = oracle_random(&oracle, 2) == 0};
        choose_range(&oracle, &query);
        choose_words(&oracle, &query, &words);
        if (oracle_random(&oracle, 3) == 0)
            query.limit = 1 + oracle_random(&oracle, 300);
        check_query(&oracle, tape, &query);
        check_ticks_woven(&oracle, tape, &query);
    }
    oracle_of->random = oracle.random;
}

static void seal_all(const char *path)
{
    const struct seal_tape_options options = {.threads = 2};
    struct seal_totals totals;
    struct tdk_err err;
    if (seal_tape(path, &options, &totals, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(totals.segments > 0 && totals.segments == totals.to_do);
}

/* As it was recorded; packed, by who had it open before; and packed, opened anew. */
static void check_many_queries(const struct oracle_plan *plan, uint64_t seed, unsigned queries)
{
    struct oracle oracle;
    oracle_make(&oracle, seed, plan);
    struct tdk_tape *tape = open_tape(oracle.path);
    ask_many(&oracle, tape, queries);
    seal_all(oracle.path);
    ask_many(&oracle, tape, queries / 2);
    tdk_tape_close(tape);
    tape = open_tape(oracle.path);
    ask_many(&oracle, tape, queries);
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

static void cursor_answers_as_the_oracle_where_time_goes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        check_many_queries(&disordered, seed, 150);
    assert_true(ticks_woven > 0);
}

static void cursor_answers_as_the_oracle_where_time_goes_on(void **state)
{
    (void)state;
    check_many_queries(&ordered, 4, 200);
}

static void cursor_answers_as_the_oracle_from_parts_of_blocks(void **state)
{
    (void)state;
    check_many_queries(&large, 5, 60);
}

/* ---- what is asked of it by name ---- */

/* A track with `ticks` trades; tick i is stamped when(i). */
static void make_track(const char *path, unsigned ticks, uint64_t (*when)(unsigned i),
                       uint32_t block_size)
{
    struct append *append;
    const struct append_options options = {
        .block_size = block_size, .payload_max = 1024, .segment_size = 8 << 20};
    struct tdk_err err;
    if (append_open(&append, path, &options, &err) < 0 ||
        append_begin(append, "t", TDK_KIND_DBN, &err) < 0)
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

struct folder_fixture {
    char path[64];
};

static int make_folder(void **state)
{
    struct folder_fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    snprintf(f->path, sizeof f->path, "/tmp/tapedeck-cursor-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    *state = f;
    return 0;
}

static int drop_folder(void **state)
{
    struct folder_fixture *f = *state;
    remove_folder(f->path);
    free(f);
    return 0;
}

static uint64_t count_range(struct tdk_tape *tape, uint64_t from, uint64_t to,
                            struct tdk_cursor_stats *stats)
{
    const struct tdk_query query = {.from = from, .to = to};
    struct tdk_cursor *cursor = open_cursor(tape, &query);
    struct tdk_run run;
    uint64_t ticks = 0;
    while (tdk_cursor_read(cursor, &run, NULL) == 1)
        ticks += run.ticks;
    tdk_cursor_stats(cursor, stats);
    tdk_cursor_close(cursor);
    return ticks;
}

/* 1000 ticks, then 13601 at one time, then 1000 more. */
static uint64_t mostly_one_time(unsigned i)
{
    return i < 1000 ? 1000 + i : i < 14601 ? 5000 : 5000 + i;
}

static void cursor_finds_all_ticks_of_one_time_over_many_blocks(void **state)
{
    const struct folder_fixture *f = *state;
    make_track(f->path, 15601, mostly_one_time, 16 << 10);
    struct tdk_tape *tape = open_tape(f->path);
    struct tdk_cursor_stats stats;
    assert_int_equal(count_range(tape, 5000, 5001, &stats), 13601);
    assert_int_equal(count_range(tape, 0, 5000, &stats), 1000);
    assert_int_equal(count_range(tape, 5001, UINT64_MAX, &stats), 1000);
    assert_int_equal(count_range(tape, 4999, 5000, &stats), 0);
    tdk_tape_close(tape);
}

static uint64_t one_absurd(unsigned i)
{
    return i == 5000 ? UINT64_MAX : 1000 + i;
}

static void cursor_reads_no_more_blocks_for_one_absurd_time(void **state)
{
    const struct folder_fixture *f = *state;
    make_track(f->path, 20000, one_absurd, 16 << 10);
    struct tdk_tape *tape = open_tape(f->path);
    struct tdk_cursor_stats stats;
    assert_int_equal(count_range(tape, UINT64_MAX, UINT64_MAX, &stats), 1);
    assert_int_equal(stats.blocks_read, 1);
    assert_int_equal(count_range(tape, 20000, 20100, &stats), 100);
    assert_true(stats.blocks_read <= 2);
    assert_int_equal(count_range(tape, 0, UINT64_MAX, &stats), 20000);
    tdk_tape_close(tape);
}

static uint64_t in_order(unsigned i)
{
    return 1000 + i;
}

/* The file of the tape's segment `number`. */
static void segment_path(const char *tape, unsigned number, char path[128])
{
    snprintf(path, 128, "%s/segments/%010u.seg", tape, number);
}

static void flip_byte(const char *path, off_t offset)
{
    int fd = open(path, O_RDWR);
    unsigned char byte;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void cursor_tells_a_damaged_block_and_goes_on_behind_it(void **state)
{
    const struct folder_fixture *f = *state;
    make_track(f->path, 5000, in_order, 16 << 10);
    char path[128];
    segment_path(f->path, 1, path);
    flip_byte(path, 100 << 10);

    struct tdk_tape *tape = open_tape(f->path);
    for (int reverse = 0; reverse <= 1; reverse++) {
        const struct tdk_query query = {.to = UINT64_MAX, .reverse = reverse == 1};
        struct tdk_cursor *cursor = open_cursor(tape, &query);
        struct tdk_run run;
        struct tdk_err err;
        uint64_t ticks = 0;
        unsigned damaged = 0;
        int rc;
        while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0) {
            if (rc == TDK_ECORRUPT) {
                damaged++;
                assert_non_null(strstr(err.text, "segment 1 offset "));
                assert_non_null(strstr(err.text, "track t"));
                continue;
            }
            assert_int_equal(rc, 1);
            ticks += run.ticks;
        }
        struct tdk_cursor_stats stats;
        tdk_cursor_stats(cursor, &stats);
        assert_int_equal(damaged, 1);
        assert_int_equal(stats.damaged_blocks, 1);
        assert_in_range(ticks, 4500, 4999);
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

/* Blocks of 256 KiB, every seventh tick of which is asked for. */
static void cursor_reads_a_block_by_one_call_where_much_of_it_is_asked(void **state)
{
    const struct folder_fixture *f = *state;
    const char *symbol = "#3";
    static struct file_ops counting; /* outlives a test that fails */
    char path[128];
    make_track(f->path, 60000, in_order, 256 << 10);
    counting = files_posix;
    counting.pread = count_read;
    files = &counting;
    for (int damaged = 0; damaged <= 1; damaged++) {
        struct tdk_tape *tape = open_tape(f->path);
        const struct tdk_query query = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
        struct tdk_cursor *cursor = open_cursor(tape, &query);
        struct tdk_cursor_stats stats;
        struct tdk_run run;
        int rc;
        reads = 0;
        while ((rc = tdk_cursor_read(cursor, &run, NULL)) != 0)
            assert_int_equal(rc < 0 ? TDK_ECORRUPT : rc, rc);
        tdk_cursor_stats(cursor, &stats);
        assert_in_range(stats.blocks_read + stats.damaged_blocks, 16, 20);
        /* Opening, the first, and what a scout had begun with beside the damage. */
        assert_in_range(reads, stats.blocks_read, stats.blocks_read + 16);
        assert_int_equal(stats.damaged_blocks, damaged);
        tdk_cursor_close(cursor);
        tdk_tape_close(tape);
        segment_path(f->path, 1, path);
        flip_byte(path, 1 << 20);
    }
    files = &files_posix;
}

static void cursor_counts_again_without_reading(void **state)
{
    const struct folder_fixture *f = *state;
    const char *symbol = "#3";
    make_track(f->path, 60000, in_order, 256 << 10);
    struct tdk_tape *tape = open_tape(f->path);
    for (int again = 0; again <= 1; again++) {
        const struct tdk_query query = {
            .to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1, .count_only = true};
        struct tdk_cursor *cursor = open_cursor(tape, &query);
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

/* The index knows what was in a segment that is gone. */
static void cursor_tells_each_block_of_a_missing_segment(void **state)
{
    const struct folder_fixture *f = *state;
    char path[128];
    make_track(f->path, 5000, in_order, 16 << 10);
    segment_path(f->path, 1, path);
    assert_int_equal(unlink(path), 0);
    struct tdk_tape *tape = open_tape(f->path);
    const struct tdk_query query = {.from = 1100, .to = 1200};
    struct tdk_cursor *cursor = open_cursor(tape, &query);
    struct tdk_run run;
    struct tdk_err err;
    assert_int_equal(tdk_cursor_read(cursor, &run, &err), TDK_ECORRUPT);
    assert_non_null(strstr(err.text, "segment 1 offset "));
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == TDK_ECORRUPT)
        ;
    assert_int_equal(rc, 0);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
}

/* Without the index only the seqs tell, and they do: at the range, and nowhere else. */
static void cursor_tells_a_missing_segment_that_no_index_knows(void **state)
{
    (void)state;
    static const struct oracle_plan plan = {
        .tracks = 2, .epochs = 1, .ticks = 6000, .block_size = 16 << 10, .segment_size = 128 << 10};
    struct oracle oracle;
    char path[128];
    oracle_make(&oracle, 31, &plan);
    segment_path(oracle.path, 3, path);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/index", oracle.path);
    remove_folder(path);

    struct tdk_tape *tape = open_tape(oracle.path);
    const char *const track = oracle.names[0]; /* the first segments are all its */
    struct tdk_query query = {.to = UINT64_MAX, .tracks = &track, .track_count = 1};
    for (int mode = 0; mode < 3; mode++) {
        query.reverse = mode == 1;
        query.count_only = mode == 2;
        struct tdk_cursor *cursor = open_cursor(tape, &query);
        struct tdk_run run;
        struct tdk_err err;
        uint64_t ticks = 0;
        unsigned holes = 0;
        int rc;
        while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0) {
            assert_true(rc == 1 || rc == TDK_ECORRUPT);
            ticks += rc == 1 ? run.ticks : 0;
            holes += rc == 1 ? 0 : 1;
            if (rc != 1)
                assert_non_null(strstr(err.text, "are missing from the tape"));
        }
        assert_int_equal(holes, 1);
        assert_in_range(ticks, 3000, 5999);
        tdk_cursor_close(cursor);
    }

    /* Where it is: the time of the first tick that is not told any more. */
    struct tdk_cursor *cursor = open_cursor(tape, &query);
    struct tdk_run run;
    uint64_t told = 0;
    query.count_only = false;
    tdk_cursor_close(cursor);
    cursor = open_cursor(tape, &query);
    while (tdk_cursor_read(cursor, &run, NULL) == 1)
        told += run.ticks;
    tdk_cursor_close(cursor);
    const uint64_t inside = oracle.ticks[told + 200].ts; /* in the middle of what is missing */
    query.from = inside;
    query.to = inside + 1;
    cursor = open_cursor(tape, &query);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), TDK_ECORRUPT);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), 0);
    tdk_cursor_close(cursor);
    query.from = oracle.ticks[10].ts;
    query.to = oracle.ticks[told - 300].ts;
    cursor = open_cursor(tape, &query);
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, NULL)) == 1)
        ;
    assert_int_equal(rc, 0);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

static void cursor_answers_the_same_without_an_index(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128];
    oracle_make(&oracle, 11, &disordered);
    struct tdk_tape_info info;

    struct tdk_tape *tape = open_tape(oracle.path);
    tdk_tape_info(tape, &info);
    assert_true(info.index_used);
    assert_int_equal(info.ticks, oracle.count);
    assert_int_equal(info.tracks, 4);
    tdk_tape_close(tape);

    snprintf(path, sizeof path, "%s/index/clean", oracle.path); /* nobody vouches for it */
    assert_int_equal(unlink(path), 0);
    tape = open_tape(oracle.path);
    tdk_tape_info(tape, &info);
    assert_false(info.index_used);
    check_query(&oracle, tape, &everything);
    tdk_tape_close(tape);

    snprintf(path, sizeof path, "%s/index", oracle.path);
    remove_folder(path);
    tape = open_tape(oracle.path);
    check_query(&oracle, tape, &everything);
    const char *const symbol = "BTC-USD";
    const struct tdk_query query = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
    check_query(&oracle, tape, &query);
    tdk_tape_close(tape);
    assert_int_equal(access(path, F_OK), -1); /* and a query creates nothing */
    oracle_remove(&oracle);
}

static void cursor_reads_a_lone_segment(void **state)
{
    const struct folder_fixture *f = *state;
    char from[128], path[128];
    make_track(f->path, 5000, in_order, 16 << 10);
    segment_path(f->path, 1, from);
    snprintf(path, sizeof path, "%s/alone", f->path);
    assert_int_equal(rename(from, path), 0);
    struct tdk_tape *tape = open_tape(path);
    struct tdk_cursor_stats stats;
    struct tdk_tape_info info;
    assert_int_equal(count_range(tape, 1100, 1200, &stats), 100);
    assert_int_equal(count_range(tape, 0, UINT64_MAX, &stats), 5000);
    tdk_tape_info(tape, &info);
    assert_int_equal(info.segments, 1);
    assert_int_equal(info.first_ts, 1000);
    assert_int_equal(info.last_ts, 5999);
    assert_int_equal(tdk_tape_refresh(tape, NULL), 0);
    tdk_tape_close(tape);
}

static void cursor_refuses_a_track_that_is_not_there(void **state)
{
    const struct folder_fixture *f = *state;
    make_track(f->path, 10, in_order, 0);
    struct tdk_tape *tape = open_tape(f->path);
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
    const struct folder_fixture *f = *state;
    make_track(f->path, 1000, in_order, 4096);
    struct tdk_tape *tape = open_tape(f->path);
    struct tdk_cursor_stats stats;
    assert_int_equal(count_range(tape, 1500, 1500, &stats), 0);
    assert_int_equal(count_range(tape, 1600, 1500, &stats), 0);
    assert_int_equal(count_range(tape, 0, 0, &stats), 0);
    assert_int_equal(stats.blocks_read, 0);
    tdk_tape_close(tape);
}

/* What opens and what does not. */
static void tape_refuses_what_is_none(void **state)
{
    const struct folder_fixture *f = *state;
    struct tdk_tape *tape;
    struct tdk_err err;
    char path[128];
    assert_int_equal(tdk_tape_open(&tape, f->path, &err), TDK_ENOTAPE);
    snprintf(path, sizeof path, "%s/nothing", f->path);
    assert_int_equal(tdk_tape_open(&tape, path, &err), -ENOENT);
    snprintf(path, sizeof path, "%s/text", f->path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("these are words, and no segment of anything", file);
    fclose(file);
    assert_true(tdk_tape_open(&tape, path, &err) < 0);
    tdk_tape_close(NULL);
}

/* Two handles of one tape in one process, one of them closed: the other goes on. */
static void tape_opens_twice_in_one_process(void **state)
{
    const struct folder_fixture *f = *state;
    make_track(f->path, 1000, in_order, 4096);
    struct tdk_tape *one = open_tape(f->path), *two = open_tape(f->path);
    struct tdk_cursor_stats stats;
    assert_int_equal(count_range(one, 0, UINT64_MAX, &stats), 1000);
    tdk_tape_close(one);
    assert_int_equal(tdk_tape_refresh(two, NULL), 0);
    assert_int_equal(count_range(two, 1100, 1300, &stats), 200);
    tdk_tape_close(two);
}

struct asker {
    const struct oracle *oracle;
    struct tdk_tape *tape;
    uint64_t wrong;
};

/* The same part of the tape, again and again; each answer as long as the first. */
static void *ask(void *context)
{
    struct asker *asker = context;
    const char *const symbol = "BTC-USD";
    for (unsigned round = 0; round < 30; round++) {
        struct tdk_query query = {.from = 1000000 + 100 * round,
                                  .to = round % 3 == 0 ? UINT64_MAX : 1020000,
                                  .reverse = round % 2 == 0,
                                  .symbols = &symbol,
                                  .symbol_count = round % 5 == 0 ? 1 : 0};
        size_t count;
        free(oracle_answer(asker->oracle, &query, &count));
        struct tdk_cursor *cursor;
        struct tdk_run run;
        if (tdk_cursor_open(&cursor, asker->tape, &query, NULL) < 0)
            return NULL;
        uint64_t ticks = 0;
        while (tdk_cursor_read(cursor, &run, NULL) == 1)
            ticks += run.ticks;
        asker->wrong += ticks != count;
        tdk_cursor_close(cursor);
    }
    return NULL;
}

static void tape_is_shared_by_threads(void **state)
{
    (void)state;
    struct oracle oracle;
    pthread_t threads[4];
    struct asker askers[4];
    oracle_make(&oracle, 41, &disordered);
    struct tdk_tape *tape = open_tape(oracle.path);
    for (size_t i = 0; i < array_size(threads); i++) {
        askers[i] = (struct asker){.oracle = &oracle, .tape = tape};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < array_size(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].wrong, 0);
    }
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

/* In a process of its own: who writes and who reads an index are never one process. */
static void append_elsewhere(const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct append *append;
        int rc = append_open(&append, path, NULL, NULL);
        unsigned char record[48] = {48 / 4, TDK_RTYPE_TRADES};
        if (rc == 0)
            rc = append_begin(append, "later", TDK_KIND_DBN, NULL);
        if (rc == 0)
            rc = append_tick(append, TDK_TYPE_DBN, 0, 777, record, sizeof record, NULL);
        if (rc == 0)
            rc = append_close(append, NULL, NULL);
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tape_shows_what_was_added_after_a_refresh(void **state)
{
    const struct folder_fixture *f = *state;
    struct tdk_cursor_stats stats;
    struct tdk_run run;
    make_track(f->path, 1000, in_order, 4096);
    struct tdk_tape *tape = open_tape(f->path);
    const struct tdk_query everything_of_it = {.to = UINT64_MAX};
    struct tdk_cursor *cursor = open_cursor(tape, &everything_of_it);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), 1);
    uint64_t ticks = run.ticks;

    append_elsewhere(f->path);
    assert_int_equal(tdk_tape_refresh(tape, NULL), 0);
    assert_int_equal(count_range(tape, 0, UINT64_MAX, &stats), 1001);
    assert_int_equal(count_range(tape, 777, 778, &stats), 1);

    while (tdk_cursor_read(cursor, &run, NULL) == 1) /* the old one tells what there was */
        ticks += run.ticks;
    assert_int_equal(ticks, 1000);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
}

static void tape_tells_symbols_by_time(void **state)
{
    (void)state;
    struct oracle oracle;
    oracle_make(&oracle, 21, &ordered);
    struct tdk_tape *tape = open_tape(oracle.path);
    for (size_t i = 0; i < oracle.symbol_count; i++) {
        const struct oracle_symbol *s = &oracle.symbols[i];
        /* Numbers follow the order in which tracks came. */
        uint16_t number = (uint16_t)(s->track + 1);
        const char *now = tdk_tape_symbol(tape, number, s->epoch, s->instrument_id, s->from);
        assert_non_null(now);
        assert_string_equal(now, s->symbol);
        if (s->to != UINT64_MAX)
            assert_string_equal(
                tdk_tape_symbol(tape, number, s->epoch, s->instrument_id, s->to - 1), s->symbol);
    }
    assert_null(tdk_tape_symbol(tape, 1, oracle.symbols[0].epoch, 999, 5));
    assert_null(tdk_tape_symbol(tape, 99, oracle.symbols[0].epoch, 1, 5));
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_answers_as_the_oracle_where_time_goes_back),
        cmocka_unit_test(cursor_answers_as_the_oracle_where_time_goes_on),
        cmocka_unit_test(cursor_answers_as_the_oracle_from_parts_of_blocks),
        cmocka_unit_test_setup_teardown(cursor_finds_all_ticks_of_one_time_over_many_blocks,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(cursor_reads_no_more_blocks_for_one_absurd_time,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(cursor_tells_a_damaged_block_and_goes_on_behind_it,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(cursor_counts_again_without_reading, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(cursor_reads_a_block_by_one_call_where_much_of_it_is_asked,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(cursor_tells_each_block_of_a_missing_segment, make_folder,
                                        drop_folder),
        cmocka_unit_test(cursor_tells_a_missing_segment_that_no_index_knows),
        cmocka_unit_test(cursor_answers_the_same_without_an_index),
        cmocka_unit_test_setup_teardown(cursor_reads_a_lone_segment, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(cursor_refuses_a_track_that_is_not_there, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(cursor_gives_nothing_for_an_empty_range, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(tape_refuses_what_is_none, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(tape_opens_twice_in_one_process, make_folder, drop_folder),
        cmocka_unit_test(tape_is_shared_by_threads),
        cmocka_unit_test_setup_teardown(tape_shows_what_was_added_after_a_refresh, make_folder,
                                        drop_folder),
        cmocka_unit_test(tape_tells_symbols_by_time),
    };
    return cmocka_run_group_tests_name("tape.cursor", tests, NULL, NULL);
}
