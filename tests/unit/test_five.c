#include "tests/support/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "formats/five.h"
#include "formats/five_names.h"

#define LINE(timestamp, price, volume)                                                             \
    "{\"symbol\":\"BTC-USD\",\"timestamp\":" timestamp ",\"price\":" price ",\"volume\":" volume   \
    ",\"message_type\":\"trade\"}"

static int setup(void **state)
{
    struct five_decoder *decoder;
    assert_int_equal(five_decoder_open(&decoder), 0);
    *state = decoder;
    return 0;
}

static int teardown(void **state)
{
    five_decoder_close(*state);
    return 0;
}

static void the_example_of_the_contract_is_read_exactly(void **state)
{
    const char *line = LINE("1690000000.123456789", "50000.5", "1.5");
    struct five_tick tick;
    assert_int_equal(five_decode(*state, line, strlen(line), &tick, NULL), 0);
    assert_int_equal(tick.ts, 1690000000123456789);
    assert_int_equal(tick.price, 50000500000000);
    assert_int_equal(tick.volume, 1500000000);
    assert_int_equal(tick.symbol_size, 7);
    assert_memory_equal(tick.symbol, "BTC-USD", 7);
    assert_memory_equal(tick.message_type, "trade", 5);
}

static void decimals_are_exact_up_to_their_limits(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int rc;
        uint64_t units;
        bool negative;
    } cases[] = {
        {"0", 0, 0, false},
        {"-0", 0, 0, true},
        {"-0.0", 0, 0, true},
        {"1", 0, 1000000000, false},
        {"0.1", 0, 100000000, false},
        {"0.000000001", 0, 1, false},
        {"0.0000000010000", 0, 1, false},
        {"0.0000000001", -EDOM, 0, false},
        {"0.1234567891", -EDOM, 0, false},
        {"18446744073.709551615", 0, UINT64_MAX, false},
        {"18446744073.709551616", -ERANGE, 0, false},
        {"18446744073.7095516150000000000000", 0, UINT64_MAX, false},
        {"18446744074", -ERANGE, 0, false},
        {"-9223372036.854775806", 0, INT64_MAX - 1, true},
        {"1e3", 0, 1000000000000, false},
        {"1E+3", 0, 1000000000000, false},
        {"1.5e-3", 0, 1500000, false},
        {"1.5e-9", -EDOM, 0, false},
        {"15e-10", -EDOM, 0, false},
        {"10e-10", 0, 1, false},
        {"1e-9", 0, 1, false},
        {"1e10", 0, UINT64_C(10000000000000000000), false},
        {"1e11", -ERANGE, 0, false},
        {"0e999999999999", 0, 0, false},
        {"1e999999999999", -ERANGE, 0, false},
        {"1e-999999999999", -EDOM, 0, false},
        {"0.00e-999999999999", 0, 0, false},
        {"0.0000000000000000001e10", 0, 1, false},
        {"0.0000000000000000001e9", -EDOM, 0, false},
        {"0.00000000000000001e8", 0, 1, false},
        {"100000000000000000000e-20", 0, 1000000000, false},
        {"", TDK_EVALUE, 0, false},
        {"-", TDK_EVALUE, 0, false},
        {"+1", TDK_EVALUE, 0, false},
        {"01", TDK_EVALUE, 0, false},
        {"1.", TDK_EVALUE, 0, false},
        {".5", TDK_EVALUE, 0, false},
        {"1e", TDK_EVALUE, 0, false},
        {"1e+", TDK_EVALUE, 0, false},
        {"1 ", TDK_EVALUE, 0, false},
        {"0x10", TDK_EVALUE, 0, false},
        {"NaN", TDK_EVALUE, 0, false},
        {"Infinity", TDK_EVALUE, 0, false},
        {"1.5e1.5", TDK_EVALUE, 0, false},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        uint64_t units = 0;
        bool negative = false;
        int rc = five_decimal(cases[i].text, strlen(cases[i].text), &units, &negative);
        if (rc != cases[i].rc)
            print_message("%s\n", cases[i].text);
        assert_int_equal(rc, cases[i].rc);
        if (rc != 0)
            continue;
        assert_int_equal(units, cases[i].units);
        assert_int_equal(negative, cases[i].negative);
    }
}

