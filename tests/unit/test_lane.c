#include "tests/support/check.h"
#include "tests/support/rings.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "replayer/lane.h"
#include "shm/counters.h"
#include "shm/ring_state.h"

#define CAPACITY (64u << 10)

struct fixture {
    char folder[RINGS_FOLDER_SIZE];
    struct lane lane;
    struct tdk_ring *consumer;
    struct lane_patience patience;
    struct tdk_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || rings_open(f->folder) < 0)
        return -1;
    f->patience.stall_ns = 100 * NS_PER_MS;
    *state = f;
    return lane_open(&f->lane, "replay", CAPACITY, true, &f->err);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lane_close(&f->lane);
    tdk_ring_detach(f->consumer);
    int rc = rings_close(f->folder);
    free(f);
    return rc;
}

/* One tick of `size` bytes, all of them zero. */
static int put_tick(struct fixture *f, uint32_t size, uint64_t seq)
{
    void *room;
    int rc = lane_claim(&f->lane, tdk_frame_span(size), &room, &f->patience, &f->err);
    if (rc < 0)
        return rc;
    memset(room, 0, tdk_frame_span(size));
    *(struct tdk_frame *)room =
        (struct tdk_frame){.size = size, .track = 3, .type = TDK_TYPE_OPAQUE, .seq = seq, .ts = 5};
    lane_publish(&f->lane);
    return 0;
}

static void attach_consumer(struct fixture *f)
{
    assert_int_equal(tdk_ring_attach(&f->consumer, "replay", TDK_RING_CONSUMER, &f->err), 0);
}

static void what_was_put_is_read_as_it_was(void **state)
{
    struct fixture *f = *state;
    attach_consumer(f);
    assert_int_equal(put_tick(f, 17, 41), 0);
    const struct tdk_frame *frame = rings_next(f->consumer);
    assert_non_null(frame);
    assert_int_equal(frame->size, 17);
    assert_int_equal(frame->track, 3);
    assert_int_equal(frame->seq, 41);
    assert_int_equal(frame->ts, 5);
    assert_null(rings_next(f->consumer));
}

/* The first pieces of a round are tried in each way, and the later ones go the fastest. */
static void what_is_copied_is_read_as_it_was_whichever_way_it_went(void **state)
{
    enum { TICKS = 100, SPAN = 72, PIECES = 30 };
    struct fixture *f = *state;
    static _Alignas(8) unsigned char piece[TICKS * SPAN];
    uint64_t seq = 0, seen = 0;
    void *room;
    attach_consumer(f);
    for (unsigned n = 0; n < PIECES; n++) {
        for (unsigned i = 0; i < TICKS; i++) {
            unsigned char *at = piece + i * SPAN;
            *(struct tdk_frame *)(void *)at = (struct tdk_frame){
                .size = SPAN - sizeof(struct tdk_frame), .type = TDK_TYPE_OPAQUE, .seq = ++seq};
            memset(at + sizeof(struct tdk_frame), (int)(seq & 0xff),
                   SPAN - sizeof(struct tdk_frame));
        }
        assert_int_equal(lane_claim(&f->lane, sizeof piece, &room, &f->patience, &f->err), 0);
        lane_copy(&f->lane, room, piece, sizeof piece);
        lane_publish(&f->lane);
        for (unsigned i = 0; i < TICKS; i++) {
            const struct tdk_frame *frame = rings_next(f->consumer);
            assert_non_null(frame);
            assert_memory_equal(frame, piece + i * SPAN, SPAN);
            assert_int_equal(frame->seq, ++seen);
        }
        tdk_ring_release(f->consumer);
    }
    assert_null(rings_next(f->consumer));
}

static void nothing_is_seen_before_publish(void **state)
{
    struct fixture *f = *state;
    void *room;
    attach_consumer(f);
    assert_int_equal(lane_claim(&f->lane, 32, &room, &f->patience, &f->err), 0);
    *(struct tdk_frame *)room = (struct tdk_frame){.size = 8, .type = TDK_TYPE_OPAQUE, .seq = 1};
    assert_null(rings_next(f->consumer));
    lane_publish(&f->lane);
    assert_non_null(rings_next(f->consumer));
}

static void a_control_frame_has_both_its_parts(void **state)
{
    struct fixture *f = *state;
    attach_consumer(f);
    struct tdk_frame head = {.track = 9, .type = TDK_TYPE_MARK, .seq = 7, .ts = 8};
    assert_int_equal(lane_control(&f->lane, &head, "abc", 3, "defgh", 5, &f->patience, &f->err), 0);
    lane_publish(&f->lane);
    const struct tdk_frame *frame = rings_next(f->consumer);
    assert_non_null(frame);
    assert_int_equal(frame->size, 8);
    assert_int_equal(frame->track, 9);
    assert_int_equal(frame->seq, 7);
    assert_memory_equal(tdk_frame_payload(frame), "abcdefgh", 8);
}

