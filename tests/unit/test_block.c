#include "tests/support/check.h"

#include <string.h>

#include "base/bytes.h"
#include "tape/frame.h"
#include "tests/support/dice.h"
#include "tests/support/feeding.h"

/* ---- filling ---- */

static void block_keeps_what_a_feed_published(void **state)
{
    struct feeding *f = *state;
    feed_market(f, 1000);
    struct block_view view = feed_seal_all(f);
    const struct block_head *head = view.head;
    assert_int_equal(head->count, 1000);
    assert_int_equal(head->track, 3);
    assert_int_equal(head->epoch, 77);
    assert_int_equal(head->first_seq, 1);
    assert_int_equal(head->last_seq, 1000);
    assert_int_equal(head->min_ts, FEED_NOW);
    assert_int_equal(head->max_ts, FEED_NOW + 999);
    assert_int_equal(head->running_max, FEED_NOW + 999);
    assert_int_equal(head->min_event, FEED_NOW - 7);
    assert_int_equal(head->max_event, FEED_NOW + 992);
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

/* A feed's frames may be cut into runs anywhere. The cuts must not show in the block. */
static void block_is_the_same_however_its_runs_are_cut(void **state)
{
    struct feeding *f = *state;
    char bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    for (unsigned i = 0; i < 40; i++) {
        feed_market(f, i);
        feed_bytes(f, bytes, i * 123);
    }
    struct block_view view = feed_seal_all(f);
    unsigned char *once = malloc(f->place.span);
    size_t size = f->place.span;
    memcpy(once, f->bytes, size);
    assert_int_equal(view.head->count, f->ring_seq - 1);

    f->state.next_seq = 1;
    f->state.running_max = 0;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, FEED_NOW);
    const struct tdk_frame *frame = (const void *)f->ring;
    const void *end = f->ring + f->ring_size;
    for (; frame != end; frame = tdk_frame_after(frame)) {
        size_t taken;
        assert_int_equal(block_add_run(&f->block, frame, tdk_frame_span(frame->size), &taken),
                         BLOCK_TAKEN);
    }
    feed_seal(f);
    assert_int_equal(f->place.span, size);
    assert_memory_equal(f->bytes, once, size);
    free(once);
}

static void block_is_the_same_from_ticks_given_singly(void **state)
{
    struct feeding *f = *state;
    feed_market(f, 500);
    feed_seal_all(f);
    unsigned char *once = malloc(f->place.span);
    memcpy(once, f->bytes, f->place.span);

    f->state.next_seq = 1;
    f->state.running_max = 0;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, FEED_NOW);
    const struct tdk_frame *frame = (const void *)f->ring;
    for (int i = 0; i < 500; i++, frame = tdk_frame_after(frame))
        assert_true(block_add_tick(&f->block, frame->type, 0, frame->ts, frame + 1, frame->size));
    size_t size = f->place.span;
    feed_seal(f);
    assert_int_equal(f->place.span, size);
    assert_memory_equal(f->bytes, once, size);
    free(once);
}

