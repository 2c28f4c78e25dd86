"""Frames from a tape or a ring, many at a time, as arrays over the memory that they came in.

A batch owns its memory. From a tape it is what tdk_cursor_batch() allocated; from a ring it is a copy
that was checked. Arrays made from a batch are read-only views and keep it alive. So they may be kept
for any time: nothing that is read or closed later changes or frees them.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Optional, Union

import numpy as np

from . import records as r
from .records import Schema

_U64 = np.dtype("<u8")


class Part(NamedTuple):
    """Successive frames of one track and epoch: [first, first + count)."""

    track: str
    epoch: int
    first: int
    count: int


class Batch:
    """Some frames: `frames` has their bytes, `offsets` says where each begins.

    len(batch) counts frames, including control frames if they were asked for.
    """

    def __init__(self, frames: np.ndarray, offsets: np.ndarray, parts: list[Part]) -> None:
        self.frames = frames
        self.offsets = offsets
        self._parts = parts
        self._words = frames.view(_U64)
        self._first = self._words[offsets // 8]  # size, track, type and flags of each
        self._span = -1  # see _uniform()

    def __len__(self) -> int:
        return len(self.offsets)

    def __repr__(self) -> str:
        return f"<tapedeck.Batch of {len(self)} frames, {self.frames.nbytes} bytes>"

    # ---- heads ----

    @property
    def parts(self) -> list[Part]:
        """Which track and epoch the frames belong to."""
        return self._parts

    @property
    def types(self) -> np.ndarray:
        """Type of each frame, uint8."""
        return (self._first >> np.uint64(48)).astype(np.uint8)

    @property
    def flags(self) -> np.ndarray:
        """Flags of each frame, uint8."""
        return (self._first >> np.uint64(56)).astype(np.uint8)

    @property
    def sizes(self) -> np.ndarray:
        """Payload bytes of each frame, uint32."""
        return self._first.astype(np.uint32)

    @property
    def seq(self) -> np.ndarray:
        return self._words[self.offsets // 8 + 1]

    @property
    def ts(self) -> np.ndarray:
        """Receive time of each frame, ns since 1970, uint64."""
        return self._words[self.offsets // 8 + 2]

    @property
    def epoch(self) -> np.ndarray:
        """Epoch of each frame, uint64."""
        return np.repeat(np.array([p.epoch for p in self.parts], np.uint64),
                         [p.count for p in self.parts])

    @property
    def heads(self) -> np.ndarray:
        """Heads of the frames, as records.HEAD. A view if all frames have one size."""
        return self._view(r.HEAD, 0, slice(None))

    # ---- payloads ----

    def _uniform(self) -> int:
        """The bytes from each frame to the next if that is the same for all, else 0."""
        if self._span < 0:
            size = self.frames.nbytes
            span = size // max(len(self), 1)
            alike = len(self) > 0 and span % 8 == 0 and span * len(self) == size
            self._span = span if alike and bool((self._first.astype(np.uint32) + 31 & ~np.uint32(7)
                                                 == span).all()) else 0
        return self._span

    def _view(self, dtype: np.dtype, behind: int, which: Union[slice, np.ndarray]) -> np.ndarray:
        """What lies `behind` bytes after the beginning of each frame, as dtype; in place if possible."""
        span = self._uniform()
        if span and isinstance(which, slice):
            return np.ndarray((len(self),), dtype, self.frames, behind, (span,))
        return self.gather(dtype, behind, self.offsets[which])

    def gather(self, dtype: np.dtype, behind: int, offsets: np.ndarray,
               out: Optional[np.ndarray] = None) -> np.ndarray:
        """Copy into one array what lies `behind` bytes after each of `offsets`."""
        if out is None:
            out = np.empty(len(offsets), dtype)
        if len(offsets) == 0:
            return out
        raw = np.dtype((np.void, dtype.itemsize))  # as bytes, because NumPy copies fields one by one
        span = self._uniform() if len(offsets) == len(self) else 0
        if span:
            out.view(raw)[:] = np.ndarray((len(self),), raw, self.frames, behind, (span,))
        else:
            # Every place where one could begin, 8 bytes apart. They overlap; the index picks some.
            places = (self.frames.nbytes - behind - dtype.itemsize) // 8 + 1
            every = np.ndarray((places,), raw, self.frames, behind, (8,))
            out.view(raw)[:] = every[(offsets // 8).view(np.int64)]
        return out

    def _kinds(self) -> np.ndarray:
        """size << 16 | rtype << 8 | type of each frame. If it is no record, rtype and type are 0."""
        second = (self.offsets // 8 + 3).clip(max=max(len(self._words) - 1, 0))
        rtype = self._words[second] >> np.uint64(8) & np.uint64(0xFF)
        kind = self._first >> np.uint64(48) & np.uint64(0xFF)
        valid = ((kind == r.DBN) | (kind == r.WIDE)) & (
            self._first >> np.uint64(56) & np.uint64(r.INVALID) == 0)
        size = self._first & np.uint64(0xFFFFFFFF)
        return size << np.uint64(16) | np.where(valid, rtype << np.uint64(8) | kind, 0)

    def schemas(self) -> list[str]:
        """Names of the schemas in the batch."""
        kinds = np.unique(self._kinds()).tolist()
        found = [r.schema_of(kind & 0xFF, kind >> 8 & 0xFF) for kind in kinds if kind & 0xFF]
        return sorted({s.name for s in found if s is not None})

    def find(self, schema: Union[str, Schema]) -> list[tuple[np.dtype, np.ndarray]]:
        """The frames that have records of a schema: for each of its layouts found, dtype and indices."""
        kind, found = r.schema(schema), []
        wanted = np.uint64(kind.rtype << 8 | kind.type)
        kinds = self._kinds()
        ours = kinds & np.uint64(0xFFFF) == wanted
        if not ours.any():
            return []
        for size, dtype in kind.dtypes.items():
            here = kinds == (np.uint64(size << 16) | wanted)
            if here.any():
                found.append((dtype, np.flatnonzero(here)))
        return found

    def records(self, schema: Union[str, Schema, None] = None) -> np.ndarray:
        """The records of a schema, in order. Without a schema: of the only one in the batch.

        This is a view of the batch if it holds nothing else, else a copy. ValueError if the batch has
        several layouts of the schema (versions of DBN): see find().
        """
        if schema is None:
            names = self.schemas()
            if len(names) > 1:
                raise ValueError(f"several schemas: {', '.join(names)}; say which")
            if not names:
                return np.empty(0, r.HEAD)[:0]
            schema = names[0]
        found = self.find(schema)
        if not found:
            return np.empty(0, r.schema(schema).dtype)
        if len(found) > 1:
            raise ValueError(f"{r.schema(schema).name} in several layouts: find() has each")
        dtype, which = found[0]
        return self._view(dtype, 24, slice(None) if len(which) == len(self) else which)

    def payload(self, index: int) -> memoryview:
        """The bytes of one frame's payload, in place."""
        at = int(self.offsets[index]) + 24
        return memoryview(self.frames)[at:at + int(self._first[index] & np.uint64(0xFFFFFFFF))]

    def payloads(self, type: Optional[int] = None) -> Iterator[memoryview]:
        """The payloads of all frames, or of those of one type."""
        which = range(len(self)) if type is None else np.flatnonzero(self.types == type).tolist()
        return map(self.payload, which)
