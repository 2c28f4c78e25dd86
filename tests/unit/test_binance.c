#include "tests/support/check.h"

#include <string.h>

#include "formats/binance.h"

static int setup(void **state)
{
    struct binance_decoder *decoder;
    int rc = binance_open(&decoder);
    *state = decoder;
    return rc;
}

static int teardown(void **state)
{
    binance_close(*state);
    return 0;
}

static int decode(void **state, const char *message, struct binance_tick *tick, struct tdk_err *err)
{
    return binance_decode(*state, message, strlen(message), tick, err);
}

static void a_trade_is_read_to_its_last_digit(void **state)
{
    static const char *const messages[] = {
        "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1723161255343,"
        "\"s\":\"BTCUSDT\",\"t\":3735683259,\"p\":\"61837.63000001\",\"q\":\"0.020000003\","
        "\"T\":1723161255342,\"m\":true,\"M\":true}}",
        /* the same with blanks and without the wrapper: read the long way */
        "{ \"e\":\"trade\", \"E\":1723161255343, \"s\":\"BTC\\u0055SDT\", \"t\":3735683259, "
        "\"p\":\"61837.63000001\", \"q\":\"0.020000003\", \"T\":1723161255342, \"m\":true}",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct binance_tick tick;
        assert_int_equal(decode(state, messages[i], &tick, NULL), 0);
        assert_int_equal(tick.kind, BINANCE_TRADE);
        assert_int_equal(tick.symbol_size, 7);
        assert_memory_equal(tick.symbol, "BTCUSDT", 7);
        assert_int_equal(tick.price, 61837630000010);
        assert_int_equal(tick.size, 20000003);
        assert_int_equal(tick.id, 3735683259);
        assert_int_equal(tick.side, 'A'); /* the buyer was the maker */
        assert_int_equal(tick.ts_event, 1723161255342000000);
    }
}

static void a_spot_quote_has_no_time_of_its_own(void **state)
{
    struct binance_tick tick;
    assert_int_equal(decode(state,
                            "{\"u\":50093239212,\"s\":\"BTCUSDT\",\"b\":\"61837.63\","
                            "\"B\":\"3.78826\",\"a\":\"61837.64\",\"A\":\"1.5\"}",
                            &tick, NULL),
                     0);
    assert_int_equal(tick.kind, BINANCE_QUOTE);
    assert_int_equal(tick.bid_px, 61837630000000);
    assert_int_equal(tick.bid_sz, 3788260000);
    assert_int_equal(tick.ask_px, 61837640000000);
    assert_int_equal(tick.ask_sz, 1500000000);
    assert_int_equal(tick.ts_event, UINT64_MAX);
}

static void other_messages_are_others(void **state)
{
    static const char *const messages[] = {
        "{\"stream\":\"x@depth\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"b\":[[\"1\",\"2\"]]}}",
        "{\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}",
        "{\"result\":null,\"id\":1}",
        "[1,2]",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct binance_tick tick;
        assert_int_equal(decode(state, messages[i], &tick, NULL), 0);
        assert_int_equal(tick.kind, BINANCE_OTHER);
    }
}

static void what_is_missing_or_wrong_is_named(void **state)
{
    static const struct {
        const char *message, *why;
    } cases[] = {
        {"{\"e\":\"trade\",\"s\":\"X\",\"p\":\"1\",\"q\":\"1\"}", "\"t\""},
        {"{\"e\":\"trade\",\"s\":\"X\",\"t\":1,\"q\":\"1\"}", "\"p\""},
        {"{\"e\":\"trade\",\"s\":\"\",\"t\":1,\"p\":\"1\",\"q\":\"1\"}", "\"s\""},
        {"{\"e\":\"trade\",\"s\":\"X\",\"t\":1,\"p\":\"1.0000000001\",\"q\":\"1\"}", "nine places"},
        {"{\"e\":\"trade\",\"s\":\"X\",\"t\":1,\"p\":\"1\",\"q\":\"-1\"}", "negative"},
        /* One is read the long way, because it has an escape, and one the short way. */
        {"{\"e\":\"trade\",\"s\":\"\\u0058\",\"t\":18446744073709551616,\"p\":\"1\",\"q\":\"1\"}",
         "\"t\" is not a number"},
        {"{\"e\":\"trade\",\"s\":\"X\",\"t\":18446744073709551616,\"p\":\"1\",\"q\":\"1\"}",
         "\"t\" is not a number"},
        {"{\"e\":\"trade\",\"s\":\"\\u0058\",\"t\":00,\"p\":\"1\",\"q\":\"1\"}", "column 31"},
        {"{\"e\":\"trade\"", "too early"},
        {"nothing", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct binance_tick tick;
        struct tdk_err err;
        assert_int_equal(decode(state, cases[i].message, &tick, &err), TDK_EVALUE);
        assert_non_null(strstr(err.text, cases[i].why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trade_is_read_to_its_last_digit),
        cmocka_unit_test(a_spot_quote_has_no_time_of_its_own),
        cmocka_unit_test(other_messages_are_others),
        cmocka_unit_test(what_is_missing_or_wrong_is_named),
    };
    return cmocka_run_group_tests_name("formats.binance", tests, setup, teardown);
}
