/* Memory for what is made anew each time. */
#include "tests/support/check.h"

#include <string.h>

#include "base/scratch.h"
#include "tests/support/seeds.h"

static void there_is_room_for_the_most_that_was_needed(void **state)
{
    struct scratch scratch = {.room = 0};
    (void)state;
    assert_true(scratch_need(&scratch, 0));
    assert_true(scratch_need(&scratch, 100));
    memset(scratch.bytes, 'x', 100);
    const unsigned char *bytes = scratch.bytes;
    assert_true(scratch_need(&scratch, 40));
    assert_ptr_equal(scratch.bytes, bytes);
    assert_int_equal(scratch.room, 100);
    assert_true(scratch_need(&scratch, 1 << 20));
    memset(scratch.bytes, 'y', 1 << 20);
    scratch_close(&scratch);
}

static void it_begins_and_ends_where_it_is_wanted(void **state)
{
    struct scratch scratch = {.room = 0};
    (void)state;
    for (size_t size = 1; size < 100000; size = 3 * size) {
        assert_true(scratch_need_aligned(&scratch, 4096, size));
        assert_int_equal((uintptr_t)scratch.bytes % 4096, 0);
        assert_int_equal(scratch.room % 4096, 0);
        memset(scratch.bytes, 'x', scratch.room);
    }
    scratch_close(&scratch);
}

static void without_memory_it_is_empty_and_can_be_used_again(void **state)
{
    struct scratch scratch = {.room = 0};
    (void)state;
    if (SEEDS_SANITIZED)
        skip(); /* its allocator ends the process instead */
    assert_true(scratch_need(&scratch, 100));
    assert_false(scratch_need(&scratch, SIZE_MAX / 2));
    assert_int_equal(scratch.room, 0);
    assert_null(scratch.bytes);
    assert_true(scratch_need(&scratch, 100));
    scratch_close(&scratch);
    scratch_close(&scratch);
    assert_null(scratch.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_room_for_the_most_that_was_needed),
        cmocka_unit_test(it_begins_and_ends_where_it_is_wanted),
        cmocka_unit_test(without_memory_it_is_empty_and_can_be_used_again),
    };
    return cmocka_run_group_tests_name("base.scratch", tests, NULL, NULL);
}