/* With an exponent that changes nothing, a number is read the long way. */
static void numbers_are_the_same_by_the_short_and_the_long_way(void **state)
{
    (void)state;
    static const char *const numbers[] = {
        "0",  "-0", "0.0", "1",     "12345678901234567890",  "9999999999999999999",
        "01", "1.", ".5",  "1.5",   "-1.000000001",          "9999999999.999999999",
        "-",  "",   "1x",  "1.0.0", "18446744073.709551615", "1.0000000000",
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        for (unsigned places = 0; places <= 9; places++) {
            char with_exponent[64];
            uint64_t units[2] = {0, 0};
            bool negative[2] = {false, false};
            snprintf(with_exponent, sizeof with_exponent, "%se0", numbers[i]);
            int rc =
                five_decimal_in(numbers[i], strlen(numbers[i]), places, &units[0], &negative[0]);
            assert_int_equal(five_decimal_in(with_exponent, strlen(with_exponent), places,
                                             &units[1], &negative[1]),
                             rc);
            assert_int_equal(units[0], units[1]);
            assert_int_equal(negative[0], negative[1]);
        }
}

static void the_limits_of_each_field_are_its_own(void **state)
{
    const struct {
        const char *line, *why; /* NULL: good */
    } cases[] = {
        {LINE("0", "9223372036.854775806", "0"), NULL},
        {LINE("0", "-9223372036.854775806", "0"), NULL},
        {LINE("0", "9223372036.854775807", "0"), "\"price\": 9223372036.854775807 is too large"},
        {LINE("0", "-9223372036.854775807", "0"), "\"price\": -9223372036.854775807 is too large"},
        {LINE("0", "1", "18446744073.709551614"), NULL},
        {LINE("0", "1", "18446744073.709551615"), "\"volume\": 18446744073.709551615 is too large"},
        {LINE("0", "1", "-1"), "\"volume\" is negative"},
        {LINE("0", "1", "-0.0"), NULL},
        {LINE("-1", "1", "1"), "\"timestamp\" is negative"},
        {LINE("1.0000000001", "1", "1"), "\"timestamp\": 1.0000000001 has more than nine places"},
        {LINE("1", "1.00000000000", "1"), NULL},
        {LINE("1e9", "1.5E2", "25e-1"), NULL},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        struct five_tick tick;
        struct tdk_err err = {0};
        int rc = five_decode(*state, cases[i].line, strlen(cases[i].line), &tick, &err);
        assert_int_equal(rc, cases[i].why == NULL ? 0 : TDK_EVALUE);
        assert_string_equal(err.text, cases[i].why == NULL ? "" : cases[i].why);
    }
}

/* A library's saturation must not turn a bad value into a good one. */
static void integers_beyond_64_bits_are_refused(void **state)
{
    static const char *const lines[] = {
        LINE("99999999999999999999999999", "1", "1"), LINE("18446744073709551616", "1", "1"),
        LINE("1", "99999999999999999999999999", "1"), LINE("1", "-99999999999999999999999999", "1"),
        LINE("1", "9223372036854775808", "1"),        LINE("1", "1", "18446744073709551615"),
        LINE("1", "1", "18446744073709551616"),
    };
    for (size_t i = 0; i < array_size(lines); i++) {
        struct five_tick tick;
        assert_int_equal(five_decode(*state, lines[i], strlen(lines[i]), &tick, NULL), TDK_EVALUE);
    }
}

static void a_malformed_line_is_named(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "nonsense",
        "[1,2]",
        "17",
        "\"text\"",
        "{}",
        "{\"symbol\":\"A\"}",
        "{\"symbol\":\"A\",\"timestamp\":1,\"price\":1,\"volume\":1}",
        "{\"symbol\":1,\"timestamp\":1,\"price\":1,\"volume\":1,\"message_type\":\"t\"}",
        "{\"symbol\":null,\"timestamp\":1,\"price\":1,\"volume\":1,\"message_type\":\"t\"}",
        "{\"symbol\":\"A\",\"timestamp\":\"1\",\"price\":1,\"volume\":1,\"message_type\":\"t\"}",
        "{\"symbol\":\"A\",\"timestamp\":1,\"price\":\"1\",\"volume\":1,\"message_type\":\"t\"}",
        "{\"symbol\":\"A\",\"timestamp\":1,\"price\":null,\"volume\":1,\"message_type\":\"t\"}",
        "{\"symbol\":\"A\",\"timestamp\":1,\"price\":true,\"volume\":1,\"message_type\":\"t\"}",
        "{'symbol':'A','timestamp':1,'price':1,'volume':1,'message_type':'t'}",
        LINE("NaN", "1", "1"),
        LINE("1", "NaN", "1"),
        LINE("1", "Infinity", "1"),
        LINE("1", "-Infinity", "1"),
        LINE("1", "nan", "1"),
        LINE("1", "1.", "1"),
        LINE("1", ".5", "1"),
        LINE("1", "+1", "1"),
        LINE("1", "01", "1"),
        LINE("1", "0x1", "1"),
        LINE("1", "1", "00"),
        LINE("00", "1", "1"),
        LINE("1", "-01", "1"),
        LINE("1", "1", "-00"),
        LINE("1", "1", "1,\"other\":00"),
        LINE("1", "1", "1,\"other\":[1,-.5]"),
        LINE("1", "1", "1,\"other\":{\"x\":1.}"),
        LINE("1", "1", "1,\"other\":NaN"),
        LINE("1", "1", "1,\"other\":-Infinity"),
        LINE("1", "1", "1,\"other\":\"\t\""),
        LINE("1", "1", "1,'other':1"),
        LINE("1", "1", "1") "x",
        LINE("1", "1", "1") LINE("1", "1", "1"),
        LINE("1", "1", "1") " // comment",
        "{\"symbol\":\"A\\u0000B\",\"timestamp\":1,\"price\":1,\"volume\":1,\"message_type\":"
        "\"t\"}",
        "{\"symbol\":\"\xff\",\"timestamp\":1,\"price\":1,\"volume\":1,\"message_type\":\"t\"}",
        "{\"symbol\":\"0123456789012345678901234567890123456789012345678901234567890123456789__\","
        "\"timestamp\":1,\"price\":1,\"volume\":1,\"message_type\":\"t\"}",
    };
    for (size_t i = 0; i < array_size(lines); i++) {
        struct five_tick tick;
        struct tdk_err err = {0};
        int rc = five_decode(*state, lines[i], strlen(lines[i]), &tick, &err);
        if (rc != TDK_EVALUE)
            print_message("%s\n", lines[i]);
        assert_int_equal(rc, TDK_EVALUE);
        assert_true(strlen(err.text) > 0);
    }
    /* A good line is still read after all that. */
    struct five_tick tick;
    const char *line = " " LINE("1", "2", "3") " \r";
    assert_int_equal(five_decode(*state, line, strlen(line), &tick, NULL), 0);
    assert_int_equal(tick.price, 2000000000);
    line =
        LINE("1", "2", "3 ,\n\"other\":[-0, 1.5E+7,true,\"00 \\\"01'\\\\\",null , {\"1.\":\"\"}]");
    assert_int_equal(five_decode(*state, line, strlen(line), &tick, NULL), 0);
    assert_int_equal(tick.volume, 3000000000);
}

