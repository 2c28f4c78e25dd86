#include "tests/support/check.h"

#include <string.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "tape/block.h"
#include "tape/frame.h"
#include "tapedeck/dbn.h"
#include "tests/support/dice.h"

#define ROOM ((size_t)256 << 10)
#define NOW  (UINT64_C(1700000000) * NS_PER_S)

struct fixture {
    struct block_scratch scratch;
    struct track_state state;
    struct block block;
    struct block_place place;
    unsigned char *ring; /* frames as a feed would leave them */
    size_t ring_size;
    uint64_t ring_seq;
    _Alignas(8) unsigned char bytes[ROOM];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    block_scratch_init(&f->scratch);
    f->ring = calloc(1, ROOM);
    f->ring_seq = 1;
    f->state =
        (struct track_state){.track = 3, .payload_max = 64 << 10, .epoch = 77, .next_seq = 1};
    f->place = (struct block_place){.tape_id = "a tape of tests", .segment = 42, .block = 5};
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    free(f->ring);
    free(f);
    return 0;
}

/* ---- a feed ---- */

static struct tdk_frame *feed(struct fixture *f, uint8_t type, uint64_t seq, uint64_t ts,
                              const void *payload, uint32_t size)
{
    struct tdk_frame *frame = (void *)(f->ring + f->ring_size);
    *frame = (struct tdk_frame){.size = size, .type = type, .seq = seq, .ts = ts};
    memcpy(frame + 1, payload, size);
    f->ring_size += tdk_frame_span(size);
    return frame;
}

static struct tdk_frame *feed_trade(struct fixture *f, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_dbn_trades trade = {.head = {.length = sizeof trade / 4,
                                            .rtype = TDK_RTYPE_TRADES,
                                            .instrument_id = instrument_id,
                                            .ts_event = ts - 7}};
    return feed(f, TDK_TYPE_DBN, f->ring_seq++, ts, &trade, sizeof trade);
}

static struct tdk_frame *feed_bytes(struct fixture *f, const void *bytes, uint32_t size)
{
    uint64_t seq = f->ring_seq++;
    return feed(f, TDK_TYPE_OPAQUE, seq, NOW + seq, bytes, size);
}

/* Trades of three instruments in turn. */
static void feed_market(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        feed_trade(f, 10 + i % 3, NOW + i);
}

static enum block_stop add(struct fixture *f, size_t *taken)
{
    return block_add_run(&f->block, f->ring, f->ring_size, taken);
}

/* All that was fed, sealed, in its place and checked. */
static struct block_view seal(struct fixture *f)
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

static struct block_view seal_all(struct fixture *f)
{
    size_t taken;
    assert_int_equal(add(f, &taken), BLOCK_TAKEN);
    assert_int_equal(taken, f->ring_size);
    return seal(f);
}

/* ---- filling ---- */

static void block_keeps_what_a_feed_published(void **state)
{
    struct fixture *f = *state;
    feed_market(f, 1000);
    struct block_view view = seal_all(f);
    const struct block_head *head = view.head;
    assert_int_equal(head->count, 1000);
    assert_int_equal(head->track, 3);
    assert_int_equal(head->epoch, 77);
    assert_int_equal(head->first_seq, 1);
    assert_int_equal(head->last_seq, 1000);
    assert_int_equal(head->min_ts, NOW);
    assert_int_equal(head->max_ts, NOW + 999);
    assert_int_equal(head->running_max, NOW + 999);
    assert_int_equal(head->min_event, NOW - 7);
    assert_int_equal(head->max_event, NOW + 992);
    assert_int_equal(head->flags, BLOCK_MONOTONE);
    assert_int_equal(f->state.next_seq, 1001);
    const struct tdk_frame *was = (const void *)f->ring, *is = (const void *)view.frames;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(is->track, 3);
        assert_int_equal(is->flags, 0);
        assert_int_equal(is->seq, was->seq);
        assert_int_equal(is->ts, was->ts);
        assert_memory_equal(is + 1, was + 1, was->size);
        is = tdk_frame_after(is);
        was = tdk_frame_after(was);
    }
}

