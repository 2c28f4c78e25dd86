/* The retention policy, in numbers. */
#include "tests/support/check.h"

#include "tape/retain.h"

enum { COUNT = 6 };

/* Segments 1 to 6 have 100 bytes and 1000 ns each. The last one is being recorded, and the one
 * before it is the newest. */
static void make(struct retain_item items[COUNT])
{
    for (uint64_t i = 0; i < COUNT; i++)
        items[i] = (struct retain_item){.number = i + 1,
                                        .size = 100,
                                        .min_ts = i * 1000,
                                        .max_ts = i * 1000 + 999,
                                        .due_ns = RETAIN_NEVER};
    items[4].pin = PIN_NEWEST;
    items[5].pin = PIN_OPEN;
}

/* "aa----": which segments go, with a letter for why. */
static void assert_goes(const struct retain_item items[COUNT], const char *expected)
{
    char found[COUNT + 1] = {0};
    for (int i = 0; i < COUNT; i++)
        found[i] = items[i].why == RETAIN_STAYS      ? '-'
                   : items[i].why == RETAIN_AGE      ? 'a'
                   : items[i].why == RETAIN_SEGMENTS ? 'n'
                   : items[i].why == RETAIN_SIZE     ? 's'
                                                     : 'f';
    assert_string_equal(found, expected);
}

static void without_a_limit_everything_stays(void **state)
{
    struct retain_item items[COUNT];
    struct retain_verdict verdict;
    const struct retain_policy policy = {.max_age_ns = 0};
    (void)state;
    make(items);
    assert_false(retain_is_set(&policy));
    retain_decide(&policy, UINT64_MAX - 1, 0, items, COUNT, &verdict);
    assert_goes(items, "------");
    assert_false(verdict.unmet);
    assert_int_equal(verdict.bytes, 600);
}

static void age_lets_go_what_is_due_and_not_pinned(void **state)
{
    struct retain_item items[COUNT];
    struct retain_verdict verdict;
    const struct retain_policy policy = {.max_age_ns = 1};
    (void)state;
    make(items);
    for (uint64_t i = 0; i < COUNT; i++)
        items[i].due_ns = 1000 + i;
    items[1].pin = PIN_HOLD;
    retain_decide(&policy, 1002, 0, items, COUNT, &verdict);
    assert_goes(items, "a-a---");
    assert_int_equal(verdict.going, 2);
    assert_int_equal(verdict.going_bytes, 200);
    retain_decide(&policy, 999, 0, items, COUNT, &verdict);
    assert_goes(items, "------");
}

static void limits_take_the_oldest_and_pass_over_pins(void **state)
{
    struct retain_item items[COUNT];
    struct retain_verdict verdict;
    const struct retain_policy count = {.max_segments = 4}, size = {.max_size = 450};
    (void)state;
    make(items);
    items[0].pin = PIN_MARK;
    retain_decide(&count, 0, 0, items, COUNT, &verdict);
    assert_goes(items, "-nn---");
    assert_int_equal(verdict.segments, 4);
    retain_decide(&size, 0, 0, items, COUNT, &verdict);
    assert_goes(items, "-ss---");
    assert_int_equal(verdict.bytes, 400);
}

static void what_went_by_age_counts_for_the_limits(void **state)
{
    struct retain_item items[COUNT];
    struct retain_verdict verdict;
    const struct retain_policy policy = {.max_age_ns = 1, .max_segments = 4, .max_size = 300};
    (void)state;
    make(items);
    items[0].due_ns = 5;
    retain_decide(&policy, 5, 0, items, COUNT, &verdict);
    assert_goes(items, "ans---");
}

static void free_space_is_not_made_on_another_disk(void **state)
{
    struct retain_item items[COUNT];
    struct retain_verdict verdict;
    const struct retain_policy policy = {.min_free = 250};
    (void)state;
    make(items);
    items[0].elsewhere = true;
    retain_decide(&policy, 0, 60, items, COUNT, &verdict);
    assert_goes(items, "-ff---");
    assert_false(verdict.unmet);
}

static void limits_that_pins_break_are_told(void **state)
{
    struct retain_item items[COUNT];
    struct retain_verdict verdict;
    const struct retain_policy policy = {.max_segments = 1};
    (void)state;
    make(items);
    retain_decide(&policy, 0, 0, items, COUNT, &verdict);
    assert_goes(items, "nnnn--");
    assert_true(verdict.unmet);
    assert_int_equal(verdict.segments, 2);
}

static void a_track_may_have_an_age_of_its_own(void **state)
{
    const struct retain_track tracks[] = {{"slow", 100}, {"kept", 0}};
    const struct retain_policy policy = {.max_age_ns = 7, .tracks = tracks, .track_count = 2};
    (void)state;
    assert_int_equal(retain_age_of(&policy, "slow"), 100);
    assert_int_equal(retain_age_of(&policy, "kept"), 0);
    assert_int_equal(retain_age_of(&policy, "other"), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_everything_stays),
        cmocka_unit_test(age_lets_go_what_is_due_and_not_pinned),
        cmocka_unit_test(limits_take_the_oldest_and_pass_over_pins),
        cmocka_unit_test(what_went_by_age_counts_for_the_limits),
        cmocka_unit_test(free_space_is_not_made_on_another_disk),
        cmocka_unit_test(limits_that_pins_break_are_told),
        cmocka_unit_test(a_track_may_have_an_age_of_its_own),
    };
    return cmocka_run_group_tests_name("tape.retain", tests, NULL, NULL);
}
