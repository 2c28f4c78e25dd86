/* The ring in one process: what goes in comes out, epochs, taps, waits. */
#include "tests/support/one_ring.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ticks ---- */

static void what_is_published_arrives_unchanged_and_in_order(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    for (uint64_t seq = 1; seq <= 20000; seq++) {
        uint32_t size = (uint32_t)(seq * 7 % 300);
        assert_true(put_tick(f->producer, size));
        if (seq == 1)
            next_epoch(f->consumer);
        assert_tick(tdk_ring_next(f->consumer), seq, size);
        tdk_ring_release(f->consumer);
    }
    assert_null(tdk_ring_next(f->consumer));
}

static void a_claim_is_not_seen_before_it_is_published(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(claim_tick(f->producer, 64));
    next_epoch(f->consumer); /* which was published first */
    assert_null(tdk_ring_next(f->consumer));
    assert_true(claim_tick(f->producer, 0));
    tdk_ring_publish(f->producer);
    assert_tick(tdk_ring_next(f->consumer), 1, 64);
    assert_tick(tdk_ring_next(f->consumer), 2, 0);
    assert_null(tdk_ring_next(f->consumer));
}

static void the_largest_payload_fits_and_one_more_byte_costs_nothing(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint32_t max = CAPACITY / 4;
    assert_null(tdk_ring_claim(f->producer, max + 1));
    assert_null(tdk_ring_claim_raw(f->producer, max + 1));
    assert_true(put_tick(f->producer, max));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, max);
}

static void a_full_ring_refuses_and_counts(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint64_t fit = fill_ring(f->producer, 64); /* the last try was refused */
    assert_int_equal(fit, (CAPACITY - 96) / 88);
    assert_false(put_tick(f->producer, 64));
    tdk_ring_drop(f->producer, 3);

    struct tdk_ring_info info;
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.seq, fit + 5);
    assert_int_equal(info.lost, 5);
    assert_int_equal(info.produced, fit);

    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= fit; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    tdk_ring_release(f->consumer);
    assert_true(put_tick(f->producer, 64));
    assert_tick(tdk_ring_next(f->consumer), fit + 6, 64); /* the hole in seq is the loss */
}

static void a_raw_frame_spends_no_seq(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 8));
    struct tdk_frame *mark = tdk_ring_claim_raw(f->producer, 5);
    assert_non_null(mark);
    mark->type = TDK_TYPE_MARK;
    mark->seq = 2;
    mark->ts = 1;
    memcpy(mark + 1, "hello", 5);
    assert_true(put_tick(f->producer, 8));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 8);
    assert_int_equal(tdk_ring_next(f->consumer)->type, TDK_TYPE_MARK);
    assert_tick(tdk_ring_next(f->consumer), 2, 8);
}

static void a_run_of_frames_goes_in_as_one_piece(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    struct tdk_frame frames[8];
    for (uint64_t i = 0; i < 8; i++)
        frames[i] = (struct tdk_frame){.type = TDK_TYPE_OPAQUE, .seq = 100 + i, .track = 3};
    assert_null(tdk_ring_claim_run(f->producer, CAPACITY / 2 + 8));
    assert_null(tdk_ring_claim_run(f->producer, 25));
    void *room = tdk_ring_claim_run(f->producer, sizeof frames + 4096);
    assert_non_null(room);
    memcpy(room, frames, sizeof frames);
    tdk_ring_shrink_run(f->producer, 4096);
    tdk_ring_publish(f->producer);
    next_epoch(f->consumer);
    for (uint64_t i = 0; i < 8; i++) {
        const struct tdk_frame *frame = tdk_ring_next(f->consumer);
        assert_int_equal(frame->seq, 100 + i);
        assert_int_equal(frame->track, 3);
    }
    assert_null(tdk_ring_next(f->consumer));
}

static void padding_is_stepped_over(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 8));
    assert_non_null(tdk_ring_claim_raw(f->producer, 40)); /* type 0, as claimed */
    assert_true(put_tick(f->producer, 8));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 8);
    assert_tick(tdk_ring_next(f->consumer), 2, 8);
    assert_null(tdk_ring_hostile(f->consumer));
}

