"""Hands results to the consumer, in order of completion or of the rows, and slows workers down."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Handout"]

V = TypeVar("V")


class Handout(Generic[V]):
    """A queue of results with a limited number of rows between being read and being handed out.

    Args:
        room: That number.
        ordered: Whether results are handed out in the order of the rows.
    """

    def __init__(self, room: int, *, ordered: bool) -> None:
        self._room = room
        self._ordered = ordered
        self._expected = 0
        self._given = 0
        self._next = 0  # the index that is handed out next, if ordered
        self._ready: deque[V] = deque()
        self._early: dict[int, V] = {}
        self._news = asyncio.Event()
        self._ended = False
        self._open = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether another row may be read."""
        return self._open or self._expected - self._given < self._room

    async def wait_for_room(self) -> None:
        """Wait until another row may be read, perhaps."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def expect(self) -> None:
        """Note that a row is being read."""
        self._expected += 1

    def let_all_pass(self) -> None:
        """Wake all who wait for room: there are no more rows."""
        self._open = True
        while self._waiting:
            self._wake_one()

    def put(self, index: int, value: V) -> None:
        """Add a result."""
        if not self._ordered:
            self._ready.append(value)
            self._news.set()
            return
        self._early[index] = value
        while self._next in self._early:
            self._ready.append(self._early.pop(self._next))
            self._next += 1
            self._news.set()

    def end(self) -> None:
        """Note that there are no more results; rows without one are left out."""
        for index in sorted(self._early):
            self._ready.append(self._early.pop(index))
        self._ended = True
        self._news.set()

    async def get(self) -> V | None:
        """Return the next result, or None at the end."""
        while (value := self.get_now()) is None and not self._ended:
            self._news.clear()
            await self._news.wait()
        return value

    def get_now(self) -> V | None:
        """Return the next result if it is there, or None."""
        if not self._ready:
            return None
        self._given += 1
        if self._waiting:
            self._wake_one()
        return self._ready.popleft()

    def _wake_one(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
