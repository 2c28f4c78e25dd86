"""Rings: publish arrays of ticks, consume or tap them in batches, and the clock of a play.

A handle belongs to one thread at a time; calls from several threads wait for each other. What is read
is copied and checked, so a batch does not change, whatever becomes of the ring.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from ctypes import byref
from typing import Any, Iterator, NamedTuple, Optional

import numpy as np

from . import native as lib
from . import records as r
from .batch import Batch, Part
from .moments import Moment, times_to_ns, to_ns

_PRODUCER, _CONSUMER, _TAP = 0, 1, 2
_SPIN, _YIELD, _PARK = 0, 1, 2
_SLICE = 0.05  # s; how long a wait may ignore ^C
_TOLD_SIZES = {r.TRACK: 16, r.EPOCH: 72, r.END: 40}  # of the structs of tick.h that readers use

Seconds = Optional[float]  # None: for ever


def _ns(seconds: Seconds) -> int:
    return lib.U64_MAX if seconds is None else max(0, round(seconds * 1e9))


class RingInfo(NamedTuple):
    """The facts about a ring that `tapedeck ring info` shows."""

    name: str
    track: str
    capacity: int
    payload_max: int
    epoch: int
    seq: int
    produced: int
    lost: int
    lost_total: int
    fill: int
    high_water: int
    producer_pid: int
    consumer_pid: int
    taps: int


def _info(raw: lib.RingInfo) -> RingInfo:
    return RingInfo(raw.name.decode(), raw.track.decode(),
                    *(getattr(raw, field) for field in RingInfo._fields[2:]))


def create_ring(name: str, capacity: int = 64 << 20, *, track: Optional[str] = None,
                payload_max: int = 0, on_disk: bool = False) -> None:
    """Make a ring in $TAPEDECK_RINGS (default /dev/shm/tapedeck); capacity: a power of two."""
    lib.check_unsigned("capacity", capacity)
    lib.check_unsigned("payload_max", payload_max, lib.U32_MAX)
    options = lib.RingOptions(capacity, payload_max, None if track is None else track.encode(), on_disk)
    lib.call("tdk_ring_create", name.encode(), byref(options))


def remove_ring(name: str, *, force: bool = False) -> None:
    """Unlink a ring. Busy while a producer or consumer is attached, unless `force`."""
    lib.call("tdk_ring_remove", name.encode(), force)


def rings() -> list[str]:
    """The names of all rings, sorted."""
    names: list[str] = []
    walk = lib.Walk()
    walk.call("tdk_ring_list", walk.each(lib.EachName, lambda name: names.append(name.decode())), None)
    return names


def ring_info(name: str) -> RingInfo:
    """The RingInfo of a ring by name, without attaching."""
    raw = lib.RingInfo()
    lib.call("tdk_ring_stat", name.encode(), byref(raw))
    return _info(raw)


@functools.cache
def _guard() -> None:
    """Called once: a ring whose file is cut then raises Hostile instead of ending the interpreter."""
    lib.call("tdk_ring_guard")


class _Ring:
    """A handle. It is closed by `with`, by close(), or when there is no reference to it any more."""

    _role = _TAP

    def __init__(self, name: str, *, wait: Seconds = 0) -> None:
        self.name = name
        self._at = ctypes.c_void_p()
        self._lock = threading.Lock()
        _guard()
        deadline = None if wait is None else time.monotonic() + wait
        while True:
            try:
                lib.call("tdk_ring_attach", byref(self._at), name.encode(), self._role)
                return
            except lib.Missing:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)

    def _open(self) -> ctypes.c_void_p:
        if not self._at:
            raise ValueError(f"ring {self.name}: this handle is closed")
        return self._at

    def close(self) -> None:
        """Detach. It may be called twice."""
        with self._lock:
            at, self._at = self._at, ctypes.c_void_p()
        if at:
            lib.lib.tdk_ring_detach(at)

    def __del__(self) -> None:
        if getattr(self, "_lock", None) is not None:
            self.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tapedeck.{type(self).__name__} {self.name}{'' if self._at else ' closed'}>"

    @property
    def info(self) -> RingInfo:
        raw = lib.RingInfo()
        with self._lock:
            lib.lib.tdk_ring_info(self._open(), byref(raw))
        return _info(raw)

    @property
    def epoch(self) -> int:
        """A producer's own epoch; else that of the frame at which this side attached."""
        with self._lock:
            return int(lib.lib.tdk_ring_epoch(self._open()))

    def _failure(self, code: int) -> lib.Error:
        why = lib.lib.tdk_ring_hostile(self._open()) if code == lib.EHOSTILE else None
        return lib.failure(code, lib.Err(code, why) if why else None, f"ring {self.name}")


