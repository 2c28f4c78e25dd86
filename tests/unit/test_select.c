#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "tape/select.h"

/* The symbols of one track: two epochs, and one name that moves from id to id. */
static struct symbols *some_symbols(void)
{
    static const struct symbol_ref refs[] = {
        {.epoch = 1, .instrument_id = 1, .to = UINT64_MAX, .track = 1, .symbol = "BTC-USD"},
        {.epoch = 1, .instrument_id = 2, .to = UINT64_MAX, .track = 1, .symbol = "BTC-USDT"},
        {.epoch = 1, .instrument_id = 3, .to = 100, .track = 1, .symbol = "ESZ6"},
        {.epoch = 1, .instrument_id = 3, .from = 100, .to = 200, .track = 1, .symbol = "ESH7"},
        {.epoch = 2, .instrument_id = 7, .to = UINT64_MAX, .track = 1, .symbol = "BTC-USD"},
        {.epoch = 2, .instrument_id = 8, .to = UINT64_MAX, .track = 1, .symbol = "#ODD"},
        {.epoch = 2, .instrument_id = 9, .to = UINT64_MAX, .track = 1, .symbol = "a/b"},
    };
    size_t count = sizeof refs / sizeof refs[0];
    struct symbols *symbols = malloc(sizeof *symbols + sizeof refs);
    assert_non_null(symbols);
    *symbols = (struct symbols){.track = 1, .count = count};
    memcpy(symbols->items, refs, sizeof refs);
    return symbols;
}

/* Check the ids that a word stands for in an epoch, such as "1 2 3". */
static void assert_means(const char *word, uint64_t epoch, const char *want)
{
    const struct tdk_query query = {.to = UINT64_MAX, .symbols = &word, .symbol_count = 1};
    struct symbols *symbols = some_symbols();
    struct select select;
    struct picks all, picks = {0};
    char text[100] = "";
    assert_int_equal(select_init(&select, &query, NULL), 0);
    assert_int_equal(select_picks(&select, symbols, &all, NULL), 0);
    assert_int_equal(picks_of_epoch(&picks, &select, &all, epoch, NULL), 0);
    for (size_t i = 0; i < picks.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%u", used > 0 ? " " : "",
                 picks.items[i].instrument_id);
    }
    assert_string_equal(text, want);
    picks_close(&picks);
    picks_close(&all);
    select_close(&select);
    free(symbols);
}

static void symbols_match_exactly(void **state)
{
    (void)state;
    assert_means("BTC-USD", 1, "1");
    assert_means("BTC-USD", 2, "7");
    assert_means("BTC-USDT", 1, "2");
    assert_means("BTC-USDT", 2, "");
    assert_means("BTC-US", 1, "");
    assert_means("btc-usd", 1, "");
    assert_means("", 1, "");
}

static void symbols_match_globs(void **state)
{
    (void)state;
    assert_means("BTC-*", 1, "1 2");
    assert_means("BTC-USD?", 1, "2");
    assert_means("ES[HZ][67]", 1, "3 3");
    assert_means("*", 2, "7 8 9");
    assert_means("a*", 2, "9"); /* '/' is a character like others */
    assert_means("[", 1, "");
}

static void symbols_match_instrument_ids(void **state)
{
    (void)state;
    assert_means("#3", 1, "3");
    assert_means("#3", 2, "3"); /* whether it has a name or not */
    assert_means("#4294967295", 1, "4294967295");
    assert_means("#4294967296", 1, "");
    assert_means("#", 1, "");
    assert_means("#ODD", 2, "8"); /* a symbol that only looks like an id */
    assert_means("#3x", 1, "");
}

/* A tick of an instrument: a trade that was received at `ts`. */
struct trade {
    struct tdk_frame frame;
    struct tdk_dbn_trades record;
};

static struct trade trade_of(uint32_t instrument_id, uint64_t ts)
{
    return (struct trade){
        .frame = {.size = sizeof(struct tdk_dbn_trades), .type = TDK_TYPE_DBN, .ts = 5000},
        .record = {.head = {.length = sizeof(struct tdk_dbn_trades) / 4,
                            .rtype = TDK_RTYPE_TRADES,
                            .instrument_id = instrument_id,
                            .ts_event = ts - 1},
                   .ts_recv = ts}};
}

