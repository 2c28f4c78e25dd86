#include "tests/support/check.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/digits.h"
#include "base/text_buffer.h"
#include "base/utf8.h"

static void expect(struct text_buffer *text, const char *wanted)
{
    assert_int_equal(text_error(text), 0);
    text_add_char(text, '\0');
    assert_string_equal(text->bytes, wanted);
    text_clear(text);
}

static void digits_are_those_of_printf(void **state)
{
    (void)state;
    struct text_buffer text;
    char wanted[64];
    text_init(&text);
    uint64_t values[200] = {0, 1, 9, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1};
    size_t count = 6;
    for (uint64_t power = 10; count < 190; power *= 10) {
        values[count++] = power - 1;
        values[count++] = power;
        values[count++] = power + 1;
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(wanted, sizeof wanted, "%ju", (uintmax_t)values[i]);
        text_add_u64(&text, values[i]);
        expect(&text, wanted);
        snprintf(wanted, sizeof wanted, "%jd", (intmax_t)values[i]);
        text_add_i64(&text, (int64_t)values[i]);
        expect(&text, wanted);
    }
    text_close(&text);
}

static void decimals_have_nine_places_or_as_few_as_are_exact(void **state)
{
    (void)state;
    const struct {
        int64_t value;
        const char *nano, *brief;
    } cases[] = {
        {3720250000000, "3720.250000000", "3720.25"},
        {-100000, "-0.000100000", "-0.0001"},
        {0, "0.000000000", "0"},
        {1, "0.000000001", "0.000000001"},
        {-1, "-0.000000001", "-0.000000001"},
        {50000000000000, "50000.000000000", "50000"},
        {INT64_MAX, "9223372036.854775807", "9223372036.854775807"},
        {INT64_MIN, "-9223372036.854775808", "-9223372036.854775808"},
    };
    struct text_buffer text;
    text_init(&text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *at = text_reserve(&text, DIGITS_MAX);
        text_wrote(&text, digits_nano(at, cases[i].value));
        expect(&text, cases[i].nano);
        text_add_short(&text, cases[i].value);
        expect(&text, cases[i].brief);
    }
    text_add_short_u64(&text, UINT64_MAX);
    expect(&text, "18446744073.709551615");
    text_close(&text);
}

static void times_are_those_of_the_calendar(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    text_add_time(&text, 1609160400099150057);
    expect(&text, "2020-12-28T13:00:00.099150057Z");
    text_add_time(&text, UINT64_MAX);
    expect(&text, "2554-07-21T23:34:33.709551615Z");
    for (uint64_t second = 0; second < 18446744073; second += 86399 * 3 + 7) {
        char wanted[64], date[40];
        time_t t = (time_t)second;
        struct tm tm;
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
        snprintf(wanted, sizeof wanted, "%s.000000007Z", date);
        text_add_time(&text, second * 1000000000 + 7);
        expect(&text, wanted);
    }
    text_close(&text);
}

static void json_strings_are_escaped_and_always_utf8(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    text_add_json(&text, "a\"b\\c\n\t\x01", 8);
    expect(&text, "\"a\\\"b\\\\c\\n\\t\\u0001\"");
    text_add_json(&text, "\0", 1);
    expect(&text, "\"\\u0000\"");
    text_add_json(&text, "\xc3\xa4\xff\xe2\x82\xac\xe2\x82", 9 - 1);
    expect(&text, "\"\xc3\xa4\\ufffd\xe2\x82\xac\\ufffd\\ufffd\"");
    text_add_json(&text, "", 0);
    expect(&text, "\"\"");
    text_close(&text);
}

