"""A range that a replayer answers with, as batches."""

from __future__ import annotations

import ctypes
import warnings
from ctypes import byref
from typing import TYPE_CHECKING, Iterator, NamedTuple, Optional

import numpy as np

from . import native as lib
from .batch import Batch, Part
from .tape import BATCH_SIZE, LossWarning

if TYPE_CHECKING:
    from .client import Client


class Whole(NamedTuple):
    """What the replayer says of an answer when it is at its end."""

    ticks: int
    bytes: int
    lost: int
    damaged: int
    digest: str
    complete: bool


def _offsets(frames: np.ndarray) -> np.ndarray:
    """Where each frame of a run begins: at once while all are of one size, else one by one."""
    sizes = frames.view("<u4")[::2]  # at every place where a head could begin
    span = int(sizes[0]) + 31 & ~7
    if len(frames) % span == 0 and bool((sizes[::span // 8] == sizes[0]).all()):
        return np.arange(0, len(frames), span, np.uint64)
    found, at = [], 0
    while at < len(frames):
        found.append(at)
        at += int(sizes[at // 8]) + 31 & ~7
    return np.array(found, np.uint64)


class Stream:
    """An answer on its way; iterate it for batches. Until it is over or closed it has the client to
    itself: other calls raise Busy."""

    def __init__(self, client: "Client", query: lib.ClientQuery) -> None:
        self._client = client  # lives as long as we do
        self._at = ctypes.c_void_p()
        self._pending: Optional[lib.Error] = None
        self.whole: Optional[Whole] = None  # at the end
        lib.call("tdk_client_query", client.handle, byref(query), byref(self._at))

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Twice is fine; before its end the rest is not sent."""
        at, self._at = self._at, ctypes.c_void_p()
        if at:
            lib.lib.tdk_stream_close(at)

    def _end(self) -> None:
        raw = lib.StreamStats()
        lib.lib.tdk_stream_stats(self._at, byref(raw))
        self.whole = Whole(raw.ticks, raw.bytes, raw.lost, raw.damaged, raw.digest.decode(), raw.complete)
        self.close()

    def read(self, enough: int = BATCH_SIZE) -> Optional[Batch]:
        """The next batch: at least `enough` bytes of frames, or all that is left; None: the end."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            raise pending
        pieces: list[bytes] = []
        offsets: list[np.ndarray] = []
        parts: list[Part] = []
        size = count = 0
        run, err = lib.Run(), lib.Err()
        while size < enough and self._at:
            code = lib.lib.tdk_stream_read(self._at, byref(run), byref(err))
            if code < 0:
                self._pending = lib.failure(code, err)
                break
            if code == 0:
                self._end()
                break
            pieces.append(ctypes.string_at(run.frames, run.size))
            begins = _offsets(np.frombuffer(pieces[-1], np.uint8))
            offsets.append(begins + np.uint64(size))
            parts.append(Part(run.track.decode(), run.epoch, count, len(begins)))
            size += run.size
            count += len(begins)
        if pieces:
            return Batch(np.frombuffer(b"".join(pieces), np.uint8), np.concatenate(offsets), parts)
        if self._pending is not None:
            return self.read(enough)  # nothing came before it
        return None

    def batches(self, damage: str = "raise", enough: int = BATCH_SIZE) -> Iterator[Batch]:
        """All of them. damage="skip": what cannot be read is a LossWarning, and the rest comes."""
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
