"""Tapes: what is on them, their ranges as arrays and frames, and whether a range is whole."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import warnings
from ctypes import byref
from typing import Any, Iterator, NamedTuple, Optional, Sequence, Union

import numpy as np

from . import native as lib
from . import records as r
from .batch import Batch, Part
from .helper import aside
from .native import U64_MAX, Words, check_unsigned
from .moments import Moment, to_ns
from .records import Schema
from .types import Type, choose

BATCH_SIZE = 1 << 20  # bytes of frames read at a time: as much as stays in a cache
PIECE_SIZE = 32 << 20
_PATIENCE_NS = 10**8  # how long a search for what is rare is deaf to ^C
_NOTHING_YET = -errno.EAGAIN
CANARY = "tapedeck.canary"  # the track that a query has only by its name


class LossWarning(UserWarning):
    """An answer is not whole."""


class Info(NamedTuple):
    """A tape as a whole. If it has no tick, first_ts and last_ts are None."""

    tape_id: str
    created_ns: int
    first_ts: Optional[int]
    last_ts: Optional[int]
    ticks: int
    bytes: int
    lost: int
    size_on_disk: int
    tracks: int
    segments: int
    recording: bool
    index_used: bool


class Track(NamedTuple):
    name: str
    number: int
    kind: str  # mixed, dbn, wide, opaque
    first_ts: Optional[int]
    last_ts: Optional[int]
    ticks: int
    bytes: int
    lost: int
    epochs: int


class Symbol(NamedTuple):
    """From `start` up to `end` (None: open), instrument_id means this symbol on this track."""

    symbol: str
    track: str
    epoch: int
    instrument_id: int
    start: int
    end: Optional[int]


class Gap(NamedTuple):
    """Seqs of an epoch that an answer does not have. They lie between the ts `start` and `end`."""

    track: str
    epoch: int
    first_seq: int
    count: int
    start: int
    end: int
    reason: str
    damaged: bool
    retired: bool
    away: bool


class EpochCoverage(NamedTuple):
    track: str
    epoch: int
    first_seq: int
    last_seq: int
    ticks: int
    lost: int
    damaged: int
    retired: int
    away: int


class LostSegments(NamedTuple):
    """Segments `first` to `last` that are not there; or, if `is_cut`, one that lost its end."""

    first: int
    last: int
    is_cut: bool


class Coverage(NamedTuple):
    """Is a range whole? `complete`: nothing lost, damaged, deleted or away, and no `lost_segments`, of
    which nobody knows how many ticks they held."""

    complete: bool
    epochs: list[EpochCoverage]
    gaps: list[Gap]
    lost_segments: list[LostSegments]


class Stats(NamedTuple):
    """What a cursor has met so far."""

    ticks: int
    bytes: int
    lost: int
    damaged_blocks: int
    blocks_read: int
    blocks_skipped: int
    bytes_read: int


_REASONS = {0: "damage", 1: "ring full", 2: "no space", 3: "damage", 4: "quarantine", 5: "unknown",
            6: "retired", 7: "away"}
_KINDS = ("mixed", "dbn", "wide", "opaque")


class _Handle:
    """The C tape. It is closed when neither the Tape nor its cursors have it any more.

    Users are counted, because references alone do not suffice: Python finalizes the members of a garbage
    cycle in any order, and the tape must be closed after its cursors.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.at = ctypes.c_void_p()
        self._lock = threading.RLock()  # a finalizer may run while it is held
        self.users = 1
        # It may have to make an index. Interrupted, it goes its way, and is closed when it is of use
        # to nobody.
        aside(lambda: lib.call("tdk_tape_open", byref(self.at), os.fsencode(path)), None)

    def refresh(self) -> None:
        aside(lambda: lib.call("tdk_tape_refresh", self.at), None)

    def take(self) -> None:
        with self._lock:
            self.users += 1

    def drop(self) -> None:
        with self._lock:
            self.users -= 1
            if self.users == 0:
                lib.lib.tdk_tape_close(self.at)

    def __del__(self) -> None:
        if self.users:
            self.drop()


class _Memory:
    """Part of a C batch, in the form that NumPy expects. The batch is freed with its last part."""

    def __init__(self, owner: "Given", address: int, size: int, typestr: str) -> None:
        self.owner = owner
        self.__array_interface__ = {"data": (address, True), "shape": (size,), "typestr": typestr,
                                    "version": 3}


