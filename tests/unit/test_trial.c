/* Three ways are tried in turn. The one that takes least gets the rest of the round. */
#include "tests/support/check.h"

#include "shm/trial.h"

#define WAYS TRIAL_WAYS_MAX

/* One round. A piece of each way takes as long as `ns` says. Returns the way of the pieces that
 * were not timed. */
static unsigned round_of(struct trial *trial, const uint64_t ns[WAYS], unsigned *timed_pieces)
{
    unsigned untimed = WAYS;
    *timed_pieces = 0;
    for (unsigned i = 0; i < TRIAL_ROUND; i++) {
        bool timed;
        unsigned way = trial_next(trial, WAYS, &timed);
        if (timed) {
            trial_note(trial, WAYS, way, ns[way], 4096);
            ++*timed_pieces;
        } else {
            assert_true(untimed == WAYS || untimed == way);
            untimed = way;
        }
    }
    return untimed;
}

static void the_way_that_takes_least_is_gone(void **state)
{
    (void)state;
    struct trial trial = {0};
    unsigned timed;
    assert_int_equal(round_of(&trial, (uint64_t[]){100, 90, 95}, &timed), 1);
    assert_int_equal(timed, WAYS * TRIAL_EACH);
    assert_int_equal(round_of(&trial, (uint64_t[]){90, 100, 95}, &timed), 0);
    assert_int_equal(round_of(&trial, (uint64_t[]){100, 100, 100}, &timed), 0);
    assert_int_equal(round_of(&trial, (uint64_t[]){100, 90, 1}, &timed), 2);
    assert_int_equal(round_of(&trial, (uint64_t[]){100, 1, 90}, &timed), 1);
}

/* One piece of the faster way was interrupted, and the first pieces pay for what was before
 * them. */
static void a_single_slow_piece_does_not_decide(void **state)
{
    (void)state;
    struct trial trial = {0};
    for (unsigned i = 0; i < WAYS * TRIAL_EACH; i++) {
        bool timed;
        unsigned way = trial_next(&trial, WAYS, &timed);
        assert_true(timed);
        uint64_t ns = i % TRIAL_EACH == 0 ? 1 : i == TRIAL_EACH + 2 ? 1000000 : way == 1 ? 50 : 60;
        trial_note(&trial, WAYS, way, ns, 4096);
    }
    bool timed;
    assert_int_equal(trial_next(&trial, WAYS, &timed), 1);
    assert_false(timed);
}

static void pieces_of_different_size_are_compared_by_their_bytes(void **state)
{
    (void)state;
    struct trial trial = {0};
    for (unsigned i = 0; i < WAYS * TRIAL_EACH; i++) {
        bool timed;
        unsigned way = trial_next(&trial, WAYS, &timed);
        trial_note(&trial, WAYS, way, way == 0 ? 100 : 150, way == 0 ? 2048 : 8192);
    }
    bool timed;
    assert_int_equal(trial_next(&trial, WAYS, &timed), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_that_takes_least_is_gone),
        cmocka_unit_test(a_single_slow_piece_does_not_decide),
        cmocka_unit_test(pieces_of_different_size_are_compared_by_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
