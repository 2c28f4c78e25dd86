"""libtapedeck through ctypes: finds the library, declares its calls, and turns its errors into exceptions.

The structs below are those of include/tapedeck, field by field.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno as _errno
import os
import pathlib
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_int16, c_int64,
                    c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p)
from typing import Any, Callable, Iterable, Optional, Sequence, Union

from .helper import Raised, aside

U32_MAX = (1 << 32) - 1
U64_MAX = (1 << 64) - 1

Words = Union[str, bytes, Sequence[Union[str, bytes]], None]  # names of tracks, or symbols; None: all

# Codes of err.h that this package checks.
ECORRUPT, EVALUE, ELAPPED, EHOSTILE = -20001, -20007, -20012, -20013


class Error(Exception):
    """An error of libtapedeck. `str(error)` says what failed, on what and why; `code` is err.h's number.

    Some errors have a class of their own, so that they can be caught separately.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        """Exception would pickle it without its code, and nobody could unpickle that."""
        return type(self), (self.code, str(self)), self.__dict__


class Missing(Error):
    """No such tape, track or ring."""


class Busy(Error):
    """Another living process holds this; or a stream holds its client."""


class Damaged(Error):
    """Bytes of a tape cannot be read. A cursor goes on after them."""


class Lapped(Error):
    """The producer has overtaken this tap; `missed` bytes were not seen."""

    def __init__(self, code: int, text: str, missed: int = 0) -> None:
        super().__init__(code, text)
        self.missed = missed


class Hostile(Error):
    """Shared memory that breaks its own rules."""


_CLASSES = {-_errno.ENOENT: Missing, -20009: Missing, -20010: Missing, -20011: Missing,
            -_errno.EBUSY: Busy, -20008: Busy, ECORRUPT: Damaged, EHOSTILE: Hostile,
            ELAPPED: Lapped}


def check_unsigned(what: str, value: int, most: int = U64_MAX) -> int:
    """Check a value that ctypes would silently truncate."""
    if not 0 <= value <= most:
        raise ValueError(f"{what} {value}: 0 to {most}")
    return value


def check_byte(what: str, value: int) -> int:
    return check_unsigned(what, value, 255)


def words(what: str, values: Union[str, bytes, int, Iterable[Any], None]) -> Optional[list[Any]]:
    """A list of one or more. To the library none are all: who asks for none does not mean that. Texts in
    records are bytes, of any code: they stay what they are."""
    if values is None:
        return None
    listed = [values] if isinstance(values, (str, bytes, int)) else list(values)
    if not listed:
        raise ValueError(f"{what}: an empty list; leave it out for all of them")
    return [v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else v for v in listed]


def strings(what: str, values: Union[str, bytes, Iterable[Any], None]) -> tuple[Any, int]:
    """An array of texts, and how many."""
    encoded = []
    for value in words(what, values) or ():
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(f"{what}: {value!r} is no name")
        encoded.append(value.encode("utf-8", "surrogateescape"))
    return ((c_char_p * len(encoded))(*encoded), len(encoded)) if encoded else (None, 0)


class Err(Structure):
    _fields_ = [("code", c_int), ("text", c_char * 500)]


class RingOptions(Structure):
    _fields_ = [("capacity", c_size_t), ("payload_max", c_uint32), ("track", c_char_p),
                ("on_disk", c_bool)]


class Put(Structure):
    _fields_ = [("payloads", c_void_p), ("stride", c_size_t), ("ts", c_void_p), ("count", c_uint64),
                ("size", c_uint32), ("type", c_uint8), ("flags", c_uint8), ("zero", c_uint8 * 2)]


class RingInfo(Structure):
    _fields_ = [("name", c_char * 65), ("track", c_char * 65), ("capacity", c_uint64),
                ("payload_max", c_uint32), ("version", c_uint32), ("epoch", c_uint64),
                ("seq", c_uint64), ("produced", c_uint64), ("lost", c_uint64),
                ("lost_total", c_uint64), ("produced_bytes", c_uint64), ("consumed_bytes", c_uint64),
                ("fill", c_uint64), ("high_water", c_uint64), ("created_ns", c_uint64),
                ("uuid", c_uint8 * 16), ("producer_pid", c_uint32), ("consumer_pid", c_uint32),
                ("taps", c_uint32)]


class TapeInfo(Structure):
    _fields_ = [("tape_id", c_uint8 * 16), ("created_ns", c_uint64), ("first_ts", c_uint64),
                ("last_ts", c_uint64), ("ticks", c_uint64), ("bytes", c_uint64), ("lost", c_uint64),
                ("size_on_disk", c_uint64), ("tracks", c_uint32), ("segments", c_uint32),
                ("recording", c_bool), ("index_used", c_bool)]


