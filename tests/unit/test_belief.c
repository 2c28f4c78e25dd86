/* What time it is, while the host's clock jumps. */
#include "tests/support/check.h"

#include "recorder/belief.h"

#define DAY_NS (24 * 3600 * NS_PER_S)

static const uint64_t began_ns = 20000 * DAY_NS; /* by the wall */
static const uint64_t mono_ns = 5 * NS_PER_S;

static void a_clock_that_goes_on_is_followed(void **state)
{
    struct belief belief;
    (void)state;
    belief_init(&belief, began_ns, mono_ns);
    for (uint64_t ns = 0; ns < 2 * DAY_NS; ns += 600 * NS_PER_S)
        assert_true(belief_time(&belief, began_ns + ns, mono_ns + ns) == began_ns + ns);
    assert_false(belief_is_doubt(&belief));
}

static void a_small_step_is_followed_at_once(void **state)
{
    struct belief belief;
    (void)state;
    belief_init(&belief, began_ns, mono_ns);
    uint64_t ahead_ns = began_ns + BELIEF_AHEAD_NS;
    assert_true(belief_time(&belief, ahead_ns, mono_ns) == ahead_ns);
    assert_false(belief_is_doubt(&belief));
}

static void a_clock_that_goes_back_is_followed_at_once(void **state)
{
    struct belief belief;
    (void)state;
    belief_init(&belief, began_ns, mono_ns);
    assert_true(belief_time(&belief, DAY_NS, mono_ns + 1) == DAY_NS);
    assert_false(belief_is_doubt(&belief));
}

static void a_clock_that_is_far_ahead_for_a_while_is_not_followed(void **state)
{
    struct belief belief;
    (void)state;
    belief_init(&belief, began_ns, mono_ns);
    for (uint64_t ns = 0; ns < BELIEF_AFTER_NS; ns += 60 * NS_PER_S) {
        uint64_t ahead_ns = began_ns + 365 * DAY_NS + ns;
        assert_true(belief_time(&belief, ahead_ns, mono_ns + ns) == began_ns + ns);
        assert_true(belief_is_doubt(&belief));
    }
    uint64_t right_ns = began_ns + BELIEF_AFTER_NS;
    assert_true(belief_time(&belief, right_ns, mono_ns + BELIEF_AFTER_NS) == right_ns);
    assert_false(belief_is_doubt(&belief));
}

static void a_clock_that_stays_ahead_is_followed_in_the_end(void **state)
{
    struct belief belief;
    (void)state;
    belief_init(&belief, began_ns, mono_ns);
    uint64_t ahead_ns = began_ns + 365 * DAY_NS;
    assert_true(belief_time(&belief, ahead_ns, mono_ns) == began_ns);
    ahead_ns += BELIEF_AFTER_NS;
    assert_true(belief_time(&belief, ahead_ns, mono_ns + BELIEF_AFTER_NS) == ahead_ns);
    assert_false(belief_is_doubt(&belief));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_goes_on_is_followed),
        cmocka_unit_test(a_small_step_is_followed_at_once),
        cmocka_unit_test(a_clock_that_goes_back_is_followed_at_once),
        cmocka_unit_test(a_clock_that_is_far_ahead_for_a_while_is_not_followed),
        cmocka_unit_test(a_clock_that_stays_ahead_is_followed_in_the_end),
    };
    return cmocka_run_group_tests_name("recorder.belief", tests, NULL, NULL);
}