static void block_stops_at_a_hole_and_at_a_repeat(void **state)
{
    struct feeding *f = *state;
    size_t taken;
    feed_market(f, 10);
    size_t before = f->ring_size;
    f->ring_seq += 5;
    feed_trade(f, 10, FEED_NOW + 100);
    assert_int_equal(feed_add(f, &taken), BLOCK_SEQ);
    assert_int_equal(taken, before);
    assert_int_equal(f->block.stopped_at->seq, 16);
    assert_int_equal(f->block.stopped_at->size, sizeof(struct tdk_dbn_trades));

    struct tdk_loss loss = {.first_seq = 11,
                            .count = 5,
                            .first_ts = FEED_NOW + 9,
                            .last_ts = FEED_NOW + 100,
                            .reason = 1};
    assert_true(block_add_loss(&f->block, &loss, FEED_NOW + 100));
    assert_int_equal(block_add_run(&f->block, f->ring + taken, f->ring_size - taken, &taken),
                     BLOCK_TAKEN);
    assert_int_equal(block_add_run(&f->block, f->ring, before, &taken), BLOCK_SEQ);
    assert_int_equal(taken, 0);
    struct block_view view = feed_seal(f);
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
    struct feeding *f = *state;
    size_t taken;
    feed_market(f, 3);
    feed_frame(f, TDK_TYPE_MARK, 4, FEED_NOW, "lunch", 5);
    feed_market(f, 3);
    assert_int_equal(feed_add(f, &taken), BLOCK_CONTROL);
    const struct tdk_frame *mark = f->block.stopped_at;
    assert_int_equal(mark->type, TDK_TYPE_MARK);
    assert_memory_equal(mark + 1, "lunch", 5);
    size_t span = tdk_frame_span(mark->size);
    assert_true(block_add_control(&f->block, mark->type, mark->ts, mark + 1, mark->size));
    size_t at = taken + span;
    assert_int_equal(block_add_run(&f->block, f->ring + at, f->ring_size - at, &taken),
                     BLOCK_TAKEN);
    struct block_view view = feed_seal(f);
    assert_int_equal(view.head->count, 6);
    assert_int_equal(view.head->controls, 1);
}

static void block_passes_over_padding(void **state)
{
    struct feeding *f = *state;
    feed_market(f, 3);
    feed_frame(f, TDK_TYPE_PADDING, 0, 0, "0123456789", 10);
    feed_market(f, 3);
    struct block_view view = feed_seal_all(f);
    assert_int_equal(view.head->count, 6);
    assert_int_equal(view.head->frames_size, 6 * tdk_frame_span(sizeof(struct tdk_dbn_trades)));
}

static void block_that_is_full_goes_on_in_the_next(void **state)
{
    struct feeding *f = *state;
    uint64_t seen = 0;
    size_t at = 0;
    feed_market(f, 3000);
    while (at < f->ring_size) {
        size_t taken;
        block_begin(&f->block, f->bytes, 8192, &f->scratch, &f->state, FEED_NOW);
        enum block_stop stop = block_add_run(&f->block, f->ring + at, f->ring_size - at, &taken);
        assert_true(stop == BLOCK_FULL || at + taken == f->ring_size);
        at += taken;
        struct block_view view = feed_seal(f);
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
    struct feeding *f = *state;
    size_t room = (size_t)4 << 20;
    unsigned char *bytes = aligned_alloc(8, room);
    block_begin(&f->block, bytes, room, &f->scratch, &f->state, FEED_NOW);
    for (unsigned i = 0; i < BLOCK_TICKS_MAX; i++)
        assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, FEED_NOW, "", 0));
    assert_false(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, FEED_NOW, "", 0));
    assert_false(block_has_room_for_loss(&f->block, 0));
    size_t size = block_seal(&f->block);
    f->place.span = (uint32_t)size;
    block_finish(bytes, &f->place);
    struct block_view view;
    assert_int_equal(block_check(bytes, size, &view, NULL), 0);
    assert_int_equal(directory_check(&view), 0);
    free(bytes);
}

/* The bound is on what a directory needs, because each tick may be of a different instrument. */
/* Taken by runs of ticks that are alike, the bound is the same, and the next block goes on with the
 * next tick. */
