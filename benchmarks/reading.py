"""Reads streams with one client, and checks that they are exactly what the server sent."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workload import STAMP

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Adapter, Ending
    from workload import Load

__all__ = ["Reader", "WrongError"]


class WrongError(Exception):
    """The client did not read what the server sent."""


class Reader:
    """Reads streams of one load.

    Attributes:
        begun: What each stream has received so far, in the order of opening.
    """

    def __init__(self, adapter: Adapter, load: Load) -> None:
        self.begun: list[deque[bytes] | list[str]] = []
        self.load = load
        self._adapter = adapter

    async def stream(self, watch: Callable[[Any], object] | None = None) -> None:
        """Read one stream, decode all chunks, join their text, and compare.

        Args:
            watch: Called with the text of each chunk, or with the bytes of each read if the client
                decodes nothing.
        """
        taken: deque[bytes] | list[str] = [] if self._adapter.decodes else deque(maxlen=1)
        self.begun.append(taken)
        take = taken.append

        def take_and_watch(item: Any) -> None:
            take(item)
            watch(item)  # type: ignore[misc]

        ending = await self._adapter.stream(self.load.model, take_and_watch if watch else take)
        self._check(taken, ending)

    async def streams(self, count: int) -> None:
        """Read a number of streams at the same time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self.stream())

    async def calls(self, count: int, at_once: int) -> None:
        """Make single calls."""
        turns = iter(range(count))

        async def caller() -> None:
            for _ in turns:
                text = await self._adapter.single(self.load.model)
                if text != self._single_text:
                    raise WrongError(f"a call returned {text[:80]!r}")

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(caller())

    def expect(self) -> None:
        """Render the expected text before the measurement starts."""
        _ = (self._text, self._single_text) if self._adapter.decodes else self._size

    def _check(self, taken: Any, ending: Ending) -> None:
        if not self._adapter.decodes:
            if ending.size != self._size:
                raise WrongError(f"{ending.size} bytes were read of {self._size}")
            return
        text = "".join(taken)
        if ending.text not in (text, None):
            raise WrongError("the merged text is not that of the chunks")
        if self.load.stamped:
            text = "".join([stamped[STAMP:] for stamped in taken])
        if text != self._text:
            raise WrongError(f"{len(text)} characters of text were read, not the right ones")
        if ending.finish != "STOP":
            raise WrongError(f"the finish reason is {ending.finish}")

    @cached_property
    def _text(self) -> str:
        return self.load.text(self._adapter.dialect)

    @cached_property
    def _single_text(self) -> str:
        return replace(self.load, chunks=1).text(self._adapter.dialect)

    @cached_property
    def _size(self) -> int:
        return self.load.body_size(self._adapter.dialect)