static void peek_shows_all_that_is_published_in_one_piece(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    size_t size;
    tdk_ring_peek(f->consumer, &size);
    assert_int_equal(size, 0);
    for (int lap = 0; lap < 50; lap++) { /* so that the run crosses the end of the ring */
        uint64_t before = tdk_ring_position(f->consumer);
        for (int i = 0; i < 200; i++)
            assert_true(claim_tick(f->producer, 100));
        tdk_ring_publish(f->producer);
        const struct tdk_frame *frame = tdk_ring_peek(f->consumer, &size);
        assert_int_equal(size, 200 * 128 + (lap == 0 ? 96 : 0));
        const unsigned char *end = (const unsigned char *)frame + size;
        if (lap == 0)
            frame = tdk_frame_after(frame);
        for (uint64_t i = 1; (const unsigned char *)frame < end;
             i++, frame = tdk_frame_after(frame))
            assert_tick(frame, (uint64_t)lap * 200 + i, 100);
        tdk_ring_skip(f->consumer, size);
        assert_int_equal(tdk_ring_position(f->consumer), before + size);
        tdk_ring_release(f->consumer);
    }
}

/* The consumer waits after a batch, so that the next one is no smaller. It does not wait after a
 * single frame. */
static void a_consumer_waits_behind_a_batch_and_never_behind_one_frame(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    put_tick(f->producer, 64);
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 64);
    for (uint64_t seq = 2; seq <= 4; seq++) {
        assert_null(tdk_ring_next(f->consumer));
        put_tick(f->producer, 64);
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
        assert_int_equal(f->consumer->linger, 0);
    }
    for (uint64_t seq = 5; seq <= 404; seq++)
        put_tick(f->producer, 64);
    assert_tick(tdk_ring_next(f->consumer), 5, 64);
    assert_int_equal(f->consumer->linger, TDK_RING_LINGER_MAX);
    for (uint64_t seq = 6; seq <= 404; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    assert_null(tdk_ring_next(f->consumer));
    assert_int_equal(f->consumer->linger, 0);
}

static void room_released_by_position_is_the_producers_at_once(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    fill_ring(f->producer, 64);
    next_epoch(f->consumer);
    uint64_t first = tdk_ring_position(f->consumer);
    for (int i = 0; i < 10; i++)
        tdk_ring_next(f->consumer);
    assert_false(put_tick(f->producer, 64));
    tdk_ring_release_to(f->consumer, first + 88);
    assert_true(put_tick(f->producer, 64));
    tdk_ring_release_to(f->consumer, first); /* never goes back */
    assert_true(put_tick(f->producer, 64));
    assert_false(put_tick(f->producer, 64));
}

static void what_was_not_released_is_there_for_the_next_consumer(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    for (int i = 0; i < 10; i++)
        assert_true(put_tick(f->producer, 64));
    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= 4; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    tdk_ring_release(f->consumer); /* too little to be shown at once: detach shows it */
    assert_tick(tdk_ring_next(f->consumer), 5, 64);
    tdk_ring_detach(f->consumer);
    f->consumer = attach(TDK_RING_CONSUMER);
    for (uint64_t seq = 5; seq <= 10; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    assert_null(tdk_ring_next(f->consumer));
}

/* The child has its parent's handle as it was at the fork, and ends as programs do. */
static void a_forked_child_that_detaches_takes_nothing_back(void **state)
{
    struct fixture *f = *state;
    int go[2], status;
    char any;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    assert_non_null(tdk_ring_next(f->consumer));
    tdk_ring_release(f->consumer); /* too little to be shown at once */
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ssize_t n = read(go[0], &any, 1);
        tdk_ring_detach(f->consumer);
        _exit(n == 1 ? 0 : 1);
    }
    assert_true(put_tick(f->producer, 64));
    while (tdk_ring_next(f->consumer) != NULL)
        tdk_ring_release(f->consumer); /* shown when the ring runs dry */
    struct tdk_ring_info before, after;
    tdk_ring_info(f->consumer, &before);
    assert_int_equal(before.fill, 0);
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    tdk_ring_info(f->consumer, &after);
    assert_int_equal(after.consumed_bytes, before.consumed_bytes);
    close(go[0]);
    close(go[1]);
}