class TrackInfo(Structure):
    _fields_ = [("name", c_char * 65), ("number", c_uint16), ("kind", c_uint8),
                ("first_ts", c_uint64), ("last_ts", c_uint64), ("ticks", c_uint64),
                ("bytes", c_uint64), ("lost", c_uint64), ("epochs", c_uint32)]


class TypeFilter(Structure):
    _fields_ = [("type", c_uint8), ("rtype", c_int16)]


class Query(Structure):
    _fields_ = [("from_", c_uint64), ("to", c_uint64), ("axis", c_int),
                ("tracks", POINTER(c_char_p)), ("track_count", c_size_t),
                ("symbols", POINTER(c_char_p)), ("symbol_count", c_size_t),
                ("types", POINTER(TypeFilter)), ("type_count", c_size_t), ("limit", c_uint64),
                ("reverse", c_bool), ("control", c_bool), ("count_only", c_bool),
                ("written", c_bool)]


class Run(Structure):
    _fields_ = [("frames", c_void_p), ("size", c_size_t), ("ticks", c_uint64), ("epoch", c_uint64),
                ("track", c_char_p), ("number", c_uint16)]


class Part(Structure):
    _fields_ = [("first", c_uint64), ("count", c_uint64), ("epoch", c_uint64), ("track", c_void_p),
                ("number", c_uint16), ("zero", c_uint16 * 3)]


class Batch(Structure):
    _fields_ = [("frames", c_void_p), ("size", c_size_t), ("offsets", c_void_p), ("count", c_size_t),
                ("parts", c_void_p), ("part_count", c_size_t), ("ticks", c_uint64)]


class CursorStats(Structure):
    _fields_ = [(name, c_uint64) for name in ("ticks", "bytes", "lost", "damaged_blocks",
                                              "blocks_read", "blocks_skipped", "bytes_read")]


class Gap(Structure):
    _fields_ = [("track", c_char_p), ("epoch", c_uint64), ("first_seq", c_uint64),
                ("count", c_uint64), ("from_", c_uint64), ("to", c_uint64), ("reason", c_uint32),
                ("damaged", c_bool), ("retired", c_bool), ("away", c_bool)]


class LostSegments(Structure):
    _fields_ = [("first", c_uint64), ("last", c_uint64), ("is_cut", c_bool)]


class EpochCoverage(Structure):
    _fields_ = [("track", c_char_p), ("epoch", c_uint64), ("first_seq", c_uint64),
                ("last_seq", c_uint64), ("first_ts", c_uint64), ("last_ts", c_uint64),
                ("ticks", c_uint64), ("lost", c_uint64), ("damaged", c_uint64),
                ("retired", c_uint64), ("away", c_uint64)]


class EpochInfo(Structure):
    _fields_ = [(name, c_uint64) for name in ("epoch", "first_seq", "last_seq", "first_ts", "last_ts",
                                              "ticks", "bytes", "lost")]


class SymbolInfo(Structure):
    _fields_ = [("symbol", c_char_p), ("track", c_char_p), ("epoch", c_uint64),
                ("instrument_id", c_uint32), ("from_", c_uint64), ("to", c_uint64)]


class ClockInfo(Structure):
    _fields_ = [("state", c_int), ("now", c_uint64), ("anchor_ts", c_uint64),
                ("anchor_mono", c_uint64), ("numerator", c_uint64), ("denominator", c_uint64),
                ("generation", c_uint64)]


class ClientOptions(Structure):
    _fields_ = [("name", c_char_p), ("token", c_char_p), ("timeout_ns", c_uint64)]


class ClientQuery(Structure):
    _fields_ = [("range", Query), ("types", POINTER(c_char_p)), ("type_count", c_size_t),
                ("credit", c_uint64), ("no_digest", c_bool)]


class StreamStats(Structure):
    _fields_ = [("ticks", c_uint64), ("bytes", c_uint64), ("lost", c_uint64), ("damaged", c_uint64),
                ("digest", c_char * 33), ("complete", c_bool)]


