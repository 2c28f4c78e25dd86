/*
 * Both ends of a ring in two threads on one mapping, so that the thread sanitizer can check them.
 * With two mappings, as two processes have them, it would see no relation between the two sides at
 * all.
 */
#include "tests/support/check.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "shm/ring_private.h"
#include "tapedeck/ring.h"

#define CAPACITY ((size_t)64 << 10)
#define TICKS    200000u
#define SECOND   UINT64_C(1000000000)

struct fixture {
    char folder[64];
    struct tdk_ring *producer, *consumer;
    enum tdk_ring_wait how; /* how the consumer waits */
    bool lossy;             /* the producer does not wait */
    bool peeks;             /* the consumer takes runs, and gives room back later */
    uint64_t got, bad, lost;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    strcpy(f->folder, "/dev/shm/tapedeck-test-XXXXXX");
    if (!mkdtemp(f->folder) || setenv("TAPEDECK_RINGS", f->folder, 1) < 0)
        return -1;
    struct tdk_ring_options options = {.capacity = CAPACITY};
    *state = f;
    if (tdk_ring_create("sim", &options, NULL) < 0 ||
        tdk_ring_attach(&f->producer, "sim", TDK_RING_PRODUCER, NULL) < 0)
        return -1;
    return ring_open_beside(&f->consumer, f->producer, TDK_RING_CONSUMER, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_ring_detach(f->consumer);
    tdk_ring_detach(f->producer);
    int rc = tdk_ring_remove("sim", false, NULL);
    rmdir(f->folder);
    free(f);
    return rc;
}

static uint32_t size_of(uint64_t seq)
{
    return (uint32_t)(seq * 13 % 200);
}

static void *produce(void *argument)
{
    struct fixture *f = argument;
    struct tdk_frame *frame;
    for (uint64_t seq = 1; seq <= TICKS; seq++) {
        if (!f->lossy && !tdk_ring_wait_room(f->producer, size_of(seq), 20 * SECOND))
            break;
        frame = tdk_ring_claim(f->producer, size_of(seq));
        if (!frame)
            continue;
        frame->type = TDK_TYPE_OPAQUE;
        frame->ts = ~frame->seq;
        memset(frame + 1, (int)frame->seq, frame->size);
        if (seq % 3 == 0)
            tdk_ring_publish(f->producer);
    }
    if (tdk_ring_wait_room(f->producer, 0, 20 * SECOND) &&
        (frame = tdk_ring_claim_raw(f->producer, 0)) != NULL) {
        frame->type = TDK_TYPE_END;
        frame->seq = TICKS + 1;
        tdk_ring_publish(f->producer);
    }
    return NULL;
}

/* Returns true at END. A hole in seq is a loss, and everything else must be as produce() made
 * it. */
static bool look_at(struct fixture *f, const struct tdk_frame *frame)
{
    if (frame->type == TDK_TYPE_EPOCH)
        return false;
    uint64_t expected = f->got + f->lost + 1;
    f->lost += frame->seq - expected;
    if (frame->type == TDK_TYPE_END)
        return true;
    const unsigned char *payload = tdk_frame_payload(frame);
    if (frame->seq < expected || frame->ts != ~frame->seq || frame->size != size_of(frame->seq))
        f->bad++;
    for (uint32_t i = 0; i < frame->size; i++)
        f->bad += payload[i] != (unsigned char)frame->seq;
    f->got++;
    return false;
}

static bool take_one(struct fixture *f)
{
    const struct tdk_frame *frame = tdk_ring_next(f->consumer);
    bool end = frame && look_at(f, frame);
    tdk_ring_release(f->consumer);
    return end;
}

static bool take_run(struct fixture *f)
{
    size_t size;
    const struct tdk_frame *frame = tdk_ring_peek(f->consumer, &size);
    const unsigned char *stop = (const unsigned char *)frame + size;
    bool end = false;
    for (; (const unsigned char *)frame < stop; frame = tdk_frame_after(frame))
        end = look_at(f, frame) || end;
    tdk_ring_skip(f->consumer, size);
    tdk_ring_release_to(f->consumer, tdk_ring_position(f->consumer));
    return end;
}

static void *consume(void *argument)
{
    struct fixture *f = argument;
    while (tdk_ring_wait_frame(f->consumer, f->how, 20 * SECOND))
        if (f->peeks ? take_run(f) : take_one(f))
            break;
    return NULL;
}

static void run(struct fixture *f)
{
    pthread_t producer, consumer;
    assert_int_equal(pthread_create(&consumer, NULL, consume, f), 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, f), 0);
    pthread_join(producer, NULL);
    pthread_join(consumer, NULL);
    struct tdk_ring_info info;
    tdk_ring_info(f->producer, &info);
    assert_null(tdk_ring_hostile(f->producer));
    assert_null(tdk_ring_hostile(f->consumer));
    assert_int_equal(f->bad, 0);
    assert_int_equal(f->got + f->lost, TICKS);
    assert_int_equal(f->lost, info.lost);
    if (!f->lossy)
        assert_int_equal(f->lost, 0);
}

