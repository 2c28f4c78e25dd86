#include "tests/support/check.h"

#include <string.h>

#include "base/moment.h"
#include "formats/csv.h"

static void fields_are_split_at_separators_outside_of_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int count;
        const char *second;
    } cases[] = {
        {"a,b,c", 3, "b"},
        {"a,", 2, ""},
        {"", 1, NULL},
        {"a,\"b,b\",c", 3, "b,b"},
        {"a,\"\"\"b\"\"\"", 2, "\"b\""},
        {"a,\"\"", 2, ""},
        {"a,b\"b", 2, "b\"b"},
        {"a,\"b", -1, NULL},
        {"a,\"b\"c", -1, NULL},
        {"\"", -1, NULL},
        {"a,\"b\"\"", -1, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csv_field fields[4];
        char value[32];
        assert_int_equal(csv_split(cases[i].line, strlen(cases[i].line), ',', fields, 4),
                         cases[i].count);
        if (cases[i].second == NULL)
            continue;
        assert_int_equal(csv_value(&fields[1], value), strlen(cases[i].second));
        assert_memory_equal(value, cases[i].second, strlen(cases[i].second));
    }
}

static void a_map_is_checked_word_by_word(void **state)
{
    (void)state;
    static const struct {
        const char *map, *why;
    } cases[] = {
        {"tardis-trades", NULL},
        {"tardis-trades,id=id", NULL},
        {"lean-quotes", NULL},
        {"ts=a:ms,price=b", NULL},
        {"price=b", "no column has the time"},
        {"ts=a:min", "not a unit of time"},
        {"ts=a,price=b,bid_px=c", "not both"},
        {"ts=#1,price=b", "not both"},
        {"ts=#0", "not a column"},
        {"ts=#1025", "not a column"},
        {"ts=", "names no column"},
        {"nonsense", "neither WHAT=COLUMN"},
        {"prize=b", "is not ts"},
        {"", "neither WHAT=COLUMN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csv_map map;
        struct tdk_err err = {.code = 0};
        int rc = csv_map_parse(&map, cases[i].map, &err);
        csv_map_close(&map);
        assert_int_equal(rc, cases[i].why == NULL ? 0 : TDK_EVALUE);
        if (cases[i].why != NULL)
            assert_non_null(strstr(err.text, cases[i].why));
    }
}

/* Read one line by the map ts=#1:UNIT,price=#2,size=#3,side=#4. */
static int read_bytes(const char *map_text, struct csv_context *context, const char *line,
                      size_t size, struct csv_tick *tick, struct tdk_err *err)
{
    struct csv_map map;
    struct csv_field fields[16];
    assert_int_equal(csv_map_parse(&map, map_text, err), 0);
    int count = csv_split(line, size, ',', fields, 16);
    int rc = csv_read(&map, context, fields, count, tick, err);
    csv_map_close(&map);
    return rc;
}

static int read_line(const char *map, struct csv_context *context, const char *line,
                     struct csv_tick *tick, struct tdk_err *err)
{
    return read_bytes(map, context, line, strlen(line), tick, err);
}

static void times_are_exact_in_every_unit(void **state)
{
    (void)state;
    static const struct {
        const char *map, *line;
        uint64_t midnight, ts; /* ts 0: refused */
    } cases[] = {
        {"ts=#1:ns", "1598918403810979123", 0, 1598918403810979123},
        {"ts=#1:us", "1598918403810979", 0, 1598918403810979000},
        {"ts=#1:us", "1598918403810979.25", 0, 1598918403810979250},
        {"ts=#1:us", "1.0001", 0, 0},
        {"ts=#1:ms", "43.142", 1000, 43143000},
        {"ts=#1:s", "1618677817.0618958", 0, 1618677817061895800},
        {"ts=#1:text", "2026-11-20T09:30:00.5Z", 0, 1795167000500000000},
        {"ts=#1:text", "2026-11-20T09:30:00", 0, 0},
        {"ts=#1:text", "2026-11-20", 0, 1795132800000000000},
        {"ts=#1:text", "now", 0, 0},
        {"ts=#1:text", "20261120", 0, 0}, /* a number is in no unit here */
        {"ts=#1:text", "1795167000", 0, 0},
        {"ts=#1:ns", "-1", 0, 0},
        {"ts=#1:s", "18446744074", 0, 0},
        {"ts=#1:ns", "", 0, 0},
        {"ts=#1:ns", "1598918403810979123x", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csv_tick tick;
        struct tdk_err err;
        struct csv_context context = {.midnight = cases[i].midnight};
        int rc = read_line(cases[i].map, &context, cases[i].line, &tick, &err);
        assert_int_equal(rc, cases[i].ts == 0 ? TDK_EVALUE : 0);
        if (rc == 0)
            assert_int_equal(tick.ts, cases[i].ts);
    }
}

/* In Berlin 02:30 comes twice on 2026-10-25, and not at all on 2026-03-29. */
static void a_zone_is_asked_again_where_its_clock_may_change(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t ts; /* 0: refused */
    } cases[] = {
        {"2026-10-25T01:59:59.5", 1792886399500000000},
        {"2026-10-25T02:30:00", 0},
        {"2026-10-25T03:00:00", 1792893600000000000},
        {"2026-10-25T03:00:59.000000001", 1792893659000000001},
        {"2026-03-29T01:59:59", 1774745999000000000},
        {"2026-03-29T02:30:00", 0},
        {"2026-03-29T03:00:00", 1774746000000000000},
        {"2026-03-29T03:00:00Z", 1774753200000000000},
        {"2026-03-29", 1774738800000000000},
        {"2026-03-30", 1774821600000000000},
    };
    struct csv_context context = {.zone = "Europe/Berlin"};
    struct tdk_err err;
    if (moment_check_zone(context.zone, &err) < 0)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csv_tick tick;
        int rc = read_line("ts=#1:text", &context, cases[i].line, &tick, &err);
        assert_int_equal(rc, cases[i].ts == 0 ? TDK_EVALUE : 0);
        if (rc == 0)
            assert_int_equal(tick.ts, cases[i].ts);
    }
}

