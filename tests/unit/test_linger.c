/* How long a consumer waits before it looks again: as long as waiting brings more, and no
 * longer. */
#include "tests/support/check.h"

#include <string.h>

#include "shm/linger.h"
#include "tapedeck/ring.h"

#define SHORTEST TDK_RING_LINGER_SHORTEST
#define ROUNDS   2000u

/* Bytes a ms that come if waits have the power 0, 1, ... SHORTEST. */
struct feed {
    uint64_t rates[SHORTEST + 1];
};

/* Let a feed go through ROUNDS waits. `rounds` counts how many had each power. Returns the power
 * that is kept. */
static uint32_t go_on(struct linger *linger, uint32_t shift, const struct feed *feed,
                      unsigned rounds[SHORTEST + 1])
{
    memset(rounds, 0, (SHORTEST + 1) * sizeof *rounds);
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_in_range(shift, 0, SHORTEST);
        rounds[shift]++;
        shift = linger_next(linger, feed->rates[shift]);
    }
    return linger->kept;
}

static void a_feed_at_its_own_pace_is_waited_for_as_shortly_as_can_be(void **state)
{
    (void)state;
    const struct feed paced = {{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}};
    struct linger linger;
    unsigned rounds[SHORTEST + 1];
    uint32_t shift = linger_begin(&linger);
    assert_int_equal(shift, SHORTEST);
    assert_int_equal(go_on(&linger, shift, &paced, rounds), SHORTEST);
    assert_true(rounds[SHORTEST] > ROUNDS * 9 / 10); /* trying others costs little */
    assert_true(rounds[0] > 0);
}

static void waits_grow_while_an_eighth_more_comes(void **state)
{
    (void)state;
    const struct feed near = {{1410, 1420, 1400, 1390, 1400, 1400, 1380, 1000}};
    struct linger linger;
    unsigned rounds[SHORTEST + 1];
    uint32_t shift = linger_begin(&linger);
    assert_int_equal(go_on(&linger, shift, &near, rounds), SHORTEST - 1);
    assert_true(rounds[SHORTEST - 1] > ROUNDS * 9 / 10);
}

/* Waits that are a little longer bring nothing, and much longer ones do. */
static void longer_waits_are_tried_by_leaps(void **state)
{
    (void)state;
    const struct feed far = {{1500, 1500, 1500, 1010, 1000, 1000, 1000, 1000}};
    struct linger linger;
    unsigned rounds[SHORTEST + 1];
    uint32_t shift = linger_begin(&linger);
    assert_true(go_on(&linger, shift, &far, rounds) <= 2);
    assert_true(rounds[0] + rounds[1] + rounds[2] > ROUNDS * 9 / 10);
}

static void what_was_found_out_is_found_out_again_when_the_feed_changes(void **state)
{
    (void)state;
    const struct feed flood = {{1500, 1500, 1500, 1500, 1000, 1000, 1000, 1000}};
    const struct feed paced = {{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}};
    struct linger linger;
    unsigned rounds[SHORTEST + 1];
    uint32_t shift = linger_begin(&linger);
    shift = go_on(&linger, shift, &flood, rounds);
    assert_true(shift <= 3);
    assert_int_equal(go_on(&linger, shift, &paced, rounds), SHORTEST);
    assert_true(go_on(&linger, SHORTEST, &flood, rounds) <= 3);
}

static void a_round_that_says_nothing_makes_waits_shorter(void **state)
{
    (void)state;
    const struct feed flood = {{1500, 1000, 1000, 1000, 1000, 1000, 1000, 1000}};
    struct linger linger;
    unsigned rounds[SHORTEST + 1];
    uint32_t shift = linger_begin(&linger);
    assert_int_equal(go_on(&linger, shift, &flood, rounds), 0);
    for (uint32_t i = 1; i <= SHORTEST; i++)
        assert_int_equal(linger_skip(&linger), i);
    assert_int_equal(linger_skip(&linger), SHORTEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feed_at_its_own_pace_is_waited_for_as_shortly_as_can_be),
        cmocka_unit_test(waits_grow_while_an_eighth_more_comes),
        cmocka_unit_test(longer_waits_are_tried_by_leaps),
        cmocka_unit_test(what_was_found_out_is_found_out_again_when_the_feed_changes),
        cmocka_unit_test(a_round_that_says_nothing_makes_waits_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