/* Pieces are cut anywhere; where a run is cut must not show. */
static void block_is_the_same_however_its_runs_are_cut(void **state)
{
    struct fixture *f = *state;
    char bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    for (unsigned i = 0; i < 40; i++) {
        feed_market(f, i);
        feed_bytes(f, bytes, i * 123);
    }
    struct block_view view = seal_all(f);
    unsigned char *once = malloc(f->place.span);
    size_t size = f->place.span;
    memcpy(once, f->bytes, size);
    assert_int_equal(view.head->count, f->ring_seq - 1);

    f->state.next_seq = 1;
    f->state.running_max = 0;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    const struct tdk_frame *frame = (const void *)f->ring;
    const void *end = f->ring + f->ring_size;
    for (; frame != end; frame = tdk_frame_after(frame)) {
        size_t taken;
        assert_int_equal(block_add_run(&f->block, frame, tdk_frame_span(frame->size), &taken),
                         BLOCK_TAKEN);
    }
    seal(f);
    assert_int_equal(f->place.span, size);
    assert_memory_equal(f->bytes, once, size);
    free(once);
}

static void block_is_the_same_from_ticks_given_singly(void **state)
{
    struct fixture *f = *state;
    feed_market(f, 500);
    seal_all(f);
    unsigned char *once = malloc(f->place.span);
    memcpy(once, f->bytes, f->place.span);

    f->state.next_seq = 1;
    f->state.running_max = 0;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    const struct tdk_frame *frame = (const void *)f->ring;
    for (int i = 0; i < 500; i++, frame = tdk_frame_after(frame))
        assert_true(block_add_tick(&f->block, frame->type, 0, frame->ts, frame + 1, frame->size));
    size_t size = f->place.span;
    seal(f);
    assert_int_equal(f->place.span, size);
    assert_memory_equal(f->bytes, once, size);
    free(once);
}

static void block_stops_at_a_hole_and_at_a_repeat(void **state)
{
    struct fixture *f = *state;
    size_t taken;
    feed_market(f, 10);
    size_t before = f->ring_size;
    f->ring_seq += 5;
    feed_trade(f, 10, NOW + 100);
    assert_int_equal(add(f, &taken), BLOCK_SEQ);
    assert_int_equal(taken, before);
    assert_int_equal(f->block.stopped_at->seq, 16);
    assert_int_equal(f->block.stopped_at->size, sizeof(struct tdk_dbn_trades));

    struct tdk_loss loss = {
        .first_seq = 11, .count = 5, .first_ts = NOW + 9, .last_ts = NOW + 100, .reason = 1};
    assert_true(block_add_loss(&f->block, &loss, NOW + 100));
    assert_int_equal(block_add_run(&f->block, f->ring + taken, f->ring_size - taken, &taken),
                     BLOCK_TAKEN);
    assert_int_equal(block_add_run(&f->block, f->ring, before, &taken), BLOCK_SEQ);
    assert_int_equal(taken, 0);
    struct block_view view = seal(f);
    assert_int_equal(view.head->count, 11);
    assert_int_equal(view.head->lost, 5);
    assert_int_equal(view.head->last_seq, 16);
    assert_int_equal(view.head->flags, BLOCK_HAS_LOSS | BLOCK_HAS_CONTROL | BLOCK_MONOTONE);

    const struct tdk_frame *frame = (const void *)view.frames;
    for (int i = 0; i < 10; i++)
        frame = tdk_frame_after(frame);
    assert_int_equal(frame->type, TDK_TYPE_LOSS);
    assert_int_equal(frame->seq, 16);
    frame = tdk_frame_after(frame);
    assert_int_equal(frame->flags, TDK_FLAG_AFTER_LOSS);
}

static void block_shows_a_control_frame_before_it_takes_it(void **state)
{
    struct fixture *f = *state;
    size_t taken;
    feed_market(f, 3);
    feed(f, TDK_TYPE_MARK, 4, NOW, "lunch", 5);
    feed_market(f, 3);
    assert_int_equal(add(f, &taken), BLOCK_CONTROL);
    const struct tdk_frame *mark = f->block.stopped_at;
    assert_int_equal(mark->type, TDK_TYPE_MARK);
    assert_memory_equal(mark + 1, "lunch", 5);
    size_t span = tdk_frame_span(mark->size);
    assert_true(block_add_control(&f->block, mark->type, mark->ts, mark + 1, mark->size));
    size_t at = taken + span;
    assert_int_equal(block_add_run(&f->block, f->ring + at, f->ring_size - at, &taken),
                     BLOCK_TAKEN);
    struct block_view view = seal(f);
    assert_int_equal(view.head->count, 6);
    assert_int_equal(view.head->controls, 1);
}

