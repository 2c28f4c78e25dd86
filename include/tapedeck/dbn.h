/*
 * dbn.h - records of the Databento Binary Encoding, and tapedeck's wide ticks, as they lie in a
 * payload.
 *
 * Format: DBN versions 1 to 3. Little-endian, no implicit padding. Prices are i64 in 1e-9,
 * INT64_MAX undefined; times are ns since 1970 in UTC, UINT64_MAX undefined. A payload in a frame
 * is 8-aligned, so these structs may be laid over it once tdk_dbn_check() has passed it. Pure; any
 * thread.
 */
#ifndef TAPEDECK_DBN_H
#define TAPEDECK_DBN_H

#include <stdbool.h>

#include "tapedeck/tick.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tdk_dbn_head {
    uint8_t length; /* of the whole record, in units of 4 bytes */
    uint8_t rtype;  /* enum tdk_rtype */
    uint16_t publisher_id;
    uint32_t instrument_id;
    uint64_t ts_event;
};
static_assert(sizeof(struct tdk_dbn_head) == 16, "a format");

enum tdk_rtype {
    TDK_RTYPE_TRADES = 0x00,
    TDK_RTYPE_MBP_1 = 0x01,
    TDK_RTYPE_MBP_10 = 0x0A,
    TDK_RTYPE_OHLCV = 0x11, /* deprecated */
    TDK_RTYPE_STATUS = 0x12,
    TDK_RTYPE_DEFINITION = 0x13,
    TDK_RTYPE_IMBALANCE = 0x14,
    TDK_RTYPE_ERROR = 0x15,
    TDK_RTYPE_SYMBOL_MAPPING = 0x16,
    TDK_RTYPE_SYSTEM = 0x17,
    TDK_RTYPE_STATISTICS = 0x18,
    TDK_RTYPE_OHLCV_1S = 0x20,
    TDK_RTYPE_OHLCV_1M = 0x21,
    TDK_RTYPE_OHLCV_1H = 0x22,
    TDK_RTYPE_OHLCV_1D = 0x23,
    TDK_RTYPE_OHLCV_EOD = 0x24,
    TDK_RTYPE_MBO = 0xA0,
    TDK_RTYPE_CMBP_1 = 0xB1,
    TDK_RTYPE_CBBO_1S = 0xC0,
    TDK_RTYPE_CBBO_1M = 0xC1,
    TDK_RTYPE_TCBBO = 0xC2,
    TDK_RTYPE_BBO_1S = 0xC3,
    TDK_RTYPE_BBO_1M = 0xC4,
    TDK_RTYPE_WIDE_TRADE = 0xE0, /* private to tapedeck, only in frames of TDK_TYPE_WIDE */
    TDK_RTYPE_WIDE_QUOTE = 0xE1,
};

/* One level of a book: price, total size and number of orders on either side. */
struct tdk_dbn_level {
    int64_t bid_px, ask_px;
    uint32_t bid_sz, ask_sz, bid_ct, ask_ct;
};
static_assert(sizeof(struct tdk_dbn_level) == 32, "a format");

/* The best of several venues: who has it, instead of how many orders. */
struct tdk_dbn_consolidated_level {
    int64_t bid_px, ask_px;
    uint32_t bid_sz, ask_sz;
    uint16_t bid_pb, reserved, ask_pb, reserved_2;
};
static_assert(sizeof(struct tdk_dbn_consolidated_level) == 32, "a format");

/* Trades, and the trade of an mbp-0. */
struct tdk_dbn_trades {
    struct tdk_dbn_head head;
    int64_t price;
    uint32_t size;
    char action, side;
    uint8_t flags, depth;
    uint64_t ts_recv;
    int32_t ts_in_delta;
    uint32_t sequence;
};
static_assert(sizeof(struct tdk_dbn_trades) == 48, "a format");