static void touch_all(struct tdk_ring *ring, size_t step)
{
    size_t pages = 2 * CAPACITY / 4096, calls = 1;
    while (tdk_ring_warm(ring, step))
        assert_true(++calls <= pages);
    assert_false(tdk_ring_warm(ring, step)); /* once is enough */
    assert_true(step < CAPACITY ? calls > 1 : calls <= 2);
}

static void touching_the_pages_changes_nothing_that_is_in_them(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    f->tap = attach(TDK_RING_TAP);
    for (uint64_t seq = 1; seq <= 3000; seq++) { /* some laps, so as to begin in the middle */
        assert_true(put_tick(f->producer, 64));
        if (seq == 1)
            next_epoch(f->consumer);
        if (seq > 100) {
            assert_tick(tdk_ring_next(f->consumer), seq - 100, 64);
            tdk_ring_release(f->consumer);
        }
    }
    touch_all(f->producer, 4096);
    touch_all(f->consumer, 3 * 4096);
    touch_all(f->tap, 2 * CAPACITY);
    for (uint64_t seq = 2901; seq <= 3000; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    assert_null(tdk_ring_next(f->consumer));
}

static void the_high_water_mark_is_the_fullest_a_consumer_met(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    for (int i = 0; i < 100; i++)
        assert_true(put_tick(f->producer, 64));
    while (tdk_ring_next(f->consumer))
        tdk_ring_release(f->consumer);
    assert_true(put_tick(f->producer, 64));
    struct tdk_ring_info info;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.high_water, 96 + 100 * 88);
    assert_int_equal(info.fill, 88);
    assert_int_equal(info.produced_bytes, 96 + 101 * 88);
    assert_int_equal(info.consumed_bytes, 96 + 100 * 88);
}

static void who_holds_a_lock_lives_also_without_a_pid(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring_info info;
    attach_both(f);
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.producer_pid, getpid());
    assert_int_equal(info.consumer_pid, getpid());

    struct tdk_ring_shared *shared = f->consumer->shared;
    shared->consumer_pid = 0;
    shared->epochs[shared->generation % 2].pid = 0;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.producer_pid, UINT32_MAX);
    assert_int_equal(info.consumer_pid, UINT32_MAX);

    tdk_ring_detach(f->consumer);
    f->consumer = NULL;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.consumer_pid, 0);
}

/* ---- epochs ---- */

static void each_producer_begins_an_epoch_that_names_the_last(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_int_equal(tdk_ring_epoch(f->consumer), 0); /* nothing was put in yet */
    uint64_t first = tdk_ring_epoch(f->producer);
    assert_true(put_tick(f->producer, 8));
    struct tdk_epoch epoch = next_epoch(f->consumer);
    assert_int_equal(epoch.epoch, first);
    assert_int_equal(epoch.previous, 0);
    assert_int_equal(epoch.previous_seq, 0);
    assert_int_equal(epoch.pid, getpid());
    assert_tick(tdk_ring_next(f->consumer), 1, 8);

    tdk_ring_drop(f->producer, 4); /* a loss at the very end */
    tdk_ring_detach(f->producer);
    f->producer = attach(TDK_RING_PRODUCER);
    assert_true(tdk_ring_epoch(f->producer) > first);
    assert_true(put_tick(f->producer, 8));
    epoch = next_epoch(f->consumer);
    assert_int_equal(epoch.epoch, tdk_ring_epoch(f->producer));
    assert_int_equal(epoch.previous, first);
    assert_int_equal(epoch.previous_seq, 5);
    assert_tick(tdk_ring_next(f->consumer), 1, 8);

    struct tdk_ring_info info;
    tdk_ring_info(f->consumer, &info);
    assert_int_equal(info.epoch, epoch.epoch);
    assert_int_equal(info.seq, 1);
    assert_int_equal(info.lost, 0);
    assert_int_equal(info.lost_total, 4);
}