class RingBatch(Batch):
    """A batch from a ring: its frames say where tracks and epochs begin."""

    def __init__(self, frames: np.ndarray, offsets: np.ndarray, parts: list[Part]) -> None:
        super().__init__(frames, offsets, parts)
        self.numbers = (self._first >> np.uint64(32)).astype(np.uint16)  # of tracks
        self.told: dict[int, list[tuple[int, tuple[str, int]]]] = {}  # by number: first frame, (track, epoch)
        self.borders = np.empty(0, np.int64)  # the frames that say so

    @property
    def parts(self) -> list[Part]:
        """Computed when first used, because tracks that alternate make many parts."""
        if not self._parts:
            changes = np.flatnonzero(self.numbers[1:] != self.numbers[:-1]) + 1
            starts = np.unique(np.concatenate([[0], self.borders, changes]))
            numbers, next_of = self.numbers[starts].tolist(), dict.fromkeys(self.told, 0)
            for first, end, number in zip(starts.tolist(), starts.tolist()[1:] + [len(self)], numbers):
                told, at = self.told[number], next_of[number]
                while at + 1 < len(told) and told[at + 1][0] <= first:
                    at += 1
                next_of[number] = at
                self._parts.append(Part(*told[at][1], first, end - first))
        return self._parts

    @property
    def epoch(self) -> np.ndarray:
        epochs = np.empty(len(self), np.uint64)
        for number, told in self.told.items():
            which = np.flatnonzero(self.numbers == number)
            begins = np.array([at for at, _ in told])
            of = np.array([epoch for _, (_, epoch) in told], np.uint64)
            epochs[which] = of[np.searchsorted(begins, which, "right") - 1]
        return epochs


