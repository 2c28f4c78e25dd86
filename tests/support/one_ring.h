/* one_ring.h - a test's own ring "sim", its ends attached by name as in two processes, and ticks
 * whose bytes depend on their seq. */
#ifndef TDK_TESTS_ONE_RING_H
#define TDK_TESTS_ONE_RING_H

#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/rings.h"

#define CAPACITY ((size_t)64 << 10)
#define SECOND   UINT64_C(1000000000)

/* A directory of our own with one small ring, and handles that teardown closes. */
struct fixture {
    char folder[RINGS_FOLDER_SIZE];
    struct tdk_ring *producer, *consumer, *tap;
    struct tdk_err err;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || rings_open(f->folder) < 0)
        return -1;
    *state = f;
    struct tdk_ring_options options = {.capacity = CAPACITY};
    return tdk_ring_create("sim", &options, NULL);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_ring_detach(f->tap);
    tdk_ring_detach(f->consumer);
    tdk_ring_detach(f->producer);
    int rc = rings_close(f->folder);
    free(f);
    return rc;
}

#define with_ring(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static inline struct tdk_ring *attach(enum tdk_ring_role role)
{
    struct tdk_ring *ring = NULL;
    struct tdk_err err;
    if (tdk_ring_attach(&ring, "sim", role, &err) < 0)
        fail_msg("%s", err.text);
    return ring;
}

static inline void attach_both(struct fixture *f)
{
    f->producer = attach(TDK_RING_PRODUCER);
    f->consumer = attach(TDK_RING_CONSUMER);
}

/* Claim one tick whose bytes depend on its seq. */
static inline bool claim_tick(struct tdk_ring *ring, uint32_t size)
{
    struct tdk_frame *frame = tdk_ring_claim(ring, size);
    if (!frame)
        return false;
    frame->type = TDK_TYPE_OPAQUE;
    frame->ts = frame->seq * 1000;
    memset(frame + 1, (int)frame->seq, size);
    return true;
}

static inline bool put_tick(struct tdk_ring *ring, uint32_t size)
{
    bool claimed = claim_tick(ring, size);
    if (claimed)
        tdk_ring_publish(ring);
    return claimed;
}

static inline void assert_tick(const struct tdk_frame *frame, uint64_t seq, uint32_t size)
{
    assert_non_null(frame);
    assert_int_equal(frame->type, TDK_TYPE_OPAQUE);
    assert_int_equal(frame->seq, seq);
    assert_int_equal(frame->ts, seq * 1000);
    assert_int_equal(frame->size, size);
    assert_int_equal(frame->track, 0);
    assert_int_equal(frame->flags, 0);
    const unsigned char *payload = tdk_frame_payload(frame);
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(payload[i], (unsigned char)seq);
    for (size_t i = size; i < tdk_frame_span(size) - sizeof *frame; i++)
        assert_int_equal(payload[i], 0);
}

/* The next frame must be an EPOCH frame. Returns its payload. */
static inline struct tdk_epoch next_epoch(struct tdk_ring *consumer)
{
    struct tdk_epoch epoch;
    const struct tdk_frame *frame = tdk_ring_next(consumer);
    assert_non_null(frame);
    assert_int_equal(frame->type, TDK_TYPE_EPOCH);
    assert_int_equal(frame->size, sizeof epoch);
    memcpy(&epoch, frame + 1, sizeof epoch);
    return epoch;
}

static inline uint64_t fill_ring(struct tdk_ring *producer, uint32_t size)
{
    uint64_t count = 0;
    while (put_tick(producer, size))
        count++;
    return count;
}

#endif
