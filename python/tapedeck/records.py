"""Records as NumPy structured types: DBN's schemas in all their versions, and tapedeck's wide ticks.

Fields, sizes and offsets are those of include/tapedeck/dbn.h (a test compares them one by one).
Levels of a book are flat and named as in the vendor's CSV: bid_px_00, ask_px_00, ... Reserved
bytes have no name. Prices are int64 in 1e-9; PRICE_UNDEFINED is none. Times are uint64, ns since
1970 in UTC; TS_UNDEFINED is none. Texts are bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

import numpy as np

PRICE_UNDEFINED = (1 << 63) - 1
TS_UNDEFINED = (1 << 64) - 1

DBN, WIDE, OPAQUE, CONTROL = 1, 2, 3, 0xC0  # types of a frame
LOSS, CLOCK, EPOCH, SYMBOL, MARK, TRACK, JOIN, END, INFO = range(0xC0, 0xC9)
UNTRUSTED, CLOCK_BACK, AFTER_LOSS, PROLOGUE, SOURCE_SEQUENCE, INVALID = 1, 2, 4, 8, 16, 32  # flags

# A frame's head, which stands in front of each payload.
HEAD = np.dtype([("size", "<u4"), ("track", "<u2"), ("type", "u1"), ("flags", "u1"), ("seq", "<u8"),
                 ("ts", "<u8")])

_BIDS = "i64 bid_px ask_px; u32 bid_sz ask_sz bid_ct ask_ct"
_BIDS_OF_VENUES = "i64 bid_px ask_px; u32 bid_sz ask_sz; u16 bid_pb - ask_pb -"
_TRADE = ("i64 price; u32 size; char action side; u8 flags depth; u64 ts_recv; i32 ts_in_delta; "
          "u32 sequence; ")


def _levels(fields: str, count: int) -> str:
    """The fields of each level, numbered: bid_px_00 ..."""
    out = []
    for level in range(count):
        for group in fields.split(";"):
            kind, *names = group.split()
            out.append(" ".join([kind] + [n if n == "-" else f"{n}_{level:02}" for n in names]))
    return "; ".join(out)


# "KIND NAME ...; KIND NAME ..." after the 16 bytes of DBN's head. "-" is reserved, "-N" is N of these.
_LAYOUTS = {
    "trades": [_TRADE],
    "mbp-1": [_TRADE + _levels(_BIDS, 1)],
    "mbp-10": [_TRADE + _levels(_BIDS, 10)],
    "mbo": ["u64 order_id; i64 price; u32 size; u8 flags channel_id; char action side; u64 ts_recv; "
            "i32 ts_in_delta; u32 sequence"],
    "bbo": ["i64 price; u32 size; u8 -; char side; u8 flags -; u64 ts_recv; u8 -4; u32 sequence; "
            + _levels(_BIDS, 1)],
    "cmbp-1": ["i64 price; u32 size; char action side; u8 flags -; u64 ts_recv; i32 ts_in_delta; "
               "u8 -4; " + _levels(_BIDS_OF_VENUES, 1)],
    "cbbo": ["i64 price; u32 size; u8 -; char side; u8 flags -; u64 ts_recv; u8 -8; "
             + _levels(_BIDS_OF_VENUES, 1)],
    "ohlcv": ["i64 open high low close; u64 volume"],
    "status": ["u64 ts_recv; u16 action reason trading_event; char is_trading is_quoting "
               "is_short_sell_restricted; u8 -7"],
    "imbalance": ["u64 ts_recv; i64 ref_price; u64 auction_time; i64 cont_book_clr_price "
                  "auct_interest_clr_price ssr_filling_price ind_match_price upper_collar "
                  "lower_collar; u32 paired_qty total_imbalance_qty market_imbalance_qty "
                  "unpaired_qty; char auction_type side; u8 auction_status freeze_status "
                  "num_extensions; char unpaired_side significant_imbalance; u8 -"],
    "statistics": [
        "u64 ts_recv ts_ref; i64 price; i32 quantity; u32 sequence; i32 ts_in_delta; u16 stat_type "
        "channel_id; u8 update_action stat_flags -6",
        "u64 ts_recv ts_ref; i64 price quantity; u32 sequence; i32 ts_in_delta; u16 stat_type "
        "channel_id; u8 update_action stat_flags -18"],
    "error": ["char err[64]", "char err[302]; u8 code is_last"],
    "system": ["char msg[64]", "char msg[303]; u8 code"],
    "symbol-mapping": [
        "char stype_in_symbol[22] stype_out_symbol[22]; u8 -4; u64 start_ts end_ts",
        "u8 stype_in; char stype_in_symbol[71]; u8 stype_out; char stype_out_symbol[71]; "
        "u64 start_ts end_ts"],
    "definition": [
        "u64 ts_recv; i64 min_price_increment display_factor; u64 expiration activation; "
        "i64 high_limit_price low_limit_price max_price_variation trading_reference_price "
        "unit_of_measure_qty min_price_increment_amount price_ratio; i32 inst_attrib_value; "
        "u32 underlying_id raw_instrument_id; i32 market_depth_implied market_depth; "
        "u32 market_segment_id max_trade_vol; i32 min_lot_size min_lot_size_block "
        "min_lot_size_round_lot; u32 min_trade_vol; u8 -4; i32 contract_multiplier decay_quantity "
        "original_contract_size; u8 -4; u16 trading_reference_date; i16 appl_id; u16 maturity_year "
        "decay_start_date channel_id; char currency[4] settl_currency[4] secsubtype[6] "
        "raw_symbol[22] group[21] exchange[5] asset[7] cfi[7] security_type[7] unit_of_measure[31] "
        "underlying[21] strike_price_currency[4] instrument_class; u8 -2; i64 strike_price; u8 -6; "
        "char match_algorithm; u8 md_security_trading_status main_fraction price_display_format "
        "settl_price_type sub_fraction underlying_product; char security_update_action; "
        "u8 maturity_month maturity_day maturity_week; char user_defined_instrument; "
        "i8 contract_multiplier_unit flow_schedule_type; u8 tick_rule -3",
        "u64 ts_recv; i64 min_price_increment display_factor; u64 expiration activation; "
        "i64 high_limit_price low_limit_price max_price_variation trading_reference_price "
        "unit_of_measure_qty min_price_increment_amount price_ratio strike_price; "
        "i32 inst_attrib_value; u32 underlying_id raw_instrument_id; i32 market_depth_implied "
        "market_depth; u32 market_segment_id max_trade_vol; i32 min_lot_size min_lot_size_block "
        "min_lot_size_round_lot; u32 min_trade_vol; i32 contract_multiplier decay_quantity "
        "original_contract_size; u16 trading_reference_date; i16 appl_id; u16 maturity_year "
        "decay_start_date channel_id; char currency[4] settl_currency[4] secsubtype[6] "
        "raw_symbol[71] group[21] exchange[5] asset[7] cfi[7] security_type[7] unit_of_measure[31] "
        "underlying[21] strike_price_currency[4] instrument_class match_algorithm; "
        "u8 md_security_trading_status main_fraction price_display_format settl_price_type "
        "sub_fraction underlying_product; char security_update_action; u8 maturity_month "
        "maturity_day maturity_week; char user_defined_instrument; i8 contract_multiplier_unit "
        "flow_schedule_type; u8 tick_rule -10",
        "u64 ts_recv; i64 min_price_increment display_factor; u64 expiration activation; "
        "i64 high_limit_price low_limit_price max_price_variation unit_of_measure_qty "
        "min_price_increment_amount price_ratio strike_price; u64 raw_instrument_id; i64 leg_price "
        "leg_delta; i32 inst_attrib_value; u32 underlying_id; i32 market_depth_implied "
        "market_depth; u32 market_segment_id max_trade_vol; i32 min_lot_size min_lot_size_block "
        "min_lot_size_round_lot; u32 min_trade_vol; i32 contract_multiplier decay_quantity "
        "original_contract_size; u32 leg_instrument_id; i32 leg_ratio_price_numerator "
        "leg_ratio_price_denominator leg_ratio_qty_numerator leg_ratio_qty_denominator; "
        "u32 leg_underlying_id; i16 appl_id; u16 maturity_year decay_start_date channel_id leg_count "
        "leg_index; char currency[4] settl_currency[4] secsubtype[6] raw_symbol[71] group[21] "
        "exchange[5] asset[11] cfi[7] security_type[7] unit_of_measure[31] underlying[21] "
        "strike_price_currency[4] leg_raw_symbol[71] instrument_class match_algorithm; "
        "u8 main_fraction price_display_format sub_fraction underlying_product; "
        "char security_update_action; u8 maturity_month maturity_day maturity_week; "
        "char user_defined_instrument; i8 contract_multiplier_unit flow_schedule_type; u8 tick_rule; "
        "char leg_instrument_class leg_side; u8 -17"],
    "wide-trade": ["i64 price; u64 size id sequence; char side; u8 flags; u16 kind; u32 -"],
    "wide-quote": ["i64 bid_px ask_px; u64 bid_sz ask_sz; u8 flags -7"],
}

_KINDS = {"i8": "i1", "u8": "u1", "i16": "<i2", "u16": "<u2", "i32": "<i4", "u32": "<u4",
          "i64": "<i8", "u64": "<u8", "char": "S1"}


def _dtype(layout: str) -> np.dtype:
    names = ["length", "rtype", "publisher_id", "instrument_id", "ts_event"]
    formats = ["u1", "u1", "<u2", "<u4", "<u8"]
    offsets, at = [0, 1, 2, 4, 8], 16
    for group in filter(None, map(str.strip, layout.split(";"))):
        kind, *fields = group.split()
        for field in fields:
            form = _KINDS[kind]
            if field.startswith("-"):
                at += np.dtype(form).itemsize * int(field[1:] or 1)
                continue
            name, _, count = field.partition("[")
            if count:
                form = "S" + count.rstrip("]")
            names.append(name)
            formats.append(form)
            offsets.append(at)
            at += np.dtype(form).itemsize
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": at})


def _with_send_time(dtype: np.dtype) -> np.dtype:
    """The same with DBN's ts_out: a send time after each record of a live stream."""
    fields = dtype.fields or {}
    return np.dtype({"names": list(fields) + ["ts_out"],
                     "formats": [fields[n][0] for n in fields] + ["<u8"],
                     "offsets": [fields[n][1] for n in fields] + [dtype.itemsize],
                     "itemsize": dtype.itemsize + 8})