static void a_producer_that_put_nothing_in_leaves_no_trace_but_its_losses(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint64_t first = tdk_ring_epoch(f->producer);
    uint64_t fit = fill_ring(f->producer, 64);
    tdk_ring_detach(f->producer);

    f->producer = attach(TDK_RING_PRODUCER); /* full: no room even for its EPOCH frame */
    uint64_t silent = tdk_ring_epoch(f->producer);
    assert_false(put_tick(f->producer, 64));
    assert_false(put_tick(f->producer, 64));
    struct tdk_ring_info info;
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.epoch, first);
    assert_int_equal(info.lost, 1);
    assert_int_equal(info.seq, fit + 1);
    assert_int_equal(info.lost_total, 3);
    tdk_ring_detach(f->producer);

    f->producer = attach(TDK_RING_PRODUCER);
    assert_true(tdk_ring_epoch(f->producer) > silent);
    assert_false(put_tick(f->producer, 64));
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.lost_total, 4); /* with those that the silent producer refused */
    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= fit; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    tdk_ring_release(f->consumer);
    assert_true(put_tick(f->producer, 64));
    struct tdk_epoch epoch = next_epoch(f->consumer);
    assert_int_equal(epoch.epoch, tdk_ring_epoch(f->producer));
    assert_int_equal(epoch.previous, first);
    assert_int_equal(epoch.previous_seq, fit + 1);
    assert_tick(tdk_ring_next(f->consumer), 4, 64); /* 1 to 3 were refused before */
}

static void what_waits_is_counted_of_the_last_epoch_alone(void **state)
{
    struct fixture *f = *state;
    uint64_t ticks;
    for (int i = 2; i <= 3; i++) {
        f->producer = attach(TDK_RING_PRODUCER);
        for (int k = 0; k < i; k++)
            assert_true(put_tick(f->producer, 8));
        assert_int_equal(tdk_ring_unread("sim", &ticks, &f->err), 0);
        assert_int_equal(ticks, i);
        tdk_ring_detach(f->producer);
    }
    f->producer = NULL;
    f->consumer = attach(TDK_RING_CONSUMER);
    for (int i = 0; i < 5; i++) /* EPOCH, both ticks, EPOCH, one of the last three */
        assert_non_null(tdk_ring_next(f->consumer));
    tdk_ring_release_to(f->consumer, tdk_ring_position(f->consumer));
    assert_int_equal(tdk_ring_unread("sim", &ticks, &f->err), 0);
    assert_int_equal(ticks, 2);
}

static void the_epoch_of_a_frame_is_known_wherever_a_consumer_comes_in(void **state)
{
    struct fixture *f = *state;
    uint64_t epochs[4];
    for (int i = 0; i < 4; i++) {
        f->producer = attach(TDK_RING_PRODUCER);
        epochs[i] = tdk_ring_epoch(f->producer);
        assert_true(put_tick(f->producer, 8));
        assert_true(put_tick(f->producer, 8));
        tdk_ring_detach(f->producer);
    }
    f->producer = attach(TDK_RING_PRODUCER); /* one more, which publishes nothing */
    for (int i = 0; i < 4; i++)
        for (int frame = 0; frame < 3; frame++) {
            f->consumer = attach(TDK_RING_CONSUMER);
            assert_int_equal(tdk_ring_epoch(f->consumer), epochs[i]);
            assert_non_null(tdk_ring_next(f->consumer));
            tdk_ring_release(f->consumer);
            tdk_ring_detach(f->consumer);
        }
    f->consumer = attach(TDK_RING_CONSUMER);
    assert_int_equal(tdk_ring_epoch(f->consumer), epochs[3]);
}

static void an_epoch_is_above_the_floor_that_the_tape_sets(void **state)
{
    struct fixture *f = *state;
    f->consumer = attach(TDK_RING_CONSUMER);
    uint64_t floor = UINT64_C(1) << 62;
    tdk_ring_epoch_floor(f->consumer, floor);
    tdk_ring_epoch_floor(f->consumer, 5); /* it never goes lower */
    f->producer = attach(TDK_RING_PRODUCER);
    assert_int_equal(tdk_ring_epoch(f->producer), floor + 1);
    assert_true(put_tick(f->producer, 8));
    tdk_ring_detach(f->producer);
    f->producer = attach(TDK_RING_PRODUCER);
    assert_int_equal(tdk_ring_epoch(f->producer), floor + 2);
}

static void the_epoch_frame_says_which_clock(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    tdk_ring_set_clock(f->producer, TDK_CLOCK_FILE);
    assert_true(put_tick(f->producer, 8));
    assert_int_equal(next_epoch(f->consumer).clock, TDK_CLOCK_FILE);
}

