/* The symbol directory of a block: the ticks of one instrument, without the others. */
#include "tests/support/check.h"

#include "tape/frame.h"
#include "tests/support/feeding.h"

static void directory_walks_the_ticks_of_one_instrument(void **state)
{
    struct feeding *f = *state;
    struct directory_walk walk;
    for (unsigned i = 0; i < 1000; i++) {
        feed_trade(f, i % 7 == 0 ? 500 : 10 + i % 5, FEED_NOW + i);
        if (i % 50 == 0)
            feed_bytes(f, "something else", 14);
    }
    struct block_view view = feed_seal_all(f);
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
    struct feeding *f = *state;
    for (unsigned i = 0; i < 1000; i++)
        feed_trade(f, 500, FEED_NOW + i);
    struct block_view view = feed_seal_all(f);
    assert_int_equal(view.head->directory_size, 24);
    struct directory_walk walk;
    assert_int_equal(directory_find(&view, 500, &walk), 1000);
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(directory_next(&walk), i * 72);
}

static void directory_costs_little(void **state)
{
    struct feeding *f = *state;
    for (unsigned i = 0; i < 2800; i++)
        feed_trade(f, 10 + i % 200, FEED_NOW + i);
    struct block_view view = feed_seal_all(f);
    size_t rest = f->place.span - view.head->frames_size;
    assert_true(rest * 100 < 5 * (size_t)view.head->frames_size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, feeding_setup, feeding_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directory_walks_the_ticks_of_one_instrument),
        TEST(directory_of_one_instrument_and_size_needs_no_lists),
        TEST(directory_costs_little),
    };
    return cmocka_run_group_tests_name("tape.directory", tests, NULL, NULL);
}