/* Also tbbo: there the book just before the trade. */
struct tdk_dbn_mbp_1 {
    struct tdk_dbn_head head;
    int64_t price;
    uint32_t size;
    char action, side;
    uint8_t flags, depth;
    uint64_t ts_recv;
    int32_t ts_in_delta;
    uint32_t sequence;
    struct tdk_dbn_level levels[1];
};
static_assert(sizeof(struct tdk_dbn_mbp_1) == 80, "a format");

struct tdk_dbn_mbp_10 {
    struct tdk_dbn_head head;
    int64_t price;
    uint32_t size;
    char action, side;
    uint8_t flags, depth;
    uint64_t ts_recv;
    int32_t ts_in_delta;
    uint32_t sequence;
    struct tdk_dbn_level levels[10];
};
static_assert(sizeof(struct tdk_dbn_mbp_10) == 368, "a format");

struct tdk_dbn_mbo {
    struct tdk_dbn_head head;
    uint64_t order_id;
    int64_t price;
    uint32_t size;
    uint8_t flags, channel_id;
    char action, side;
    uint64_t ts_recv;
    int32_t ts_in_delta;
    uint32_t sequence;
};
static_assert(sizeof(struct tdk_dbn_mbo) == 56, "a format");

/* bbo-1s, bbo-1m: the last trade, and the book at the end of the interval (ts_recv). */
struct tdk_dbn_bbo {
    struct tdk_dbn_head head;
    int64_t price;
    uint32_t size;
    uint8_t reserved;
    char side;
    uint8_t flags, reserved_2;
    uint64_t ts_recv;
    uint8_t reserved_3[4];
    uint32_t sequence;
    struct tdk_dbn_level levels[1];
};
static_assert(sizeof(struct tdk_dbn_bbo) == 80, "a format");

/* Also tcbbo. */
struct tdk_dbn_cmbp_1 {
    struct tdk_dbn_head head;
    int64_t price;
    uint32_t size;
    char action, side;
    uint8_t flags, reserved;
    uint64_t ts_recv;
    int32_t ts_in_delta;
    uint8_t reserved_2[4];
    struct tdk_dbn_consolidated_level levels[1];
};
static_assert(sizeof(struct tdk_dbn_cmbp_1) == 80, "a format");

/* cbbo-1s, cbbo-1m. */
struct tdk_dbn_cbbo {
    struct tdk_dbn_head head;
    int64_t price;
    uint32_t size;
    uint8_t reserved;
    char side;
    uint8_t flags, reserved_2;
    uint64_t ts_recv;
    uint8_t reserved_3[8];
    struct tdk_dbn_consolidated_level levels[1];
};
static_assert(sizeof(struct tdk_dbn_cbbo) == 80, "a format");

/* ohlcv-*: ts_event is the start of the interval. */
struct tdk_dbn_ohlcv {
    struct tdk_dbn_head head;
    int64_t open, high, low, close;
    uint64_t volume;
};
static_assert(sizeof(struct tdk_dbn_ohlcv) == 56, "a format");

struct tdk_dbn_status {
    struct tdk_dbn_head head;
    uint64_t ts_recv;
    uint16_t action, reason, trading_event;
    char is_trading, is_quoting, is_short_sell_restricted;
    uint8_t reserved[7];
};
static_assert(sizeof(struct tdk_dbn_status) == 40, "a format");

struct tdk_dbn_imbalance {
    struct tdk_dbn_head head;
    uint64_t ts_recv;
    int64_t ref_price;
    uint64_t auction_time;
    int64_t cont_book_clr_price, auct_interest_clr_price, ssr_filling_price, ind_match_price;
    int64_t upper_collar, lower_collar;
    uint32_t paired_qty, total_imbalance_qty, market_imbalance_qty, unpaired_qty;
    char auction_type, side;
    uint8_t auction_status, freeze_status, num_extensions;
    char unpaired_side, significant_imbalance;
    uint8_t reserved;
};
static_assert(sizeof(struct tdk_dbn_imbalance) == 112, "a format");

