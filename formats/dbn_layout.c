#include "formats/dbn_layout.h"

/*
 * Read a table beside its struct in tapedeck/dbn.h: the struct has the order of the bytes, the
 * table that of the text. The JSON around a record is divided among its fields: each has the text
 * between the previous value and its own. So writing JSON is: text, value, text, value.
 */
/* clang-format off */
#define FIELD(name, text, kind, member) \
    {name, text, sizeof(text) - 1, DBN_##kind, \
     offsetof(struct RECORD, member), sizeof(((struct RECORD *)0)->member)}
#define NEXT(member, kind)  FIELD(#member, ",\"" #member "\":", kind, member)
#define FIRST(member, kind) FIELD(#member, "},\"" #member "\":", kind, member) /* closes "hd" */

#define HEAD_FROM(open) \
    FIELD("ts_event", open "\"hd\":{\"ts_event\":", TIME, head.ts_event), \
    FIELD("rtype", ",\"rtype\":", U8, head.rtype), \
    FIELD("publisher_id", ",\"publisher_id\":", U16, head.publisher_id), \
    FIELD("instrument_id", ",\"instrument_id\":", U32, head.instrument_id)
#define HEAD      HEAD_FROM("{")
#define HEAD_RECV FIELD("ts_recv", "{\"ts_recv\":", TIME, ts_recv), HEAD_FROM(",")

/* Level n, written nn in names: each of its fields is a column; in JSON it is an object in the
 * array `levels`. */
#define OPEN ",\"levels\":[{"
#define MORE "},{"
#define PRICES(n, nn, open) \
    FIELD("bid_px_" nn, open "\"bid_px\":", PRICE, levels[n].bid_px), \
    FIELD("ask_px_" nn, ",\"ask_px\":", PRICE, levels[n].ask_px), \
    FIELD("bid_sz_" nn, ",\"bid_sz\":", U32, levels[n].bid_sz), \
    FIELD("ask_sz_" nn, ",\"ask_sz\":", U32, levels[n].ask_sz)
#define LEVEL(n, nn, open) \
    PRICES(n, nn, open), \
    FIELD("bid_ct_" nn, ",\"bid_ct\":", U32, levels[n].bid_ct), \
    FIELD("ask_ct_" nn, ",\"ask_ct\":", U32, levels[n].ask_ct)
#define VENUES(n, nn, open) \
    PRICES(n, nn, open), \
    FIELD("bid_pb_" nn, ",\"bid_pb\":", U16, levels[n].bid_pb), \
    FIELD("ask_pb_" nn, ",\"ask_pb\":", U16, levels[n].ask_pb)

#define LAYOUT(fields, first, last, end, older) \
    {fields, older, end, array_size(fields), sizeof(struct RECORD), first, last}