static void nothing_is_lost_between_two_that_park(void **state)
{
    struct fixture *f = *state;
    f->how = TDK_WAIT_PARK;
    run(f);
}

static void nothing_is_lost_between_two_that_yield(void **state)
{
    struct fixture *f = *state;
    f->how = TDK_WAIT_YIELD;
    run(f);
}

static void nothing_is_lost_when_runs_are_taken(void **state)
{
    struct fixture *f = *state;
    f->how = TDK_WAIT_PARK;
    f->peeks = true;
    run(f);
}

static void each_refused_tick_is_a_hole_of_one(void **state)
{
    struct fixture *f = *state;
    f->how = TDK_WAIT_PARK;
    f->lossy = true;
    run(f);
}

/* Looks at the ring from a third side, while both ends are alive. */
static void *look(void *argument)
{
    struct fixture *f = argument;
    for (int i = 0; i < 2000; i++) {
        struct tdk_ring_info info;
        if (tdk_ring_stat("sim", &info, NULL) < 0 || info.fill > info.capacity ||
            info.epoch > tdk_ring_epoch(f->producer))
            return f;
    }
    return NULL;
}

static void looking_disturbs_nobody(void **state)
{
    struct fixture *f = *state;
    pthread_t watcher;
    void *failed;
    f->how = TDK_WAIT_PARK;
    assert_int_equal(pthread_create(&watcher, NULL, look, f), 0);
    run(f);
    pthread_join(watcher, &failed);
    assert_null(failed);
}

struct tap {
    struct fixture *fixture;
    struct tdk_ring *ring;
    uint64_t got, bad, lapped;
};

/* Whatever a tap delivers is whole, and the tap knows what it missed. */
static void tap_look_at(struct tap *tap, const void *bytes, size_t size)
{
    const struct tdk_frame *frame = bytes;
    const unsigned char *stop = (const unsigned char *)bytes + size;
    for (; (const unsigned char *)frame < stop; frame = tdk_frame_after(frame)) {
        if (frame->type != TDK_TYPE_OPAQUE)
            continue;
        const unsigned char *payload = tdk_frame_payload(frame);
        if (frame->ts != ~frame->seq || frame->size != size_of(frame->seq))
            tap->bad++;
        for (uint32_t i = 0; i < frame->size; i++)
            tap->bad += payload[i] != (unsigned char)frame->seq;
        tap->got++;
    }
}

static void *follow(void *argument)
{
    struct tap *tap = argument;
    static uint64_t buffer[4096];
    uint64_t missed;
    while (tdk_ring_wait_frame(tap->ring, TDK_WAIT_PARK, SECOND)) {
        int64_t size = tdk_ring_tap(tap->ring, buffer, sizeof buffer, &missed);
        if (size > 0)
            tap_look_at(tap, buffer, (size_t)size);
        else if (size == TDK_ELAPPED)
            tap->lapped++;
        else
            tap->bad++;
    }
    return NULL;
}

static void a_tap_never_shows_a_torn_frame(void **state)
{
    struct fixture *f = *state;
    struct tap tap = {.fixture = f};
    pthread_t follower;
    f->how = TDK_WAIT_PARK;
    assert_int_equal(ring_open_beside(&tap.ring, f->producer, TDK_RING_TAP, NULL), 0);
    assert_int_equal(pthread_create(&follower, NULL, follow, &tap), 0);
    run(f);
    pthread_join(follower, NULL);
    tdk_ring_detach(tap.ring);
    assert_int_equal(tap.bad, 0);
    assert_true(tap.got > 0 || tap.lapped > 0);
    if (tap.lapped == 0)
        assert_int_equal(tap.got, TICKS);
}

#define with_ring(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ring(nothing_is_lost_between_two_that_park),
        with_ring(nothing_is_lost_between_two_that_yield),
        with_ring(nothing_is_lost_when_runs_are_taken),
        with_ring(each_refused_tick_is_a_hole_of_one),
        with_ring(looking_disturbs_nobody),
        with_ring(a_tap_never_shows_a_torn_frame),
    };
    return cmocka_run_group_tests_name("shm.ring_threads", tests, NULL, NULL);
}