class Producer(_Ring):
    """The publishing side. Nothing here waits unless it is asked to.

        trades = tapedeck.records.make("wide-trade", 1000)
        trades["price"] = ...
        with tapedeck.Producer("sim") as feed:
            feed.publish(trades)
    """

    _role = _PRODUCER

    def publish(self, records: np.ndarray, ts: Any = None, *,
                type: Optional[int] = None, flags: int = 0, wait: Seconds = 0) -> int:
        """Publish a tick for each record of an array. Returns how many are in the ring.

        `records` may have any dtype without objects. If they are not records of a schema, they need a
        `type` of 3 or more. `ts` has the time of each, as to_ns() takes one; without it the
        time is now. wait=0: ticks that a full ring refuses are lost, and counted there. Otherwise room is
        waited for, `wait` seconds at a time.
        """
        values = records if records.ndim == 1 and records.strides[0] >= 0 else records.reshape(-1).copy()
        count, size = len(values), values.dtype.itemsize
        if values.dtype.hasobject:
            raise ValueError(f"records of dtype {values.dtype}: their objects are addresses, which "
                             "mean nothing to another process; texts have to be of dtype S or U")
        if count == 0:
            return 0
        kind = self._type_of(values) if type is None else type
        times = None if ts is None else times_to_ns(ts)
        if times is not None and times.shape != (count,):
            raise ValueError(f"{count} records and {times.size} times")
        return self._put(values.ctypes.data, values.strides[0] if count > 1 else size, times, count,
                         size, kind, flags, wait)

    def publish_bytes(self, payload: Any, ts: Optional[Moment] = None, *, type: int = r.OPAQUE,
                      flags: int = 0, wait: Seconds = 0) -> bool:
        """Publish one tick of any bytes: also a bytearray, or a payload of a batch. False: the ring was full."""
        times = None if ts is None else np.array([to_ns(ts)], np.uint64)
        data = bytes(memoryview(payload))
        lib.check_unsigned("the payload's size", len(data), lib.U32_MAX)
        at = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
        return self._put(at, len(data), times, 1, len(data), type, flags, wait) == 1

    @staticmethod
    def _type_of(values: np.ndarray) -> int:
        names, size = values.dtype.names or (), values.dtype.itemsize
        if "rtype" in names and "length" in names:
            for kind in (r.WIDE, r.DBN):
                schema = r.schema_of(kind, int(values["rtype"][0]))
                if schema and size in schema.dtypes:
                    if values["length"][0] != size // 4:  # no query would find them
                        raise ValueError(f"records of {schema.name} have length {size // 4}, not "
                                         f"{values['length'][0]}; tapedeck.records.make() sets it")
                    return kind
        raise ValueError("records of no schema; tapedeck.records.make() makes some, type=3 and "
                         "above publishes any bytes")

    def _put(self, at: Optional[int], stride: int, times: Optional[np.ndarray], count: int, size: int,
             kind: int, flags: int, wait: Seconds) -> int:
        lib.check_byte("type", kind)
        lib.check_byte("flags", flags)
        end = None if wait is None else time.monotonic() + wait
        done = 0
        while True:
            left = None if end is None else end - time.monotonic()
            patience = 0 if wait == 0 else min(_SLICE, 9e9 if left is None else max(left, 1e-9))
            put = lib.Put((at or 0) + done * stride, stride,
                          None if times is None else times.ctypes.data + 8 * done, count - done,
                          size, kind, flags)
            with self._lock:  # not for longer: another thread may close this meanwhile
                code = lib.lib.tdk_ring_put(self._open(), byref(put), _ns(patience))
                if code < 0 and code != lib.EVALUE:
                    raise self._failure(code)
            if code < 0:
                raise lib.Error(code, f"ring {self.name}: a payload of {size} bytes and type {kind} cannot "
                                      "be published: too large, or no tick's type")
            done += code
            if done == count or wait == 0 or (left is not None and left <= 0):
                return done
            if code > 0 and wait is not None:
                end = time.monotonic() + wait


