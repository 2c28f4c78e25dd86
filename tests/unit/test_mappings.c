#include "tests/support/check.h"

#include "cli/mappings.h"

#define DAY_NS UINT64_C(86400000000000)
#define NOV_20 (UINT64_C(20412) * DAY_NS) /* 2025-11-20 */

static struct dbn_interval two_days[] = {{20251120, 20251121, "7"}, {20251121, 20251122, "8"}};
static struct dbn_interval later[] = {{20251122, 20251123, "9"}, {20251121, 20251122, "8"}};

static struct dbn_metadata head_of(struct dbn_mapping *mapping)
{
    return (struct dbn_metadata){.mappings = mapping, .mapping_count = 1};
}

static void heads_are_merged_each_interval_once_and_in_order(void **state)
{
    (void)state;
    struct mappings m = {.items = NULL};
    struct dbn_mapping first = {"ES", two_days, 2}, second = {"ES", later, 2};
    struct dbn_metadata a = head_of(&first), b = head_of(&second);
    assert_int_equal(mappings_add_head(&m, &b), 0);
    assert_int_equal(mappings_add_head(&m, &a), 0);
    assert_int_equal(mappings_make(&m), 0);

    assert_int_equal(m.mapping_count, 1);
    assert_string_equal(m.mappings[0].raw_symbol, "ES");
    assert_int_equal(m.mappings[0].interval_count, 3);
    assert_string_equal(m.mappings[0].intervals[0].symbol, "7");
    assert_string_equal(m.mappings[0].intervals[1].symbol, "8");
    assert_string_equal(m.mappings[0].intervals[2].symbol, "9");
    mappings_close(&m);
}

static void a_symbol_covers_each_day_it_touches(void **state)
{
    (void)state;
    struct mappings m = {.items = NULL};
    assert_int_equal(mappings_add_symbol(&m, "B", 5, NOV_20 + 1, NOV_20 + DAY_NS), 0);
    assert_int_equal(mappings_add_symbol(&m, "C", 6, NOV_20, NOV_20 + DAY_NS + 1), 0);
    assert_int_equal(mappings_add_symbol(&m, "A", 4, 7, 7), 0); /* holds at no time */
    assert_int_equal(mappings_make(&m), 0);

    assert_int_equal(m.mapping_count, 2);
    assert_string_equal(m.mappings[0].raw_symbol, "B");
    assert_int_equal(m.mappings[0].intervals[0].start_date, 20251120);
    assert_int_equal(m.mappings[0].intervals[0].end_date, 20251121);
    assert_string_equal(m.mappings[0].intervals[0].symbol, "5");
    assert_int_equal(m.mappings[1].intervals[0].end_date, 20251122);
    mappings_close(&m);
}

static void a_symbol_without_an_end_has_a_date_for_one(void **state)
{
    (void)state;
    struct mappings m = {.items = NULL};
    assert_int_equal(mappings_add_symbol(&m, "A", UINT32_MAX, 0, UINT64_MAX), 0);
    assert_int_equal(mappings_make(&m), 0);
    assert_int_equal(m.mappings[0].intervals[0].start_date, 19700101);
    assert_true(m.mappings[0].intervals[0].end_date > 25000101);
    assert_string_equal(m.mappings[0].intervals[0].symbol, "4294967295");
    mappings_close(&m);
}

static void nothing_makes_an_empty_list(void **state)
{
    (void)state;
    struct mappings m = {.items = NULL};
    assert_int_equal(mappings_make(&m), 0);
    assert_int_equal(m.mapping_count, 0);
    mappings_close(&m);
    mappings_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_merged_each_interval_once_and_in_order),
        cmocka_unit_test(a_symbol_covers_each_day_it_touches),
        cmocka_unit_test(a_symbol_without_an_end_has_a_date_for_one),
        cmocka_unit_test(nothing_makes_an_empty_list),
    };
    return cmocka_run_group_tests_name("cli.mappings", tests, NULL, NULL);
}
