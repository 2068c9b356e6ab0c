"""Writes a run of this process to Redis, behind it.

The run is also in memory while it is written, so neither the model nor the viewers in this process
wait for Redis. When Redis was away, what it lacks is written; when it has lost what it had, all of
it is written again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from cometgem.errors import RunError
from cometgem.web.recording import MemoryRecording

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.web.redis_streams import Keys, RedisStreams
    from cometgem.web.run_parts import Head

__all__ = ["MirroredRecording"]

# Bytes that are sent to Redis at once; an entry that is larger is sent alone.
_BATCH = 1_048_576

# Seconds between attempts to reach Redis: the first, doubled each time up to the last.
_WAITS = (0.05, 1.0)

_log = logging.getLogger("cometgem.web")


class MirroredRecording(MemoryRecording):
    """A run in memory that is also written to Redis.

    Args:
        head: What viewers must know before the first piece.
        stop: Stops the run.
        max_bytes: The maximum size of all pieces; None is no limit.
        streams: Redis.
        keys: Those of the run.
        inbox: That of this process.
        ttl: How long the run is kept, in seconds.
        heartbeat: Within how many seconds the death of this process is noticed.

    Attributes:
        keys: As given.
        claimed: Set once the run is known in Redis.
    """

    def __init__(  # noqa: PLR0913  each is a part of its own
        self,
        head: Head,
        stop: Callable[[], object],
        max_bytes: int | None,
        *,
        streams: RedisStreams,
        keys: Keys,
        inbox: str,
        ttl: float,
        heartbeat: float,
    ) -> None:
        super().__init__(head, stop, max_bytes)
        self.keys: Keys = keys
        self.claimed: asyncio.Event = asyncio.Event()
        self._streams = streams
        self._inbox = inbox
        self._ttl = ttl
        self._heartbeat = heartbeat
        self._written = 0
        self._claims = True

    async def write(self) -> None:
        """Write the run to Redis until it has ended and all of it is written."""
        wait = _WAITS[0]
        ended_at: float | None = None
        loop = asyncio.get_running_loop()
        while self.end is None or self._written < self._length():
            try:
                await self._write_some()
                if self.head.on_leave == "stop" and self.end is None:
                    await self._check_viewers()
            except RunError as error:
                if wait == _WAITS[0]:
                    _log.warning("%s; trying again", error)
                if self.end is not None:
                    ended_at = loop.time() if ended_at is None else ended_at
                    if loop.time() - ended_at > self._ttl:
                        _log.error("a run was not written to Redis: %s", error)
                        return
                await asyncio.sleep(wait)
                wait = min(2 * wait, _WAITS[1])
                continue
            wait = _WAITS[0]
            if self._written >= self._length():
                await self._wait_for_news()

    async def is_watched(self) -> bool:
        """Whether there are viewers in other processes."""
        try:
            return await self._streams.sit(self.keys, self._inbox, 0) > 0
        except RunError:
            return False  # without Redis they get nothing, and the answer costs money

    async def _write_some(self) -> None:
        number, entries = self._written + 1, self._entries(self._written)
        done = await self._streams.append(
            self.keys,
            self._inbox,
            number,
            entries,
            ttl=self._ttl,
            lease=self._heartbeat / 2,
            claims=self._claims,
        )
        self._written = done.length
        self._claims = False
        self.claimed.set()
        if done.before:
            await self._streams.tell(done.before, "stop", done.token)
        if not done.is_current:
            self.halt()

    async def _check_viewers(self) -> None:
        """Stop the run if the process of its last viewers has died."""
        lease = self._heartbeat if self.viewers else 0
        if not await self._streams.sit(self.keys, self._inbox, lease) and not self.viewers:
            self.halt()

    async def _wait_for_news(self) -> None:
        """Wait for the next piece, but not for longer than the lease allows."""
        try:
            async with asyncio.timeout(self._heartbeat / 6):
                await self.wait(len(self.pieces))
        except TimeoutError:
            pass

    def _length(self) -> int:
        """Return how many entries there are: the head, the pieces, and the end."""
        return 1 + len(self.pieces) + (self.end is not None)

    def _entries(self, start: int) -> list[tuple[str, bytes]]:
        """Return the entries after the first ``start`` ones, up to the size of a batch."""
        found: list[tuple[str, bytes]] = []
        size = 0
        for at in range(start, self._length()):
            if at == 0:
                entry = "h", msgspec.json.encode(self.head)
            elif at <= len(self.pieces):
                entry = "p", self.pieces[at - 1]
            else:
                entry = "e", msgspec.json.encode(self.end)
            size += len(entry[1])
            if found and size > _BATCH:
                break
            found.append(entry)
        return found
