#include "tests/support/check.h"

#include "base/clock.h"
#include "replayer/pace.h"

#define DAY_NS  (UINT64_C(86400) * NS_PER_S)
#define OPEN_TS UINT64_C(1763974200000000000) /* some morning, 09:30 */

static const struct speed max = {SPEED_MAX, 0, 0};

static struct speed times(uint64_t numerator, uint64_t denominator)
{
    return (struct speed){SPEED_SCALED, numerator, denominator};
}

static struct speed per_second(uint64_t ticks)
{
    return (struct speed){SPEED_PER_SECOND, ticks, 1};
}

static struct pace paced(uint64_t numerator, uint64_t denominator)
{
    struct pace p;
    struct speed speed = times(numerator, denominator);
    pace_init(&p, &speed, 0);
    pace_anchor(&p, OPEN_TS, 0, 1000);
    return p;
}

static void the_first_tick_is_due_at_the_anchor(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    assert_int_equal(pace_due(&p, OPEN_TS, 0), 1000);
}

static void a_speed_is_exact_after_a_day(void **state)
{
    (void)state;
    struct pace as_it_was = paced(1, 1), fast = paced(10, 1), slow = paced(1, 2),
                third = paced(3, 1);
    assert_int_equal(pace_due(&as_it_was, OPEN_TS + DAY_NS + 1, 9), 1000 + DAY_NS + 1);
    assert_int_equal(pace_due(&fast, OPEN_TS + DAY_NS, 9), 1000 + DAY_NS / 10);
    assert_int_equal(pace_due(&slow, OPEN_TS + DAY_NS, 9), 1000 + DAY_NS * 2);
    assert_int_equal(pace_due(&third, OPEN_TS + DAY_NS, 9), 1000 + DAY_NS / 3);
}

/* If each tick were timed from the one before, the rounding of a million thirds would show. */
static void a_million_small_steps_do_not_drift(void **state)
{
    (void)state;
    struct pace p = paced(3, 1);
    uint64_t due = 0;
    for (uint64_t i = 0; i <= 1000000; i++)
        due = pace_due(&p, OPEN_TS + i, i);
    assert_int_equal(due, 1000 + 1000000 / 3);
}

static void ticks_a_second_are_counted_whatever_their_times(void **state)
{
    (void)state;
    struct pace p;
    struct speed three = per_second(3);
    pace_init(&p, &three, 0);
    pace_anchor(&p, OPEN_TS, 10, 1000);
    assert_int_equal(pace_due(&p, 5, 10), 1000);
    assert_int_equal(pace_due(&p, UINT64_MAX, 11), 1000 + NS_PER_S / 3);
    assert_int_equal(pace_due(&p, 0, 13), 1000 + NS_PER_S);
    assert_int_equal(pace_due(&p, 0, 10 + 3 * UINT64_C(86400)), 1000 + DAY_NS);
}

static void at_max_everything_is_due_at_once(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p, &max, 0);
    pace_anchor(&p, OPEN_TS, 0, 77);
    assert_int_equal(pace_due(&p, OPEN_TS + DAY_NS, 1), 77);
    assert_int_equal(pace_due(&p, UINT64_MAX, UINT64_MAX), 77);
}

static void a_time_that_goes_back_is_due_at_once_and_moves_nothing(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    assert_int_equal(pace_due(&p, OPEN_TS + 500, 1), 1500);
    assert_int_equal(pace_due(&p, OPEN_TS - DAY_NS, 2), 1500);
    assert_int_equal(pace_due(&p, 0, 3), 1500);
    assert_int_equal(pace_due(&p, OPEN_TS + 600, 4), 1600);
}

static void no_time_overflows(void **state)
{
    (void)state;
    struct pace p = paced(1, UINT64_MAX);
    struct speed slow = per_second(1), fast = times(UINT64_MAX, 1);
    assert_true(pace_due(&p, UINT64_MAX, 1) == UINT64_MAX);
    pace_init(&p, &slow, 0);
    pace_anchor(&p, 0, 0, UINT64_MAX - 1);
    assert_true(pace_due(&p, 0, UINT64_MAX) == UINT64_MAX);
    pace_shift(&p, UINT64_MAX);
    assert_true(p.anchor_ns == UINT64_MAX);
    pace_init(&p, &fast, 0);
    pace_anchor(&p, UINT64_MAX - 5, 0, 0);
    pace_speed(&p, &slow, UINT64_MAX, 1, UINT64_MAX);
    assert_true(p.anchor_ts == UINT64_MAX && p.anchor_ns == UINT64_MAX);
}