/* In versions 1 and 2. */
struct tdk_dbn_statistics_v2 {
    struct tdk_dbn_head head;
    uint64_t ts_recv, ts_ref;
    int64_t price;
    int32_t quantity;
    uint32_t sequence;
    int32_t ts_in_delta;
    uint16_t stat_type, channel_id;
    uint8_t update_action, stat_flags;
    uint8_t reserved[6];
};
static_assert(sizeof(struct tdk_dbn_statistics_v2) == 64, "a format");

struct tdk_dbn_statistics {
    struct tdk_dbn_head head;
    uint64_t ts_recv, ts_ref;
    int64_t price, quantity;
    uint32_t sequence;
    int32_t ts_in_delta;
    uint16_t stat_type, channel_id;
    uint8_t update_action, stat_flags;
    uint8_t reserved[18];
};
static_assert(sizeof(struct tdk_dbn_statistics) == 80, "a format");

struct tdk_dbn_definition_v1 {
    struct tdk_dbn_head head;
    uint64_t ts_recv;
    int64_t min_price_increment, display_factor;
    uint64_t expiration, activation;
    int64_t high_limit_price, low_limit_price, max_price_variation, trading_reference_price;
    int64_t unit_of_measure_qty, min_price_increment_amount, price_ratio;
    int32_t inst_attrib_value;
    uint32_t underlying_id, raw_instrument_id;
    int32_t market_depth_implied, market_depth;
    uint32_t market_segment_id, max_trade_vol;
    int32_t min_lot_size, min_lot_size_block, min_lot_size_round_lot;
    uint32_t min_trade_vol;
    uint8_t reserved[4];
    int32_t contract_multiplier, decay_quantity, original_contract_size;
    uint8_t reserved_2[4];
    uint16_t trading_reference_date;
    int16_t appl_id;
    uint16_t maturity_year, decay_start_date, channel_id;
    char currency[4];
    char settl_currency[4];
    char secsubtype[6];
    char raw_symbol[22];
    char group[21];
    char exchange[5];
    char asset[7];
    char cfi[7];
    char security_type[7];
    char unit_of_measure[31];
    char underlying[21];
    char strike_price_currency[4];
    char instrument_class;
    uint8_t reserved_3[2];
    int64_t strike_price;
    uint8_t reserved_4[6];
    char match_algorithm;
    uint8_t md_security_trading_status, main_fraction, price_display_format, settl_price_type;
    uint8_t sub_fraction, underlying_product;
    char security_update_action;
    uint8_t maturity_month, maturity_day, maturity_week;
    char user_defined_instrument;
    int8_t contract_multiplier_unit, flow_schedule_type;
    uint8_t tick_rule;
    uint8_t reserved_5[3];
};
static_assert(sizeof(struct tdk_dbn_definition_v1) == 360, "a format");

struct tdk_dbn_definition_v2 {
    struct tdk_dbn_head head;
    uint64_t ts_recv;
    int64_t min_price_increment, display_factor;
    uint64_t expiration, activation;
    int64_t high_limit_price, low_limit_price, max_price_variation, trading_reference_price;
    int64_t unit_of_measure_qty, min_price_increment_amount, price_ratio, strike_price;
    int32_t inst_attrib_value;
    uint32_t underlying_id, raw_instrument_id;
    int32_t market_depth_implied, market_depth;
    uint32_t market_segment_id, max_trade_vol;
    int32_t min_lot_size, min_lot_size_block, min_lot_size_round_lot;
    uint32_t min_trade_vol;
    int32_t contract_multiplier, decay_quantity, original_contract_size;
    uint16_t trading_reference_date;
    int16_t appl_id;
    uint16_t maturity_year, decay_start_date, channel_id;
    char currency[4];
    char settl_currency[4];
    char secsubtype[6];
    char raw_symbol[71];
    char group[21];
    char exchange[5];
    char asset[7];
    char cfi[7];
    char security_type[7];
    char unit_of_measure[31];
    char underlying[21];
    char strike_price_currency[4];
    char instrument_class, match_algorithm;
    uint8_t md_security_trading_status, main_fraction, price_display_format, settl_price_type;
    uint8_t sub_fraction, underlying_product;
    char security_update_action;
    uint8_t maturity_month, maturity_day, maturity_week;
    char user_defined_instrument;
    int8_t contract_multiplier_unit, flow_schedule_type;
    uint8_t tick_rule;
    uint8_t reserved[10];
};
static_assert(sizeof(struct tdk_dbn_definition_v2) == 400, "a format");

