"""A run in the memory of the process that writes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cometgem.errors import RunError
from cometgem.web.run_parts import End, News

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.web.run_parts import Head

__all__ = ["MemoryRecording"]


class MemoryRecording:
    """A run in memory, for the producer that writes it and for its viewers.

    Args:
        head: What viewers must know before the first piece.
        stop: Stops the run.
        max_bytes: The maximum size of all pieces; None is no limit.

    Attributes:
        pieces: All pieces so far.
        end: The end, or None.
        viewers: How many viewers there are.
        on_end: Called at the end.
    """

    def __init__(self, head: Head, stop: Callable[[], object], max_bytes: int | None) -> None:
        self.head: Head = head
        self.pieces: list[bytes] = []
        self.end: End | None = None
        self.viewers: int = 0
        self.on_end: Callable[[], object] = bool
        self._stop = stop
        self._max_bytes = max_bytes
        self._size = 0
        self._news = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        return self.end is None

    def append(self, data: bytes) -> None:
        """Add a piece.

        Raises:
            RunError: The run exceeds the limit; the next piece is taken in any case.
        """
        limit = self._max_bytes
        self._size += len(data)
        if limit is not None and self._size > limit:
            self._max_bytes = None
            raise RunError(
                f"the run has {self._size:,} bytes, and its log accepts at most {limit:,};"
                " max_bytes=... sets this limit"
            )
        self.pieces.append(data)
        self._tell()

    def finish(self, end: End, last: bytes = b"") -> None:
        """Add a last piece, whatever the limit, and the end."""
        if self.end is None:
            if last:
                self.pieces.append(last)
            self.end = end
            self._tell()
            self.on_end()

    async def wait(self, position: int) -> None:
        """Wait until there are more pieces than ``position``, or the end."""
        while len(self.pieces) <= position and self.end is None:
            await self._news.wait()

    async def read(self, position: int, size: int) -> News:
        """Return the pieces after the first ``position`` ones; waits until there is news."""
        await self.wait(position)
        at, taken = position, 0
        while at < len(self.pieces) and taken < size:
            taken += len(self.pieces[at])
            at += 1
        return News(self.pieces[position:at], self.end if at >= len(self.pieces) else None)

    def join(self) -> None:
        """Count a viewer."""
        self.viewers += 1

    async def leave(self) -> None:
        """Count a viewer no more; stops a run that must not go on without any."""
        self.viewers -= 1
        if self.head.on_leave == "stop" and not self.viewers and not await self.is_watched():
            await self.stop()

    async def is_watched(self) -> bool:
        """Whether there are viewers in other processes."""
        return False

    async def stop(self) -> None:
        """Stop the run."""
        self.halt()

    def halt(self) -> None:
        """Stop the run, unless it has ended."""
        if self.end is None:
            self._stop()

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()