class _Reader(_Ring):
    """What consumer and tap have in common."""

    def __init__(self, name: str, *, wait: Seconds = 0) -> None:
        super().__init__(name, wait=wait)
        self._names: dict[int, tuple[str, int]] = {}
        self.ended: Optional[dict[str, Any]] = None  # what the END frame of a play said

    def read(self, timeout: Seconds = 0, size: int = 1 << 20) -> Optional[Batch]:
        """At most `size` bytes of frames; returns at once if there are any. None: nothing came in time."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                batch = self._copy(size)
            if batch is not None:
                return batch
            left = _SLICE if end is None else end - time.monotonic()
            if left <= 0:
                return None
            with self._lock:
                lib.lib.tdk_ring_wait_frame(self._open(), _PARK, _ns(min(left, _SLICE)))

    def _copy(self, size: int) -> Optional[Batch]:
        at, used, missed = self._open(), ctypes.c_size_t(), ctypes.c_uint64()
        room = max(size, 128) & ~7
        frames, offsets = np.empty(room, np.uint8), np.empty(room // 24, np.uint64)
        count = lib.lib.tdk_ring_copy(at, frames.ctypes.data, room, offsets.ctypes.data, byref(used),
                                      byref(missed))
        if count == -105:  # ENOBUFS: the next frame is larger
            raw = lib.RingInfo()
            lib.lib.tdk_ring_info(at, byref(raw))
            return self._copy(max(2 * room, raw.payload_max + 32))
        if count == lib.ELAPPED:
            self._names.pop(0, None)  # a new epoch may have begun in the part that was missed
            raise lib.Lapped(count, f"ring {self.name}: the producer overtook this tap, "
                                    f"{missed.value} bytes were not seen", missed.value)
        if count < 0:
            raise self._failure(count)
        if count == 0:
            return None
        # A batch may be kept for long, so it should take no more memory than it needs.
        if used.value * 2 < room:
            frames, offsets = frames[:used.value].copy(), offsets[:count].copy()
        frames, offsets = frames[:used.value], offsets[:count]
        frames.flags.writeable = offsets.flags.writeable = False
        batch = RingBatch(frames, offsets, [])
        self._told(batch)
        return batch

    def _told(self, batch: "RingBatch") -> None:
        """Note tracks and epochs as the TRACK, EPOCH and END frames among the ticks give them."""
        types, numbers = batch.types, batch.numbers
        if 0 not in self._names:
            raw = lib.RingInfo()
            lib.lib.tdk_ring_info(self._open(), byref(raw))
            self._names[0] = (raw.track.decode() or self.name,
                              int(lib.lib.tdk_ring_epoch(self._open())))
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            batch.told[number] = [(0, self._names.get(number, (self.name, 0)))]
        batch.borders = np.flatnonzero((types == r.TRACK) | (types == r.EPOCH) | (types == r.END))
        for at in batch.borders.tolist():
            number = int(numbers[at])
            self._learn(batch, at, int(types[at]), number)
            batch.told[number].append((at, self._names.get(number, (self.name, 0))))

    def _learn(self, batch: Batch, at: int, kind: int, number: int) -> None:
        payload = bytes(batch.payload(at))
        if len(payload) < _TOLD_SIZES[kind]:
            return  # the producer breaks the rules, so the frame says nothing
        if kind == r.EPOCH:
            self._names[number] = (self._names[0][0], int.from_bytes(payload[:8], "little"))
        elif kind == r.TRACK:
            name = payload[16:16 + payload[11]]
            if len(name) == payload[11]:
                self._names[number] = (name.decode("utf-8", "backslashreplace"),
                                       int.from_bytes(payload[:8], "little"))
        elif kind == r.END:
            self.ended = {"ticks": int.from_bytes(payload[0:8], "little"),
                          "lost": int.from_bytes(payload[8:16], "little"),
                          "digest": payload[16:32].hex(), "complete": payload[32] == 1}

    def release(self) -> None:
        """Give back the room of what was read."""

    def batches(self, timeout: Seconds = None, size: int = 1 << 20) -> Iterator[Batch]:
        """Batches until the END of a play, or until nothing came for `timeout` seconds. What another play
        has put behind the END is for the next call. The room that a batch took in the ring is given back
        when the next batch is requested."""
        self.ended = None
        while self.ended is None:
            batch = self.read(timeout, size)
            if batch is None:
                return
            yield batch
            self.release()

    __iter__ = batches

    def clock(self) -> "Clock":
        """The ring's time, both live and in a replay: see Clock."""
        return Clock(self.name)


class Consumer(_Reader):
    """The consuming side. What was read and not released is there again for the next consumer."""

    _role = _CONSUMER

    def release(self) -> None:
        with self._lock:
            lib.lib.tdk_ring_give(self._open())


class Tap(_Reader):
    """Reads without consuming; neither side notices. When the producer has overtaken it, Lapped is
    raised, and reading goes on at the newest frame. `unreleased`: begin with the oldest frame that the
    consumer has not released."""

    _role = _TAP

    def __init__(self, name: str, *, wait: Seconds = 0, unreleased: bool = False) -> None:
        super().__init__(name, wait=wait)
        if unreleased:
            lib.lib.tdk_ring_tap_unreleased(self._open())


_STATES = ("live", "waiting", "playing", "paused", "stalled", "ended")


class Clock:
    """The time of a ring: the tape's while a play plays into it, else the host's."""

    def __init__(self, ring: str) -> None:
        self._at = ctypes.c_void_p()
        lib.call("tdk_clock_attach", byref(self._at), ring.encode())

    def now(self) -> int:
        """ns since 1970."""
        return int(lib.lib.tdk_clock_now(self._at))

    @property
    def state(self) -> str:
        """live, waiting, playing, paused, stalled or ended."""
        raw = lib.ClockInfo()
        lib.lib.tdk_clock_info(self._at, byref(raw))
        return _STATES[raw.state] if 0 <= raw.state < len(_STATES) else "unknown"

    def __del__(self) -> None:
        if self._at:
            lib.lib.tdk_clock_detach(self._at)