static void block_of_runs_holds_65536_ticks_and_no_more(void **state)
{
    struct feeding *f = *state;
    size_t room = (size_t)4 << 20, taken = 0;
    unsigned char *bytes = aligned_alloc(8, room);
    enum block_stop stop = BLOCK_TAKEN;
    block_begin(&f->block, bytes, room, &f->scratch, &f->state, FEED_NOW);
    while (stop == BLOCK_TAKEN) {
        f->ring_size = 0;
        for (unsigned i = 0; i < 1000; i++)
            feed_bytes(f, "sixteen bytes..", i % 100 < 50 ? 0 : 16); /* two sizes in turn */
        stop = feed_add(f, &taken);
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
    struct feeding *f = *state;
    for (unsigned i = 0; i < 2000; i++)
        feed_trade(f, i * 2654435761u, FEED_NOW);
    size_t taken;
    block_begin(&f->block, f->bytes, 120 << 10, &f->scratch, &f->state, FEED_NOW);
    assert_int_equal(feed_add(f, &taken), BLOCK_FULL);
    struct block_view view = feed_seal(f);
    assert_true(view.head->count > 1000);
}

static void block_takes_the_largest_payload_that_its_room_is_for(void **state)
{
    struct feeding *f = *state;
    const uint32_t sizes[] = {0, 1, 8, 1000, 4095, 4096, 60000};
    char *payload = calloc(1, 65536), name[TDK_NAME_MAX + 1] = {0};
    memset(name, 'n', TDK_NAME_MAX);
    for (size_t i = 0; i < array_size(sizes); i++) {
        struct tdk_loss loss = {.first_seq = f->state.next_seq, .count = 1};
        struct tdk_epoch epoch = {.epoch = 77};
        block_begin(&f->block, f->bytes, block_room_for(sizes[i]), &f->scratch, &f->state,
                    FEED_NOW);
        assert_true(block_add_track(&f->block, name, 0));
        assert_true(block_add_epoch(&f->block, &epoch));
        assert_true(block_add_loss(&f->block, &loss, FEED_NOW));
        assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, FEED_NOW, payload, sizes[i]));
        feed_seal(f);
    }
    free(payload);
}

/* However full it is when it says so. */
static void block_with_room_for_a_loss_takes_the_tick_after_it_too(void **state)
{
    struct feeding *f = *state;
    const struct tdk_clock_jump jump = {0};
    const char payload[100] = {0};
    for (uint32_t size = 0; size < sizeof payload; size++) {
        block_begin(&f->block, f->bytes, 4096, &f->scratch, &f->state, FEED_NOW);
        while (
            block_has_room_for_loss(&f->block, size + 32)) /* more than a tick of 0 bytes takes */
            assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, FEED_NOW, "", 0));
        assert_true(block_has_room_for_loss(&f->block, size));
        struct tdk_loss loss = {.first_seq = f->state.next_seq, .count = 1};
        assert_true(block_add_loss(&f->block, &loss, FEED_NOW));
        assert_true(block_add_control(&f->block, TDK_TYPE_CLOCK, FEED_NOW, &jump, sizeof jump));
        assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, FEED_NOW, payload, size));
        feed_seal(f);
    }
}

/* ---- what a tick says about its time, and its payload ---- */

static void ticks_with_absurd_times_are_kept_out_of_the_running_maximum(void **state)
{
    struct feeding *f = *state;
    feed_trade(f, 1, FEED_NOW);
    feed_trade(f, 1, UINT64_MAX);
    feed_trade(f, 1, FEED_NOW + 25 * 3600 * NS_PER_S);
    feed_trade(f, 1, FEED_NOW + 1);
    feed_trade(f, 1, 0);
    struct block_view view = feed_seal_all(f);
    const uint8_t flags[] = {0, TDK_FLAG_TS_UNTRUSTED, TDK_FLAG_TS_UNTRUSTED, 0,
                             TDK_FLAG_CLOCK_BACK};
    const struct tdk_frame *frame = (const void *)view.frames;
    for (size_t i = 0; i < array_size(flags); i++, frame = tdk_frame_after(frame))
        assert_int_equal(frame->flags, flags[i]);
    assert_int_equal(view.head->odd, 2);
    assert_int_equal(view.head->odd_min, FEED_NOW + 25 * 3600 * NS_PER_S);
    assert_int_equal(view.head->odd_max, UINT64_MAX);
    assert_int_equal(view.head->min_ts, 0);
    assert_int_equal(view.head->max_ts, FEED_NOW + 1);
    assert_int_equal(view.head->running_max, FEED_NOW + 1);
    assert_int_equal(view.head->step_back, FEED_NOW + 1);
    assert_int_equal(view.head->flags, BLOCK_HAS_ODD);
    assert_int_equal(f->block.back, 1);
}

