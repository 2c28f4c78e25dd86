/* Many ticks a call: a cursor's runs in one batch, a ring's frames copied, ticks put in from
 * arrays. */
#include "tests/support/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tapedeck/ring.h"
#include "tapedeck/tape.h"
#include "tests/support/oracle.h"
#include "tests/support/rings.h"

#define CAPACITY ((size_t)64 << 10)

/* ---- a tape ---- */

static const struct tdk_frame *frame_at(const struct tdk_batch *batch, size_t i)
{
    const unsigned char *bytes = batch->frames;
    return (const struct tdk_frame *)(const void *)(bytes + batch->offsets[i]);
}

/* Compare a batch with the runs of a second cursor. Both cursors have come equally far. */
static void assert_same_frames(const struct tdk_batch *batch, struct tdk_cursor *runs)
{
    size_t at = 0, part = 0;
    while (at < batch->count) {
        struct tdk_run run;
        assert_int_equal(tdk_cursor_read(runs, &run, NULL), 1);
        const struct tdk_frame *frame = run.frames;
        const unsigned char *end = (const unsigned char *)frame + run.size;
        for (; (const unsigned char *)frame < end; frame = tdk_frame_after(frame), at++) {
            while (at == batch->parts[part].first + batch->parts[part].count)
                part++;
            assert_memory_equal(frame, frame_at(batch, at), tdk_frame_span(frame->size));
            assert_string_equal(batch->parts[part].track, run.track);
            assert_int_equal(batch->parts[part].epoch, run.epoch);
        }
    }
    assert_int_equal(part, batch->part_count - 1);
}

