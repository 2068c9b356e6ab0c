"""Runs that other processes write to Redis, as viewers in this process see them.

One blocking read serves all runs and the inbox of the process, so that a thousand viewers need one
connection. What it returns is kept for a while, so that viewers that keep up need no reads of their
own; those that lag read what they have missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from cometgem.errors import RunError
from cometgem.web.run_parts import End, News

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.web.redis_streams import Entry, Keys, RedisStreams
    from cometgem.web.run_parts import Head

__all__ = ["Feed"]

# Bytes of a run that are kept for viewers that keep up; at least the last entry.
_TAIL = 262_144

# Seconds between two attempts of a viewer to read what it has missed.
_WAIT = 0.5

_log = logging.getLogger("cometgem.web")


class Feed:
    """A run that another process writes.

    Args:
        head: What viewers must know before the first piece.
        streams: Redis.
        keys: Those of the run.
        process: What this process is called.
        length: How many entries there are.
        ended: Whether the last one is the end.

    Attributes:
        head: As given.
        keys: As given.
        viewers: How many viewers there are.
        last: The number of the last entry that is known.
    """

    def __init__(  # noqa: PLR0913  each is a part of its own
        self,
        head: Head,
        *,
        streams: RedisStreams,
        keys: Keys,
        process: str,
        length: int,
        ended: bool,
    ) -> None:
        self.head: Head = head
        self.keys: Keys = keys
        self.viewers: int = 0
        self.last: int = length
        self._ended = ended
        self._streams = streams
        self._process = process
        self._tail: deque[Entry] = deque()
        self._tail_size = 0
        self._lost: str = ""  # why
        self._news = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        return not self._ended and not self._lost

    def add(self, entries: Sequence[Entry]) -> None:
        """Add the next entries."""
        for entry in entries:
            if entry.number != self.last + 1:
                continue  # known already, or lost and about to be written again
            self.last += 1
            self._ended = entry.field == "e"
            self._tail.append(entry)
            self._tail_size += len(entry.value)
            while self._tail_size > _TAIL and len(self._tail) > 1:
                self._tail_size -= len(self._tail.popleft().value)
        self._tell()

    def lose(self, why: str) -> None:
        """Give the run up: viewers get RunError."""
        self._lost = why
        self._tell()

    async def read(self, position: int, size: int) -> News:
        """Return the pieces after the first ``position`` ones; waits until there is news."""
        number = position + 2  # the head is the first entry
        while True:
            if number <= self.last:
                if entries := await self._entries(number):
                    return _news(entries, size)
            elif self._lost:
                raise RunError(self._lost)
            else:
                await self._news.wait()

    def join(self) -> None:
        """Count a viewer."""
        self.viewers += 1

    async def leave(self) -> None:
        """Count a viewer no more; stops a run that must not go on without any."""
        self.viewers -= 1
        if self.head.on_leave != "stop" or self.viewers or not self.running:
            return
        try:
            if not await self.sit(0):
                await self.stop()
        except RunError as error:
            _log.warning("a run could not be stopped: %s", error)

    async def stop(self) -> None:
        """Ask the process that writes the run to stop it."""
        if self.running and (owner := await self._streams.owner(self.keys)):
            await self._streams.tell(owner, "stop", self.keys.token)

    async def sit(self, lease: float) -> int:
        """Note that this process has viewers, and return how many processes have."""
        return await self._streams.sit(self.keys, self._process, lease)

    async def _entries(self, number: int) -> Sequence[Entry]:
        """Return entries that are known to be there, from memory if possible."""
        if self._tail and number >= self._tail[0].number:
            start = number - self._tail[0].number
            return [self._tail[at] for at in range(start, len(self._tail))]
        try:
            entries = await self._streams.range(self.keys.run, number)
        except RunError:
            entries = []
        if not entries or entries[0].number != number:
            # Redis is away, or has lost the entry, which its process will write again.
            if self._lost or self._ended:
                raise RunError(self._lost or "the run is no longer kept")
            await asyncio.sleep(_WAIT)
            return ()
        return entries

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()


def _news(entries: Sequence[Entry], size: int) -> News:
    pieces: list[bytes] = []
    for entry in entries:
        if entry.field == "e":
            return News(pieces, msgspec.json.decode(entry.value, type=End))
        if size <= 0:
            break
        pieces.append(entry.value)
        size -= len(entry.value)
    return News(pieces)
