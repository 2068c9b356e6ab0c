"""The one blocking read of a process: for news of runs elsewhere, and for its own inbox."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from cometgem.errors import RunError
from cometgem.web.redis_feed import Feed  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.web.redis_streams import RedisStreams

__all__ = ["Watch"]

# Seconds between attempts to reach Redis: the first, doubled each time up to the last.
_WAITS = (0.05, 1.0)

# Heartbeats without Redis after which viewers are told that their run is lost.
_PATIENCE = 3

_log = logging.getLogger("cometgem.web")


class Watch:
    """Reads the inbox of the process and the runs that it watches.

    Args:
        streams: Redis.
        inbox: The key of the inbox.
        heartbeat: Within how many seconds the death of a process is noticed.
        stop: Stops a run of this process; called with its token.

    Attributes:
        feeds: The runs that are watched, by their tokens. A feed is dropped with its last viewer.
    """

    def __init__(
        self,
        streams: RedisStreams,
        inbox: str,
        heartbeat: float,
        stop: Callable[[str], object],
    ) -> None:
        self.feeds: WeakValueDictionary[str, Feed] = WeakValueDictionary()
        self._streams = streams
        self._inbox = inbox
        self._heartbeat = heartbeat
        self._stop = stop
        self._read = "0-0"  # the last entry of the inbox that was read
        self._loop = asyncio.get_running_loop()
        # Processes are judged from then on: those that were cut off from Redis need time to return.
        self._judge_at = self._loop.time()
        self._look_at = self._loop.time()

    async def run(self) -> None:
        """Read until cancelled."""
        wait = _WAITS[0]
        away_since: float | None = None
        while True:
            try:
                await self._read_some()
                if away_since is not None:
                    away_since, wait = None, _WAITS[0]
                    self._judge_at = self._loop.time() + self._heartbeat
                if self._loop.time() >= self._look_at:
                    await self._look()
            except RunError as error:
                now = self._loop.time()
                if away_since is None:
                    _log.warning("%s; trying again", error)
                    away_since = now
                if now - away_since > _PATIENCE * self._heartbeat:
                    for feed in list(self.feeds.values()):
                        feed.lose("the log of runs in Redis cannot be reached")
                await asyncio.sleep(wait)
                wait = min(2 * wait, _WAITS[1])

    async def _read_some(self) -> None:
        after = {self._inbox: self._read}
        by_key: dict[str, str] = {}
        for token, feed in list(self.feeds.items()):
            if feed.running:
                after[feed.keys.run] = f"{feed.last}-0"
                by_key[feed.keys.run] = token
        for key, entries in (await self._streams.read(after)).items():
            if key == self._inbox:
                self._read = entries[-1].at
                for entry in entries:
                    if entry.field == "stop":
                        self._stop(entry.value.decode())
            elif (watched := self.feeds.get(by_key[key])) is not None:
                watched.add(entries)

    async def _look(self) -> None:
        """Give up the runs whose processes are gone, and keep the seats of the viewers here."""
        feeds = [feed for feed in list(self.feeds.values()) if feed.running]
        if feeds:
            alive = await self._streams.owners([feed.keys for feed in feeds])
            for feed, is_alive in zip(feeds, alive, strict=True):
                if is_alive:
                    if feed.head.on_leave == "stop" and feed.viewers:
                        await feed.sit(self._heartbeat)
                elif self._loop.time() >= self._judge_at:
                    # The end may have come in the meantime.
                    feed.add(await self._streams.range(feed.keys.run, feed.last + 1))
                    if feed.running:
                        feed.lose("the process that wrote the run is gone")
        self._look_at = self._loop.time() + self._heartbeat / 4