static void batches_of_any_size_hold_what_runs_hold(void **state)
{
    (void)state;
    struct oracle oracle;
    const struct oracle_plan plan = {.tracks = 3,
                                     .epochs = 2,
                                     .ticks = 900,
                                     .disorder = 500,
                                     .block_size = 4096,
                                     .segment_size = 256 << 10};
    oracle_make(&oracle, 7, &plan);
    struct tdk_tape *tape;
    assert_int_equal(tdk_tape_open(&tape, oracle.path, NULL), 0);
    static const size_t sizes[] = {0, 1, 5000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct tdk_query query = {.to = UINT64_MAX, .control = i % 2 == 1};
        struct tdk_cursor *batched, *runs;
        assert_int_equal(tdk_cursor_open(&batched, tape, &query, NULL), 0);
        assert_int_equal(tdk_cursor_open(&runs, tape, &query, NULL), 0);
        struct tdk_batch *batch;
        uint64_t ticks = 0;
        while (tdk_cursor_batch(batched, sizes[i], &batch, NULL) == 1) {
            assert_same_frames(batch, runs);
            ticks += batch->ticks;
            tdk_batch_free(batch);
        }
        struct tdk_run run;
        assert_int_equal(ticks, oracle.count);
        assert_int_equal(tdk_cursor_read(runs, &run, NULL), 0);
        tdk_cursor_close(runs);
        tdk_cursor_close(batched);
    }
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

/* What came before a failure is returned first. The failure then still says what it was about. */
static void a_failure_behind_a_batch_is_told_whole(void **state)
{
    (void)state;
    struct oracle oracle;
    const struct oracle_plan plan = {
        .tracks = 1, .epochs = 1, .ticks = 9000, .block_size = 4096, .segment_size = 256 << 10};
    oracle_make(&oracle, 7, &plan);
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_batch *batch = NULL;
    struct tdk_err err = {.code = 0};
    struct rlimit limit;
    const struct tdk_query query = {.to = UINT64_MAX};
    assert_int_equal(tdk_tape_open(&tape, oracle.path, NULL), 0);
    assert_int_equal(tdk_cursor_open(&cursor, tape, &query, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    /* The first segment can be opened, the second cannot. */
    const struct rlimit tight = {.rlim_cur = (rlim_t)lowest + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int first = tdk_cursor_batch(cursor, SIZE_MAX, &batch, &err), code = err.code;
    int second = tdk_cursor_batch(cursor, SIZE_MAX, &batch, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(first, 1);
    assert_int_equal(code, 0); /* a success leaves the error text empty */
    assert_true(batch->ticks > 0 && batch->ticks < oracle.count);
    assert_int_equal(second, -EMFILE);
    assert_non_null(strstr(err.text, ".seg: "));
    tdk_batch_free(batch);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

static void a_batch_outlives_its_cursor_and_a_count_has_none(void **state)
{
    (void)state;
    struct oracle oracle;
    const struct oracle_plan plan = {
        .tracks = 1, .epochs = 1, .ticks = 50, .block_size = 4096, .segment_size = 256 << 10};
    oracle_make(&oracle, 3, &plan);
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_query query = {.to = UINT64_MAX};
    struct tdk_batch *batch = NULL;
    assert_int_equal(tdk_tape_open(&tape, oracle.path, NULL), 0);
    assert_int_equal(tdk_cursor_open(&cursor, tape, &query, NULL), 0);
    assert_int_equal(tdk_cursor_batch(cursor, SIZE_MAX, &batch, NULL), 1);
    tdk_cursor_close(cursor);

    query.count_only = true;
    struct tdk_batch *none = NULL;
    assert_int_equal(tdk_cursor_open(&cursor, tape, &query, NULL), 0);
    assert_int_equal(tdk_cursor_batch(cursor, 1, &none, NULL), TDK_EVALUE);
    assert_null(none);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);

    assert_int_equal(batch->count, 50);
    assert_int_equal(frame_at(batch, 49)->seq, 50);
    tdk_batch_free(batch);
    tdk_batch_free(NULL);
    oracle_remove(&oracle);
}

/* ---- a ring ---- */

struct fixture {
    char folder[RINGS_FOLDER_SIZE];
    struct tdk_ring *producer, *consumer, *tap;
    unsigned char buffer[CAPACITY];
    uint64_t offsets[CAPACITY / 24];
    size_t size;
    uint64_t missed;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || rings_open(f->folder) < 0)
        return -1;
    *state = f;
    struct tdk_ring_options options = {.capacity = CAPACITY};
    if (tdk_ring_create("b", &options, NULL) < 0 ||
        tdk_ring_attach(&f->producer, "b", TDK_RING_PRODUCER, NULL) < 0 ||
        tdk_ring_attach(&f->consumer, "b", TDK_RING_CONSUMER, NULL) < 0 ||
        tdk_ring_attach(&f->tap, "b", TDK_RING_TAP, NULL) < 0)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_ring_detach(f->tap);
    tdk_ring_detach(f->consumer);
    tdk_ring_detach(f->producer);
    int rc = rings_close(f->folder);
    free(f);
    return rc;
}

static int64_t copy(struct fixture *f, struct tdk_ring *ring, size_t room)
{
    return tdk_ring_copy(ring, f->buffer, room, f->offsets, &f->size, &f->missed);
}

static const struct tdk_frame *copied(const struct fixture *f, int64_t i)
{
    return (const struct tdk_frame *)(const void *)(f->buffer + f->offsets[i]);
}

static void put(struct fixture *f, uint64_t count, uint64_t wait_ns, int64_t want)
{
    static unsigned char payloads[4096][20];
    static uint64_t ts[4096];
    for (uint64_t i = 0; i < count; i++) {
        memset(payloads[i], (int)i, sizeof payloads[i]);
        ts[i] = 1000 + i;
    }
    const struct tdk_put all = {.payloads = payloads,
                                .stride = sizeof payloads[0],
                                .ts = ts,
                                .count = count,
                                .size = 17,
                                .type = TDK_TYPE_OPAQUE,
                                .flags = TDK_FLAG_SOURCE_SEQUENCE};
    assert_int_equal(tdk_ring_put(f->producer, &all, wait_ns), want);
}

static void what_is_put_is_copied(void **state)
{
    struct fixture *f = *state;
    put(f, 300, 0, 300);
    struct tdk_ring *sides[] = {f->tap, f->consumer};
    for (size_t s = 0; s < 2; s++) {
        assert_int_equal(copy(f, sides[s], sizeof f->buffer), 301); /* EPOCH comes first */
        assert_int_equal(copied(f, 0)->type, TDK_TYPE_EPOCH);
        for (int64_t i = 1; i <= 300; i++) {
            const struct tdk_frame *frame = copied(f, i);
            assert_int_equal(frame->seq, i);
            assert_int_equal(frame->ts, 999 + i);
            assert_int_equal(frame->size, 17);
            assert_int_equal(frame->flags, TDK_FLAG_SOURCE_SEQUENCE);
            assert_int_equal(tdk_frame_payload(frame)[16], (unsigned char)(i - 1));
        }
        assert_int_equal(copy(f, sides[s], sizeof f->buffer), 0);
    }
}

static void a_small_buffer_takes_whole_frames_and_less_is_too_little(void **state)
{
    struct fixture *f = *state;
    put(f, 2, 0, 2);
    assert_int_equal(copy(f, f->consumer, 64), -ENOBUFS); /* the EPOCH frame takes 96 */
    assert_int_equal(copy(f, f->consumer, 96 + 47), 1);
    assert_int_equal(f->size, 96);
    assert_int_equal(copy(f, f->consumer, 48 + 40), 1);
    assert_int_equal(copy(f, f->consumer, 48), 1);
    assert_int_equal(copied(f, 0)->seq, 2);
}

/* What comes behind it is of another play. */
static void a_copy_ends_with_the_end_of_a_play(void **state)
{
    struct fixture *f = *state;
    put(f, 2, 0, 2);
    tdk_ring_claim_raw(f->producer, 0)->type = TDK_TYPE_END;
    tdk_ring_publish(f->producer);
    put(f, 3, 0, 3);
    struct tdk_ring *sides[] = {f->tap, f->consumer};
    for (size_t s = 0; s < 2; s++) {
        assert_int_equal(copy(f, sides[s], sizeof f->buffer), 4); /* EPOCH comes first */
        assert_int_equal(copied(f, 3)->type, TDK_TYPE_END);
        assert_int_equal(copy(f, sides[s], sizeof f->buffer), 3);
        assert_int_equal(copied(f, 0)->seq, 3);
        assert_int_equal(copy(f, sides[s], sizeof f->buffer), 0);
    }
}

/* A put of any size and count leaves the same bytes as claims one by one, padding included. */
static void a_put_leaves_what_claims_leave(void **state)
{
    static const uint32_t sizes[] = {0, 1, 8, 17, 31, 32, 48, 63, 64, 65, 200, 9000};
    struct fixture *f = *state;
    static unsigned char payloads[150 * 64 + 9000], claimed[CAPACITY];
    for (size_t i = 0; i < sizeof payloads; i++)
        payloads[i] = (unsigned char)(i * 31 >> 3);
    while (copy(f, f->consumer, sizeof f->buffer) > 0)
        tdk_ring_give(f->consumer);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t size = sizes[s];
        uint64_t count = size > 8192 ? 3 : 150, ts[150];
        for (uint64_t i = 0; i < count; i++) {
            struct tdk_frame *frame = tdk_ring_claim(f->producer, size);
            frame->type = TDK_TYPE_OPAQUE;
            frame->ts = ts[i] = 7 * i;
            memcpy(frame + 1, payloads + i * 64, size);
        }
        tdk_ring_publish(f->producer);
        assert_int_equal(copy(f, f->consumer, sizeof f->buffer), count + (s == 0));
        size_t bytes = (size_t)(count * tdk_frame_span(size));
        memcpy(claimed, f->buffer + f->size - bytes, bytes);
        tdk_ring_give(f->consumer);

        const struct tdk_put all = {.payloads = payloads,
                                    .stride = 64,
                                    .ts = ts,
                                    .count = count,
                                    .size = size,
                                    .type = TDK_TYPE_OPAQUE};
        assert_int_equal(tdk_ring_put(f->producer, &all, 0), count);
        assert_int_equal(copy(f, f->consumer, sizeof f->buffer), count);
        assert_int_equal(f->size, bytes);
        for (uint64_t i = 0; i < count; i++) {
            struct tdk_frame *frame = (struct tdk_frame *)(void *)(f->buffer + f->offsets[i]);
            frame->seq -= count;
        }
        assert_memory_equal(f->buffer, claimed, bytes);
        tdk_ring_give(f->consumer);
    }
}

/* Ticks of one kind come together, at most as many as were asked for. A tick that differs begins a
 * new group. */
static void ticks_alike_are_read_together(void **state)
{
    struct fixture *f = *state;
    size_t count = 9;
    assert_null(tdk_ring_next_alike(f->consumer, 10, &count));
    assert_int_equal(count, 0);
    put(f, 300, 0, 300);
    struct tdk_frame *other = tdk_ring_claim(f->producer, 18); /* another size, the same span */
    other->type = TDK_TYPE_OPAQUE;
    tdk_ring_publish(f->producer);
    put(f, 2, 0, 2);

    assert_int_equal(tdk_ring_next_alike(f->consumer, 10, &count)->type, TDK_TYPE_EPOCH);
    assert_int_equal(count, 1);
    assert_null(tdk_ring_next_alike(f->consumer, 0, &count));
    static const size_t want[] = {100, 100, 100, 1, 2};
    uint64_t seq = 0;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct tdk_frame *first = tdk_ring_next_alike(f->consumer, 100, &count);
        assert_int_equal(count, want[i]);
        for (size_t k = 0; k < count; k++) {
            const void *at = (const char *)first + k * tdk_frame_span(first->size);
            assert_int_equal(((const struct tdk_frame *)at)->seq, ++seq);
        }
    }
    assert_null(tdk_ring_next_alike(f->consumer, 100, &count));
    tdk_ring_release(f->consumer);
    assert_int_equal(tdk_ring_position(f->consumer), 96 + 303 * 48);
}

/* Copying does not give room back. The next consumer finds the same frames again. */
static void only_what_is_given_back_is_gone(void **state)
{
    struct fixture *f = *state;
    put(f, 10, 0, 10);
    assert_int_equal(copy(f, f->consumer, sizeof f->buffer), 11);
    tdk_ring_detach(f->consumer);
    assert_int_equal(tdk_ring_attach(&f->consumer, "b", TDK_RING_CONSUMER, NULL), 0);
    assert_int_equal(copy(f, f->consumer, sizeof f->buffer), 11);
    tdk_ring_give(f->consumer);
    tdk_ring_detach(f->consumer);
    assert_int_equal(tdk_ring_attach(&f->consumer, "b", TDK_RING_CONSUMER, NULL), 0);
    assert_int_equal(copy(f, f->consumer, sizeof f->buffer), 0);
}

/* 64 KiB hold the EPOCH frame and 1363 frames of 48 bytes after it. */
static void a_full_ring_refuses_and_counts_or_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring_info info;
    put(f, 2000, 1000, 1363);
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.lost, 0);
    put(f, 5, 0, 0);
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.lost, 5);
    assert_int_equal(info.seq, 1368);
}