static void block_passes_over_padding(void **state)
{
    struct fixture *f = *state;
    feed_market(f, 3);
    feed(f, TDK_TYPE_PADDING, 0, 0, "0123456789", 10);
    feed_market(f, 3);
    struct block_view view = seal_all(f);
    assert_int_equal(view.head->count, 6);
    assert_int_equal(view.head->frames_size, 6 * tdk_frame_span(sizeof(struct tdk_dbn_trades)));
}

static void block_that_is_full_goes_on_in_the_next(void **state)
{
    struct fixture *f = *state;
    uint64_t seen = 0;
    size_t at = 0;
    feed_market(f, 3000);
    while (at < f->ring_size) {
        size_t taken;
        block_begin(&f->block, f->bytes, 8192, &f->scratch, &f->state, NOW);
        enum block_stop stop = block_add_run(&f->block, f->ring + at, f->ring_size - at, &taken);
        assert_true(stop == BLOCK_FULL || at + taken == f->ring_size);
        at += taken;
        struct block_view view = seal(f);
        assert_int_equal(view.head->first_seq, seen + 1);
        seen = view.head->last_seq;
        assert_in_range(f->place.span, 1, 8192);
        if (stop == BLOCK_FULL)
            assert_in_range(f->place.span, 8000, 8192);
    }
    assert_int_equal(seen, 3000);
}

static void block_holds_65536_ticks_and_no_more(void **state)
{
    struct fixture *f = *state;
    size_t room = (size_t)4 << 20;
    unsigned char *bytes = aligned_alloc(8, room);
    block_begin(&f->block, bytes, room, &f->scratch, &f->state, NOW);
    for (unsigned i = 0; i < BLOCK_TICKS_MAX; i++)
        assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, NOW, "", 0));
    assert_false(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, NOW, "", 0));
    size_t size = block_seal(&f->block);
    f->place.span = (uint32_t)size;
    block_finish(bytes, &f->place);
    struct block_view view;
    assert_int_equal(block_check(bytes, size, &view, NULL), 0);
    assert_int_equal(directory_check(&view), 0);
    free(bytes);
}

/* The bound is on what a directory needs: each tick may be of an instrument of its own. */
/* Taken by runs, whatever is alike: as many, and the next block goes on with the next one. */
static void block_of_runs_holds_65536_ticks_and_no_more(void **state)
{
    struct fixture *f = *state;
    size_t room = (size_t)4 << 20, taken = 0;
    unsigned char *bytes = aligned_alloc(8, room);
    enum block_stop stop = BLOCK_TAKEN;
    block_begin(&f->block, bytes, room, &f->scratch, &f->state, NOW);
    while (stop == BLOCK_TAKEN) {
        f->ring_size = 0;
        for (unsigned i = 0; i < 1000; i++)
            feed_bytes(f, "sixteen bytes..", i % 100 < 50 ? 0 : 16); /* of two sizes, by turns */
        stop = add(f, &taken);
    }
    assert_int_equal(stop, BLOCK_FULL);
    assert_int_equal(f->block.head.count, BLOCK_TICKS_MAX);
    assert_int_equal(f->state.next_seq, BLOCK_TICKS_MAX + 1);
    assert_int_equal(((const struct tdk_frame *)(void *)(f->ring + taken))->seq,
                     BLOCK_TICKS_MAX + 1);
    f->place.span = (uint32_t)block_seal(&f->block);
    block_finish(bytes, &f->place);
    struct block_view view;
    assert_int_equal(block_check(bytes, f->place.span, &view, NULL), 0);
    assert_int_equal(directory_check(&view), 0);
    free(bytes);
}