class Given:
    """Has room for a batch that the library gives, and for what went wrong; it owns the batch.

    It is there before the library is asked: ^C may come as soon as that is back.
    """

    def __init__(self) -> None:
        self.batch = self._as_parameter_ = ctypes.POINTER(lib.Batch)()
        self.err = lib.Err()

    __del__ = lib.finalizer(lib.lib.tdk_batch_free)

    @property
    def failure(self) -> Optional[lib.Error]:
        return lib.failure(self.err.code, self.err) if self.err.code else None


_PART = np.dtype([("first", "<u8"), ("count", "<u8"), ("epoch", "<u8"), ("track", "<u8"),
                  ("number", "<u2"), ("zero", "<u2", 3)])


class LibraryBatch(Batch):
    """A batch that the library made. `names` has the names of tracks by number, for all batches of one
    source. A missing name is added here, while the library still knows it."""

    def __init__(self, owner: Given, names: dict[int, str]) -> None:
        batch = owner.batch.contents
        super().__init__(_array(owner, batch.frames, batch.size, "|u1"),
                         _array(owner, batch.offsets, batch.count, "<u8"), [])
        self._raw = _array(owner, batch.parts, batch.part_count * _PART.itemsize, "|u1").view(_PART)
        self._track_names = names
        numbers = self._raw["number"]
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            if number not in names:
                at = int(self._raw["track"][np.argmax(numbers == number)])
                names[number] = ctypes.string_at(at).decode()

    @property
    def parts(self) -> list[Part]:
        """Computed when first used, because tracks that alternate make many parts."""
        if not self._parts:
            names = self._track_names
            self._parts = [Part(names[number], epoch, first, count) for first, count, epoch, number in
                           zip(*(self._raw[name].tolist() for name in ("first", "count", "epoch", "number")))]
        return self._parts

    @property
    def epoch(self) -> np.ndarray:
        return np.repeat(self._raw["epoch"], self._raw["count"].view(np.int64))


def _array(owner: Given, address: Optional[int], size: int, typestr: str) -> np.ndarray:
    return np.asarray(_Memory(owner, address or 0, size, typestr))


def _range(start: Optional[Moment], end: Optional[Moment], tracks: Words, symbols: Words, axis: str,
           limit: int = 0, **flags: Any) -> lib.Query:
    if axis not in ("recv", "event"):
        raise ValueError(f"axis {axis!r}: recv or event")
    query = lib.Query(from_=0 if start is None else to_ns(start),
                      to=U64_MAX if end is None else to_ns(end), axis=int(axis == "event"),
                      limit=check_unsigned("limit", limit), **flags)
    query.tracks, query.track_count = lib.strings("tracks", tracks)
    query.symbols, query.symbol_count = lib.strings("symbols", symbols)
    return query