static void keys_besides_the_five_are_passed_over_in_any_order(void **state)
{
    const char *line =
        "{\"id\":[1,{\"x\":2}], \"message_type\":\"quote\",\"volume\":0.25, \"price\":-1,"
        "\"timestamp\" : 7,\"symbol\":\"\xc3\x84\\u00e4\\\"\"}";
    struct five_tick tick;
    assert_int_equal(five_decode(*state, line, strlen(line), &tick, NULL), 0);
    assert_int_equal(tick.price, -1000000000);
    assert_int_equal(tick.volume, 250000000);
    assert_int_equal(tick.symbol_size, 5);
    assert_memory_equal(tick.symbol, "\xc3\x84\xc3\xa4\"", 5);
    assert_memory_equal(tick.message_type, "quote", 5);
}

static void what_is_encoded_is_decoded_to_the_same(void **state)
{
    static const struct five_tick cases[] = {
        {"BTC-USD", "trade", 7, 5, 1690000000123456789, 50000500000000, 1500000000},
        {"S", "", 1, 0, 0, 0, 0},
        {"\"\\\n", "\xe2\x82\xac", 3, 3, UINT64_MAX - 1, INT64_MAX - 1, UINT64_MAX - 1},
        {"X", "t", 1, 1, 1, -(INT64_MAX - 1), 1},
        {"X", "t", 1, 1, 1000000000, -1, 10},
    };
    struct text_buffer text;
    text_init(&text);
    for (size_t i = 0; i < array_size(cases); i++) {
        struct five_tick tick;
        text_clear(&text);
        five_encode(&text, &cases[i]);
        assert_int_equal(five_decode(*state, text.bytes, text.size - 1, &tick, NULL), 0);
        assert_int_equal(tick.ts, cases[i].ts);
        assert_int_equal(tick.price, cases[i].price);
        assert_int_equal(tick.volume, cases[i].volume);
        assert_int_equal(tick.symbol_size, cases[i].symbol_size);
        assert_memory_equal(tick.symbol, cases[i].symbol, tick.symbol_size);
        assert_int_equal(tick.message_type_size, cases[i].message_type_size);
    }
    text_clear(&text);
    five_encode(&text, &cases[0]);
    text_add_char(&text, '\0');
    assert_string_equal(text.bytes, LINE("1690000000.123456789", "50000.5", "1.5") "\n");
    text_close(&text);
}