static void block_of_a_thousand_instruments_fits(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2000; i++)
        feed_trade(f, i * 2654435761u, NOW);
    size_t taken;
    block_begin(&f->block, f->bytes, 120 << 10, &f->scratch, &f->state, NOW);
    assert_int_equal(add(f, &taken), BLOCK_FULL);
    struct block_view view = seal(f);
    assert_true(view.head->count > 1000);
}

static void block_takes_the_largest_payload_that_its_room_is_for(void **state)
{
    struct fixture *f = *state;
    const uint32_t sizes[] = {0, 1, 8, 1000, 4095, 4096, 60000};
    char *payload = calloc(1, 65536), name[TDK_NAME_MAX + 1] = {0};
    memset(name, 'n', TDK_NAME_MAX);
    for (size_t i = 0; i < array_size(sizes); i++) {
        struct tdk_loss loss = {.first_seq = f->state.next_seq, .count = 1};
        struct tdk_epoch epoch = {.epoch = 77};
        block_begin(&f->block, f->bytes, block_room_for(sizes[i]), &f->scratch, &f->state, NOW);
        assert_true(block_add_track(&f->block, name, 0));
        assert_true(block_add_epoch(&f->block, &epoch));
        assert_true(block_add_loss(&f->block, &loss, NOW));
        assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, NOW, payload, sizes[i]));
        seal(f);
    }
    free(payload);
}

/* ---- what a tick says about its time, and its payload ---- */

static void ticks_with_absurd_times_are_kept_out_of_the_running_maximum(void **state)
{
    struct fixture *f = *state;
    feed_trade(f, 1, NOW);
    feed_trade(f, 1, UINT64_MAX);
    feed_trade(f, 1, NOW + 25 * 3600 * NS_PER_S);
    feed_trade(f, 1, NOW + 1);
    feed_trade(f, 1, 0);
    struct block_view view = seal_all(f);
    const uint8_t flags[] = {0, TDK_FLAG_TS_UNTRUSTED, TDK_FLAG_TS_UNTRUSTED, 0,
                             TDK_FLAG_CLOCK_BACK};
    const struct tdk_frame *frame = (const void *)view.frames;
    for (size_t i = 0; i < array_size(flags); i++, frame = tdk_frame_after(frame))
        assert_int_equal(frame->flags, flags[i]);
    assert_int_equal(view.head->odd, 2);
    assert_int_equal(view.head->odd_min, NOW + 25 * 3600 * NS_PER_S);
    assert_int_equal(view.head->odd_max, UINT64_MAX);
    assert_int_equal(view.head->min_ts, 0);
    assert_int_equal(view.head->max_ts, NOW + 1);
    assert_int_equal(view.head->running_max, NOW + 1);
    assert_int_equal(view.head->step_back, NOW + 1);
    assert_int_equal(view.head->flags, BLOCK_HAS_ODD);
    assert_int_equal(f->block.back, 1);
}

static void payload_that_fails_its_check_is_kept_and_flagged(void **state)
{
    struct fixture *f = *state;
    struct tdk_dbn_head head = {.length = 9, .rtype = 0x77, .instrument_id = 5, .ts_event = 1};
    feed_trade(f, 9, NOW);
    feed(f, TDK_TYPE_DBN, f->ring_seq++, NOW + 1, &head, sizeof head);
    feed(f, TDK_TYPE_DBN, f->ring_seq++, NOW + 2, "x", 1);
    feed_trade(f, 9, NOW + 3);
    struct block_view view = seal_all(f);
    assert_int_equal(view.head->invalid, 2);
    const struct tdk_frame *frame = tdk_frame_after((const void *)view.frames);
    assert_int_equal(frame->flags, TDK_FLAG_INVALID);
    assert_memory_equal(frame + 1, &head, sizeof head);
    assert_int_equal(frame_instrument(frame), 0);
    assert_int_equal(frame_event_ts(frame), NOW + 1);
    assert_int_equal(view.head->min_event, NOW - 7);
}

