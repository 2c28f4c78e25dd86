/* In which segments an index finds state of an instrument. */
#include "tests/support/check.h"

#include "tests/support/indexing.h"

static void put_states(struct indexing *f, uint64_t segments)
{
    struct tdk_err err;
    assert_int_equal(index_begin(f->index, &err), 0);
    for (uint64_t segment = 1; segment <= segments; segment++)
        for (uint32_t id = 5; id <= 7; id += 2) {
            const struct state_ref state = {.track = 3,
                                            .epoch = 70,
                                            .instrument_id = id,
                                            .segment = segment,
                                            .kinds = (uint32_t)segment % 4 + 1};
            assert_int_equal(index_put_state(f->index, &state, &err), 0);
        }
    assert_int_equal(index_commit(f->index, &err), 0);
}

static void states_come_newest_first(void **state)
{
    struct indexing *f = *state;
    struct state_ref found[4];
    put_states(f, 1000);
    for (uint32_t id = 5; id <= 7; id += 2) {
        assert_int_equal(index_states(f->index, 3, 70, id, 600, found, 4, NULL), 4);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(found[i].segment, 600 - i);
            assert_int_equal(found[i].instrument_id, id);
            assert_int_equal(found[i].kinds, (600 - i) % 4 + 1);
        }
        assert_int_equal(index_states(f->index, 3, 70, id, UINT64_MAX, found, 1, NULL), 1);
        assert_int_equal(found[0].segment, 1000);
        assert_int_equal(index_states(f->index, 3, 70, id, 2, found, 4, NULL), 2);
    }
    assert_int_equal(index_states(f->index, 3, 70, 6, 600, found, 4, NULL), 0);
    assert_int_equal(index_states(f->index, 3, 71, 7, 600, found, 4, NULL), 0);
    assert_int_equal(index_states(f->index, 4, 70, 7, 600, found, 4, NULL), 0);
}

static void the_instruments_of_an_epoch_are_listed(void **state)
{
    struct indexing *f = *state;
    uint32_t id;
    put_states(f, 3);
    assert_int_equal(index_state_instrument(f->index, 3, 70, 0, &id, NULL), 1);
    assert_int_equal(id, 5);
    assert_int_equal(index_state_instrument(f->index, 3, 70, 6, &id, NULL), 1);
    assert_int_equal(id, 7);
    assert_int_equal(index_state_instrument(f->index, 3, 70, 8, &id, NULL), 0);
    assert_int_equal(index_state_instrument(f->index, 3, 69, 0, &id, NULL), 0);
}

static void a_state_that_is_removed_is_passed_over(void **state)
{
    struct indexing *f = *state;
    struct tdk_err err;
    struct state_ref found[2];
    put_states(f, 3);
    const struct state_ref gone = {.track = 3, .epoch = 70, .instrument_id = 5, .segment = 2};
    assert_int_equal(index_begin(f->index, &err), 0);
    assert_int_equal(index_remove_state(f->index, &gone, &err), 0);
    assert_int_equal(index_commit(f->index, &err), 0);
    assert_int_equal(index_states(f->index, 3, 70, 5, 9, found, 2, NULL), 2);
    assert_int_equal(found[0].segment, 3);
    assert_int_equal(found[1].segment, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEXING(states_come_newest_first),
        INDEXING(the_instruments_of_an_epoch_are_listed),
        INDEXING(a_state_that_is_removed_is_passed_over),
    };
    return cmocka_run_group_tests_name("index.find_state", tests, NULL, NULL);
}
