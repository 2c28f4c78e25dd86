"""Requests to a replayer: any method of docs/protocol.md, and plays that run there. Needs msgpack."""

from __future__ import annotations

import ctypes
import errno
import sys
import threading
import time
from ctypes import byref
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Union

from . import native as lib
from . import records as r
from .helper import aside
from .moments import Moment, to_ns
from .native import Words
from .tape import _Collection, _range, _warn

if TYPE_CHECKING:
    from .stream import Stream

MOMENT = 0.2  # s that an answer has left when ^C was pressed
ENDS_MAX = 64  # ends of plays that are kept; so many run at a time

# What `play` takes besides what Client.play() names. The replayer ignores what it does not know.
_PLAY_PARAMS = frozenset((
    "axis", "detach", "digest", "limit", "lockstep", "loop", "max_idle", "paused", "per_track", "prime",
    "prime_back", "rebase", "stall_timeout", "then_live", "wait_consumers", "wait_timeout", "written"))

Types = Union[str, int, Sequence[Union[str, int]], None]


def _listener(msgpack: Any, ends: dict[int, dict[str, Any]]) -> Any:
    """For the library to call. It knows the client only by what it fills: else neither would ever be freed."""
    def heard(message: int, size: int, _: Any) -> None:
        _, method, params = msgpack.unpackb(ctypes.string_at(message, size), unicode_errors="backslashreplace")
        if method == "session" and params.get("state") in ("ended", "failed"):
            ends[params["session"]] = params
            if len(ends) > ENDS_MAX:
                del ends[next(iter(ends))]

    return lib.Heard(heard)