static void flags_of_a_feed_are_not_believed(void **state)
{
    struct fixture *f = *state;
    feed_trade(f, 9, NOW)->flags = 0xff;
    feed_trade(f, 9, NOW + 1)->flags = 0xff;
    feed_trade(f, 9, NOW + 2)->track = 99;
    struct block_view view = seal_all(f);
    const struct tdk_frame *frame = (const void *)view.frames;
    assert_int_equal(frame->flags, TDK_FLAG_SOURCE_SEQUENCE);
    frame = tdk_frame_after(frame);
    assert_int_equal(frame->flags, TDK_FLAG_SOURCE_SEQUENCE);
    frame = tdk_frame_after(frame);
    assert_int_equal(frame->flags, 0);
    assert_int_equal(frame->track, 3);
}

static void padding_of_a_payload_is_zeroed(void **state)
{
    struct fixture *f = *state;
    feed(f, TDK_TYPE_OPAQUE, f->ring_seq++, NOW, "ABCDEFGH", 8)->size = 3;
    struct block_view view = seal_all(f);
    assert_memory_equal(view.frames + sizeof(struct tdk_frame), "ABC\0\0\0\0\0", 8);
}

/* ---- hostile runs ---- */

static void run_that_breaks_the_rules_stops_where_it_does(void **state)
{
    struct fixture *f = *state;
    size_t taken;
    feed_market(f, 5);
    size_t before = f->ring_size;
    struct tdk_frame *frame = feed_trade(f, 1, NOW + 9);
    const uint32_t sizes[] = {(64 << 10) + 1, UINT32_MAX, UINT32_MAX - 7, 49};
    for (size_t i = 0; i < array_size(sizes); i++) {
        frame->size = sizes[i];
        f->state.next_seq = 1;
        block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
        assert_int_equal(add(f, &taken), BLOCK_BROKEN);
        assert_int_equal(taken, before);
        assert_int_equal(f->block.stopped_at->size, sizes[i]);
    }
    memset(frame, 0xff, 8);
    f->state.next_seq = 1;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    assert_int_equal(block_add_run(&f->block, frame, 72, &taken), BLOCK_BROKEN);
    assert_int_equal(taken, 0);

    *frame = (struct tdk_frame){
        .size = sizeof(struct tdk_dbn_trades), .type = TDK_TYPE_DBN, .seq = 6, .ts = NOW};
    f->ring_size -= 8; /* ends inside a frame */
    f->state.next_seq = 1;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    assert_int_equal(add(f, &taken), BLOCK_BROKEN);
    assert_int_equal(taken, before);
}

static void random_bytes_never_make_a_bad_block(void **state)
{
    struct fixture *f = *state;
    struct dice dice = {7};
    for (int round = 0; round < 3000; round++) {
        f->ring_size = 0;
        f->ring_seq = 1;
        feed_market(f, 40);
        for (int i = 0; i < 3; i++) {
            size_t at = dice_next(&dice) % f->ring_size;
            f->ring[at] = (unsigned char)dice_next(&dice);
        }
        f->state.next_seq = 1;
        f->state.running_max = 0;
        block_begin(&f->block, f->bytes, 2048 + dice_next(&dice) % 512 * 8, &f->scratch, &f->state,
                    NOW);
        size_t taken;
        add(f, &taken);
        assert_in_range(taken, 0, f->ring_size);
        if (!block_is_empty(&f->block))
            seal(f);
    }
}

/* ---- the directory ---- */

static void directory_walks_the_ticks_of_one_instrument(void **state)
{
    struct fixture *f = *state;
    struct directory_walk walk;
    for (unsigned i = 0; i < 1000; i++) {
        feed_trade(f, i % 7 == 0 ? 500 : 10 + i % 5, NOW + i);
        if (i % 50 == 0)
            feed_bytes(f, "something else", 14);
    }
    struct block_view view = seal_all(f);
    assert_int_equal(directory_find(&view, 500, &walk), 143);
    uint64_t last = 0;
    for (int i = 0; i < 143; i++) {
        int64_t offset = directory_next(&walk);
        assert_true(offset >= 0);
        const struct tdk_frame *frame = (const void *)(view.frames + offset);
        assert_int_equal(frame_instrument(frame), 500);
        assert_true(frame->seq > last);
        last = frame->seq;
    }
    assert_int_equal(directory_next(&walk), -1);
    assert_int_equal(directory_find(&view, 0, &walk), 20);
    assert_int_equal(directory_find(&view, 501, &walk), 0);
    assert_true(filter_may_hold(view.head->filter, 500));
}