static void the_padding_of_a_control_frame_is_zeros(void **state)
{
    struct fixture *f = *state;
    const struct tdk_frame head = {.type = TDK_TYPE_MARK};
    attach_consumer(f);
    memset(f->lane.ring->data, 0xff, CAPACITY); /* what an earlier lap left there */
    assert_int_equal(lane_control(&f->lane, &head, "abc", 3, NULL, 0, &f->patience, &f->err), 0);
    lane_publish(&f->lane);
    const struct tdk_frame *frame = rings_next(f->consumer);
    assert_non_null(frame);
    assert_memory_equal(tdk_frame_payload(frame), "abc\0\0\0\0", 8);
}

static bool take_one(void *context)
{
    struct fixture *f = context;
    if (rings_next(f->consumer) != NULL)
        tdk_ring_release_to(f->consumer, tdk_ring_position(f->consumer));
    return false;
}

/* Each time it is looked at, the consumer has taken something, but less than is waited for. */
static void a_consumer_that_takes_little_is_not_stalled(void **state)
{
    struct fixture *f = *state;
    void *room;
    attach_consumer(f);
    f->patience.stopped = take_one;
    f->patience.context = f;
    for (unsigned i = 0; i < CAPACITY / 1024 - 1; i++) /* all but the room of EPOCH is filled */
        assert_int_equal(put_tick(f, 1000, 1), 0);
    assert_int_equal(lane_claim(&f->lane, 12 << 10, &room, &f->patience, &f->err), 0);
    assert_true(f->patience.waited_ns > f->patience.stall_ns);
}

static void a_consumer_that_takes_nothing_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    int rc = 0;
    uint64_t begin = clock_mono();
    for (uint64_t seq = 1; rc == 0 && seq < 1000; seq++)
        rc = put_tick(f, 1000, seq);
    assert_int_equal(rc, TDK_ESTALLED);
    assert_non_null(strstr(f->err.text, "consumer stalled"));
    assert_true(clock_mono() - begin >= f->patience.stall_ns);
    assert_true(f->patience.waited_ns >= f->patience.stall_ns);
    assert_int_equal(f->patience.stalls, 1);
}

struct reader {
    struct tdk_ring *ring;
    uint64_t wanted, seen;
    bool in_order;
};

/* Slow, but never idle for as long as the patience lasts. */
static void *read_slowly(void *context)
{
    struct reader *r = context;
    r->in_order = true;
    while (r->seen < r->wanted && tdk_ring_wait_frame(r->ring, TDK_WAIT_PARK, 5 * NS_PER_S)) {
        const struct tdk_frame *frame = tdk_ring_next(r->ring);
        if (frame != NULL && tdk_frame_is_tick(frame))
            r->in_order = r->in_order && frame->seq == ++r->seen;
        if (r->seen % 32 == 0)
            usleep(2000);
        tdk_ring_release(r->ring);
    }
    return NULL;
}

static void a_slow_consumer_is_waited_for_and_gets_everything(void **state)
{
    struct fixture *f = *state;
    struct reader reader = {.wanted = 500};
    pthread_t thread;
    attach_consumer(f);
    reader.ring = f->consumer;
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    int rc = 0;
    for (uint64_t seq = 1; rc == 0 && seq <= reader.wanted; seq++)
        rc = put_tick(f, 1000, seq);
    pthread_join(thread, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(reader.seen, reader.wanted);
    assert_true(reader.in_order);
    assert_true(f->patience.stalls > 0);
}

static bool stop_at_once(void *context)
{
    (void)context;
    return true;
}

static void an_order_to_stop_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    int rc = 0;
    f->patience.stall_ns = 60 * NS_PER_S;
    f->patience.stopped = stop_at_once;
    for (uint64_t seq = 1; rc == 0 && seq < 1000; seq++)
        rc = put_tick(f, 1000, seq);
    assert_int_equal(rc, -ECANCELED);
}

static bool break_the_rules(void *context)
{
    struct lane *lane = context;
    __atomic_store_n(&lane->ring->shared->consumed, 1ull << 40, __ATOMIC_RELEASE);
    return false;
}