class Tape:
    """A tape's directory, or one segment file, open for reading. It writes nothing, and works beside a
    recorder. Any number of threads may use it.

        with tapedeck.Tape("/data/tape") as tape:
            mbo = tape.query("mbo", "2024-05-08T09:30Z", "2024-05-08T09:31Z", symbols="ESM4")
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = os.fspath(path)
        self._handle: Optional[_Handle] = _Handle(path)

    def _open(self) -> _Handle:
        """The handle. Hold it during a library call, because another thread may close() meanwhile."""
        handle = self._handle
        if handle is None:
            raise ValueError(f"tape {self.path} is closed")
        return handle

    def close(self) -> None:
        """Allow no more queries. Cursors that are open go on. It may be called twice."""
        self._handle = None

    def __enter__(self) -> "Tape":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tapedeck.Tape {self.path}{'' if self._handle else ' closed'}>"

    def refresh(self) -> None:
        """Take in what a recorder has made durable since. New tracks and symbols are seen only then; new ticks
        may be seen without it, too. A cursor gives what was there when it was opened."""
        self._open().refresh()

    # ---- what is there ----

    @property
    def info(self) -> Info:
        raw, handle = lib.TapeInfo(), self._open()
        lib.lib.tdk_tape_info(handle.at, byref(raw))
        empty = raw.first_ts == U64_MAX
        return Info(bytes(raw.tape_id).hex(), raw.created_ns, None if empty else raw.first_ts,
                    None if empty else raw.last_ts, raw.ticks, raw.bytes, raw.lost,
                    raw.size_on_disk, raw.tracks, raw.segments, raw.recording, raw.index_used)

    def tracks(self) -> list[Track]:
        """All tracks, by name."""
        found: list[Track] = []

        def each(at: Any) -> None:
            t = at.contents
            empty = t.first_ts == U64_MAX
            found.append(Track(t.name.decode(), t.number, _KINDS[t.kind] if t.kind < 4 else "mixed",
                               None if empty else t.first_ts, None if empty else t.last_ts, t.ticks,
                               t.bytes, t.lost, t.epochs))

        handle = self._open()
        walk = lib.Walk(handle)
        walk.call("tdk_tape_tracks", handle.at, walk.each(lib.EachTrack, each), None)
        return found

    def symbols(self, track: Optional[str] = None) -> list[Symbol]:
        """What instrument ids meant, and when, on one track or on all."""
        found: list[Symbol] = []

        def each(at: Any) -> None:
            s = at.contents
            found.append(Symbol(s.symbol.decode("utf-8", "backslashreplace"), s.track.decode(),
                                s.epoch, s.instrument_id, s.from_,
                                None if s.to == U64_MAX else s.to))

        handle = self._open()
        walk = lib.Walk(handle)
        walk.call("tdk_tape_symbols", handle.at, None if track is None else track.encode(),
                  walk.each(lib.EachSymbol, each), None)
        return found

    def property(self, track: str, key: str, epoch: int = 0) -> Optional[bytes]:
        """A property of a track's epoch (0: the last). None: it has no property of that name."""
        value, size, handle = ctypes.c_void_p(), ctypes.c_size_t(), self._open()
        check_unsigned("epoch", epoch)
        try:
            lib.call("tdk_tape_property", handle.at, track.encode(), epoch, key.encode(),
                     byref(value), byref(size))
        except lib.Missing as missing:
            if missing.code == -2:
                return None
            raise
        try:
            return ctypes.string_at(value, size.value) if size.value else b""
        finally:
            _free(value)

    # ---- ranges ----

    def _query(self, start: Optional[Moment], end: Optional[Moment], tracks: Words, symbols: Words,
               types: Union[Type, Sequence[Type], None], axis: str, **flags: Any) -> lib.Query:
        asked = lib.words("tracks", tracks)
        query = _range(start, end, asked, symbols, axis, **flags)
        if types is not None:
            words = [types] if isinstance(types, (str, bytes, int, Schema)) else list(types)
            choose(query, words, self._open(), lambda: self._names(asked))
        return query

    def _names(self, asked: Optional[list[str]]) -> list[str]:
        """Of the tracks that a query for these gives."""
        if asked is None:
            return [track.name for track in self.tracks() if track.name != CANARY]
        return [track.name for track in self.tracks() if track.name in asked]

    def cursor(self, start: Optional[Moment] = None, end: Optional[Moment] = None, *,
               tracks: Words = None, symbols: Words = None,
               types: Union[Type, Sequence[Type], None] = None, axis: str = "recv", limit: int = 0,
               reverse: bool = False, control: bool = False, written: bool = False) -> "Cursor":
        """Ticks of [start, end), with tracks merged by time. Iterate the cursor for batches.

        `symbols`: exact ones, "#ID", or globs. `types`: schemas, numbers, or names that tracks gave.
        `axis`: the time that the range means, recv or event. `control`: include LOSS, SYMBOL ...
        `written`: include what a recorder has written and not yet synced.
        """
        return Cursor(self._open(), self._query(start, end, tracks, symbols, types, axis, limit=limit,
                                                reverse=reverse, control=control, written=written))

    def query(self, schema: Union[str, Schema], start: Optional[Moment] = None,
              end: Optional[Moment] = None, *, heads: bool = False, damage: str = "raise",
              **which: Any) -> Any:
        """The records of one schema in [start, end) as one array. `which`: see cursor().

        With heads=True the result is a pair: the records, and an array {size, track, type, flags, seq,
        ts, epoch}. If the answer is not whole, that is reported: LossWarning if ticks were never
        recorded, Damaged if they cannot be read (damage="skip": a LossWarning, and what can be read).
        """
        kind = r.schema(schema)
        cursor = self.cursor(start, end, types=kind, **which)
        collected = _Collection(kind, heads)
        for batch in cursor.batches(damage):
            collected.add(batch)
        _warn(cursor.stats)
        return collected.result()

    def frame(self, schema: Union[str, Schema], start: Optional[Moment] = None,
              end: Optional[Moment] = None, *, exact: bool = False, **which: Any) -> Any:
        """The same as a pandas DataFrame, by receive time, with a column `symbol`.

        Prices are floats, and undefined ones NaN. With `exact` they stay int64 in 1e-9.
        """
        from .frame import to_frame
        values, heads = self.query(schema, start, end, heads=True, **which)
        return to_frame(values, heads, self.symbols(), {t.number: t.name for t in self.tracks()}, exact)

    def count(self, start: Optional[Moment] = None, end: Optional[Moment] = None, *,
              tracks: Words = None, symbols: Words = None,
              types: Union[Type, Sequence[Type], None] = None, axis: str = "recv") -> int:
        """How many ticks there are. They are counted from the blocks' directories where these suffice."""
        cursor = Cursor(self._open(), self._query(start, end, tracks, symbols, types, axis,
                                                  count_only=True))
        return cursor.count()

    def coverage(self, start: Optional[Moment] = None, end: Optional[Moment] = None, *,
                 tracks: Words = None, axis: str = "recv") -> Coverage:
        """Is the range whole? Lists what there is of each epoch, and each gap with its reason."""
        epochs: list[EpochCoverage] = []
        gaps: list[Gap] = []
        segments: list[LostSegments] = []

        def lost(at: Any) -> None:
            s = at.contents
            segments.append(LostSegments(s.first, s.last, s.is_cut))

        def gap(at: Any) -> None:
            g = at.contents
            gaps.append(Gap(g.track.decode(), g.epoch, g.first_seq, g.count, g.from_, g.to,
                            _REASONS.get(g.reason, "unknown"), g.damaged, g.retired, g.away))

        def epoch(at: Any) -> None:
            e = at.contents
            epochs.append(EpochCoverage(e.track.decode(), e.epoch, e.first_seq, e.last_seq, e.ticks,
                                        e.lost, e.damaged, e.retired, e.away))

        query = self._query(start, end, tracks, None, None, axis)
        handle = self._open()
        walk = lib.Walk(handle)
        told = lib.CoverageWalk(lost=walk.each(lib.EachLost, lost),
                                gap=walk.each(lib.EachGap, gap), epoch=walk.each(lib.EachEpoch, epoch),
                                progress=walk.each(lib.Progress, lambda *_: None))
        walk.call("tdk_tape_coverage", handle.at, byref(query), byref(told))
        return Coverage(not gaps and not segments, epochs, gaps, segments)


