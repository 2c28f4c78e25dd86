/* Arrays that grow. */
#include "tests/support/check.h"

#include "base/array.h"
#include "tests/support/seeds.h"

static void what_is_in_it_stays_and_room_at_least_doubles(void **state)
{
    uint32_t *items = NULL;
    size_t room = 0, moves = 0;
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        const size_t before = room;
        items = array_grow(items, &room, i + 1, sizeof *items);
        assert_non_null(items);
        assert_true(room > i && (room == before || room >= 2 * before));
        moves += room != before;
        items[i] = i;
    }
    assert_true(moves <= 10);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    free(items);
}

static void much_is_had_at_once(void **state)
{
    size_t room = 0;
    (void)state;
    char *bytes = array_grow(NULL, &room, 100000, 1);
    assert_non_null(bytes);
    assert_int_equal(room, 100000);
    assert_ptr_equal(array_grow(bytes, &room, 100000, 1), bytes);
    free(bytes);
}

static void without_memory_it_is_as_it_was(void **state)
{
    size_t room = 0;
    (void)state;
    if (SEEDS_SANITIZED)
        skip(); /* its allocator ends the process instead */
    uint64_t *items = array_grow(NULL, &room, 1, sizeof *items);
    assert_non_null(items);
    const size_t before = room;
    *items = 7;
    assert_null(array_grow(items, &room, SIZE_MAX / 4, sizeof *items)); /* too many bytes */
    assert_int_equal(room, before);
    assert_int_equal(*items, 7);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_it_stays_and_room_at_least_doubles),
        cmocka_unit_test(much_is_had_at_once),
        cmocka_unit_test(without_memory_it_is_as_it_was),
    };
    return cmocka_run_group_tests_name("base.array", tests, NULL, NULL);
}
