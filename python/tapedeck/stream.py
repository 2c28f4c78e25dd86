"""A range that a replayer sends, as batches."""

from __future__ import annotations

import ctypes
import warnings
from ctypes import byref
from typing import TYPE_CHECKING, Iterator, NamedTuple, Optional

from . import native as lib
from .batch import Batch
from .tape import BATCH_SIZE, Given, LibraryBatch, LossWarning

if TYPE_CHECKING:
    from .client import Client


class Whole(NamedTuple):
    """What the replayer says about an answer at its end."""

    ticks: int
    bytes: int
    lost: int
    damaged: int
    digest: str
    complete: bool


class _Heard(NamedTuple):
    """Some frames, and what came behind them."""

    batch: Optional[Batch]
    failure: Optional[lib.Error]
    whole: Optional[Whole]  # it was the end


class Stream:
    """An answer that is arriving; iterate it for batches. Until it is over or closed, other calls on the
    client raise Busy.

        with replayer.stream(tracks="es") as stream:
            for batch in stream: ...        # and break, if it is enough
    """

    def __init__(self, client: "Client", query: lib.ClientQuery) -> None:
        self._client = client  # lives as long as we do
        self._at = ctypes.c_void_p()
        self._pending: Optional[lib.Error] = None
        self._heard: Optional[_Heard] = None  # and not given yet
        self._names: dict[int, str] = {}  # of tracks, by number
        self.whole: Optional[Whole] = None  # at the end
        self.is_over = False  # the client is free again
        try:
            client.attend(lambda: self._begin(query))
        except BaseException:
            self.close()  # it may have begun; nobody has it, who could
            raise

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Twice is fine; before its end the rest is not sent."""
        if self._at:
            self._client.attend(self._close)
        self._heard = None

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what the client attends to ----

    def _close(self) -> None:
        at, self._at = self._at, ctypes.c_void_p()
        if at:
            lib.lib.tdk_stream_close(at)
            self.is_over = True

    def _begin(self, query: lib.ClientQuery) -> None:
        lib.call("tdk_client_query", self._client.handle, byref(query), byref(self._at))
        self._client.serve(self)

    def _hear(self, enough: int) -> None:
        if self._heard is not None or not self._at:
            return  # whoever asked before was interrupted
        given = Given()
        code = lib.lib.tdk_stream_batch(self._at, enough, byref(given.batch), byref(given.err))
        batch = LibraryBatch(given, self._names) if given.batch else None
        self._heard = _Heard(batch, given.failure, self._end() if code == 0 else None)

    def _end(self) -> Whole:
        raw = lib.StreamStats()
        lib.lib.tdk_stream_stats(self._at, byref(raw))
        self._close()
        return Whole(raw.ticks, raw.bytes, raw.lost, raw.damaged, raw.digest.decode(), raw.complete)

    # ---- reading ----

    def read(self, enough: int = BATCH_SIZE) -> Optional[Batch]:
        """The next batch: at least `enough` bytes of frames, or all that is left. None: the end."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            raise pending
        if self.whole is not None:
            return None
        lib.check_unsigned("enough", enough)
        if self._heard is None:  # else whoever waited for it was interrupted
            self._client.attend(lambda: self._hear(enough))
        heard, self._heard = self._heard, None
        if heard is None:
            raise ValueError("the stream was closed before its end")
        self.whole = heard.whole
        if heard.batch is None and heard.failure is not None:
            raise heard.failure
        self._pending = heard.failure  # what came before the damage is given first
        return heard.batch

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
