/* What retention has deleted and the disk does not have back yet, in numbers. */
#include "tests/support/check.h"

#include "recorder/unfreed.h"

enum { FREE = 1000, SEGMENTS = 5000, SUM = FREE + SEGMENTS };

static uint64_t bytes(struct unfreed *unfreed, uint64_t sum, uint64_t now_ns)
{
    return unfreed_bytes(unfreed, sum, UNFREED_PATIENCE_NS, now_ns);
}

static void what_is_free_at_once_is_not_waited_for(void **state)
{
    struct unfreed unfreed = {.bytes = 0};
    (void)state;
    assert_int_equal(bytes(&unfreed, SUM, 1), 0);
    unfreed_add(&unfreed, 300, SUM, SUM, 1);
    assert_int_equal(bytes(&unfreed, SUM - 200, 2), 0); /* others have written since */
}

static void what_is_held_open_is_waited_for_until_it_is_free(void **state)
{
    struct unfreed unfreed = {.bytes = 0};
    (void)state;
    unfreed_add(&unfreed, 300, SUM, SUM - 300, 1);
    assert_int_equal(bytes(&unfreed, SUM - 300, 2), 300);
    unfreed_add(&unfreed, 200, SUM - 300, SUM - 400, 2); /* half of it is held */
    assert_int_equal(bytes(&unfreed, SUM - 400, 3), 400);
    assert_int_equal(bytes(&unfreed, SUM - 100, 4), 100);
    assert_int_equal(bytes(&unfreed, SUM, 5), 0);
    assert_int_equal(bytes(&unfreed, SUM - 100, 6), 0); /* and never again after that */
}

/* What others write at the same time is not ours to wait for. */
static void no_more_is_waited_for_than_was_deleted(void **state)
{
    struct unfreed unfreed = {.bytes = 0};
    (void)state;
    unfreed_add(&unfreed, 300, SUM, SUM - 900, 1);
    assert_int_equal(bytes(&unfreed, SUM - 900, 2), 300);
    assert_int_equal(bytes(&unfreed, SUM - 2000, 3), 300);
}

static void nothing_is_waited_for_for_ever(void **state)
{
    struct unfreed unfreed = {.bytes = 0};
    (void)state;
    unfreed_add(&unfreed, 300, SUM, SUM - 300, 1);
    unfreed_add(&unfreed, 300, SUM - 300, SUM - 600, UNFREED_PATIENCE_NS);
    assert_int_equal(bytes(&unfreed, SUM - 600, UNFREED_PATIENCE_NS), 600);
    assert_int_equal(bytes(&unfreed, SUM - 600, UNFREED_PATIENCE_NS + 1), 0);
    unfreed_add(&unfreed, 100, SUM - 600, SUM - 700, UNFREED_PATIENCE_NS + 2);
    assert_int_equal(bytes(&unfreed, SUM - 700, UNFREED_PATIENCE_NS + 3), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_free_at_once_is_not_waited_for),
        cmocka_unit_test(what_is_held_open_is_waited_for_until_it_is_free),
        cmocka_unit_test(no_more_is_waited_for_than_was_deleted),
        cmocka_unit_test(nothing_is_waited_for_for_ever),
    };
    return cmocka_run_group_tests_name("recorder.unfreed", tests, NULL, NULL);
}