static void what_is_empty_is_undefined_and_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char map[] = "ts=#1,price=#2,size=#3,side=#4,symbol=#5,id=#6";
    struct csv_context context = {.zone = NULL};
    struct csv_tick tick;
    struct tdk_err err;
    assert_int_equal(read_line(map, &context, "1,-0.000000001,,Sell,A,7", &tick, &err), 0);
    assert_int_equal(tick.price, -1);
    assert_int_equal(tick.size, UINT64_MAX);
    assert_int_equal(tick.side, 'A');
    assert_int_equal(tick.id, 7);
    assert_int_equal(read_line(map, &context, "1,,0.5,,A,", &tick, &err), 0);
    assert_int_equal(tick.price, INT64_MAX);
    assert_int_equal(tick.size, 500000000);
    assert_int_equal(tick.side, 'N');
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"1,1.0000000001,1,,A,", "price"},
        {"1,x,1,,A,", "price"},
        {"1,1,-1,,A,", "negative"},
        {"1,1,1,up,A,", "side"},
        {"1,1,1,,,", "symbol"},
        {"1,1,1,,A,-2", "id"},
        {"1,1,1", "column 5"},
        {"1,1e30,1,,A,", "too large"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_line(map, &context, bad[i].line, &tick, &err), TDK_EVALUE);
        assert_non_null(strstr(err.text, bad[i].why));
    }
}

static void a_nul_ends_no_value(void **state)
{
    (void)state;
    static const char map[] = "ts=#1:text,price=#2,size=#3,side=#4,symbol=#5";
    static const char time[] = "2024-01-01T00:00:00Z\0junk,1,1,buy,A",
                      side[] = "2024-01-01T00:00:00Z,1,1,buy\0,A",
                      symbol[] = "2024-01-01T00:00:00Z,1,1,buy,A\0B";
    struct csv_context context = {.zone = NULL};
    struct csv_tick tick;
    struct tdk_err err;
    assert_int_equal(read_bytes(map, &context, time, sizeof time - 1, &tick, &err), TDK_EVALUE);
    assert_string_equal(err.text, "ts: has a NUL in it");
    assert_int_equal(read_bytes(map, &context, side, sizeof side - 1, &tick, &err), TDK_EVALUE);
    assert_string_equal(err.text, "side: has a NUL in it");
    assert_int_equal(read_bytes(map, &context, symbol, sizeof symbol - 1, &tick, &err), TDK_EVALUE);
    assert_string_equal(err.text, "symbol: has a NUL in it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_split_at_separators_outside_of_quotes),
        cmocka_unit_test(a_map_is_checked_word_by_word),
        cmocka_unit_test(times_are_exact_in_every_unit),
        cmocka_unit_test(a_zone_is_asked_again_where_its_clock_may_change),
        cmocka_unit_test(what_is_empty_is_undefined_and_what_is_wrong_is_named),
        cmocka_unit_test(a_nul_ends_no_value),
    };
    return cmocka_run_group_tests_name("formats.csv", tests, NULL, NULL);
}