/* ---- taps ---- */

static uint64_t tap_ticks(struct tdk_ring *tap, uint64_t first)
{
    uint64_t buffer[512], missed, count = 0;
    int64_t size;
    while ((size = tdk_ring_tap(tap, buffer, sizeof buffer, &missed)) > 0) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)buffer;
        const unsigned char *end = (const unsigned char *)buffer + size;
        for (; (const unsigned char *)frame < end; frame = tdk_frame_after(frame))
            if (tdk_frame_is_tick(frame))
                assert_tick(frame, first + count++, 64);
        assert_ptr_equal(frame, end);
    }
    assert_int_equal(size, 0);
    return count;
}

static void a_tap_follows_from_where_it_came_in_and_takes_nothing_away(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    f->tap = attach(TDK_RING_TAP);
    assert_int_equal(tdk_ring_epoch(f->tap), tdk_ring_epoch(f->producer));
    assert_int_equal(tap_ticks(f->tap, 2), 0);
    for (uint64_t i = 0; i < 100; i++)
        assert_true(put_tick(f->producer, 64));
    assert_int_equal(tap_ticks(f->tap, 2), 100);
    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= 101; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
}

static void a_tap_that_is_lapped_is_told_how_much_it_missed(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    f->tap = attach(TDK_RING_TAP);
    uint64_t sent = 0;
    while (sent * 88 < 3 * CAPACITY) {
        while (tdk_ring_next(f->consumer))
            tdk_ring_release(f->consumer);
        assert_true(put_tick(f->producer, 64));
        sent++;
    }
    uint64_t buffer[512], missed;
    assert_int_equal(tdk_ring_tap(f->tap, buffer, sizeof buffer, &missed), TDK_ELAPPED);
    assert_int_equal(missed, sent * 88);
    assert_true(put_tick(f->producer, 64));
    assert_int_equal(tap_ticks(f->tap, sent + 2), 1);
}

/* The tap is not lapped yet, but the producer has announced that it may be writing there. */
static void a_tap_does_not_believe_bytes_that_may_be_overwritten(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    f->tap = attach(TDK_RING_TAP);
    uint64_t sent = 0;
    for (; sent < CAPACITY / 88; sent++) {
        while (tdk_ring_next(f->consumer))
            ;
        tdk_ring_release_to(f->consumer, tdk_ring_position(f->consumer));
        assert_true(put_tick(f->producer, 64));
    }
    uint64_t buffer[512], missed;
    assert_int_equal(tdk_ring_tap(f->tap, buffer, sizeof buffer, &missed), TDK_ELAPPED);
    assert_true(missed <= CAPACITY);
}

static void a_tap_with_too_little_room_says_so(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 8));
    f->tap = attach(TDK_RING_TAP);
    assert_true(put_tick(f->producer, 1000));
    uint64_t buffer[512], missed;
    assert_int_equal(tdk_ring_tap(f->tap, buffer, 1000, &missed), -ENOBUFS);
    assert_int_equal(tdk_ring_tap(f->tap, buffer, 8, &missed), -ENOBUFS);
    assert_int_equal(tdk_ring_tap(f->tap, buffer, 1024, &missed), 1024);
}

/* ---- waiting ---- */

static void waits_end_when_their_time_is_over(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    f->tap = attach(TDK_RING_TAP);
    for (int how = TDK_WAIT_SPIN; how <= TDK_WAIT_PARK; how++) {
        assert_false(tdk_ring_wait_frame(f->consumer, (enum tdk_ring_wait)how, SECOND / 100));
        assert_false(tdk_ring_wait_frame(f->tap, (enum tdk_ring_wait)how, SECOND / 100));
    }
    fill_ring(f->producer, 64);
    assert_false(tdk_ring_wait_room(f->producer, 64, SECOND / 100));
    assert_false(tdk_ring_wait_room(f->producer, CAPACITY, SECOND)); /* impossible: at once */
    assert_true(tdk_ring_wait_frame(f->consumer, TDK_WAIT_PARK, 0));
    assert_true(tdk_ring_wait_frame(f->tap, TDK_WAIT_PARK, 0));
}

static void waiting_for_room_publishes_first(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(claim_tick(f->producer, 64));
    assert_true(tdk_ring_wait_room(f->producer, 64, 0));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 64);
}