static void a_consumer_that_breaks_the_rules_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    int rc = 0;
    f->patience.stall_ns = NS_PER_S;
    f->patience.stopped = break_the_rules;
    f->patience.context = &f->lane;
    for (uint64_t seq = 1; rc == 0 && seq < 1000; seq++)
        rc = put_tick(f, 1000, seq);
    assert_int_equal(rc, TDK_EHOSTILE);
    assert_non_null(strstr(f->err.text, "broke its rules"));
}

/* What still fits goes into memory that belongs to nobody. Once the cut is known, no more is
 * claimed. */
static void a_ring_whose_file_is_cut_takes_nothing_more(void **state)
{
    struct fixture *f = *state;
    char path[RINGS_FOLDER_SIZE + 32];
    assert_int_equal(tdk_ring_guard(&f->err), 0);
    assert_int_equal(put_tick(f, 100, 1), 0);
    assert_int_equal(lane_check(&f->lane, &f->err), 0);
    snprintf(path, sizeof path, "%s/replay.ring", f->folder);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(put_tick(f, 100, 2), 0);
    assert_int_equal(lane_check(&f->lane, &f->err), TDK_EHOSTILE);
    assert_int_equal(put_tick(f, 100, 3), TDK_EHOSTILE);
    assert_non_null(strstr(f->err.text, "ring replay: "));
    assert_non_null(strstr(f->err.text, "its file was cut"));
}

static void a_frame_the_ring_can_never_hold_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_tick(f, f->lane.payload_max + 1 + 8, 1), TDK_EFULL);
    assert_int_equal(f->patience.stalls, 0);
    assert_int_equal(put_tick(f, f->lane.payload_max, 1), 0);
}

static void a_second_player_is_refused_while_the_first_lives(void **state)
{
    struct fixture *f = *state;
    struct lane other;
    assert_int_equal(lane_open(&other, "replay", CAPACITY, false, &f->err), TDK_EBUSY);
    lane_close(&other);
}

static void a_ring_that_is_not_there_is_made_only_when_asked_for(void **state)
{
    struct fixture *f = *state;
    struct lane other;
    assert_int_equal(lane_open(&other, "other", 0, false, &f->err), TDK_ENORING);
    lane_close(&other);
    assert_int_equal(lane_open(&other, "other", CAPACITY, false, &f->err), 0);
    lane_close(&other);
}

/* The ring's recorder is known by its counters page. */
static void a_ring_that_is_recorded_is_refused_and_none_is_made(void **state)
{
    struct fixture *f = *state;
    struct lane other;
    struct counters *page = NULL;
    const struct counters_options options = {.writer = "recorder",
                                             .program = "x",
                                             .tape = "/t",
                                             .tape_id = (uint8_t[16]){1},
                                             .rows_max = 2};
    const struct counter_kind_of what = {"ring_state", "", COUNTER_LEVEL, COUNTER_COUNT};
    assert_int_equal(counters_create(&page, &options, &f->err), 0);
    (void)counters_add(page, &what, "nearby", "nearby");
    int row = counters_add(page, &what, "feed", "feed");
    static const uint64_t recorded[] = {RING_WAITING, RING_HELD, RING_ATTACHED, RING_REFUSED};
    for (size_t i = 0; i < array_size(recorded); i++) {
        counters_set(page, row, recorded[i]);
        assert_int_equal(lane_open(&other, "feed", CAPACITY, false, &f->err), TDK_EBUSY);
        assert_non_null(strstr(f->err.text, "ring feed is being recorded to tape /t"));
        lane_close(&other);
        assert_int_equal(tdk_ring_stat("feed", &(struct tdk_ring_info){.epoch = 0}, NULL),
                         TDK_ENORING);
    }
    counters_set(page, row, RING_DETACHED);
    assert_int_equal(lane_open(&other, "feed", CAPACITY, false, &f->err), 0);
    lane_close(&other);
    counters_close(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_read_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_copied_is_read_as_it_was_whichever_way_it_went,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_seen_before_publish, setup, teardown),
        cmocka_unit_test_setup_teardown(a_control_frame_has_both_its_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_padding_of_a_control_frame_is_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(a_consumer_that_takes_little_is_not_stalled, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_consumer_that_takes_nothing_ends_the_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_slow_consumer_is_waited_for_and_gets_everything, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_order_to_stop_ends_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_consumer_that_breaks_the_rules_ends_the_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_ring_whose_file_is_cut_takes_nothing_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_the_ring_can_never_hold_is_refused_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_second_player_is_refused_while_the_first_lives, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_ring_that_is_not_there_is_made_only_when_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_ring_that_is_recorded_is_refused_and_none_is_made, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("replayer.lane", tests, NULL, NULL);
}