struct tdk_dbn_definition {
    struct tdk_dbn_head head;
    uint64_t ts_recv;
    int64_t min_price_increment, display_factor;
    uint64_t expiration, activation;
    int64_t high_limit_price, low_limit_price, max_price_variation, unit_of_measure_qty;
    int64_t min_price_increment_amount, price_ratio, strike_price;
    uint64_t raw_instrument_id;
    int64_t leg_price, leg_delta;
    int32_t inst_attrib_value;
    uint32_t underlying_id;
    int32_t market_depth_implied, market_depth;
    uint32_t market_segment_id, max_trade_vol;
    int32_t min_lot_size, min_lot_size_block, min_lot_size_round_lot;
    uint32_t min_trade_vol;
    int32_t contract_multiplier, decay_quantity, original_contract_size;
    uint32_t leg_instrument_id;
    int32_t leg_ratio_price_numerator, leg_ratio_price_denominator, leg_ratio_qty_numerator;
    int32_t leg_ratio_qty_denominator;
    uint32_t leg_underlying_id;
    int16_t appl_id;
    uint16_t maturity_year, decay_start_date, channel_id, leg_count, leg_index;
    char currency[4];
    char settl_currency[4];
    char secsubtype[6];
    char raw_symbol[71];
    char group[21];
    char exchange[5];
    char asset[11];
    char cfi[7];
    char security_type[7];
    char unit_of_measure[31];
    char underlying[21];
    char strike_price_currency[4];
    char leg_raw_symbol[71];
    char instrument_class, match_algorithm;
    uint8_t main_fraction, price_display_format, sub_fraction, underlying_product;
    char security_update_action;
    uint8_t maturity_month, maturity_day, maturity_week;
    char user_defined_instrument;
    int8_t contract_multiplier_unit, flow_schedule_type;
    uint8_t tick_rule;
    char leg_instrument_class, leg_side;
    uint8_t reserved[17];
};
static_assert(sizeof(struct tdk_dbn_definition) == 520, "a format");

struct tdk_dbn_error_v1 {
    struct tdk_dbn_head head;
    char err[64];
};
static_assert(sizeof(struct tdk_dbn_error_v1) == 80, "a format");

struct tdk_dbn_error {
    struct tdk_dbn_head head;
    char err[302];
    uint8_t code, is_last;
};
static_assert(sizeof(struct tdk_dbn_error) == 320, "a format");

struct tdk_dbn_symbol_mapping_v1 {
    struct tdk_dbn_head head;
    char stype_in_symbol[22];
    char stype_out_symbol[22];
    uint8_t reserved[4];
    uint64_t start_ts, end_ts;
};
static_assert(sizeof(struct tdk_dbn_symbol_mapping_v1) == 80, "a format");

struct tdk_dbn_symbol_mapping {
    struct tdk_dbn_head head;
    uint8_t stype_in;
    char stype_in_symbol[71];
    uint8_t stype_out;
    char stype_out_symbol[71];
    uint64_t start_ts, end_ts;
};
static_assert(sizeof(struct tdk_dbn_symbol_mapping) == 176, "a format");

