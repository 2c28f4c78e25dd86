/* How large an answer will be, before it is read. */
#include "tests/support/taping.h"

#include "cli/forecast.h"

enum { TICKS = 3000 };

struct fixture {
    char path[FOLDER_PATH];
    struct depot depot;
};

static int setup(void **state)
{
    struct tdk_err err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    taping_make(f->path, TICKS, 16 << 10, 0);
    taping_ok(tdk_tape_open(&f->depot.tape, f->path, &err), &err);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_tape_close(f->depot.tape);
    folder_remove(f->path);
    free(f);
    return 0;
}

static void ticks_of_a_range_are_known_to_the_tick(void **state)
{
    struct fixture *f = *state;
    struct tdk_query query = {.to = UINT64_MAX, .control = true};
    assert_int_equal(forecast_ticks(&f->depot, &query), TICKS);
    query.limit = 10;
    assert_int_equal(forecast_ticks(&f->depot, &query), 10);
    query = (struct tdk_query){
        .from = TAPING_NOW + 17, .to = TAPING_NOW + 2000, .reverse = true, .limit = TICKS};
    assert_int_equal(forecast_ticks(&f->depot, &query), 2000 - 17);
    query.to = query.from;
    assert_int_equal(forecast_ticks(&f->depot, &query), 0);
}

static void what_must_be_read_to_be_counted_is_not_known(void **state)
{
    struct fixture *f = *state;
    const char *symbol = "#7";
    const struct tdk_type_filter type = {.type = TDK_TYPE_OPAQUE};
    const struct tdk_query by_symbol = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
    const struct tdk_query by_type = {.to = UINT64_MAX, .types = &type, .type_count = 1};
    const char *words[] = {"line"};
    const struct option_list types = {.items = words, .count = 1};
    assert_int_equal(forecast_ticks(&f->depot, &by_symbol), 0);
    assert_int_equal(forecast_ticks(&f->depot, &by_type), 0);
    f->depot.types = &types;
    assert_int_equal(forecast_ticks(&f->depot, &(const struct tdk_query){.to = UINT64_MAX}), 0);
}

static void bytes_go_by_those_so_far(void **state)
{
    (void)state;
    assert_int_equal(forecast_bytes(1000, 10, 800), 80000);
    assert_int_equal(forecast_bytes(1000, 1000, 80000), 80000);
    assert_int_equal(forecast_bytes(1000, 1200, 96000), 96000); /* more has come meanwhile */
    assert_int_equal(forecast_bytes(0, 10, 800), 0);
    assert_int_equal(forecast_bytes(1000, 0, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ticks_of_a_range_are_known_to_the_tick),
        TEST(what_must_be_read_to_be_counted_is_not_known),
        cmocka_unit_test(bytes_go_by_those_so_far),
    };
    return cmocka_run_group_tests_name("cli.forecast", tests, NULL, NULL);
}
