"""Converts points in time between Python's usual types and ns since 1970 in UTC."""

from __future__ import annotations

import datetime
import re
from typing import Any, Union

import numpy as np

from .native import U64_MAX

Moment = Union[int, str, np.datetime64, datetime.datetime]

_TEXT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
                   r"(Z|[+-]\d\d:\d\d))?")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def to_ns(moment: Moment) -> int:
    """A time as ns since 1970. An int is taken as it is. Texts are "2026-11-20T09:30:00.5Z" with a zone,
    or "2026-11-20" for the start of that UTC day. numpy.datetime64 is UTC. datetime and pandas.Timestamp
    must have a zone. ValueError for anything else, and for a time before 1970 or past 2554."""
    ns = _to_int(moment)
    if not 0 <= ns <= U64_MAX:
        raise ValueError(f"{moment}: times are from 1970 to 2554")
    return ns


def times_to_ns(times: Any) -> np.ndarray:
    """Many times as uint64 ns since 1970. Integers are taken as they are, numpy.datetime64 of any unit
    as UTC; texts and datetimes (pandas has times with a zone as such) as to_ns() takes them."""
    times = np.asarray(times)
    if times.dtype.kind in "OU":
        times = np.array([to_ns(moment) for moment in times.ravel().tolist()], np.uint64).reshape(times.shape)
    if times.dtype.kind == "M":
        times = _of_datetime64(times)
    if times.dtype.kind not in "iu":
        raise ValueError(f"times of type {times.dtype}: ns since 1970 as integers, or datetime64")
    if times.dtype.kind == "i" and (times < 0).any():
        raise ValueError("a time before 1970")
    return np.ascontiguousarray(times, np.uint64)


def _to_int(moment: Moment) -> int:
    if isinstance(moment, (int, np.integer)):
        return int(moment)
    if isinstance(moment, np.datetime64):
        return int(_of_datetime64(np.asarray(moment)))
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{moment}: a time without a zone could be any; give it a tzinfo")
        since = moment - _EPOCH
        ns = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
        return ns + int(getattr(moment, "nanosecond", 0))
    if isinstance(moment, str):
        return _of_text(moment)
    raise TypeError(f"{moment!r} is no time")


def _of_datetime64(times: np.ndarray) -> np.ndarray:
    """Times as int64 ns. NumPy silently wraps values that do not fit, so convert back and compare. NaT is
    never equal."""
    ns = times.astype("datetime64[ns]")
    if not (ns.astype(times.dtype) == times).all():
        raise ValueError("a datetime64 that is NaT, out of 1677 to 2262, or finer than ns")
    return ns.astype(np.int64)


def _of_text(text: str) -> int:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time: 2026-11-20T09:30:00.5Z (with a zone), 2026-11-20, "
                         "or ns since 1970 as a number")
    day, clock, zone = match.groups()
    ns = int(np.datetime64(day, "D").astype("int64")) * 86400 * 10**9
    if clock:
        ns += int(np.datetime64(f"1970-01-01T{clock}", "ns").astype("int64"))
    if zone and zone != "Z":
        shift = (int(zone[1:3]) * 60 + int(zone[4:6])) * 60 * 10**9
        ns += -shift if zone[0] == "+" else shift
    return ns


def to_datetime64(ns: Any) -> np.ndarray:
    """Times of records (uint64) as datetime64[ns] in UTC. NaT: undefined, or past 2262, which a
    datetime64 cannot hold."""
    times = np.asarray(ns, np.uint64)
    limits = np.iinfo(np.int64)
    out = np.where(times > np.uint64(limits.max), limits.min, times.astype(np.int64))
    return out.view("datetime64[ns]")