class Cursor:
    """A place in an answer. Iterating it yields batches. One thread at a time.

    Damaged may be raised in between. A cursor that is then iterated again goes on after the damage.
    """

    def __init__(self, tape: _Handle, query: lib.Query) -> None:
        self._tape: Optional[_Handle] = None  # taken, and not dropped yet
        self._at = ctypes.c_void_p()
        self._given: Optional[Given] = None  # by the library; not given on yet
        self._pending: Optional[lib.Error] = None
        self._names: dict[int, str] = {}  # of tracks, by number
        tape.take()
        self._tape = tape
        lib.call("tdk_cursor_open", byref(self._at), tape.at, byref(query))
        lib.lib.tdk_cursor_set_patience(self._at, _PATIENCE_NS)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the cursor. It may be called twice."""
        self._given = None
        at, self._at = self._at, ctypes.c_void_p()
        if at:
            lib.lib.tdk_cursor_close(at)
        tape, self._tape = self._tape, None
        if tape is not None:
            tape.drop()

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> ctypes.c_void_p:
        if not self._at:
            raise ValueError("the cursor is closed")
        return self._at

    @property
    def stats(self) -> Stats:
        """What it has delivered and met so far."""
        raw = lib.CursorStats()
        lib.lib.tdk_cursor_stats(self._open(), byref(raw))
        return Stats(*(getattr(raw, name) for name, _ in raw._fields_))

    def read(self, enough: int = BATCH_SIZE) -> Optional[Batch]:
        """The next batch: at least `enough` bytes of frames, or what has come where they are rare, or all
        that is left; None: the end."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            raise pending
        given = self._ask(check_unsigned("enough", enough))
        failure, batch = given.failure, LibraryBatch(given, self._names) if given.batch else None
        self._given = None
        if batch is None and failure is not None:
            raise failure
        self._pending = failure  # what came before the damage is returned first
        return batch

    def _ask(self, enough: int) -> Given:
        """For more; or for what has come for a read that was interrupted."""
        given = self._given = self._given or Given()
        while not given.batch and given.err.code in (0, _NOTHING_YET):
            given.err.code = 0
            if lib.lib.tdk_cursor_batch(self._open(), enough, byref(given.batch), byref(given.err)) == 0:
                break
        return given

    def batches(self, damage: str = "raise", enough: int = BATCH_SIZE) -> Iterator[Batch]:
        """All batches. damage="skip": a part that cannot be read is a LossWarning, and the rest follows."""
        if damage not in ("raise", "skip"):
            raise ValueError(f"damage {damage!r}: raise or skip")
        while True:
            try:
                batch = self.read(enough)
            except lib.Damaged as told:
                if damage == "raise":
                    raise
                warnings.warn(str(told), LossWarning, stacklevel=3)
                continue
            if batch is None:
                return
            yield batch

    __iter__ = batches

    def count(self) -> int:
        """Of a cursor that only counts."""
        err, run, code, total = lib.Err(), lib.Run(), 1, 0
        while code in (1, _NOTHING_YET):
            code = lib.lib.tdk_cursor_read(self._open(), byref(run), byref(err))
            total += run.ticks if code == 1 else 0
        if code < 0:
            raise lib.failure(code, err)
        return total