class Client:
    """A connection to "unix:PATH" or "HOST:PORT" of a replayer or a recorder.

        with tapedeck.Client("unix:/data/tape/replayer.sock") as replayer:
            session = replayer.play("bt", start="2024-05-08", speed="10x", create=64 << 20)
            ... tapedeck.Consumer("bt", wait=5) ...
            trades = replayer.query("trades", "2024-05-08", symbols="ESM4")

    `timeout`: how many seconds the other side may be silent; None: for ever.
    """

    def __init__(self, address: str, *, token: Optional[str] = None, timeout: Optional[float] = 30) -> None:
        try:
            import msgpack
        except ImportError:
            raise ImportError("Client needs msgpack (Debian: python3-msgpack)") from None
        self._msgpack = msgpack
        self._address = address
        self._at = ctypes.c_void_p()
        self._lock = threading.Lock()  # held while `_at` is let go of
        self._using = threading.Lock()  # while the library is at it
        self._interrupted = False
        self._stream: Optional["Stream"] = None  # the last; it ends before we do
        timeout_ns = lib.check_unsigned("timeout", 0 if timeout is None else round(timeout * 1e9))
        options = lib.ClientOptions(b"tapedeck-python", None if token is None else token.encode(), timeout_ns)
        # Interrupted, it goes its way, and is closed when it is of use to nobody.
        aside(lambda: lib.call("tdk_client_open", byref(self._at), address.encode(), byref(options)), None)
        self._ends: dict[int, dict[str, Any]] = {}  # of plays, by session: the last that was said of each
        self._heard = _listener(msgpack, self._ends)
        lib.lib.tdk_client_listen(self._at, self._heard, None)

    def close(self) -> None:
        """Its sessions end with it, unless they were detached. Twice is fine."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._at:
            self.attend(self._close)

    def _close(self) -> None:
        with self._lock:
            at, self._at = self._at, ctypes.c_void_p()
        if at:
            lib.lib.tdk_client_close(at)

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def handle(self) -> ctypes.c_void_p:
        """Of libtapedeck, to ask something: for who attends to it. Busy: a stream has it."""
        if not self._at:
            raise ValueError("this client is closed")
        if self._interrupted:
            raise ValueError("this client was interrupted while it waited for an answer, and its "
                             "connection was closed for that: make another")
        if self._stream is not None and not self._stream.is_over:
            raise lib.Busy(-errno.EBUSY, f"{self._address}: a stream has the connection until it is closed")
        return self._at

    def attend(self, make: Callable[[], object]) -> None:
        """make() waits for the other side, and hears of ^C. Then the connection is closed, unless the
        answer comes within a moment: whoever asks next must not be told what was asked before.

        One at a time: who is interrupted again while he ends it leaves it to end by itself."""
        aside(lambda: self._alone(make), self._hang_up, MOMENT)

    def _alone(self, make: Callable[[], object]) -> None:
        # While the interpreter ends nobody goes on who was left at it.
        if self._using.acquire(timeout=0 if sys.is_finalizing() else -1):
            try:
                make()
            finally:
                self._using.release()

    def serve(self, stream: "Stream") -> None:
        """It has begun, and ends before we do."""
        self._stream = stream

    def _hang_up(self) -> None:
        with self._lock:
            self._interrupted = True
            if self._at:
                lib.lib.tdk_client_hang_up(self._at)

    def call(self, method: str, **params: Any) -> Any:
        """Call any method. Params that are None are left out."""
        packed = self._msgpack.packb({k: v for k, v in params.items() if v is not None},
                                     unicode_errors="surrogateescape")
        answer = [b"\x80"]

        def make() -> None:
            result, size = ctypes.c_void_p(), ctypes.c_size_t()
            lib.call("tdk_client_call", self.handle, method.encode(), packed, len(packed), byref(result),
                     byref(size))
            if size.value:
                answer[0] = ctypes.string_at(result, size.value)

        self.attend(make)
        # Symbols are the bytes that came, in whatever code: Tape.symbols() gives them like that, too.
        return self._msgpack.unpackb(answer[0], raw=False, unicode_errors="backslashreplace")

    def stream(self, start: Optional[Moment] = None, end: Optional[Moment] = None, *,
               tracks: Words = None, symbols: Words = None, types: Types = None, axis: str = "recv",
               limit: int = 0, reverse: bool = False, control: bool = False,
               written: bool = False) -> "Stream":
        """Ticks of [start, end) in batches, like those of Tape.cursor(). `types` are words of
        `tapedeck query -t`."""
        from .stream import Stream
        asked = lib.ClientQuery(range=_range(start, end, tracks, symbols, axis, limit=limit,
                                             reverse=reverse, control=control, written=written))
        words = lib.words("types", types)
        asked.types, asked.type_count = lib.strings("types", None if words is None else map(str, words))
        return Stream(self, asked)

    def query(self, schema: Union[str, r.Schema], start: Optional[Moment] = None,
              end: Optional[Moment] = None, *, heads: bool = False, damage: str = "raise",
              **which: Any) -> Any:
        """The records of one schema in [start, end) as one array, as Tape.query() returns them."""
        kind = r.schema(schema)
        stream = self.stream(start, end, types=kind.name, **which)
        collected = _Collection(kind, heads)
        try:
            for batch in stream.batches(damage):
                collected.add(batch)
        finally:
            stream.close()
        _warn(stream.whole)
        return collected.result()

    def play(self, into: str, start: Optional[Moment] = None, end: Optional[Moment] = None, *,
             tracks: Words = None, symbols: Words = None, types: Types = None, speed: str = "max",
             create: Optional[int] = None, **params: Any) -> int:
        """Begin to play a range into the ring `into`. Returns the session's number. `params` are those of
        the protocol: paused, loop, prime, wait_consumers, detach, ..."""
        for unknown in params.keys() - _PLAY_PARAMS:
            raise TypeError(f"play() has no {unknown!r}: besides its own it takes {', '.join(sorted(_PLAY_PARAMS))}")
        answer = self.call("play", into=into, speed=speed, create=create, tracks=lib.words("tracks", tracks),
                           symbols=lib.words("symbols", symbols), types=lib.words("types", types),
                           **{"from": None if start is None else to_ns(start),
                              "to": None if end is None else to_ns(end)}, **params)
        return int(answer["session"])

    def session(self, session: int) -> Optional[dict[str, Any]]:
        """The status of a play (state, at, speed, ...). None: it is over and gone."""
        for row in self.call("sessions")["sessions"]:
            if row["session"] == session:
                return dict(row)
        return None

    def pause(self, session: int) -> None:
        self.call("pause", session=session)

    def resume(self, session: int) -> None:
        self.call("resume", session=session)

    def step(self, session: int, ticks: int = 1) -> None:
        """Pause if it is not paused, then play this many ticks."""
        self.call("step", session=session, n=ticks)

    def seek(self, session: int, to: Moment) -> None:
        self.call("seek", session=session, to=to_ns(to))

    def speed(self, session: int, speed: str) -> None:
        """ "max", "1x", "0.5x", "1000/s"."""
        self.call("speed", session=session, speed=speed)

    def stop(self, session: int) -> None:
        self.call("stop", session=session)

    def wait(self, session: int, timeout: float = 60) -> bool:
        """Wait until the play is over. False: it is not over after `timeout` seconds. Error: it failed."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.session(session) is None:
                error = (self.outcome(session) or {}).get("error")
                if error:
                    raise lib.failure(error["code"], lib.Err(error["code"], error["message"].encode()[:499]))
                return True
            time.sleep(0.02)
        return False

    def outcome(self, session: int) -> Optional[dict[str, Any]]:
        """What the replayer said at the end of a play that this client began: ticks, lost, complete, digest,
        fidelity, error ... (docs/playing.md). None: nothing yet; wait() hears it."""
        return self._ends.get(session)


def ask(address: str, schema: Union[str, r.Schema], start: Optional[Moment] = None,
        end: Optional[Moment] = None, *, token: Optional[str] = None, timeout: Optional[float] = 30,
        **which: Any) -> Any:
    """One range of a replayer's tape as an array: ask("unix:/data/tape/replayer.sock", "trades")."""
    with Client(address, token=token, timeout=timeout) as client:
        return client.query(schema, start, end, **which)
