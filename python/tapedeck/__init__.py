"""tapedeck: tapes, rings and replays of market data as NumPy arrays.

    import tapedeck

    with tapedeck.Tape("/data/tape") as tape:
        mbo = tape.query("mbo", "2024-05-08T00:00Z", "2024-05-08T00:01Z")   # a structured array
        mbo["price"].max() / 1e9

    with tapedeck.Consumer("replay") as ring:
        for batch in ring.batches():
            trades = batch.records("trades")

docs/python.md describes all of it. Errors are tapedeck.Error, with the library's text and code.
"""

from . import records
from .batch import Batch, Part
from .client import Client, ask
from .native import Busy, Damaged, Error, Hostile, Lapped, Missing
from .moments import to_datetime64, to_ns
from .records import SCHEMAS, Schema, to_float
from .ring import (Clock, Consumer, Producer, RingInfo, Tap, create_ring, remove_ring, ring_info,
                   rings)
from .stream import Stream, Whole
from .tape import (Coverage, Cursor, EpochCoverage, Gap, Info, LossWarning, LostSegments, Stats, Symbol, Tape,
                   Track)

__version__ = "0.1.0"

__all__ = [
    "Batch", "Busy", "Client", "Clock", "Consumer", "Coverage", "Cursor", "Damaged", "EpochCoverage", "Error",
    "Gap", "Hostile", "Info", "Lapped", "LossWarning", "LostSegments", "Missing", "Part", "Producer", "RingInfo",
    "SCHEMAS", "Schema", "Stats", "Stream", "Symbol", "Tap", "Tape", "Track", "Whole", "ask", "create_ring", "records",
    "remove_ring", "ring_info", "rings", "to_datetime64", "to_float", "to_ns",
]
