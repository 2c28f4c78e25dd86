"""Ask a replayer: any method of docs/protocol.md, and plays that run there. Needs msgpack."""

from __future__ import annotations

import ctypes
import threading
import time
from ctypes import byref
from typing import Any, Optional

from . import native as lib
from .moments import Moment, to_ns


class Client:
    """A connection to "unix:PATH" or "HOST:PORT" of a replayer or a recorder.

        with tapedeck.Client("unix:/data/tape/replayer.sock") as replayer:
            session = replayer.play("bt", start="2024-05-08", speed="10x", create=64 << 20)
            ... tapedeck.Consumer("bt", wait=5) ...
    """

    def __init__(self, address: str, *, token: Optional[str] = None, timeout: float = 30) -> None:
        try:
            import msgpack
        except ImportError:
            raise ImportError("Client needs msgpack (Debian: python3-msgpack)") from None
        self._msgpack = msgpack
        self._at = ctypes.c_void_p()
        self._lock = threading.Lock()
        options = lib.ClientOptions(b"tapedeck-python", token.encode() if token else None,
                                    round(timeout * 1e9))
        lib.call("tdk_client_open", byref(self._at), address.encode(), byref(options))

    def close(self) -> None:
        """Its sessions end with it, unless they were detached. Twice is fine."""
        with self._lock:
            at, self._at = self._at, ctypes.c_void_p()
        if at:
            lib.lib.tdk_client_close(at)

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, **params: Any) -> Any:
        """Any method; params that are None are left out."""
        packed = self._msgpack.packb({k: v for k, v in params.items() if v is not None})
        result, size = ctypes.c_void_p(), ctypes.c_size_t()
        with self._lock:
            if not self._at:
                raise ValueError("this client is closed")
            lib.call("tdk_client_call", self._at, method.encode(), packed, len(packed), byref(result),
                     byref(size))
            answer = ctypes.string_at(result, size.value) if size.value else b"\x80"
        return self._msgpack.unpackb(answer, raw=False)

    def play(self, into: str, start: Optional[Moment] = None, end: Optional[Moment] = None, *,
             speed: str = "max", create: Optional[int] = None, **params: Any) -> int:
        """Begin to play a range into the ring `into`; the session's number. `params` are those of
        the protocol: tracks, symbols, types, paused, loop, prime, wait_consumers, detach, ..."""
        answer = self.call("play", into=into, speed=speed, create=create,
                           **{"from": None if start is None else to_ns(start),
                              "to": None if end is None else to_ns(end)}, **params)
        return int(answer["session"])

    def session(self, session: int) -> Optional[dict[str, Any]]:
        """How a play stands (state, at, speed, ...); None: it is over and gone."""
        for row in self.call("sessions")["sessions"]:
            if row["session"] == session:
                return dict(row)
        return None

    def pause(self, session: int) -> None:
        self.call("pause", session=session)

    def resume(self, session: int) -> None:
        self.call("resume", session=session)

    def step(self, session: int, ticks: int = 1) -> None:
        """Pause if need be, then so many ticks."""
        self.call("step", session=session, n=ticks)

    def seek(self, session: int, to: Moment) -> None:
        self.call("seek", session=session, to=to_ns(to))

    def speed(self, session: int, speed: str) -> None:
        """ "max", "1x", "0.5x", "1000/s"."""
        self.call("speed", session=session, speed=speed)

    def stop(self, session: int) -> None:
        self.call("stop", session=session)

    def wait(self, session: int, timeout: float = 60) -> bool:
        """Until the play is over; False: it is not, after so many seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            row = self.session(session)
            if row is None or row["state"] in ("ended", "failed"):
                return True
            time.sleep(0.02)
        return False