static void symbols_hold_in_their_time_by_the_records_own(void **state)
{
    (void)state;
    const char *const word = "ESH7";
    const struct tdk_query query = {.to = UINT64_MAX, .symbols = &word, .symbol_count = 1};
    struct symbols *symbols = some_symbols();
    struct select select;
    struct picks all, picks = {0};
    assert_int_equal(select_init(&select, &query, NULL), 0);
    assert_int_equal(select_picks(&select, symbols, &all, NULL), 0);
    assert_int_equal(picks_of_epoch(&picks, &select, &all, 1, NULL), 0);
    /* The frames were stamped anew at 5000. What counts is when the venue's record was received. */
    static const struct {
        uint64_t ts;
        bool holds;
    } cases[] = {{99, false}, {100, true}, {199, true}, {200, false}, {5000, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trade trade = trade_of(3, cases[i].ts), other = trade_of(4, cases[i].ts);
        assert_int_equal(picks_pass(&picks, &trade.frame), cases[i].holds);
        assert_false(picks_pass(&picks, &other.frame));
        trade.frame.flags = TDK_FLAG_INVALID; /* then nothing in it is an instrument */
        assert_false(picks_pass(&picks, &trade.frame));
    }
    struct trade cut = trade_of(3, 5000);
    cut.frame.size = sizeof cut.record.head; /* it ends before it could say when */
    cut.frame.ts = 150;
    assert_true(picks_pass(&picks, &cut.frame));
    picks_close(&picks);
    picks_close(&all);
    select_close(&select);
    free(symbols);
}

static void types_pass_by_frame_type_and_rtype(void **state)
{
    (void)state;
    const struct tdk_type_filter types[] = {{TDK_TYPE_DBN, TDK_RTYPE_TRADES}, {7, -1}};
    const struct tdk_query query = {.to = UINT64_MAX, .types = types, .type_count = 2};
    struct select select;
    assert_int_equal(select_init(&select, &query, NULL), 0);
    struct trade trade = trade_of(3, 1);
    assert_true(select_has_type(&select, &trade.frame));
    trade.record.head.rtype = TDK_RTYPE_MBO;
    assert_false(select_has_type(&select, &trade.frame));
    trade.record.head.rtype = TDK_RTYPE_TRADES;
    trade.frame.flags = TDK_FLAG_INVALID; /* no record of any type */
    assert_false(select_has_type(&select, &trade.frame));
    trade.frame.type = 7;
    assert_true(select_has_type(&select, &trade.frame));
    trade.frame.type = 8;
    assert_false(select_has_type(&select, &trade.frame));
    select_close(&select);
}

static void range_without_end_holds_the_last_time_there_is(void **state)
{
    (void)state;
    struct select select;
    assert_int_equal(select_init(&select, &(struct tdk_query){.to = UINT64_MAX}, NULL), 0);
    assert_true(select_in_time(&select, UINT64_MAX));
    assert_true(select_in_time(&select, 0));
    assert_int_equal(select_init(&select, &(struct tdk_query){.from = 5, .to = 7}, NULL), 0);
    assert_false(select_in_time(&select, 4));
    assert_true(select_in_time(&select, 5));
    assert_true(select_in_time(&select, 6));
    assert_false(select_in_time(&select, 7));
    assert_int_equal(select_init(&select, &(struct tdk_query){.to = 0}, NULL), 0);
    assert_false(select_in_time(&select, 0));
}

static void a_query_without_tracks_means_all_but_the_canarys(void **state)
{
    const char *const names[] = {"a", TDK_CANARY_TRACK};
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_query one = {.to = UINT64_MAX, .tracks = names, .track_count = 1};
    const struct tdk_query both = {.to = UINT64_MAX, .tracks = names, .track_count = 2};
    (void)state;
    assert_true(query_has_track(&all, "a"));
    assert_true(query_has_track(&all, TDK_CANARY_TRACK "2"));
    assert_false(query_has_track(&all, TDK_CANARY_TRACK));
    assert_false(query_has_track(&one, "b"));
    assert_false(query_has_track(&one, TDK_CANARY_TRACK));
    assert_true(query_has_track(&both, TDK_CANARY_TRACK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_match_exactly),
        cmocka_unit_test(symbols_match_globs),
        cmocka_unit_test(symbols_match_instrument_ids),
        cmocka_unit_test(symbols_hold_in_their_time_by_the_records_own),
        cmocka_unit_test(types_pass_by_frame_type_and_rtype),
        cmocka_unit_test(range_without_end_holds_the_last_time_there_is),
        cmocka_unit_test(a_query_without_tracks_means_all_but_the_canarys),
    };
    return cmocka_run_group_tests_name("tape.select", tests, NULL, NULL);
}