/* ---- the document ---- */

/* A line such as "00001060  05 00 .. 00" gives the bytes at an offset of the file. `..` may be
 * anything. */
static void compare_line(const char *line, FILE *ring)
{
    char *rest;
    assert_int_equal(fseek(ring, (long)strtoul(line, &rest, 16), SEEK_SET), 0);
    for (int i = 0; i < 16; i++) {
        int byte = fgetc(ring);
        rest += strspn(rest, " ");
        if (strncmp(rest, "..", 2) != 0 && (int)strtol(rest, NULL, 16) != byte)
            fail_msg("byte %d is %02x, not as in: %s", i, (unsigned)byte, line);
        rest += 2;
    }
}

static void the_example_in_the_document_is_true(void **state)
{
    struct fixture *f = *state;
    const char *source = getenv("TDK_SOURCE_DIR");
    char path[512], line[256];
    snprintf(path, sizeof path, "%s/docs/ring-layout.md", source ? source : ".");
    FILE *document = fopen(path, "r");
    if (!document) {
        print_message("skipped: no %s; set TDK_SOURCE_DIR\n", path);
        skip();
    }
    struct tdk_ring_options options = {.capacity = CAPACITY, .track = "btc"};
    assert_int_equal(tdk_ring_create("example", &options, NULL), 0);
    assert_int_equal(tdk_ring_attach(&f->producer, "example", TDK_RING_PRODUCER, NULL), 0);
    struct tdk_frame *frame = tdk_ring_claim(f->producer, 5);
    frame->type = 3;
    frame->ts = UINT64_C(1700000000123456789);
    memcpy(frame + 1, "hello", 5);
    tdk_ring_publish(f->producer);

    snprintf(path, sizeof path, "%s/example.ring", f->folder);
    FILE *ring = fopen(path, "r");
    assert_non_null(ring);
    int lines = 0;
    while (fgets(line, sizeof line, document))
        if (strspn(line, "0123456789abcdef") == 8) {
            compare_line(line, ring);
            lines++;
        }
    fclose(ring);
    fclose(document);
    assert_int_equal(lines, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ring(what_is_published_arrives_unchanged_and_in_order),
        with_ring(a_claim_is_not_seen_before_it_is_published),
        with_ring(the_largest_payload_fits_and_one_more_byte_costs_nothing),
        with_ring(a_full_ring_refuses_and_counts),
        with_ring(a_raw_frame_spends_no_seq),
        with_ring(a_run_of_frames_goes_in_as_one_piece),
        with_ring(padding_is_stepped_over),
        with_ring(peek_shows_all_that_is_published_in_one_piece),
        with_ring(a_consumer_waits_behind_a_batch_and_never_behind_one_frame),
        with_ring(room_released_by_position_is_the_producers_at_once),
        with_ring(what_was_not_released_is_there_for_the_next_consumer),
        with_ring(a_forked_child_that_detaches_takes_nothing_back),
        with_ring(touching_the_pages_changes_nothing_that_is_in_them),
        with_ring(the_high_water_mark_is_the_fullest_a_consumer_met),
        with_ring(who_holds_a_lock_lives_also_without_a_pid),
        with_ring(each_producer_begins_an_epoch_that_names_the_last),
        with_ring(a_producer_that_put_nothing_in_leaves_no_trace_but_its_losses),
        with_ring(what_waits_is_counted_of_the_last_epoch_alone),
        with_ring(the_epoch_of_a_frame_is_known_wherever_a_consumer_comes_in),
        with_ring(an_epoch_is_above_the_floor_that_the_tape_sets),
        with_ring(the_epoch_frame_says_which_clock),
        with_ring(a_tap_follows_from_where_it_came_in_and_takes_nothing_away),
        with_ring(a_tap_that_is_lapped_is_told_how_much_it_missed),
        with_ring(a_tap_does_not_believe_bytes_that_may_be_overwritten),
        with_ring(a_tap_with_too_little_room_says_so),
        with_ring(waits_end_when_their_time_is_over),
        with_ring(waiting_for_room_publishes_first),
        with_ring(the_example_in_the_document_is_true),
    };
    return cmocka_run_group_tests_name("shm.ring", tests, NULL, NULL);
}
