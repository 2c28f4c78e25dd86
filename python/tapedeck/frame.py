"""Records as a pandas DataFrame. The only file that needs pandas."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from . import records as r
from .moments import to_datetime64

# Fields whose names do not tell. DBN has whatever may be a fraction in units of 1e-9.
_PRICES = frozenset((
    "close", "display_factor", "high", "leg_delta", "low", "lower_collar", "max_price_variation",
    "min_price_increment", "min_price_increment_amount", "open", "price", "price_ratio", "unit_of_measure_qty",
    "upper_collar"))
_TIMES = frozenset(("activation", "auction_time", "end_ts", "expiration", "start_ts"))


def is_price(name: str) -> bool:
    return name in _PRICES or name.startswith(("bid_px", "ask_px")) or name.endswith("_price")


def is_time(name: str) -> bool:
    return name in _TIMES or (name.startswith("ts_") and name != "ts_in_delta")


def texts_of(column: np.ndarray) -> np.ndarray:
    """Bytes as texts, as Tape.symbols() has them. NumPy alone is fast, and knows ASCII only."""
    try:
        return column.astype(str)
    except UnicodeDecodeError:
        return np.char.decode(column, "utf-8", "backslashreplace")


def _column(values: np.ndarray, name: str, exact: bool) -> Any:
    column = np.ascontiguousarray(values[name])
    if column.dtype.kind == "S":
        return texts_of(column)
    if is_time(name):
        return to_datetime64(column)
    wide = "id" in (values.dtype.names or ()) and name == "size" or name[:6] in ("bid_sz", "ask_sz")
    if not exact and (is_price(name) and column.dtype == np.int64
                      or wide and column.dtype == np.uint64):
        return r.to_float(column)
    return column


def _own_times(values: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """The times that symbols are told for: a DBN record has its own, and a feed may stamp the frame anew."""
    if len(heads) == 0 or heads["type"][0] != r.DBN:
        return heads["ts"]
    own = values["ts_recv" if "ts_recv" in (values.dtype.names or ()) else "ts_event"]
    return np.where(own == np.uint64(r.TS_UNDEFINED), heads["ts"], own)


def symbols_of(values: np.ndarray, heads: np.ndarray, symbols: Sequence[Any],
               tracks: dict[int, str]) -> np.ndarray:
    """The symbol of each record's instrument id at its time, on its track, in its epoch. "": unknown."""
    meant: dict[tuple[str, int, int], list[Any]] = {}
    for entry in symbols:
        meant.setdefault((entry.track, entry.epoch, entry.instrument_id), []).append(entry)
    out = np.full(len(values), "", object)
    who = np.empty(len(values), [("track", "<u2"), ("epoch", "<u8"), ("id", "<u4")])
    who["track"], who["epoch"], who["id"] = heads["track"], heads["epoch"], values["instrument_id"]
    found, inverse = np.unique(who, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(found) + 1))
    times = _own_times(values, heads)
    for i, (track, epoch, instrument) in enumerate(found.tolist()):
        rows = order[bounds[i]:bounds[i + 1]]
        ts = times[rows]
        for entry in meant.get((tracks.get(track, ""), epoch, instrument), ()):
            during = (ts >= np.uint64(entry.start)) & (
                True if entry.end is None else ts < np.uint64(entry.end))
            out[rows[during]] = entry.symbol
    return out


def to_frame(values: np.ndarray, heads: np.ndarray, symbols: Sequence[Any], tracks: dict[int, str],
             exact: bool) -> Any:
    """See Tape.frame()."""
    try:
        import pandas
    except ImportError:
        raise ImportError("frame() needs pandas (Debian: python3-pandas); query() does not") from None
    columns = {name: _column(values, name, exact) for name in values.dtype.names or ()
               if name not in ("length", "rtype")}
    columns["symbol"] = pandas.Categorical(symbols_of(values, heads, symbols, tracks))
    index = pandas.DatetimeIndex(to_datetime64(heads["ts"]), tz="UTC", name="ts")
    return pandas.DataFrame(columns, index=index)
