#include "tests/support/check.h"

#include <string.h>

#include "formats/lines.h"

static void the_payload_is_what_follows_the_first_space(void **state)
{
    (void)state;
    const struct {
        const char *line;
        uint64_t ts;
        const char *payload;
    } cases[] = {
        {"1 a", 1, "a"},
        {"1723161256172216566 {\"e\": 1} x", 1723161256172216566, "{\"e\": 1} x"},
        {"5 ", 5, ""},
        {"5  two spaces", 5, " two spaces"},
        {"0 \r", 0, "\r"},
        {"18446744073709551615 end", UINT64_MAX, "end"},
        {"0000000000000000000000007 zeros", 7, "zeros"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ts;
        const char *payload;
        size_t size;
        assert_int_equal(
            lines_decode(cases[i].line, strlen(cases[i].line), &ts, &payload, &size, NULL), 0);
        assert_int_equal(ts, cases[i].ts);
        assert_int_equal(size, strlen(cases[i].payload));
        assert_memory_equal(payload, cases[i].payload, size);
    }
}

static void a_line_without_time_or_space_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"hello", "does not begin with a time in ns"},
        {" 1 a", "does not begin with a time in ns"},
        {"-1 a", "does not begin with a time in ns"},
        {"", "does not begin with a time in ns"},
        {"123", "no space after the time in ns"},
        {"1.5 a", "no space after the time in ns"},
        {"1\ta", "no space after the time in ns"},
        {"18446744073709551616 a", "the time is beyond 2^64-1 ns"},
        {"99999999999999999999999999 a", "the time is beyond 2^64-1 ns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ts;
        const char *payload;
        size_t size;
        struct tdk_err err;
        assert_int_equal(
            lines_decode(cases[i].line, strlen(cases[i].line), &ts, &payload, &size, &err),
            TDK_EVALUE);
        assert_string_equal(err.text, cases[i].why);
    }
}

static void a_payload_may_have_any_bytes(void **state)
{
    (void)state;
    static const char line[] = "42 a\0b \xff";
    uint64_t ts;
    const char *payload;
    size_t size;
    assert_int_equal(lines_decode(line, sizeof line - 1, &ts, &payload, &size, NULL), 0);
    assert_int_equal(ts, 42);
    assert_int_equal(size, 5);
    assert_memory_equal(payload, line + 3, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_is_what_follows_the_first_space),
        cmocka_unit_test(a_line_without_time_or_space_is_malformed),
        cmocka_unit_test(a_payload_may_have_any_bytes),
    };
    return cmocka_run_group_tests_name("formats.lines", tests, NULL, NULL);
}
