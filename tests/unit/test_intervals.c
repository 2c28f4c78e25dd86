#include "tests/support/check.h"

#include <string.h>

#include "cli/intervals.h"

#define COUNT 3000u

/* Ticks without payload, one after another. */
static struct tdk_frame frames[COUNT];

static void fill(uint64_t (*ts_of)(unsigned i))
{
    for (unsigned i = 0; i < COUNT; i++)
        frames[i] = (struct tdk_frame){.type = TDK_TYPE_OPAQUE, .seq = i + 1, .ts = ts_of(i)};
}

static unsigned digest_by(struct intervals *in, uint64_t by_ns)
{
    struct tdk_run run = {
        .frames = frames, .size = sizeof frames, .ticks = COUNT, .epoch = 1, .track = "t"};
    unsigned passes = 0;
    intervals_init(in, by_ns);
    do {
        assert_int_equal(intervals_add(in, &run, NULL), 0);
        passes++;
    } while (intervals_again(in, NULL) > 0);
    return passes;
}

/* Check each interval against a digest of its ticks alone. */
static void check(const struct intervals *in)
{
    uint64_t ticks = 0;
    for (size_t k = 0; k < in->count; k++) {
        const struct interval *interval = &in->items[k];
        struct tdk_digest *digest;
        uint8_t value[16];
        char hex[33];
        assert_true(k == 0 || interval->number > in->items[k - 1].number);
        assert_int_equal(tdk_digest_open(&digest), 0);
        for (unsigned i = 0; i < COUNT; i++)
            if (frames[i].ts / in->by_ns == interval->number)
                tdk_digest_add(digest, "t", 1, &frames[i]);
        tdk_digest_value(digest, value, hex);
        assert_string_equal(interval->hex, hex);
        assert_int_equal(interval->ticks, tdk_digest_ticks(digest));
        tdk_digest_close(digest);
        ticks += interval->ticks;
    }
    assert_int_equal(ticks, COUNT);
}

static uint64_t in_order(unsigned i)
{
    return 1000 + i;
}

static void in_order_one_pass_is_enough(void **state)
{
    (void)state;
    struct intervals in;
    fill(in_order);
    assert_int_equal(digest_by(&in, 10), 1);
    assert_int_equal(in.count, COUNT / 10);
    check(&in);
    intervals_close(&in);
}

static uint64_t a_little_late(unsigned i)
{
    return 1000 + i - (i % 7) * 20;
}

static void what_is_a_little_late_finds_its_interval_open(void **state)
{
    (void)state;
    struct intervals in;
    fill(a_little_late);
    assert_int_equal(digest_by(&in, 1), 1);
    check(&in);
    intervals_close(&in);
}

/* Each residue of 1000 comes three times, a thousand ticks apart. */
static uint64_t far_apart(unsigned i)
{
    return i % 1000 + 1;
}

static void what_comes_far_too_late_takes_more_passes_and_is_right(void **state)
{
    (void)state;
    struct intervals in;
    fill(far_apart);
    assert_true(digest_by(&in, 1) > 1);
    assert_int_equal(in.count, 1000);
    check(&in);
    intervals_close(&in);
}

static uint64_t at_the_ends(unsigned i)
{
    return i % 2 == 0 ? 0 : UINT64_MAX;
}

static void the_ends_of_time_are_intervals_too(void **state)
{
    (void)state;
    struct intervals in;
    fill(at_the_ends);
    assert_int_equal(digest_by(&in, 1000000000), 1);
    assert_int_equal(in.count, 2);
    check(&in);
    intervals_close(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_one_pass_is_enough),
        cmocka_unit_test(what_is_a_little_late_finds_its_interval_open),
        cmocka_unit_test(what_comes_far_too_late_takes_more_passes_and_is_right),
        cmocka_unit_test(the_ends_of_time_are_intervals_too),
    };
    return cmocka_run_group_tests_name("cli.intervals", tests, NULL, NULL);
}