static void payload_that_fails_its_check_is_kept_and_flagged(void **state)
{
    struct feeding *f = *state;
    struct tdk_dbn_head head = {.length = 9, .rtype = 0x77, .instrument_id = 5, .ts_event = 1};
    feed_trade(f, 9, FEED_NOW);
    feed_frame(f, TDK_TYPE_DBN, f->ring_seq++, FEED_NOW + 1, &head, sizeof head);
    feed_frame(f, TDK_TYPE_DBN, f->ring_seq++, FEED_NOW + 2, "x", 1);
    feed_trade(f, 9, FEED_NOW + 3);
    struct block_view view = feed_seal_all(f);
    assert_int_equal(view.head->invalid, 2);
    const struct tdk_frame *frame = tdk_frame_after((const void *)view.frames);
    assert_int_equal(frame->flags, TDK_FLAG_INVALID);
    assert_memory_equal(frame + 1, &head, sizeof head);
    assert_int_equal(frame_instrument(frame), 0);
    assert_int_equal(frame_event_ts(frame), FEED_NOW + 1);
    assert_int_equal(view.head->min_event, FEED_NOW - 7);
}

static void flags_of_a_feed_are_not_believed(void **state)
{
    struct feeding *f = *state;
    feed_trade(f, 9, FEED_NOW)->flags = 0xff;
    feed_trade(f, 9, FEED_NOW + 1)->flags = 0xff;
    feed_trade(f, 9, FEED_NOW + 2)->track = 99;
    struct block_view view = feed_seal_all(f);
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
    struct feeding *f = *state;
    feed_frame(f, TDK_TYPE_OPAQUE, f->ring_seq++, FEED_NOW, "ABCDEFGH", 8)->size = 3;
    struct block_view view = feed_seal_all(f);
    assert_memory_equal(view.frames + sizeof(struct tdk_frame), "ABC\0\0\0\0\0", 8);
}

/* ---- hostile runs ---- */

static void run_that_breaks_the_rules_stops_where_it_does(void **state)
{
    struct feeding *f = *state;
    size_t taken;
    feed_market(f, 5);
    size_t before = f->ring_size;
    struct tdk_frame *frame = feed_trade(f, 1, FEED_NOW + 9);
    const uint32_t sizes[] = {(64 << 10) + 1, UINT32_MAX, UINT32_MAX - 7, 49};
    for (size_t i = 0; i < array_size(sizes); i++) {
        frame->size = sizes[i];
        f->state.next_seq = 1;
        block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, FEED_NOW);
        assert_int_equal(feed_add(f, &taken), BLOCK_BROKEN);
        assert_int_equal(taken, before);
        assert_int_equal(f->block.stopped_at->size, sizes[i]);
    }
    memset(frame, 0xff, 8);
    f->state.next_seq = 1;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, FEED_NOW);
    assert_int_equal(block_add_run(&f->block, frame, 72, &taken), BLOCK_BROKEN);
    assert_int_equal(taken, 0);

    *frame = (struct tdk_frame){
        .size = sizeof(struct tdk_dbn_trades), .type = TDK_TYPE_DBN, .seq = 6, .ts = FEED_NOW};
    f->ring_size -= 8; /* ends inside a frame */
    f->state.next_seq = 1;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, FEED_NOW);
    assert_int_equal(feed_add(f, &taken), BLOCK_BROKEN);
    assert_int_equal(taken, before);
}

static void random_bytes_never_make_a_bad_block(void **state)
{
    struct feeding *f = *state;
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
                    FEED_NOW);
        size_t taken;
        feed_add(f, &taken);
        assert_in_range(taken, 0, f->ring_size);
        if (!block_is_empty(&f->block))
            feed_seal(f);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, feeding_setup, feeding_teardown)

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
        TEST(block_with_room_for_a_loss_takes_the_tick_after_it_too),
        TEST(ticks_with_absurd_times_are_kept_out_of_the_running_maximum),
        TEST(payload_that_fails_its_check_is_kept_and_flagged),
        TEST(flags_of_a_feed_are_not_believed),
        TEST(padding_of_a_payload_is_zeroed),
        TEST(run_that_breaks_the_rules_stops_where_it_does),
        TEST(random_bytes_never_make_a_bad_block),
    };
    return cmocka_run_group_tests_name("tape.block", tests, NULL, NULL);
}
