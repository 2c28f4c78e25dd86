#include "cli/bar.h"

#include <string.h>

#include "tests/support/check.h"

static struct bar bar;
static _Alignas(8) unsigned char frame_bytes[sizeof(struct tdk_frame) + 400];

static int setup(void **state)
{
    (void)state;
    bar_init(&bar);
    return 0;
}

static void add(uint8_t type, const void *record, uint32_t size)
{
    struct tdk_frame *frame = (struct tdk_frame *)frame_bytes;
    *frame = (struct tdk_frame){.size = size, .type = type};
    memcpy(frame + 1, record, size);
    bar_add(&bar, frame);
}

static void add_trade(int64_t price, uint32_t size)
{
    const struct tdk_dbn_trades trade = {
        .head = {.length = sizeof trade / 4, .rtype = TDK_RTYPE_TRADES},
        .price = price,
        .size = size,
        .action = 'T'};
    add(TDK_TYPE_DBN, &trade, sizeof trade);
}

static void trades_make_open_high_low_close_and_volume(void **state)
{
    (void)state;
    add_trade(5, 1);
    add_trade(9, 2);
    add_trade(-3, 4);
    add_trade(4, 8);
    assert_int_equal(bar.open, 5);
    assert_int_equal(bar.high, 9);
    assert_int_equal(bar.low, -3);
    assert_int_equal(bar.close, 4);
    assert_int_equal(bar.volume, 15);
    assert_int_equal(bar.trades, 4);
    assert_int_equal(bar.ticks, 4);
}

static void an_undefined_price_is_no_trade(void **state)
{
    (void)state;
    add_trade(TDK_PRICE_UNDEFINED, 7);
    assert_int_equal(bar.trades, 0);
    assert_int_equal(bar.close, TDK_PRICE_UNDEFINED);
    assert_int_equal(bar.ticks, 1);
}

static void a_book_has_a_quote_and_only_a_trade_has_a_price(void **state)
{
    struct tdk_dbn_mbp_1 book = {.head = {.length = sizeof book / 4, .rtype = TDK_RTYPE_MBP_1},
                                 .price = 100,
                                 .size = 3,
                                 .action = 'A',
                                 .levels = {{.bid_px = 99, .ask_px = 101}}};
    (void)state;
    add(TDK_TYPE_DBN, &book, sizeof book);
    assert_int_equal(bar.trades, 0);
    book.action = 'T';
    add(TDK_TYPE_DBN, &book, sizeof book);
    assert_int_equal(bar.trades, 1);
    assert_int_equal(bar.volume, 3);
    assert_int_equal(bar.bid, 99);
    assert_int_equal(bar.ask, 101);
}

static void a_bar_that_came_as_a_record_is_one_tick_with_its_prices(void **state)
{
    struct tdk_dbn_ohlcv record = {
        .head = {.length = sizeof record / 4, .rtype = TDK_RTYPE_OHLCV_1S},
        .open = 5,
        .high = 9,
        .low = -3,
        .close = 4,
        .volume = 15};
    (void)state;
    add(TDK_TYPE_DBN, &record, sizeof record);
    record.high = 8;
    record.close = 7;
    add(TDK_TYPE_DBN, &record, sizeof record);
    record.low = TDK_PRICE_UNDEFINED;
    add(TDK_TYPE_DBN, &record, sizeof record);
    assert_int_equal(bar.open, 5);
    assert_int_equal(bar.high, 9);
    assert_int_equal(bar.low, -3);
    assert_int_equal(bar.close, 7);
    assert_int_equal(bar.volume, 30);
    assert_int_equal(bar.trades, 2);
    assert_int_equal(bar.ticks, 3);
}

/* 2^64 - 2 parts of 1e-9, added again and again: more than a single 64-bit number holds. */
static void wide_sizes_add_up_exactly(void **state)
{
    const struct tdk_wide_trade trade = {
        .head = {.length = sizeof trade / 4, .rtype = TDK_RTYPE_WIDE_TRADE},
        .price = 1,
        .size = UINT64_MAX - 1};
    (void)state;
    for (int i = 0; i < 1000; i++)
        add(TDK_TYPE_WIDE, &trade, sizeof trade);
    assert_int_equal(bar.volume, UINT64_C(18446744073709));
    assert_int_equal(bar.volume_nano, UINT64_C(551614000));
}

static void a_size_that_was_not_set_adds_nothing(void **state)
{
    (void)state;
    add_trade(5, 1);
    add_trade(6, UINT32_MAX);
    assert_int_equal(bar.volume, 1);
    assert_int_equal(bar.trades, 2);
}

static void a_volume_stays_at_the_most_that_can_be_said(void **state)
{
    struct tdk_dbn_ohlcv record = {
        .head = {.length = sizeof record / 4, .rtype = TDK_RTYPE_OHLCV_1S},
        .volume = UINT64_MAX - 1};
    (void)state;
    add(TDK_TYPE_DBN, &record, sizeof record);
    add_trade(5, 2);
    assert_true(bar.volume == UINT64_MAX);
}

static void what_is_no_record_is_counted_and_nothing_more(void **state)
{
    static const unsigned char bytes[48] = {1, 2, 3};
    (void)state;
    add(TDK_TYPE_OPAQUE, bytes, sizeof bytes);
    add(TDK_TYPE_DBN, bytes, sizeof bytes);
    add(TDK_TYPE_LOSS, bytes, sizeof bytes);
    assert_int_equal(bar.ticks, 2);
    assert_int_equal(bar.trades, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trades_make_open_high_low_close_and_volume, setup),
        cmocka_unit_test_setup(an_undefined_price_is_no_trade, setup),
        cmocka_unit_test_setup(a_book_has_a_quote_and_only_a_trade_has_a_price, setup),
        cmocka_unit_test_setup(a_bar_that_came_as_a_record_is_one_tick_with_its_prices, setup),
        cmocka_unit_test_setup(wide_sizes_add_up_exactly, setup),
        cmocka_unit_test_setup(a_size_that_was_not_set_adds_nothing, setup),
        cmocka_unit_test_setup(a_volume_stays_at_the_most_that_can_be_said, setup),
        cmocka_unit_test_setup(what_is_no_record_is_counted_and_nothing_more, setup),
    };
    return cmocka_run_group_tests_name("cli.bar", tests, NULL, NULL);
}