struct tdk_dbn_system_v1 {
    struct tdk_dbn_head head;
    char msg[64];
};
static_assert(sizeof(struct tdk_dbn_system_v1) == 80, "a format");

struct tdk_dbn_system {
    struct tdk_dbn_head head;
    char msg[303];
    uint8_t code;
};
static_assert(sizeof(struct tdk_dbn_system) == 320, "a format");

/* Sizes in 1e-9, for venues that trade fractions. */
struct tdk_wide_trade {
    struct tdk_dbn_head head;
    int64_t price;
    uint64_t size; /* 1e-9; UINT64_MAX undefined */
    uint64_t id;   /* the venue's, 0: none */
    uint64_t sequence;
    char side;     /* 'A', 'B', 'N' as in DBN */
    uint8_t flags; /* as in DBN */
    uint16_t kind; /* 0: a trade; else the track's property "message_type.KIND" names it */
    uint32_t zero;
};
static_assert(sizeof(struct tdk_wide_trade) == 56, "a format");

struct tdk_wide_quote {
    struct tdk_dbn_head head;
    int64_t bid_px, ask_px;
    uint64_t bid_sz, ask_sz; /* 1e-9 */
    uint8_t flags;
    uint8_t zero[7];
};
static_assert(sizeof(struct tdk_wide_quote) == 56, "a format");

/* A payload of TDK_TYPE_DBN or TDK_TYPE_WIDE holds one whole record: its length byte agrees with
 * `size`, its rtype is known and has this size in some version of DBN (8 bytes more with a send
 * time behind it). */
static inline bool tdk_dbn_check(uint8_t type, const void *payload, uint32_t size)
{
    const unsigned char *bytes = (const unsigned char *)payload; /* need not be aligned here */
    if (size < sizeof(struct tdk_dbn_head) || bytes[0] * 4u != size)
        return false;
    uint8_t rtype = bytes[1];
    if (type == TDK_TYPE_WIDE)
        return size == 56 && (rtype == TDK_RTYPE_WIDE_TRADE || rtype == TDK_RTYPE_WIDE_QUOTE);
    switch (rtype) {
    case TDK_RTYPE_TRADES:
        return size == 48 || size == 56;
    case TDK_RTYPE_MBP_1:
    case TDK_RTYPE_CMBP_1:
    case TDK_RTYPE_CBBO_1S:
    case TDK_RTYPE_CBBO_1M:
    case TDK_RTYPE_TCBBO:
    case TDK_RTYPE_BBO_1S:
    case TDK_RTYPE_BBO_1M:
        return size == 80 || size == 88;
    case TDK_RTYPE_MBP_10:
        return size == 368 || size == 376;
    case TDK_RTYPE_OHLCV:
    case TDK_RTYPE_OHLCV_1S:
    case TDK_RTYPE_OHLCV_1M:
    case TDK_RTYPE_OHLCV_1H:
    case TDK_RTYPE_OHLCV_1D:
    case TDK_RTYPE_OHLCV_EOD:
    case TDK_RTYPE_MBO:
        return size == 56 || size == 64;
    case TDK_RTYPE_STATUS:
        return size == 40 || size == 48;
    case TDK_RTYPE_DEFINITION:
        return size == 360 || size == 368 || size == 400 || size == 408 || size == 520 ||
               size == 528;
    case TDK_RTYPE_IMBALANCE:
        return size == 112 || size == 120;
    case TDK_RTYPE_ERROR:
    case TDK_RTYPE_SYSTEM:
        return size == 80 || size == 88 || size == 320 || size == 328;
    case TDK_RTYPE_SYMBOL_MAPPING:
        return size == 80 || size == 88 || size == 176 || size == 184;
    case TDK_RTYPE_STATISTICS:
        return size == 64 || size == 72 || size == 80 || size == 88;
    default:
        return false;
    }
}

#ifdef __cplusplus
}
#endif
#endif