static void what_is_no_tick_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tdk_put one = {.payloads = "x", .count = 1, .size = 1, .type = TDK_TYPE_LOSS};
    assert_int_equal(tdk_ring_put(f->producer, &one, 0), TDK_EVALUE);
    one.type = TDK_TYPE_PADDING;
    assert_int_equal(tdk_ring_put(f->producer, &one, 0), TDK_EVALUE);
    one = (struct tdk_put){.payloads = "x", .count = 1, .size = 1 << 20, .type = TDK_TYPE_OPAQUE};
    assert_int_equal(tdk_ring_put(f->producer, &one, 0), TDK_EVALUE);
}

/* If a producer writes over its own heads, the copy finds it. */
static void a_head_that_cannot_be_makes_the_ring_hostile(void **state)
{
    struct fixture *f = *state;
    struct tdk_frame *frame = tdk_ring_claim(f->producer, 8);
    assert_non_null(frame);
    frame->type = TDK_TYPE_OPAQUE;
    frame->size = 1 << 30;
    tdk_ring_publish(f->producer);
    assert_int_equal(copy(f, f->consumer, sizeof f->buffer), TDK_EHOSTILE);
    assert_non_null(tdk_ring_hostile(f->consumer));
    assert_int_equal(copy(f, f->consumer, sizeof f->buffer), TDK_EHOSTILE);
}

static void a_tap_that_was_overtaken_is_told(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        put(f, 1000, 0, 1000);
        while (copy(f, f->consumer, sizeof f->buffer) > 0)
            tdk_ring_give(f->consumer);
    }
    assert_int_equal(copy(f, f->tap, sizeof f->buffer), TDK_ELAPPED);
    assert_int_equal(f->missed, 3000 * 48 + 96);
    assert_int_equal(copy(f, f->tap, sizeof f->buffer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_any_size_hold_what_runs_hold),
        cmocka_unit_test(a_failure_behind_a_batch_is_told_whole),
        cmocka_unit_test(a_batch_outlives_its_cursor_and_a_count_has_none),
        cmocka_unit_test_setup_teardown(what_is_put_is_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(a_small_buffer_takes_whole_frames_and_less_is_too_little,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_ends_with_the_end_of_a_play, setup, teardown),
        cmocka_unit_test_setup_teardown(a_put_leaves_what_claims_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(ticks_alike_are_read_together, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_given_back_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_refuses_and_counts_or_is_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_tick_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_that_cannot_be_makes_the_ring_hostile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_tap_that_was_overtaken_is_told, setup, teardown),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