HEADS = np.dtype(r.HEAD.descr + [("epoch", "<u8")])


class _Pile:
    """An array whose length is not known yet: pieces that double in size, joined at the end. They are
    large so that they get huge pages, because the first touch of memory costs more than the copy."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.pieces: list[np.ndarray] = []
        self.used = 0  # of the last

    def room(self, count: int) -> np.ndarray:
        """The next `count` places, for the caller to fill."""
        if not self.pieces or self.used + count > len(self.pieces[-1]):
            last = 0
            if self.pieces:
                self.pieces[-1] = self.pieces[-1][:self.used]
                last = len(self.pieces[-1])
            room = min(2 * last, PIECE_SIZE // self.dtype.itemsize)
            self.pieces.append(np.empty(max(count, room), self.dtype))
            self.used = 0
        self.used += count
        return self.pieces[-1][self.used - count:self.used]

    def joined(self) -> np.ndarray:
        if not self.pieces:
            return np.empty(0, self.dtype)
        self.pieces[-1] = self.pieces[-1][:self.used]
        if len(self.pieces) == 1:
            return self.pieces[0]
        raw = np.dtype((np.void, self.dtype.itemsize))
        out = np.empty(sum(map(len, self.pieces)), self.dtype)
        to, end = out.view(raw), len(out)
        while self.pieces:  # each is freed once copied, so that little more memory than one is needed
            piece = self.pieces.pop()
            to[end - len(piece):end] = piece.view(raw)
            end -= len(piece)
        return out


class _Collection:
    """Records of one schema, and their heads if asked for."""

    def __init__(self, kind: Schema, heads: bool) -> None:
        self.kind = kind
        self.records = _Pile(kind.dtype)
        self.heads = _Pile(HEADS) if heads else None

    def add(self, batch: Batch) -> None:
        for dtype, which in batch.find(self.kind):
            if not self.records.pieces:
                self.records = _Pile(dtype)
            elif dtype != self.records.dtype:
                raise ValueError(f"{self.kind.name} in several layouts in this range ({dtype.itemsize} "
                                 f"and {self.records.dtype.itemsize} bytes): ask by track, or use "
                                 "cursor() and Batch.find()")
            offsets = batch.offsets if len(which) == len(batch) else batch.offsets[which]
            batch.gather(dtype, 24, offsets, self.records.room(len(which)))
            if self.heads is not None:
                heads, out = batch.gather(r.HEAD, 0, offsets), self.heads.room(len(which))
                for name in r.HEAD.names or ():
                    out[name] = heads[name]
                out["epoch"] = batch.epoch[which]

    def result(self) -> Any:
        records = self.records.joined()
        return records if self.heads is None else (records, self.heads.joined())


def _warn(stats: Any) -> None:
    if stats.lost:
        warnings.warn(f"{stats.lost} ticks of this range were lost before they could be recorded; "
                      "coverage() has each gap", LossWarning, stacklevel=3)


_free = ctypes.CDLL(None).free
_free.argtypes, _free.restype = [ctypes.c_void_p], None
