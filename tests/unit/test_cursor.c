#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tape/cursor.h"
#include "tape/seal_tape.h"
#include "tests/support/asking.h"
#include "tests/support/folder.h"
#include "tests/support/oracle.h"

/* Two hundred small blocks in several segments, with every kind of disorder in time. */
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
    struct tdk_cursor *cursor = asking_cursor(tape, query);
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

/* ---- the same, woven: tracks that take turns in one run ---- */

struct woven_check {
    const struct oracle *oracle;
    const size_t *answer; /* places in oracle->ticks */
    size_t count, at;
    uint64_t epochs[16]; /* as runs have said, by track number */
};

static uint64_t ticks_woven; /* by all checks together */

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

/* Weave into pieces of any size, from one that takes no tick to one that takes several blocks. */
static void check_ticks_woven(struct oracle *oracle, struct tdk_tape *tape,
                              const struct tdk_query *query)
{
    static uint64_t bytes[8192 / 8];
    struct woven_check check = {.oracle = oracle};
    size_t *answer = oracle_answer(oracle, query, &check.count);
    struct tdk_cursor *cursor = asking_cursor(tape, query);
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
    struct tdk_cursor *cursor = asking_cursor(tape, &counting);
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

/* ---- random queries ---- */

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
    case 1: /* everything at one time */
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
    oracle_of->dice = oracle.dice;
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

/* Ask the tape as it was recorded, packed under a handle that was opened before, and packed and
 * opened again. */
static void check_many_queries(const struct oracle_plan *plan, uint64_t seed, unsigned queries)
{
    struct oracle oracle;
    oracle_make(&oracle, seed, plan);
    struct tdk_tape *tape = asking_open(oracle.path);
    ask_many(&oracle, tape, queries);
    seal_all(oracle.path);
    ask_many(&oracle, tape, queries / 2);
    tdk_tape_close(tape);
    tape = asking_open(oracle.path);
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

static void cursor_answers_the_same_without_an_index(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128];
    oracle_make(&oracle, 11, &disordered);
    struct tdk_tape_info info;

    struct tdk_tape *tape = asking_open(oracle.path);
    tdk_tape_info(tape, &info);
    assert_true(info.index_used);
    assert_int_equal(info.ticks, oracle.count);
    assert_int_equal(info.tracks, 4);
    tdk_tape_close(tape);

    snprintf(path, sizeof path, "%s/index/clean", oracle.path); /* nobody vouches for the index */
    assert_int_equal(unlink(path), 0);
    tape = asking_open(oracle.path);
    tdk_tape_info(tape, &info);
    assert_false(info.index_used);
    check_query(&oracle, tape, &everything);
    tdk_tape_close(tape);

    snprintf(path, sizeof path, "%s/index", oracle.path);
    folder_remove(path);
    tape = asking_open(oracle.path);
    check_query(&oracle, tape, &everything);
    const char *const symbol = "BTC-USD";
    const struct tdk_query query = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
    check_query(&oracle, tape, &query);
    tdk_tape_close(tape);
    assert_int_equal(access(path, F_OK), -1); /* and a query creates nothing */
    oracle_remove(&oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_answers_as_the_oracle_where_time_goes_back),
        cmocka_unit_test(cursor_answers_as_the_oracle_where_time_goes_on),
        cmocka_unit_test(cursor_answers_as_the_oracle_from_parts_of_blocks),
        cmocka_unit_test(cursor_answers_the_same_without_an_index),
    };
    return cmocka_run_group_tests_name("tape.cursor", tests, NULL, NULL);
}
