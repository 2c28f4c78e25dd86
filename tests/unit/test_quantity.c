#include "base/quantity.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tests/support/check.h"

#define MAX UINT64_MAX

static void sizes_are_powers_of_1024_and_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"64K", 65536},
        {"1M", 1 << 20},
        {"2G", UINT64_C(2) << 30},
        {"1.5G", UINT64_C(3) << 29},
        {"3T", UINT64_C(3) << 40},
        {"512", 512},
        {"64k", 65536},
        {"18446744073709551615", MAX},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        uint64_t bytes = 7;
        assert_int_equal(quantity_size(cases[i].text, &bytes, NULL), 0);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void what_is_not_wholly_a_size_is_refused_and_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",    "K",         "-1",  "1 K",           "1KB",
        "1.K", "0x10",      "+1",  "1e3",           "18446744073709551616",
        "1..", "16777216T", "0.1", "1.0000000001K", "64K "};
    for (size_t i = 0; i < array_size(wrong); i++) {
        struct tdk_err err;
        uint64_t bytes = 7;
        assert_int_equal(quantity_size(wrong[i], &bytes, &err), TDK_EVALUE);
        assert_non_null(strstr(err.text, wrong[i]));
        assert_int_equal(bytes, 7);
    }
}

static void durations_have_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"0", 0},
        {"250ms", 250 * NS_PER_MS},
        {"1s", NS_PER_S},
        {"5m", 300 * NS_PER_S},
        {"1h", 3600 * NS_PER_S},
        {"2d", 172800 * NS_PER_S},
        {"10us", 10000},
        {"7ns", 7},
        {"0.5s", 500 * NS_PER_MS},
        {"1.000000001s", NS_PER_S + 1},
    };
    static const char *const wrong[] = {"5",   "s",    "1 s",     "1.5ns",
                                        "-1s", "1sec", "213504d", "1m30s"};
    for (size_t i = 0; i < array_size(cases); i++) {
        uint64_t ns = 9;
        assert_int_equal(quantity_duration(cases[i].text, &ns, NULL), 0);
        assert_int_equal(ns, cases[i].ns);
    }
    for (size_t i = 0; i < array_size(wrong); i++) {
        uint64_t ns = 9;
        assert_int_equal(quantity_duration(wrong[i], &ns, NULL), TDK_EVALUE);
        assert_int_equal(ns, 9);
    }
}

static void counts_are_digits_only(void **state)
{
    (void)state;
    uint64_t count;
    assert_int_equal(quantity_count("18446744073709551615", &count, NULL), 0);
    assert_true(count == MAX);
    static const char *const wrong[] = {"", "1K", "-1", " 1", "1.0", "18446744073709551616"};
    for (size_t i = 0; i < array_size(wrong); i++)
        assert_int_equal(quantity_count(wrong[i], &count, NULL), TDK_EVALUE);
}

static void a_speed_is_exact_and_in_lowest_terms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct speed speed;
    } cases[] = {
        {"max", {SPEED_MAX, 0, 0}},
        {"1x", {SPEED_SCALED, 1, 1}},
        {"0.5x", {SPEED_SCALED, 1, 2}},
        {"10x", {SPEED_SCALED, 10, 1}},
        {"1.25x", {SPEED_SCALED, 5, 4}},
        {"0.000000001x", {SPEED_SCALED, 1, 1000000000}},
        {"1000/s", {SPEED_PER_SECOND, 1000, 1}},
    };
    static const char *const wrong[] = {"",    "x",     "1",    "0x",   "0/s",
                                        "-1x", "1.5/s", "1x/s", "fast", "0.0000000001x"};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct speed speed;
        char text[QUANTITY_TEXT];
        assert_int_equal(quantity_speed(cases[i].text, &speed, NULL), 0);
        assert_int_equal(speed.kind, cases[i].speed.kind);
        assert_int_equal(speed.numerator, cases[i].speed.numerator);
        assert_int_equal(speed.denominator, cases[i].speed.denominator);
        quantity_speed_text(text, &speed);
        struct speed again;
        assert_int_equal(quantity_speed(text, &again, NULL), 0);
    }
    for (size_t i = 0; i < array_size(wrong); i++) {
        struct speed speed;
        assert_int_equal(quantity_speed(wrong[i], &speed, NULL), TDK_EVALUE);
    }
}