static void directory_of_one_instrument_and_size_needs_no_lists(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 1000; i++)
        feed_trade(f, 500, NOW + i);
    struct block_view view = seal_all(f);
    assert_int_equal(view.head->directory_size, 24);
    struct directory_walk walk;
    assert_int_equal(directory_find(&view, 500, &walk), 1000);
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(directory_next(&walk), i * 72);
}

static void directory_costs_little(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2800; i++)
        feed_trade(f, 10 + i % 200, NOW + i);
    struct block_view view = seal_all(f);
    size_t rest = f->place.span - view.head->frames_size;
    assert_true(rest * 100 < 5 * (size_t)view.head->frames_size);
}

/* ---- reading back ---- */

/* Every byte is under a checksum or is a mistake: flip each, one at a time. */
static void block_check_finds_a_flip_in_any_byte(void **state)
{
    struct fixture *f = *state;
    struct block_view view;
    feed_market(f, 40);
    feed_bytes(f, "and another", 11);
    size_t taken;
    assert_int_equal(add(f, &taken), BLOCK_TAKEN);
    size_t size = block_seal(&f->block);
    memset(f->bytes + size, 0, 512);
    f->place.span = (uint32_t)size + 512;
    block_finish(f->bytes, &f->place);
    assert_int_equal(block_check(f->bytes, f->place.span, &view, NULL), 0);
    for (size_t i = 0; i < f->place.span; i++)
        for (int bit = 0; bit < 8; bit += 7) {
            f->bytes[i] ^= (unsigned char)(1 << bit);
            assert_int_equal(block_check(f->bytes, f->place.span, &view, NULL), TDK_ECORRUPT);
            f->bytes[i] ^= (unsigned char)(1 << bit);
        }
    assert_int_equal(block_check(f->bytes, f->place.span, &view, NULL), 0);
}

static void block_check_finds_every_cut(void **state)
{
    struct fixture *f = *state;
    struct block_view view;
    feed_market(f, 40);
    seal_all(f);
    for (size_t size = 0; size < f->place.span; size++)
        assert_int_equal(block_check(f->bytes, size, &view, NULL), TDK_ECORRUPT);
}

static void zeros_are_no_block(void **state)
{
    struct fixture *f = *state;
    struct block_view view;
    memset(f->bytes, 0, sizeof f->bytes);
    assert_int_equal(block_check(f->bytes, sizeof f->bytes, &view, NULL), TDK_ECORRUPT);
}

/* Put right all checksums over bytes that were changed: what is left are contradictions. */
static void sum_contents(unsigned char *bytes)
{
    struct block_head *head = (void *)bytes;
    unsigned char *frames = bytes + sizeof *head, *tail = frames + head->frames_size;
    uint32_t entries = load_u32(tail);
    crc32c_chunks(frames, head->frames_size, BLOCK_CHUNK, (void *)(tail + head->directory_size));
    if (entries < 20)
        head->entries_crc = crc32c(0, tail, 16 + 8 * entries);
    head->tail_crc = crc32c(0, tail, head->stored_size - head->frames_size);
}

static void sum_head(unsigned char *bytes)
{
    struct block_head *head = (void *)bytes;
    head->head_crc = 0;
    head->head_crc = crc32c(0, head, sizeof *head);
}

/* A stranger may have made the checksums: then a change is refused or harmless, never a crash. */
static void block_with_right_sums_and_wrong_contents_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct block_view view;
    struct dice dice = {1};
    for (unsigned i = 0; i < 50; i++) {
        feed_trade(f, 10 + i % 5, NOW + i);
        if (i % 9 == 0)
            feed_bytes(f, "something else", 14);
    }
    seal_all(f);
    size_t size = f->place.span;
    unsigned char *good = malloc(size);
    memcpy(good, f->bytes, size);
    for (int round = 0; round < 40000; round++) {
        memcpy(f->bytes, good, size);
        size_t at = dice_next(&dice) % size;
        f->bytes[at] ^= (unsigned char)(1 + dice_next(&dice) % 255);
        if (at >= sizeof(struct block_head))
            sum_contents(f->bytes);
        sum_head(f->bytes);
        if (block_check(f->bytes, size, &view, NULL) < 0)
            continue;
        struct directory_walk walk;
        directory_check(&view);
        for (uint32_t id = 9; id < 16; id++)
            if (directory_find(&view, id, &walk) > 0)
                while (directory_next(&walk) >= 0)
                    ;
    }
    free(good);
}

