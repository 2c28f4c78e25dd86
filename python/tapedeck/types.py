"""What a query's `types` mean: schemas, numbers, and the names that tracks gave to opaque types."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, NamedTuple, Sequence, Union

from . import native as lib
from . import records as r
from .records import Schema

Type = Union[str, int, Schema]


class _Name(NamedTuple):
    """On this track an opaque type's number means this."""

    track: str
    number: int
    name: str
    is_met: bool  # in an epoch that the range meets


def _is_name(word: Type) -> bool:
    return isinstance(word, str) and word not in r.SCHEMAS


def _pair(word: Type) -> tuple[int, int]:
    if isinstance(word, int):
        return lib.check_byte("type", word), -1
    kind = r.schema(word)
    return kind.type, kind.rtype


def _epochs(handle: Any, track: str, query: lib.Query) -> list[tuple[int, bool]]:
    """Each, and whether the range meets it; when events happened is not known before they are read."""
    found: list[tuple[int, bool]] = []

    def each(at: Any) -> None:
        e = at.contents
        timed = query.axis or query.from_ <= e.last_ts and e.first_ts < query.to
        found.append((e.epoch, e.first_ts <= e.last_ts and bool(timed)))

    walk = lib.Walk(handle)
    walk.call("tdk_tape_epochs", handle.at, track.encode(), walk.each(lib.EachEpochInfo, each), None)
    return found


def _names(handle: Any, track: str, query: lib.Query) -> list[_Name]:
    """`type.3` = `line`, a TAB, `text/plain`."""
    found: list[_Name] = []
    for epoch, is_met in _epochs(handle, track, query):
        def each(key: bytes, value: int, size: int, is_met: bool = is_met) -> None:
            number = key[5:].decode("ascii", "replace")
            if key.startswith(b"type.") and number.isdecimal():
                name = ctypes.string_at(value, size).split(b"\t")[0].decode("utf-8", "replace")
                found.append(_Name(track, int(number), name, is_met))

        walk = lib.Walk(handle)
        walk.call("tdk_tape_properties", handle.at, track.encode(), epoch,
                  walk.each(lib.EachProperty, each), None)
    return found


def _check(words: Sequence[Type], told: Sequence[_Name], meant: Sequence[_Name]) -> None:
    """A cursor filters by numbers alone, on each of its tracks."""
    known = {name.name for name in meant}
    for word in words:
        if _is_name(word) and word not in known:
            raise ValueError(f"no type {word!r}: a schema ({', '.join(sorted(r.SCHEMAS))}), a number, "
                             "or the name that a track gave")
    by_number = {name.number: name.name for name in meant}
    for other in told:
        if (other.is_met and other.number in by_number and other.name not in words
                and other.number not in words):
            raise ValueError(f"type {by_number[other.number]!r} is number {other.number}, which is "
                             f"{other.name!r} on track {other.track} in this range: name the tracks, "
                             "or another range")


def choose(query: lib.Query, words: Sequence[Type], handle: Any,
           tracks: Callable[[], Sequence[str]]) -> None:
    """The query's types. Where names alone are asked for its tracks are those that gave them, of `tracks`."""
    if not words:
        raise ValueError("types: an empty list; leave it out for all of them")
    pairs = [_pair(word) for word in words if not _is_name(word)]
    if len(pairs) < len(words):
        told = [name for track in tracks() for name in _names(handle, track, query)]
        meant = [name for name in told if name.name in words]
        own = {name.track for name in meant}
        if not pairs:
            told = [name for name in told if name.track in own]
        _check(words, told, meant)
        if not pairs:
            query.tracks, query.track_count = lib.strings("tracks", sorted(own))
        pairs += [(number, -1) for number in sorted({name.number for name in meant})]
    query.types = (lib.TypeFilter * len(pairs))(*pairs)
    query.type_count = len(pairs)