static void names_are_numbered_alike_in_every_file(void **state)
{
    (void)state;
    struct five_names *a, *b;
    uint32_t first, second;
    uint16_t kind;
    assert_int_equal(five_names_open(&a), 0);
    assert_int_equal(five_names_open(&b), 0);
    assert_int_equal(five_names_symbol(a, "BTC-USD", 7, &first), 1);
    assert_int_equal(five_names_symbol(b, "other", 5, &second), 1);
    assert_int_equal(five_names_symbol(b, "BTC-USD", 7, &second), 1);
    assert_int_equal(first, second);
    assert_int_equal(five_names_symbol(b, "BTC-USD", 7, &second), 0);
    assert_int_equal(five_names_kind(a, "trade", 5, &kind), 0);
    assert_int_equal(kind, 0);
    assert_int_equal(five_names_kind(a, "quote", 5, &kind), 1);
    assert_true(kind > 0);
    five_names_close(a);
    five_names_close(b);
    five_names_close(NULL);
}

static int compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void many_names_have_numbers_of_their_own(void **state)
{
    (void)state;
    enum { COUNT = 300000 }; /* n^2 / 2^33 is ten: enough for collisions in 32 bits */
    struct five_names *names;
    uint32_t *ids = calloc(COUNT, sizeof *ids), id;
    char name[16];
    assert_non_null(ids);
    assert_int_equal(five_names_open(&names), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "S%06u", i);
        assert_int_equal(five_names_symbol(names, name, size, &ids[i]), 1);
        assert_int_not_equal(ids[i], 0);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "S%06u", i);
        assert_int_equal(five_names_symbol(names, name, size, &id), 0);
        assert_int_equal(id, ids[i]);
    }
    qsort(ids, COUNT, sizeof *ids, compare_ids);
    for (uint32_t i = 1; i < COUNT; i++)
        assert_int_not_equal(ids[i - 1], ids[i]);
    five_names_close(names);
    free(ids);
}

static void there_is_an_end_to_the_kinds(void **state)
{
    (void)state;
    struct five_names *names;
    char name[16];
    uint16_t kind;
    static bool used[65536];
    assert_int_equal(five_names_open(&names), 0);
    for (uint32_t i = 0; i < FIVE_KINDS_MAX; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "K%u", i);
        assert_int_equal(five_names_kind(names, name, size, &kind), 1);
        assert_false(used[kind]);
        used[kind] = true;
    }
    assert_int_equal(five_names_kind(names, "one more", 8, &kind), TDK_EFULL);
    assert_int_equal(five_names_kind(names, "K0", 2, &kind), 0);
    five_names_close(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_example_of_the_contract_is_read_exactly, setup,
                                        teardown),
        cmocka_unit_test(decimals_are_exact_up_to_their_limits),
        cmocka_unit_test(numbers_are_the_same_by_the_short_and_the_long_way),
        cmocka_unit_test_setup_teardown(the_limits_of_each_field_are_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(integers_beyond_64_bits_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_line_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_besides_the_five_are_passed_over_in_any_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_encoded_is_decoded_to_the_same, setup, teardown),
        cmocka_unit_test(names_are_numbered_alike_in_every_file),
        cmocka_unit_test(many_names_have_numbers_of_their_own),
        cmocka_unit_test(there_is_an_end_to_the_kinds),
    };
    return cmocka_run_group_tests_name("formats.five", tests, NULL, NULL);
}
