/*
 * feeding.h - a block for tests: takes in what a feed would leave in its ring, seals the block, and
 * checks it.
 */
#ifndef TDK_TESTS_FEEDING_H
#define TDK_TESTS_FEEDING_H

#include "tests/support/check.h"

#include <string.h>

#include "base/clock.h"
#include "tape/block.h"
#include "tapedeck/dbn.h"

#define FEED_ROOM ((size_t)256 << 10)
#define FEED_NOW  (UINT64_C(1700000000) * NS_PER_S)

struct feeding {
    struct block_scratch scratch;
    struct track_state state;
    struct block block;
    struct block_place place;
    unsigned char *ring; /* frames as a feed would leave them */
    size_t ring_size;
    uint64_t ring_seq;
    _Alignas(8) unsigned char bytes[FEED_ROOM];
};

static inline int feeding_setup(void **state)
{
    struct feeding *f = calloc(1, sizeof *f);
    block_scratch_init(&f->scratch);
    f->ring = calloc(1, FEED_ROOM);
    f->ring_seq = 1;
    f->state =
        (struct track_state){.track = 3, .payload_max = 64 << 10, .epoch = 77, .next_seq = 1};
    f->place = (struct block_place){.tape_id = "a tape of tests", .segment = 42, .block = 5};
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, FEED_NOW);
    *state = f;
    return 0;
}

static inline int feeding_teardown(void **state)
{
    struct feeding *f = *state;
    free(f->ring);
    free(f);
    return 0;
}

static inline struct tdk_frame *feed_frame(struct feeding *f, uint8_t type, uint64_t seq,
                                           uint64_t ts, const void *payload, uint32_t size)
{
    struct tdk_frame *frame = (void *)(f->ring + f->ring_size);
    *frame = (struct tdk_frame){.size = size, .type = type, .seq = seq, .ts = ts};
    memcpy(frame + 1, payload, size);
    f->ring_size += tdk_frame_span(size);
    return frame;
}

static inline struct tdk_frame *feed_trade(struct feeding *f, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_dbn_trades trade = {.head = {.length = sizeof trade / 4,
                                            .rtype = TDK_RTYPE_TRADES,
                                            .instrument_id = instrument_id,
                                            .ts_event = ts - 7}};
    return feed_frame(f, TDK_TYPE_DBN, f->ring_seq++, ts, &trade, sizeof trade);
}

static inline struct tdk_frame *feed_bytes(struct feeding *f, const void *bytes, uint32_t size)
{
    uint64_t seq = f->ring_seq++;
    return feed_frame(f, TDK_TYPE_OPAQUE, seq, FEED_NOW + seq, bytes, size);
}

/* Feed trades of three instruments by turns. */
static inline void feed_market(struct feeding *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        feed_trade(f, 10 + i % 3, FEED_NOW + i);
}

static inline enum block_stop feed_add(struct feeding *f, size_t *taken)
{
    return block_add_run(&f->block, f->ring, f->ring_size, taken);
}

/* Seal the block with all that was fed, put it in its place, and check it. */
static inline struct block_view feed_seal(struct feeding *f)
{
    struct block_view view;
    struct tdk_err err;
    f->place.span = (uint32_t)block_seal(&f->block);
    block_finish(f->bytes, &f->place);
    if (block_check(f->bytes, f->place.span, &view, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(directory_check(&view), 0);
    return view;
}

static inline struct block_view feed_seal_all(struct feeding *f)
{
    size_t taken;
    assert_int_equal(feed_add(f, &taken), BLOCK_TAKEN);
    assert_int_equal(taken, f->ring_size);
    return feed_seal(f);
}

#endif