EachTrack = CFUNCTYPE(c_int, POINTER(TrackInfo), c_void_p)
EachSymbol = CFUNCTYPE(c_int, POINTER(SymbolInfo), c_void_p)
EachEpochInfo = CFUNCTYPE(c_int, POINTER(EpochInfo), c_void_p)
EachProperty = CFUNCTYPE(c_int, c_char_p, c_void_p, c_size_t, c_void_p)
EachName = CFUNCTYPE(c_int, c_char_p, c_void_p)
EachLost = CFUNCTYPE(c_int, POINTER(LostSegments), c_void_p)
EachGap = CFUNCTYPE(c_int, POINTER(Gap), c_void_p)
EachEpoch = CFUNCTYPE(c_int, POINTER(EpochCoverage), c_void_p)
Progress = CFUNCTYPE(c_int, c_uint64, c_uint64, c_void_p)
Heard = CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)


class CoverageWalk(Structure):
    _fields_ = [("unread", c_bool), ("lost", EachLost), ("track", EachName), ("gap", EachGap), ("epoch", EachEpoch),
                ("progress", Progress), ("context", c_void_p)]


_HANDLE, _ERR, _OUT = c_void_p, POINTER(Err), POINTER(c_void_p)

_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "tdk_strerror": (c_char_p, [c_int]),
    # rings
    "tdk_ring_create": (c_int, [c_char_p, POINTER(RingOptions), _ERR]),
    "tdk_ring_remove": (c_int, [c_char_p, c_bool, _ERR]),
    "tdk_ring_attach": (c_int, [_OUT, c_char_p, c_int, _ERR]),
    "tdk_ring_detach": (None, [_HANDLE]),
    "tdk_ring_copy": (c_int64, [_HANDLE, c_void_p, c_size_t, c_void_p, POINTER(c_size_t),
                                POINTER(c_uint64)]),
    "tdk_ring_give": (None, [_HANDLE]),
    "tdk_ring_put": (c_int64, [_HANDLE, POINTER(Put), c_uint64]),
    "tdk_ring_set_clock": (None, [_HANDLE, c_int]),
    "tdk_ring_wait_frame": (c_bool, [_HANDLE, c_int, c_uint64]),
    "tdk_ring_epoch": (c_uint64, [_HANDLE]),
    "tdk_ring_hostile": (c_char_p, [_HANDLE]),
    "tdk_ring_guard": (c_int, [_ERR]),
    "tdk_ring_tap_unreleased": (None, [_HANDLE]),
    "tdk_ring_info": (None, [_HANDLE, POINTER(RingInfo)]),
    "tdk_ring_stat": (c_int, [c_char_p, POINTER(RingInfo), _ERR]),
    "tdk_ring_list": (c_int, [EachName, c_void_p, _ERR]),
    # a ring's clock
    "tdk_clock_attach": (c_int, [_OUT, c_char_p, _ERR]),
    "tdk_clock_detach": (None, [_HANDLE]),
    "tdk_clock_now": (c_uint64, [_HANDLE]),
    "tdk_clock_info": (None, [_HANDLE, POINTER(ClockInfo)]),
    # tapes
    "tdk_tape_open": (c_int, [_OUT, c_char_p, _ERR]),
    "tdk_tape_close": (None, [_HANDLE]),
    "tdk_tape_refresh": (c_int, [_HANDLE, _ERR]),
    "tdk_tape_info": (None, [_HANDLE, POINTER(TapeInfo)]),
    "tdk_tape_tracks": (c_int, [_HANDLE, EachTrack, c_void_p, _ERR]),
    "tdk_tape_symbols": (c_int, [_HANDLE, c_char_p, EachSymbol, c_void_p, _ERR]),
    "tdk_tape_epochs": (c_int, [_HANDLE, c_char_p, EachEpochInfo, c_void_p, _ERR]),
    "tdk_tape_properties": (c_int, [_HANDLE, c_char_p, c_uint64, EachProperty, c_void_p, _ERR]),
    "tdk_tape_property": (c_int, [_HANDLE, c_char_p, c_uint64, c_char_p, _OUT, POINTER(c_size_t),
                                  _ERR]),
    "tdk_tape_coverage": (c_int, [_HANDLE, POINTER(Query), POINTER(CoverageWalk), _ERR]),
    "tdk_cursor_open": (c_int, [_OUT, _HANDLE, POINTER(Query), _ERR]),
    "tdk_cursor_close": (None, [_HANDLE]),
    "tdk_cursor_read": (c_int, [_HANDLE, POINTER(Run), _ERR]),
    "tdk_cursor_set_patience": (None, [_HANDLE, c_uint64]),
    "tdk_cursor_batch": (c_int, [_HANDLE, c_size_t, POINTER(POINTER(Batch)), _ERR]),
    "tdk_cursor_stats": (None, [_HANDLE, POINTER(CursorStats)]),
    "tdk_batch_free": (None, [POINTER(Batch)]),
    # clients of a replayer
    "tdk_client_open": (c_int, [_OUT, c_char_p, POINTER(ClientOptions), _ERR]),
    "tdk_client_close": (None, [_HANDLE]),
    "tdk_client_hang_up": (None, [_HANDLE]),
    "tdk_client_listen": (None, [_HANDLE, Heard, c_void_p]),
    "tdk_client_call": (c_int, [_HANDLE, c_char_p, c_char_p, c_size_t, _OUT, POINTER(c_size_t),
                                _ERR]),
    "tdk_client_query": (c_int, [_HANDLE, POINTER(ClientQuery), _OUT, _ERR]),
    "tdk_stream_batch": (c_int, [_HANDLE, c_size_t, POINTER(POINTER(Batch)), _ERR]),
    "tdk_stream_stats": (None, [_HANDLE, POINTER(StreamStats)]),
    "tdk_stream_close": (None, [_HANDLE]),
}