static void packed_block_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    feed_market(f, 1000);
    struct block_view raw = seal_all(f);
    size_t plain_size = (size_t)raw.head->frames_size + raw.head->directory_size;
    unsigned char *packed = calloc(1, ROOM), *plain = malloc(plain_size);
    struct block_head head = *raw.head;
    size_t stored =
        ZSTD_compress(packed + sizeof head, ROOM - sizeof head, raw.frames, plain_size, 3);
    assert_false(ZSTD_isError(stored));
    head.codec = BLOCK_ZSTD;
    head.entries_crc = 0;
    head.stored_size = (uint32_t)stored;
    head.tail_crc = crc32c(0, packed + sizeof head, stored);
    head.span = (uint32_t)align_up(sizeof head + stored, 8);
    head.head_crc = 0;
    head.head_crc = crc32c(0, &head, sizeof head);
    memcpy(packed, &head, sizeof head);

    struct block_view view;
    assert_int_equal(block_check(packed, head.span, &view, NULL), 0);
    assert_null(view.frames);
    assert_true(block_unpack(packed, NULL, plain, plain_size - 1, &view, NULL) < 0);
    assert_int_equal(block_unpack(packed, NULL, plain, plain_size, &view, NULL), 0);
    assert_memory_equal(view.frames, raw.frames, raw.head->frames_size);
    assert_int_equal(directory_check(&view), 0);

    /* The size that it unpacks to is asked before anything is unpacked. */
    head.frames_size -= 8;
    memcpy(packed, &head, sizeof head);
    assert_int_equal(block_unpack(packed, NULL, plain, plain_size, &view, NULL), TDK_ECORRUPT);
    free(plain);
    free(packed);
}

static void block_of_another_place_is_not_the_one_meant(void **state)
{
    struct fixture *f = *state;
    struct block_ref ref;
    feed_market(f, 3);
    struct block_view view = seal_all(f);
    block_ref_of(view.head, 4096, &ref);
    assert_true(block_is_ref(view.head, &ref));
    f->place.block++;
    block_finish(f->bytes, &f->place);
    assert_false(block_is_ref((const void *)f->bytes, &ref));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(block_keeps_what_a_feed_published),
        TEST(block_is_the_same_however_its_runs_are_cut),
        TEST(block_is_the_same_from_ticks_given_singly),
        TEST(block_stops_at_a_hole_and_at_a_repeat),
        TEST(block_shows_a_control_frame_before_it_takes_it),
        TEST(block_passes_over_padding),
        TEST(block_that_is_full_goes_on_in_the_next),
        TEST(block_holds_65536_ticks_and_no_more),
        TEST(block_of_runs_holds_65536_ticks_and_no_more),
        TEST(block_of_a_thousand_instruments_fits),
        TEST(block_takes_the_largest_payload_that_its_room_is_for),
        TEST(ticks_with_absurd_times_are_kept_out_of_the_running_maximum),
        TEST(payload_that_fails_its_check_is_kept_and_flagged),
        TEST(flags_of_a_feed_are_not_believed),
        TEST(padding_of_a_payload_is_zeroed),
        TEST(run_that_breaks_the_rules_stops_where_it_does),
        TEST(random_bytes_never_make_a_bad_block),
        TEST(directory_walks_the_ticks_of_one_instrument),
        TEST(directory_of_one_instrument_and_size_needs_no_lists),
        TEST(directory_costs_little),
        TEST(block_check_finds_a_flip_in_any_byte),
        TEST(block_check_finds_every_cut),
        TEST(zeros_are_no_block),
        TEST(block_with_right_sums_and_wrong_contents_does_no_harm),
        TEST(packed_block_comes_back_as_it_was),
        TEST(block_of_another_place_is_not_the_one_meant),
    };
    return cmocka_run_group_tests_name("tape.block", tests, NULL, NULL);
}
