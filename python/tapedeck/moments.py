"""Points in time as people have them in Python, to ns since 1970 in UTC and back."""

from __future__ import annotations

import datetime
import re
from typing import Any, Union

import numpy as np

Moment = Union[int, str, np.datetime64, datetime.datetime]

_TEXT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
                   r"(Z|[+-]\d\d:\d\d))?")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def to_ns(moment: Moment) -> int:
    """ns since 1970. int: as it is; "2026-11-20T09:30:00.5Z" with a zone, "2026-11-20" that UTC day's
    start; numpy.datetime64: UTC; datetime and pandas.Timestamp: with a zone. ValueError else."""
    if isinstance(moment, (int, np.integer)):
        return int(moment)
    if isinstance(moment, np.datetime64):
        return int(moment.astype("datetime64[ns]").astype("int64"))
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{moment}: a time without a zone could be any; give it a tzinfo")
        since = moment - _EPOCH
        ns = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
        return ns + int(getattr(moment, "nanosecond", 0))
    if isinstance(moment, str):
        return _of_text(moment)
    raise TypeError(f"{moment!r} is no time")


def _of_text(text: str) -> int:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time: 2026-11-20T09:30:00.5Z (with a zone), 2026-11-20, "
                         "or ns since 1970 as a number")
    day, clock, zone = match.groups()
    ns = int(np.datetime64(f"{day}T{clock}" if clock else day, "ns").astype("int64"))
    if zone and zone != "Z":
        shift = (int(zone[1:3]) * 60 + int(zone[4:6])) * 60 * 10**9
        ns += -shift if zone[0] == "+" else shift
    return ns


def to_datetime64(ns: Any) -> np.ndarray:
    """Times of records (uint64) as datetime64[ns] in UTC; undefined is NaT."""
    times = np.asarray(ns, np.uint64)
    out = times.astype(np.int64)
    out = np.where(times == np.uint64(2**64 - 1), np.iinfo(np.int64).min, out)
    return out.view("datetime64[ns]")