/* However often a speed is halved or doubled. */
static void every_speed_can_be_written_and_read_back(void **state)
{
    static const char *const begins[] = {"max", "1x", "3x", "0.7x", "1000/s", "0.000000001x"};
    (void)state;
    for (size_t i = 0; i < array_size(begins); i++) {
        struct speed slow, fast, again;
        char text[QUANTITY_TEXT];
        assert_int_equal(quantity_speed(begins[i], &slow, NULL), 0);
        fast = slow;
        for (unsigned n = 0; n < 200; n++) {
            slow = speed_slower(slow);
            fast = speed_faster(fast);
            assert_int_equal(quantity_speed(quantity_speed_text(text, &slow), &again, NULL), 0);
            assert_int_equal(quantity_speed(quantity_speed_text(text, &fast), &again, NULL), 0);
        }
    }
}

static void a_rate_is_ticks_a_second_or_max(void **state)
{
    (void)state;
    uint64_t rate = 1;
    assert_int_equal(quantity_rate("max", &rate, NULL), 0);
    assert_int_equal(rate, 0);
    assert_int_equal(quantity_rate("1000", &rate, NULL), 0);
    assert_int_equal(rate, 1000);
    assert_int_equal(quantity_rate("25/s", &rate, NULL), 0);
    assert_int_equal(rate, 25);
    assert_int_equal(quantity_rate("0", &rate, NULL), TDK_EVALUE);
    assert_int_equal(quantity_rate("10/m", &rate, NULL), TDK_EVALUE);
}

/* Cut, not rounded: 1023.99K is never shown as 1M. */
static void text_never_says_more_than_there_is(void **state)
{
    (void)state;
    char text[QUANTITY_TEXT];
    assert_string_equal(quantity_size_text(text, 0), "0");
    assert_string_equal(quantity_size_text(text, 1023), "1023");
    assert_string_equal(quantity_size_text(text, 64 << 20), "64M");
    assert_string_equal(quantity_size_text(text, (1 << 20) - 1), "1023K");
    assert_string_equal(quantity_size_text(text, 3 << 19), "1.5M");
    assert_string_equal(quantity_size_text(text, MAX), "16777215T");
    assert_string_equal(quantity_count_text(text, 999), "999");
    assert_string_equal(quantity_count_text(text, 1999999), "1.99M");
    assert_string_equal(quantity_duration_text(text, 999), "999ns");
    assert_string_equal(quantity_duration_text(text, 1250000), "1.25ms");
    assert_string_equal(quantity_duration_text(text, 125 * 60 * NS_PER_S), "2h05m");
    assert_string_equal(quantity_duration_text(text, MAX), "213503d23h");
}

static void a_rate_never_overflows(void **state)
{
    (void)state;
    assert_int_equal(quantity_per_second(10, 0), 0);
    assert_int_equal(quantity_per_second(10, NS_PER_S), 10);
    assert_true(quantity_per_second(MAX, 1) == MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_powers_of_1024_and_exact),
        cmocka_unit_test(what_is_not_wholly_a_size_is_refused_and_named),
        cmocka_unit_test(durations_have_a_unit),
        cmocka_unit_test(counts_are_digits_only),
        cmocka_unit_test(a_speed_is_exact_and_in_lowest_terms),
        cmocka_unit_test(every_speed_can_be_written_and_read_back),
        cmocka_unit_test(a_rate_is_ticks_a_second_or_max),
        cmocka_unit_test(text_never_says_more_than_there_is),
        cmocka_unit_test(a_rate_never_overflows),
    };
    return cmocka_run_group_tests_name("base.quantity", tests, NULL, NULL);
}