class Schema(NamedTuple):
    """One kind of record: how its frame identifies it, and its layouts by size."""

    name: str
    type: int  # of the frame
    rtype: int
    dtypes: dict[int, np.dtype]  # by the payload's size in bytes; the last version is last

    @property
    def dtype(self) -> np.dtype:
        """The newest layout, without a send time."""
        return list(self.dtypes.values())[-2] if self.type == DBN else list(self.dtypes.values())[-1]


def _schemas() -> dict[str, Schema]:
    rtypes = {"trades": (0x00, "trades"), "mbp-1": (0x01, "mbp-1"), "mbp-10": (0x0A, "mbp-10"),
              "ohlcv": (0x11, "ohlcv"), "status": (0x12, "status"), "definition": (0x13, "definition"),
              "imbalance": (0x14, "imbalance"), "error": (0x15, "error"),
              "symbol-mapping": (0x16, "symbol-mapping"), "system": (0x17, "system"),
              "statistics": (0x18, "statistics"), "ohlcv-1s": (0x20, "ohlcv"),
              "ohlcv-1m": (0x21, "ohlcv"), "ohlcv-1h": (0x22, "ohlcv"), "ohlcv-1d": (0x23, "ohlcv"),
              "ohlcv-eod": (0x24, "ohlcv"), "mbo": (0xA0, "mbo"), "cmbp-1": (0xB1, "cmbp-1"),
              "cbbo-1s": (0xC0, "cbbo"), "cbbo-1m": (0xC1, "cbbo"), "tcbbo": (0xC2, "cmbp-1"),
              "bbo-1s": (0xC3, "bbo"), "bbo-1m": (0xC4, "bbo"), "wide-trade": (0xE0, "wide-trade"),
              "wide-quote": (0xE1, "wide-quote")}
    found = {}
    for name, (rtype, layout) in rtypes.items():
        kind = WIDE if name.startswith("wide") else DBN
        dtypes = {}
        for text in _LAYOUTS[layout]:
            dtype = _dtype(text)
            dtypes[dtype.itemsize] = dtype
            if kind == DBN:
                dtypes[dtype.itemsize + 8] = _with_send_time(dtype)
        found[name] = Schema(name, kind, rtype, dtypes)
    found["tbbo"] = found["mbp-1"]  # one record type, two names
    return found


