"""A reply as a sequence of actions. No I/O: the server performs them."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cometgem.testing.steps import Framing, Pause, Reset, Stall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cometgem.testing.reply import Reply

__all__ = ["Action", "Bytes", "Head", "Item", "Wait", "Write", "actions", "ping"]


@dataclass(frozen=True, slots=True)
class Head:
    """Send status and headers. Without a `length` in bytes, the body is sent chunked."""

    status: int
    headers: dict[str, str]
    length: int | None


@dataclass(frozen=True, slots=True)
class Write:
    """Write and flush. `chunks` counts the chunks of the reply that end in these bytes."""

    data: bytes
    chunks: int


@dataclass(slots=True)
class Wait:
    """Wait for some seconds, or forever if None. A `resumable` wait ends early when resumed."""

    seconds: float | None
    resumable: bool = False
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Bytes:
    """Body bytes before compression and cutting. `chunks` counts the chunks that end in them."""

    data: bytes
    chunks: int = 0


Action: TypeAlias = Head | Write | Wait | Reset
Item: TypeAlias = Bytes | Pause | Stall | Reset


def actions(items: Iterable[Item], reply: Reply, framing: Framing) -> Iterator[Action]:
    """Compress and cut the body, and send pings while it waits."""
    body = _Body(reply)
    for item in items:
        match item:
            case Bytes(data, chunks):
                yield from body.add(data, chunks)
            case Pause(seconds):
                yield from body.flush()
                while framing.every is not None and seconds > framing.every:
                    yield Wait(framing.every)
                    yield from body.add(ping(framing))
                    yield from body.flush()
                    seconds -= framing.every
                yield Wait(seconds)
            case Stall():
                yield from body.flush()
                wait = Wait(framing.every, resumable=True)
                yield wait
                while framing.every is not None and not wait.resumed:
                    yield from body.add(ping(framing))
                    yield from body.flush()
                    yield wait
            case Reset():
                yield from body.flush()
                yield item
    yield from body.close()


def ping(framing: Framing) -> bytes:
    """Return a keep-alive line followed by a blank line."""
    return f"{framing.ping}{framing.newline * 2}".encode()


class _Body:
    """The outgoing body, compressed per addition and cut where the reply says."""

    def __init__(self, reply: Reply) -> None:
        self._gzip = zlib.compressobj(wbits=31) if reply.compressed else None
        self._size = reply.cut_size
        self._cuts = sorted(reply.cut_offsets, reverse=True)
        self._held = bytearray()
        self._written = 0
        self._chunk_ends: deque[int] = deque()

    def add(self, data: bytes, chunks: int = 0) -> Iterator[Write]:
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        self._held += data
        self._chunk_ends.extend([self._written + len(self._held)] * chunks)
        if self._size is not None:
            while len(self._held) >= self._size:
                yield self._write(self._size)
            return
        while self._cuts and self._cuts[-1] <= self._written + len(self._held):
            yield self._write(self._cuts[-1] - self._written)
        if not self._cuts:
            yield from self.flush()

    def flush(self) -> Iterator[Write]:
        if self._held:
            yield self._write(len(self._held))

    def close(self) -> Iterator[Write]:
        if self._gzip is not None:
            self._held += self._gzip.flush()
        yield from self.flush()

    def _write(self, size: int) -> Write:
        data = bytes(self._held[:size])
        del self._held[:size]
        self._written += size
        while self._cuts and self._cuts[-1] <= self._written:
            self._cuts.pop()
        chunks = 0
        while self._chunk_ends and self._chunk_ends[0] <= self._written:
            self._chunk_ends.popleft()
            chunks += 1
        return Write(data, chunks)
