"""Synthetic DBN records as a fragment's bytes, and files of the real data."""

import json
import struct
import unittest

from tests.support import tapedeck

DATA = tapedeck.SHARED / "data"
PRICE_NONE = 2**63 - 1
TIME_NONE = 2**64 - 1
MBO = struct.Struct("<BBHIQQqIBBccQiI")
TRADE = struct.Struct("<BBHIQqIccBBQiI")


def facts():
    """What is known about each DBN file, by its path below the data's folder."""
    path = DATA / "expected.json"
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there: the real data stands beside the project")
    files = json.loads(path.read_text(encoding="utf-8"))["files"]
    return {name: fact for name, fact in files.items() if name.startswith("dbn/")}


def mbo(order_id, ts_recv, price=1_000_000_000, size=1, instrument=7, ts_event=None, action=b"A",
        side=b"B", sequence=None):
    return MBO.pack(14, 0xA0, 1, instrument, ts_recv if ts_event is None else ts_event, order_id,
                    price, size, 0, 0, action, side, ts_recv, 0,
                    order_id % 2**32 if sequence is None else sequence)


def trade(number, ts, price=1, size=1):
    """A trade of the instrument `number`, with `ts` as its event time and its receive time."""
    return TRADE.pack(12, 0x00, 1, number, ts, price, size, b"T", b"A", 0, 0, ts, 0, price % 2**32)
