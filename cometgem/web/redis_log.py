"""Keeps runs in Redis, so that any process on any host can show them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from cometgem.errors import ConfigurationError, RunError
from cometgem.request.arguments import is_number, shown
from cometgem.web.log import MAX_BYTES, TTL, check_limits
from cometgem.web.redis_feed import Feed
from cometgem.web.redis_mirror import MirroredRecording
from cometgem.web.redis_streams import Keys, RedisStreams
from cometgem.web.redis_watch import Watch
from cometgem.web.run_parts import Head

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RedisLog"]

# Seconds. A run does not wait longer for Redis before it starts.
_PATIENCE = 1.0

# Seconds in which the ends of runs are written when the log is closed.
_FLUSH = 2.0


class RedisLog:
    """Keeps runs in Redis Streams; needs the extra ``cometgem[redis]``.

    A run is also in the memory of the process that writes it, until it has ended. If Redis is away,
    the run and its viewers in that process go on, and what Redis lacks is written when it is back,
    also if it has lost what it had. Viewers in other processes wait for three heartbeats.

    Args:
        url: Where Redis is, as ``redis://[[user]:password@]host[:port][/database]``, ``rediss://``
            for TLS, or ``unix://``.
        ttl: How long a run is kept after its end, in seconds.
        max_bytes: The maximum size of one run, in bytes; one that exceeds it fails. None is no
            limit.
        heartbeat: If a process dies, the viewers of its runs are disconnected within this time, in
            seconds. An event loop that is blocked for half of it counts as dead.
        prefix: What all keys begin with.

    Raises:
        ConfigurationError: An argument is not valid, or the package redis is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        ttl: float = TTL,
        max_bytes: int | None = MAX_BYTES,
        heartbeat: float = 10.0,
        prefix: str = "cometgem:",
    ) -> None:
        check_limits(ttl, max_bytes)
        if not (is_number(heartbeat) and 0 < heartbeat <= ttl):
            raise ConfigurationError(
                f"heartbeat={shown(heartbeat)} is not valid; use a number of seconds above 0 that"
                f" is not above ttl={ttl:g}"
            )
        self._ttl = float(ttl)
        self._max_bytes = max_bytes
        self._heartbeat = float(heartbeat)
        self._prefix = prefix
        self._streams = RedisStreams(url, heartbeat / 4)
        self._inbox = f"{prefix}inbox:{secrets.token_hex(8)}"
        self._runs: dict[str, MirroredRecording] = {}  # of this process, by their tokens
        self._current: dict[str, MirroredRecording] = {}  # the latest of them, by their ids
        self._writing: set[asyncio.Task[None]] = set()
        self._watch: Watch | None = None
        self._watching: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<RedisLog running={len(self._runs)}>"  # not the URL, which may hold a password

    async def create(
        self, run_id: str, head: Head, stop: Callable[[], object]
    ) -> MirroredRecording:
        """Begin a run; one that is running under the same id is stopped, wherever it is."""
        self._start_watching()
        token = secrets.token_hex(16)
        run = MirroredRecording(
            head,
            stop,
            self._max_bytes,
            streams=self._streams,
            keys=Keys(self._prefix, run_id, token),
            inbox=self._inbox,
            ttl=self._ttl,
            heartbeat=self._heartbeat,
        )
        before = self._current.get(run_id)
        self._runs[token] = self._current[run_id] = run
        if before is not None:
            before.halt()
        writing = asyncio.create_task(run.write())
        self._writing.add(writing)

        def forget(task: asyncio.Task[None]) -> None:
            self._writing.discard(task)
            del self._runs[token]
            if self._current.get(run_id) is run:
                del self._current[run_id]

        writing.add_done_callback(forget)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await run.claimed.wait()
        return run

    async def find(self, run_id: str) -> MirroredRecording | Feed | None:
        """Return the latest run under an id; None if there is none, or its process is gone.

        Raises:
            RunError: Redis cannot be reached.
        """
        here = self._current.get(run_id)
        if here is not None and here.running:
            return here
        try:
            found = await self._streams.find(Keys(self._prefix, run_id))
        except RunError:
            if here is None:
                raise
            return here
        if found is None:
            return here
        if (run := self._runs.get(found.token)) is not None:
            return run
        if not found.ended and not found.owner:
            return None
        self._start_watching()
        if (feed := self._feed(found.token)) is None:
            feed = Feed(
                msgspec.json.decode(found.head, type=Head),
                streams=self._streams,
                keys=Keys(self._prefix, run_id, found.token),
                process=self._inbox,
                length=found.length,
                ended=found.ended,
            )
            if feed.running and self._watch is not None:
                self._watch.feeds[found.token] = feed
                await self._streams.tell(self._inbox, "wake")
                if feed.head.on_leave == "stop":
                    await feed.sit(self._heartbeat)
        return feed

    async def aclose(self) -> None:
        """Write what is left, and close all connections."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=_FLUSH)
        tasks = [*self._writing, *([] if self._watching is None else [self._watching])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._watching is not None:
            with contextlib.suppress(RunError):
                await self._streams.delete(self._inbox)
        self._watch = self._watching = None
        await self._streams.aclose()

    def _feed(self, token: str) -> Feed | None:
        return None if self._watch is None else self._watch.feeds.get(token)

    def _start_watching(self) -> None:
        if self._watching is None:
            self._watch = Watch(self._streams, self._inbox, self._heartbeat, self._stop)
            self._watching = asyncio.create_task(self._watch.run())

    def _stop(self, token: str) -> None:
        if (run := self._runs.get(token)) is not None:
            run.halt()