static void an_idle_stretch_is_cut_and_the_rest_follows_it(void **state)
{
    (void)state;
    struct pace p;
    struct speed speed = times(1, 1);
    pace_init(&p, &speed, NS_PER_S);
    pace_anchor(&p, OPEN_TS, 0, 0);
    assert_int_equal(pace_due(&p, OPEN_TS + NS_PER_S, 1), NS_PER_S);
    assert_int_equal(pace_due(&p, OPEN_TS + DAY_NS, 2), 2 * NS_PER_S);
    assert_int_equal(pace_due(&p, OPEN_TS + DAY_NS + 7, 3), 2 * NS_PER_S + 7);
    assert_int_equal(pace_due(&p, UINT64_MAX, 4), 3 * NS_PER_S + 7);
}

static void a_pause_moves_what_is_to_come_by_its_length(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    assert_int_equal(pace_due(&p, OPEN_TS + 100, 1), 1100);
    pace_pause(&p, 1150);
    pace_pause(&p, 1160); /* a second pause changes nothing */
    pace_resume(&p, 2150);
    pace_resume(&p, 9999);
    assert_int_equal(pace_due(&p, OPEN_TS + 200, 2), 2200);
}

static void a_stall_moves_what_is_to_come_by_its_length(void **state)
{
    (void)state;
    struct pace p = paced(10, 1);
    pace_shift(&p, 500);
    assert_int_equal(pace_due(&p, OPEN_TS + 1000, 1), 1000 + 500 + 100);
}

static void another_speed_goes_on_from_where_the_tape_stands(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    struct speed half = times(1, 2), thousand = per_second(1000);
    /* 400 of a gap of 1000 have passed. The other 600 take twice as long. */
    pace_speed(&p, &half, OPEN_TS + 1000, 1, 1400);
    assert_int_equal(p.anchor_ts, OPEN_TS + 400);
    assert_int_equal(pace_due(&p, OPEN_TS + 1000, 1), 1400 + 1200);
    pace_speed(&p, &thousand, OPEN_TS + 2000, 2, 3000);
    assert_int_equal(pace_due(&p, OPEN_TS + 2000, 2), 3000);
    assert_int_equal(pace_due(&p, OPEN_TS + 2000, 3), 3000 + NS_PER_MS);
}

static void another_speed_that_comes_late_passes_over_nothing(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    const struct speed twice = times(2, 1);
    /* The tick at 1 s is next, although its time is long past. The tick at 2 s comes half a second
     * after it. */
    pace_speed(&p, &twice, OPEN_TS + NS_PER_S, 1, 9 * NS_PER_S);
    assert_int_equal(pace_due(&p, OPEN_TS + NS_PER_S, 1), 9 * NS_PER_S);
    assert_int_equal(pace_due(&p, OPEN_TS + 2 * NS_PER_S, 2), 9 * NS_PER_S + NS_PER_S / 2);
}

static void another_speed_in_a_pause_goes_on_from_where_that_began(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    struct speed twice = times(2, 1);
    pace_pause(&p, 1150);
    pace_speed(&p, &twice, OPEN_TS + 200, 1, 5000);
    assert_int_equal(p.anchor_ts, OPEN_TS + 150);
    pace_resume(&p, 6000);
    assert_int_equal(pace_due(&p, OPEN_TS + 200, 1), 6000 + 25);
}

static void a_seek_begins_anew_there(void **state)
{
    (void)state;
    struct pace p = paced(1, 1);
    assert_int_equal(pace_due(&p, OPEN_TS + DAY_NS, 1), 1000 + DAY_NS);
    pace_anchor(&p, OPEN_TS + 50, 2, 5000);
    assert_int_equal(pace_due(&p, OPEN_TS + 51, 2), 5001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_tick_is_due_at_the_anchor),
        cmocka_unit_test(a_speed_is_exact_after_a_day),
        cmocka_unit_test(a_million_small_steps_do_not_drift),
        cmocka_unit_test(ticks_a_second_are_counted_whatever_their_times),
        cmocka_unit_test(at_max_everything_is_due_at_once),
        cmocka_unit_test(a_time_that_goes_back_is_due_at_once_and_moves_nothing),
        cmocka_unit_test(no_time_overflows),
        cmocka_unit_test(an_idle_stretch_is_cut_and_the_rest_follows_it),
        cmocka_unit_test(a_pause_moves_what_is_to_come_by_its_length),
        cmocka_unit_test(a_stall_moves_what_is_to_come_by_its_length),
        cmocka_unit_test(another_speed_goes_on_from_where_the_tape_stands),
        cmocka_unit_test(another_speed_that_comes_late_passes_over_nothing),
        cmocka_unit_test(another_speed_in_a_pause_goes_on_from_where_that_began),
        cmocka_unit_test(a_seek_begins_anew_there),
    };
    return cmocka_run_group_tests_name("replayer.pace", tests, NULL, NULL);
}