SCHEMAS: dict[str, Schema] = _schemas()
_BY_RTYPE = {(s.type, s.rtype): s for s in SCHEMAS.values()}


def schema_of(type: int, rtype: int) -> Optional[Schema]:
    """The schema of a frame's type and its record's rtype; None: there is none."""
    return _BY_RTYPE.get((type, rtype))


def schema(name: Union[str, Schema]) -> Schema:
    """The schema of this name: "mbo", "wide-trade", ... The text of the ValueError lists them all."""
    if isinstance(name, Schema):
        return name
    try:
        return SCHEMAS[name]
    except KeyError:
        raise ValueError(f"no schema {name!r}; there are {', '.join(sorted(SCHEMAS))}") from None


def make(name: Union[str, Schema], count: int) -> np.ndarray:
    """`count` records of a schema, with only length and rtype set, to be filled and published."""
    kind = schema(name)
    records = np.zeros(count, kind.dtype)
    records["length"] = kind.dtype.itemsize // 4
    records["rtype"] = kind.rtype
    return records


def to_float(values: Any) -> Any:
    """Prices (int64) or wide sizes (uint64) in 1e-9 as floats, undefined ones as NaN: an array of them, or
    one. This is for display and statistics; keep integers where exactness matters."""
    undefined = PRICE_UNDEFINED if values.dtype.kind == "i" else TS_UNDEFINED
    if values.ndim == 0:
        return np.float64(np.nan) if values == undefined else values / 1e9
    floats = values / 1e9
    floats[values == undefined] = np.nan
    return floats
