#include "cli/market.h"

#include <string.h>

#include "base/bytes.h"
#include "cli/sizes.h"
#include "tests/support/check.h"

enum { TICKS = 200000, SYMBOLS = 50 };

struct record {
    _Alignas(8) unsigned char bytes[80];
    uint32_t size;
};

static void next(struct market *market, struct record *record)
{
    memset(record, 0, sizeof *record);
    record->size = market_next_size(market);
    assert_true(record->size <= sizeof record->bytes);
    market_next(market, record->bytes);
}

static void every_record_is_one_that_dbn_knows(void **state)
{
    (void)state;
    static const enum market_kind kinds[] = {MARKET_MIXED, MARKET_TRADES, MARKET_QUOTES};
    for (size_t k = 0; k < array_size(kinds); k++) {
        struct market market;
        assert_int_equal(market_open(&market, kinds[k], SYMBOLS, 3), 0);
        for (int i = 0; i < TICKS; i++) {
            struct record record;
            next(&market, &record);
            assert_true(tdk_dbn_check(TDK_TYPE_DBN, record.bytes, record.size));
        }
        market_close(&market);
    }
}

static void one_seed_is_one_market(void **state)
{
    (void)state;
    struct market a, b, other;
    assert_int_equal(market_open(&a, MARKET_MIXED, SYMBOLS, 3), 0);
    assert_int_equal(market_open(&b, MARKET_MIXED, SYMBOLS, 3), 0);
    assert_int_equal(market_open(&other, MARKET_MIXED, SYMBOLS, 4), 0);
    bool differs = false;
    for (int i = 0; i < 1000; i++) {
        struct record x, y, z;
        next(&a, &x);
        next(&b, &y);
        next(&other, &z);
        assert_int_equal(x.size, y.size);
        assert_memory_equal(x.bytes, y.bytes, x.size);
        differs |= x.size != z.size || memcmp(x.bytes, z.bytes, x.size) != 0;
    }
    assert_true(differs);
    market_close(&a);
    market_close(&b);
    market_close(&other);
}

static void it_looks_like_a_market(void **state)
{
    (void)state;
    struct market market;
    uint64_t last_ts = 0, trades = 0;
    uint32_t count[SYMBOLS + 1] = {0};
    assert_int_equal(market_open(&market, MARKET_MIXED, SYMBOLS, 3), 0);
    for (int i = 0; i < TICKS; i++) {
        struct record record;
        struct tdk_dbn_head head;
        next(&market, &record);
        memcpy(&head, record.bytes, sizeof head);
        assert_in_range(head.instrument_id, 1, SYMBOLS);
        count[head.instrument_id]++;
        assert_true(head.ts_event >= last_ts);
        last_ts = head.ts_event;
        trades += head.rtype == TDK_RTYPE_TRADES;
        if (head.rtype == TDK_RTYPE_MBP_1) {
            struct tdk_dbn_mbp_1 quote;
            memcpy(&quote, record.bytes, sizeof quote);
            assert_true(quote.levels[0].bid_px > 0);
            assert_true(quote.levels[0].ask_px > quote.levels[0].bid_px);
        }
    }
    /* Zipf: the first instrument has twice as many ticks as the second, and fifty times as many as
     * the last. */
    assert_in_range(count[1], count[2] * 19 / 10, count[2] * 21 / 10);
    assert_in_range(count[1], count[SYMBOLS] * 40, count[SYMBOLS] * 60);
    assert_in_range(trades, TICKS / 6, TICKS / 4);
    market_close(&market);
}

static void one_symbol_is_a_market_too(void **state)
{
    (void)state;
    struct market market;
    char name[MARKET_NAME];
    assert_int_equal(market_open(&market, MARKET_TRADES, 1, 0), 0);
    for (int i = 0; i < 1000; i++) {
        struct record record;
        next(&market, &record);
        assert_int_equal(load_u32(record.bytes + 4), 1);
    }
    market_close(&market);
    assert_string_equal(market_name(name, 1), "S000");
    assert_string_equal(market_name(name, MARKET_SYMBOLS_MAX), "S65534");
}

static void sizes_stay_in_their_bounds_and_reach_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t least, most;
    } cases[] = {
        {"fixed:64", 64, 64},  {"fixed:0", 0, 0},       {"uniform:0-7", 0, 7},
        {"uniform:5-5", 5, 5}, {"log:0-64", 0, 64},     {"log:1-1", 1, 1},
        {"log:3-100", 3, 100}, {"log:0-64K", 0, 65536}, {"log:16M-16M", 16 << 20, 16 << 20}};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct sizes sizes;
        struct random random = {.state = 1};
        uint32_t least = UINT32_MAX, most = 0;
        assert_int_equal(sizes_parse(cases[i].text, &sizes, NULL), 0);
        assert_int_equal(sizes_most(&sizes), cases[i].most);
        for (int k = 0; k < 1000000; k++) {
            uint32_t size = sizes_next(&sizes, &random);
            least = size < least ? size : least;
            most = size > most ? size : most;
        }
        assert_int_equal(least, cases[i].least);
        assert_in_range(most, cases[i].most - cases[i].most / 1000, cases[i].most);
    }
}

static void what_is_no_distribution_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",          "fixed",         "fixed:",      "fixed:-1",
                                        "fixed:17M", "uniform:1",     "uniform:2-1", "log:a-b",
                                        "log:1-",    "uniform:1-2-3", "markets"};
    for (size_t i = 0; i < array_size(wrong); i++) {
        struct sizes sizes;
        assert_int_equal(sizes_parse(wrong[i], &sizes, NULL), TDK_EVALUE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_is_one_that_dbn_knows),
        cmocka_unit_test(one_seed_is_one_market),
        cmocka_unit_test(it_looks_like_a_market),
        cmocka_unit_test(one_symbol_is_a_market_too),
        cmocka_unit_test(sizes_stay_in_their_bounds_and_reach_them),
        cmocka_unit_test(what_is_no_distribution_is_refused),
    };
    return cmocka_run_group_tests_name("cli.market", tests, NULL, NULL);
}