static void labels_are_escaped_and_always_utf8(void **state)
{
    struct text_buffer text;
    (void)state;
    text_init(&text);
    text_add_label(&text, "a\"b\\c\nd");
    expect(&text, "\"a\\\"b\\\\c\\nd\"");
    text_add_label(&text, "\xc3\xa4\xff\xe2\x82");
    expect(&text, "\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    text_add_label(&text, "");
    expect(&text, "\"\"");
    text_close(&text);
}

static void csv_fields_are_quoted_where_they_have_to_be(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    text_add_csv(&text, "plain text", 10);
    expect(&text, "plain text");
    text_add_csv(&text, "a,b", 3);
    expect(&text, "\"a,b\"");
    text_add_csv(&text, "say \"so\"\n", 9);
    expect(&text, "\"say \"\"so\"\"\n\"");
    text_close(&text);
}

static void base64_is_that_of_the_rfc(void **state)
{
    (void)state;
    const char *wanted[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    struct text_buffer text;
    text_init(&text);
    for (size_t size = 0; size <= 6; size++) {
        text_add_base64(&text, "foobar", size);
        expect(&text, wanted[size]);
    }
    text_add_base64(&text, "\xff\xfe\xfd", 3);
    expect(&text, "//79");
    text_close(&text);
}

static void utf8_ends_at_the_first_byte_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(utf8_span("0123456789abcdef", 16), 16);
    assert_int_equal(utf8_span("0123456789abc\xff", 14), 13);
    assert_int_equal(utf8_span("\xf0\x9f\x98\x80", 4), 4);
    assert_int_equal(utf8_span("\xf0\x9f\x98\x80", 3), 0); /* cut */
    assert_int_equal(utf8_span("\xc0\x80", 2), 0);         /* overlong */
    assert_int_equal(utf8_span("\xe0\x9f\xbf", 3), 0);     /* overlong */
    assert_int_equal(utf8_span("\xed\xa0\x80", 3), 0);     /* a surrogate */
    assert_int_equal(utf8_span("\xf4\x90\x80\x80", 4), 0); /* beyond the last */
    assert_int_equal(utf8_span("\xf4\x8f\xbf\xbf", 4), 4);
    assert_int_equal(utf8_span("a\x80", 2), 1);
}

static void a_buffer_grows_and_keeps_what_is_in_it(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    for (unsigned i = 0; i < 100000; i++)
        text_add_format(&text, "%05u", i);
    assert_int_equal(text_error(&text), 0);
    assert_int_equal(text.size, 500000);
    assert_memory_equal(text.bytes + 12345 * 5, "12345", 5);
    text_close(&text);
}

static void a_buffer_without_memory_says_so_and_takes_no_more(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    text_add_string(&text, "before");
    assert_null(text_reserve(&text, SIZE_MAX / 2));
    text_add_string(&text, "after");
    text_add_u64(&text, 1);
    assert_int_equal(text_error(&text), -ENOMEM);
    assert_int_equal(text.size, 6);
    text_close(&text);
}

static void a_buffer_that_is_cleared_is_good_again(void **state)
{
    (void)state;
    struct text_buffer text;
    text_init(&text);
    assert_null(text_reserve(&text, SIZE_MAX / 2));
    text_clear(&text);
    expect(&text, "");
    text_add_string(&text, "before");
    assert_null(text_reserve(&text, SIZE_MAX / 2));
    text_clear(&text);
    text_add_string(&text, "behind");
    expect(&text, "behind");
    text_close(&text);
}

static void what_is_missing_in_a_part_is_missing_in_the_whole(void **state)
{
    (void)state;
    struct text_buffer whole, part;
    text_init(&whole);
    text_init(&part);
    text_add_buffer(&whole, &part);
    text_add_string(&part, "part");
    text_add_buffer(&whole, &part);
    expect(&whole, "part");
    assert_null(text_reserve(&part, SIZE_MAX / 2));
    text_add_buffer(&whole, &part);
    assert_int_equal(text_error(&whole), -ENOMEM);
    text_close(&whole);
    text_close(&part);
}

static void digits_are_read_to_the_end_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t value;
    } good[] = {{"0", 0}, {"7", 7}, {"00042", 42}, {"4294967295", UINT32_MAX}};
    static const char *const bad[] = {"", "x", "1x", " 1", "+1", "-1", "4294967296", "99999999999"};
    uint32_t value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(digits_read_u32(good[i].text, strlen(good[i].text), &value));
        assert_int_equal(value, good[i].value);
    }
    value = 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(digits_read_u32(bad[i], strlen(bad[i]), &value));
    assert_int_equal(value, 1);
    assert_true(digits_read_u32("12345", 3, &value));
    assert_int_equal(value, 123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_those_of_printf),
        cmocka_unit_test(digits_are_read_to_the_end_or_not_at_all),
        cmocka_unit_test(decimals_have_nine_places_or_as_few_as_are_exact),
        cmocka_unit_test(times_are_those_of_the_calendar),
        cmocka_unit_test(json_strings_are_escaped_and_always_utf8),
        cmocka_unit_test(labels_are_escaped_and_always_utf8),
        cmocka_unit_test(csv_fields_are_quoted_where_they_have_to_be),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(utf8_ends_at_the_first_byte_that_is_none),
        cmocka_unit_test(a_buffer_grows_and_keeps_what_is_in_it),
        cmocka_unit_test(a_buffer_without_memory_says_so_and_takes_no_more),
        cmocka_unit_test(a_buffer_that_is_cleared_is_good_again),
        cmocka_unit_test(what_is_missing_in_a_part_is_missing_in_the_whole),
    };
    return cmocka_run_group_tests_name("base.text_buffer", tests, NULL, NULL);
}