#define RECORD tdk_dbn_trades
static const struct dbn_field trades_fields[] = {
    HEAD_RECV, FIRST(action, CHAR), NEXT(side, CHAR), NEXT(depth, U8), NEXT(price, PRICE),
    NEXT(size, U32), NEXT(flags, U8), NEXT(ts_in_delta, I32), NEXT(sequence, U32),
};
static const struct dbn_layout trades = LAYOUT(trades_fields, 1, 3, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_mbp_1
static const struct dbn_field mbp_1_fields[] = {
    HEAD_RECV, FIRST(action, CHAR), NEXT(side, CHAR), NEXT(depth, U8), NEXT(price, PRICE),
    NEXT(size, U32), NEXT(flags, U8), NEXT(ts_in_delta, I32), NEXT(sequence, U32),
    LEVEL(0, "00", OPEN),
};
static const struct dbn_layout mbp_1 = LAYOUT(mbp_1_fields, 1, 3, "}]", NULL);
#undef RECORD

#define RECORD tdk_dbn_mbp_10
static const struct dbn_field mbp_10_fields[] = {
    HEAD_RECV, FIRST(action, CHAR), NEXT(side, CHAR), NEXT(depth, U8), NEXT(price, PRICE),
    NEXT(size, U32), NEXT(flags, U8), NEXT(ts_in_delta, I32), NEXT(sequence, U32),
    LEVEL(0, "00", OPEN), LEVEL(1, "01", MORE), LEVEL(2, "02", MORE), LEVEL(3, "03", MORE),
    LEVEL(4, "04", MORE), LEVEL(5, "05", MORE), LEVEL(6, "06", MORE), LEVEL(7, "07", MORE),
    LEVEL(8, "08", MORE), LEVEL(9, "09", MORE),
};
static const struct dbn_layout mbp_10 = LAYOUT(mbp_10_fields, 1, 3, "}]", NULL);
#undef RECORD

#define RECORD tdk_dbn_mbo
static const struct dbn_field mbo_fields[] = {
    HEAD_RECV, FIRST(action, CHAR), NEXT(side, CHAR), NEXT(price, PRICE), NEXT(size, U32),
    NEXT(channel_id, U8), NEXT(order_id, U64), NEXT(flags, U8), NEXT(ts_in_delta, I32),
    NEXT(sequence, U32),
};
static const struct dbn_layout mbo = LAYOUT(mbo_fields, 1, 3, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_bbo
static const struct dbn_field bbo_fields[] = {
    HEAD_RECV, FIRST(side, CHAR), NEXT(price, PRICE), NEXT(size, U32), NEXT(flags, U8),
    NEXT(sequence, U32), LEVEL(0, "00", OPEN),
};
static const struct dbn_layout bbo = LAYOUT(bbo_fields, 1, 3, "}]", NULL);
#undef RECORD

#define RECORD tdk_dbn_cmbp_1
static const struct dbn_field cmbp_1_fields[] = {
    HEAD_RECV, FIRST(action, CHAR), NEXT(side, CHAR), NEXT(price, PRICE), NEXT(size, U32),
    NEXT(flags, U8), NEXT(ts_in_delta, I32), VENUES(0, "00", OPEN),
};
static const struct dbn_layout cmbp_1 = LAYOUT(cmbp_1_fields, 1, 3, "}]", NULL);
#undef RECORD

#define RECORD tdk_dbn_cbbo
static const struct dbn_field cbbo_fields[] = {
    HEAD_RECV, FIRST(side, CHAR), NEXT(price, PRICE), NEXT(size, U32), NEXT(flags, U8),
    VENUES(0, "00", OPEN),
};
static const struct dbn_layout cbbo = LAYOUT(cbbo_fields, 1, 3, "}]", NULL);
#undef RECORD

#define RECORD tdk_dbn_ohlcv
static const struct dbn_field ohlcv_fields[] = {
    HEAD, FIRST(open, PRICE), NEXT(high, PRICE), NEXT(low, PRICE), NEXT(close, PRICE),
    NEXT(volume, U64),
};
static const struct dbn_layout ohlcv = LAYOUT(ohlcv_fields, 1, 3, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_status
static const struct dbn_field status_fields[] = {
    HEAD_RECV, FIRST(action, U16), NEXT(reason, U16), NEXT(trading_event, U16),
    NEXT(is_trading, CHAR), NEXT(is_quoting, CHAR), NEXT(is_short_sell_restricted, CHAR),
};
static const struct dbn_layout status = LAYOUT(status_fields, 1, 3, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_imbalance
static const struct dbn_field imbalance_fields[] = {
    HEAD_RECV, FIRST(ref_price, PRICE), NEXT(auction_time, TIME),
    NEXT(cont_book_clr_price, PRICE), NEXT(auct_interest_clr_price, PRICE),
    NEXT(ssr_filling_price, PRICE), NEXT(ind_match_price, PRICE), NEXT(upper_collar, PRICE),
    NEXT(lower_collar, PRICE), NEXT(paired_qty, U32), NEXT(total_imbalance_qty, U32),
    NEXT(market_imbalance_qty, U32), NEXT(unpaired_qty, U32), NEXT(auction_type, CHAR),
    NEXT(side, CHAR), NEXT(auction_status, U8), NEXT(freeze_status, U8), NEXT(num_extensions, U8),
    NEXT(unpaired_side, CHAR), NEXT(significant_imbalance, CHAR),
};
static const struct dbn_layout imbalance = LAYOUT(imbalance_fields, 1, 3, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_statistics_v2
static const struct dbn_field statistics_v2_fields[] = {
    HEAD_RECV, FIRST(ts_ref, TIME), NEXT(price, PRICE), NEXT(quantity, I32), NEXT(sequence, U32),
    NEXT(ts_in_delta, I32), NEXT(stat_type, U16), NEXT(channel_id, U16), NEXT(update_action, U8),
    NEXT(stat_flags, U8),
};
static const struct dbn_layout statistics_v2 = LAYOUT(statistics_v2_fields, 1, 2, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_statistics
static const struct dbn_field statistics_fields[] = {
    HEAD_RECV, FIRST(ts_ref, TIME), NEXT(price, PRICE), NEXT(quantity, I64), NEXT(sequence, U32),
    NEXT(ts_in_delta, I32), NEXT(stat_type, U16), NEXT(channel_id, U16), NEXT(update_action, U8),
    NEXT(stat_flags, U8),
};
static const struct dbn_layout statistics = LAYOUT(statistics_fields, 3, 3, "", &statistics_v2);
#undef RECORD

#define RECORD tdk_dbn_definition_v1
static const struct dbn_field definition_v1_fields[] = {
    HEAD_RECV, FIRST(raw_symbol, STRING), NEXT(security_update_action, CHAR),
    NEXT(instrument_class, CHAR), NEXT(min_price_increment, PRICE), NEXT(display_factor, PRICE),
    NEXT(expiration, TIME), NEXT(activation, TIME), NEXT(high_limit_price, PRICE),
    NEXT(low_limit_price, PRICE), NEXT(max_price_variation, PRICE),
    NEXT(trading_reference_price, PRICE), NEXT(unit_of_measure_qty, PRICE),
    NEXT(min_price_increment_amount, PRICE), NEXT(price_ratio, PRICE),
    NEXT(inst_attrib_value, I32), NEXT(underlying_id, U32), NEXT(raw_instrument_id, U32),
    NEXT(market_depth_implied, I32), NEXT(market_depth, I32), NEXT(market_segment_id, U32),
    NEXT(max_trade_vol, U32), NEXT(min_lot_size, I32), NEXT(min_lot_size_block, I32),
    NEXT(min_lot_size_round_lot, I32), NEXT(min_trade_vol, U32), NEXT(contract_multiplier, I32),
    NEXT(decay_quantity, I32), NEXT(original_contract_size, I32),
    NEXT(trading_reference_date, U16), NEXT(appl_id, I16), NEXT(maturity_year, U16),
    NEXT(decay_start_date, U16), NEXT(channel_id, U16), NEXT(currency, STRING),
    NEXT(settl_currency, STRING), NEXT(secsubtype, STRING), NEXT(group, STRING),
    NEXT(exchange, STRING), NEXT(asset, STRING), NEXT(cfi, STRING), NEXT(security_type, STRING),
    NEXT(unit_of_measure, STRING), NEXT(underlying, STRING), NEXT(strike_price_currency, STRING),
    NEXT(strike_price, PRICE), NEXT(match_algorithm, CHAR), NEXT(md_security_trading_status, U8),
    NEXT(main_fraction, U8), NEXT(price_display_format, U8), NEXT(settl_price_type, U8),
    NEXT(sub_fraction, U8), NEXT(underlying_product, U8), NEXT(maturity_month, U8),
    NEXT(maturity_day, U8), NEXT(maturity_week, U8), NEXT(user_defined_instrument, CHAR),
    NEXT(contract_multiplier_unit, I8), NEXT(flow_schedule_type, I8), NEXT(tick_rule, U8),
};
static const struct dbn_layout definition_v1 = LAYOUT(definition_v1_fields, 1, 1, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_definition_v2
static const struct dbn_field definition_v2_fields[] = {
    HEAD_RECV, FIRST(raw_symbol, STRING), NEXT(security_update_action, CHAR),
    NEXT(instrument_class, CHAR), NEXT(min_price_increment, PRICE), NEXT(display_factor, PRICE),
    NEXT(expiration, TIME), NEXT(activation, TIME), NEXT(high_limit_price, PRICE),
    NEXT(low_limit_price, PRICE), NEXT(max_price_variation, PRICE),
    NEXT(trading_reference_price, PRICE), NEXT(unit_of_measure_qty, PRICE),
    NEXT(min_price_increment_amount, PRICE), NEXT(price_ratio, PRICE),
    NEXT(inst_attrib_value, I32), NEXT(underlying_id, U32), NEXT(raw_instrument_id, U32),
    NEXT(market_depth_implied, I32), NEXT(market_depth, I32), NEXT(market_segment_id, U32),
    NEXT(max_trade_vol, U32), NEXT(min_lot_size, I32), NEXT(min_lot_size_block, I32),
    NEXT(min_lot_size_round_lot, I32), NEXT(min_trade_vol, U32), NEXT(contract_multiplier, I32),
    NEXT(decay_quantity, I32), NEXT(original_contract_size, I32),
    NEXT(trading_reference_date, U16), NEXT(appl_id, I16), NEXT(maturity_year, U16),
    NEXT(decay_start_date, U16), NEXT(channel_id, U16), NEXT(currency, STRING),
    NEXT(settl_currency, STRING), NEXT(secsubtype, STRING), NEXT(group, STRING),
    NEXT(exchange, STRING), NEXT(asset, STRING), NEXT(cfi, STRING), NEXT(security_type, STRING),
    NEXT(unit_of_measure, STRING), NEXT(underlying, STRING), NEXT(strike_price_currency, STRING),
    NEXT(strike_price, PRICE), NEXT(match_algorithm, CHAR), NEXT(md_security_trading_status, U8),
    NEXT(main_fraction, U8), NEXT(price_display_format, U8), NEXT(settl_price_type, U8),
    NEXT(sub_fraction, U8), NEXT(underlying_product, U8), NEXT(maturity_month, U8),
    NEXT(maturity_day, U8), NEXT(maturity_week, U8), NEXT(user_defined_instrument, CHAR),
    NEXT(contract_multiplier_unit, I8), NEXT(flow_schedule_type, I8), NEXT(tick_rule, U8),
};
static const struct dbn_layout definition_v2 = LAYOUT(definition_v2_fields, 2, 2, "", &definition_v1);
#undef RECORD

#define RECORD tdk_dbn_definition
static const struct dbn_field definition_fields[] = {
    HEAD_RECV, FIRST(raw_symbol, STRING), NEXT(security_update_action, CHAR),
    NEXT(instrument_class, CHAR), NEXT(min_price_increment, PRICE), NEXT(display_factor, PRICE),
    NEXT(expiration, TIME), NEXT(activation, TIME), NEXT(high_limit_price, PRICE),
    NEXT(low_limit_price, PRICE), NEXT(max_price_variation, PRICE),
    NEXT(unit_of_measure_qty, PRICE), NEXT(min_price_increment_amount, PRICE),
    NEXT(price_ratio, PRICE), NEXT(inst_attrib_value, I32), NEXT(underlying_id, U32),
    NEXT(raw_instrument_id, U64), NEXT(market_depth_implied, I32), NEXT(market_depth, I32),
    NEXT(market_segment_id, U32), NEXT(max_trade_vol, U32), NEXT(min_lot_size, I32),
    NEXT(min_lot_size_block, I32), NEXT(min_lot_size_round_lot, I32), NEXT(min_trade_vol, U32),
    NEXT(contract_multiplier, I32), NEXT(decay_quantity, I32), NEXT(original_contract_size, I32),
    NEXT(appl_id, I16), NEXT(maturity_year, U16), NEXT(decay_start_date, U16),
    NEXT(channel_id, U16), NEXT(currency, STRING), NEXT(settl_currency, STRING),
    NEXT(secsubtype, STRING), NEXT(group, STRING), NEXT(exchange, STRING), NEXT(asset, STRING),
    NEXT(cfi, STRING), NEXT(security_type, STRING), NEXT(unit_of_measure, STRING),
    NEXT(underlying, STRING), NEXT(strike_price_currency, STRING), NEXT(strike_price, PRICE),
    NEXT(match_algorithm, CHAR), NEXT(main_fraction, U8), NEXT(price_display_format, U8),
    NEXT(sub_fraction, U8), NEXT(underlying_product, U8), NEXT(maturity_month, U8),
    NEXT(maturity_day, U8), NEXT(maturity_week, U8), NEXT(user_defined_instrument, CHAR),
    NEXT(contract_multiplier_unit, I8), NEXT(flow_schedule_type, I8), NEXT(tick_rule, U8),
    NEXT(leg_count, U16), NEXT(leg_index, U16), NEXT(leg_instrument_id, U32),
    NEXT(leg_raw_symbol, STRING), NEXT(leg_instrument_class, CHAR), NEXT(leg_side, CHAR),
    NEXT(leg_price, PRICE), NEXT(leg_delta, PRICE), NEXT(leg_ratio_price_numerator, I32),
    NEXT(leg_ratio_price_denominator, I32), NEXT(leg_ratio_qty_numerator, I32),
    NEXT(leg_ratio_qty_denominator, I32), NEXT(leg_underlying_id, U32),
};
static const struct dbn_layout definition = LAYOUT(definition_fields, 3, 3, "", &definition_v2);
#undef RECORD

#define RECORD tdk_dbn_error_v1
static const struct dbn_field error_v1_fields[] = {
    HEAD, FIRST(err, STRING),
};
static const struct dbn_layout error_v1 = LAYOUT(error_v1_fields, 1, 1, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_error
static const struct dbn_field error_fields[] = {
    HEAD, FIRST(err, STRING), NEXT(code, U8), NEXT(is_last, U8),
};
static const struct dbn_layout error = LAYOUT(error_fields, 2, 3, "", &error_v1);
#undef RECORD

#define RECORD tdk_dbn_symbol_mapping_v1
static const struct dbn_field symbol_mapping_v1_fields[] = {
    HEAD, FIRST(stype_in_symbol, STRING), NEXT(stype_out_symbol, STRING), NEXT(start_ts, TIME),
    NEXT(end_ts, TIME),
};
static const struct dbn_layout symbol_mapping_v1 = LAYOUT(symbol_mapping_v1_fields, 1, 1, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_symbol_mapping
static const struct dbn_field symbol_mapping_fields[] = {
    HEAD, FIRST(stype_in, U8), NEXT(stype_in_symbol, STRING), NEXT(stype_out, U8),
    NEXT(stype_out_symbol, STRING), NEXT(start_ts, TIME), NEXT(end_ts, TIME),
};
static const struct dbn_layout symbol_mapping = LAYOUT(symbol_mapping_fields, 2, 3, "", &symbol_mapping_v1);
#undef RECORD

#define RECORD tdk_dbn_system_v1
static const struct dbn_field system_v1_fields[] = {
    HEAD, FIRST(msg, STRING),
};
static const struct dbn_layout system_v1 = LAYOUT(system_v1_fields, 1, 1, "", NULL);
#undef RECORD

#define RECORD tdk_dbn_system
static const struct dbn_field system_fields[] = {
    HEAD, FIRST(msg, STRING), NEXT(code, U8),
};
static const struct dbn_layout system_message = LAYOUT(system_fields, 2, 3, "", &system_v1);
#undef RECORD


/* Sizes are fractions: u64 in 1e-9, and strings in JSON. */
#define RECORD tdk_wide_trade
static const struct dbn_field wide_trade_fields[] = {
    HEAD, FIRST(side, CHAR), NEXT(price, PRICE), NEXT(size, SIZE), NEXT(flags, U8), NEXT(id, U64),
    NEXT(sequence, U64), NEXT(kind, U16),
};
static const struct dbn_layout wide_trade = LAYOUT(wide_trade_fields, 1, 3, "", NULL);
#undef RECORD

#define RECORD tdk_wide_quote
static const struct dbn_field wide_quote_fields[] = {
    HEAD, FIRST(flags, U8),
    FIELD("bid_px_00", OPEN "\"bid_px\":", PRICE, bid_px),
    FIELD("ask_px_00", ",\"ask_px\":", PRICE, ask_px),
    FIELD("bid_sz_00", ",\"bid_sz\":", SIZE, bid_sz),
    FIELD("ask_sz_00", ",\"ask_sz\":", SIZE, ask_sz),
};
static const struct dbn_layout wide_quote = LAYOUT(wide_quote_fields, 1, 3, "}]", NULL);
#undef RECORD
/* clang-format on */

/* The newest layout of each type. Older versions follow by `older`. */
static const struct dbn_layout *const layouts[256] = {
    [TDK_RTYPE_TRADES] = &trades,
    [TDK_RTYPE_MBP_1] = &mbp_1,
    [TDK_RTYPE_MBP_10] = &mbp_10,
    [TDK_RTYPE_OHLCV] = &ohlcv,
    [TDK_RTYPE_STATUS] = &status,
    [TDK_RTYPE_DEFINITION] = &definition,
    [TDK_RTYPE_IMBALANCE] = &imbalance,
    [TDK_RTYPE_ERROR] = &error,
    [TDK_RTYPE_SYMBOL_MAPPING] = &symbol_mapping,
    [TDK_RTYPE_SYSTEM] = &system_message,
    [TDK_RTYPE_STATISTICS] = &statistics,
    [TDK_RTYPE_OHLCV_1S] = &ohlcv,
    [TDK_RTYPE_OHLCV_1M] = &ohlcv,
    [TDK_RTYPE_OHLCV_1H] = &ohlcv,
    [TDK_RTYPE_OHLCV_1D] = &ohlcv,
    [TDK_RTYPE_OHLCV_EOD] = &ohlcv,
    [TDK_RTYPE_MBO] = &mbo,
    [TDK_RTYPE_CMBP_1] = &cmbp_1,
    [TDK_RTYPE_CBBO_1S] = &cbbo,
    [TDK_RTYPE_CBBO_1M] = &cbbo,
    [TDK_RTYPE_TCBBO] = &cmbp_1,
    [TDK_RTYPE_BBO_1S] = &bbo,
    [TDK_RTYPE_BBO_1M] = &bbo,
    [TDK_RTYPE_WIDE_TRADE] = &wide_trade,
    [TDK_RTYPE_WIDE_QUOTE] = &wide_quote,
};

const uint8_t dbn_recv_offset[256] = {
    [TDK_RTYPE_TRADES] = offsetof(struct tdk_dbn_trades, ts_recv),
    [TDK_RTYPE_MBP_1] = offsetof(struct tdk_dbn_mbp_1, ts_recv),
    [TDK_RTYPE_MBP_10] = offsetof(struct tdk_dbn_mbp_10, ts_recv),
    [TDK_RTYPE_STATUS] = offsetof(struct tdk_dbn_status, ts_recv),
    [TDK_RTYPE_DEFINITION] = offsetof(struct tdk_dbn_definition, ts_recv),
    [TDK_RTYPE_IMBALANCE] = offsetof(struct tdk_dbn_imbalance, ts_recv),
    [TDK_RTYPE_STATISTICS] = offsetof(struct tdk_dbn_statistics, ts_recv),
    [TDK_RTYPE_MBO] = offsetof(struct tdk_dbn_mbo, ts_recv),
    [TDK_RTYPE_CMBP_1] = offsetof(struct tdk_dbn_cmbp_1, ts_recv),
    [TDK_RTYPE_CBBO_1S] = offsetof(struct tdk_dbn_cbbo, ts_recv),
    [TDK_RTYPE_CBBO_1M] = offsetof(struct tdk_dbn_cbbo, ts_recv),
    [TDK_RTYPE_TCBBO] = offsetof(struct tdk_dbn_cmbp_1, ts_recv),
    [TDK_RTYPE_BBO_1S] = offsetof(struct tdk_dbn_bbo, ts_recv),
    [TDK_RTYPE_BBO_1M] = offsetof(struct tdk_dbn_bbo, ts_recv),
};

static const struct dbn_layout *layout_newest(uint8_t type, uint8_t rtype)
{
    bool wide = rtype == TDK_RTYPE_WIDE_TRADE || rtype == TDK_RTYPE_WIDE_QUOTE;
    return type == (wide ? TDK_TYPE_WIDE : TDK_TYPE_DBN) ? layouts[rtype] : NULL;
}

const struct dbn_layout *dbn_layout_find(uint8_t type, uint8_t rtype, uint32_t size)
{
    const struct dbn_layout *layout = layout_newest(type, rtype);
    while (layout != NULL && size != layout->size &&
           (type == TDK_TYPE_WIDE || size != layout->size + DBN_TS_OUT_SIZE))
        layout = layout->older;
    return layout;
}

const struct dbn_layout *dbn_layout_of_version(uint8_t type, uint8_t rtype, uint8_t version)
{
    const struct dbn_layout *layout = layout_newest(type, rtype);
    while (layout != NULL && version < layout->first_version)
        layout = layout->older;
    return layout;
}