def _candidates() -> list[str]:
    """Where the library may be, in order: $TAPEDECK_LIB, the tree that has this package, the system."""
    told = os.environ.get("TAPEDECK_LIB")
    if told:
        path = pathlib.Path(told)
        return [str(path / "libtapedeck.so" if path.is_dir() else path)]
    above = list(pathlib.Path(__file__).resolve().parents)  # a list: they take slices since 3.10
    found = []
    for tree in above[2:3]:
        if (tree / "include" / "tapedeck" / "ring.h").exists():
            found.append(str(tree / "build" / "release" / "lib" / "libtapedeck.so.0"))
    # Installed with this package: PREFIX/lib/python3/dist-packages/tapedeck and PREFIX/lib[/TRIPLET].
    for folder in above[3:5]:
        found += [str(path) for path in sorted(folder.glob("libtapedeck.so.0"))]
        found += [str(path) for path in sorted(folder.glob("*-linux-gnu/libtapedeck.so.0"))]
    return [path for path in found if os.path.exists(path)] + ["libtapedeck.so.0"]


def _load() -> ctypes.CDLL:
    tried = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as failure:
            tried.append(str(failure))
            continue
        for name, (result, arguments) in _PROTOTYPES.items():
            try:
                function = getattr(library, name)
            except AttributeError:
                raise ImportError(f"{path} has no {name}(): it is older than this package; "
                                  "build or install both from one source") from None
            function.restype, function.argtypes = result, arguments
        return library
    raise ImportError("libtapedeck is not there; `./run build` makes it, $TAPEDECK_LIB says where it "
                      "is: " + "; ".join(tried))


lib = _load()


def finalizer(function: Any) -> Any:
    """A function of the library as a `__del__`, for objects whose `_as_parameter_` is its argument. It has no
    frame of Python's: ^C that comes while it works would be raised there, and forgotten."""
    method = ctypes.pythonapi.PyInstanceMethod_New
    method.restype, method.argtypes = ctypes.py_object, [ctypes.py_object]
    return method(function)


def failure(code: int, err: Optional[Err] = None, what: str = "") -> Error:
    """The exception for a code, with the library's text if there is one."""
    if err is not None and err.code != 0:
        text = err.text.decode("utf-8", "backslashreplace")
    else:
        text = f"{what}: {lib.tdk_strerror(code).decode()}" if what else lib.tdk_strerror(code).decode()
    return _CLASSES.get(code, Error)(code, text)


class Walk:
    """A library call with callbacks. An exception in a callback, even ^C, ends the walk and is raised after
    it. ctypes alone would print the exception and go on without the current row, and the answer would
    look complete.

    `keep` lives as long as it takes.
    """

    def __init__(self, keep: Any = None) -> None:
        self._keep = keep
        self._raised = Raised()

    def each(self, kind: Any, tell: Callable[..., None]) -> Any:
        """`tell` as a callback of that kind. It is called without the context, which comes last."""
        def told(*arguments: Any) -> int:
            if not self._raised:
                try:
                    tell(*arguments[:-1])
                except BaseException as raised:
                    self._raised.keep(raised)
            return int(bool(self._raised))

        return kind(told)

    def call(self, *arguments: Any) -> None:
        """As call()."""
        def make() -> None:
            try:
                call(*arguments)
            except Error:
                if not self._raised:
                    raise

        aside(make, self._end)
        self._raised.again()

    def _end(self) -> None:
        self._raised.keep(KeyboardInterrupt())


def call(name: str, *arguments: Any) -> int:
    """Call a function whose last argument is a struct tdk_err, and raise the error that it reports."""
    err = Err()
    code = getattr(lib, name)(*arguments, ctypes.byref(err))
    if code < 0:
        raise failure(code, err, name)
    return code
