"""Cancels a task, or does something else, at a chosen await, to try every one of them in turn."""

from __future__ import annotations

import asyncio
import types
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

__all__ = ["Moment", "Stepping"]


class Moment(Enum):
    """When it happens at an await."""

    WAITING = "while it waits"
    ARRIVED = "when what it waits for has arrived"
    REPEATEDLY = "while it waits, and again at each later await"


class Stepping:
    """Runs a coroutine in a task that is cancelled at one of its awaits.

    Args:
        at: The number of the await, counted from 0.
        moment: When it is cancelled there.
        act: What is done instead of cancelling the task.

    Attributes:
        reached: Whether the coroutine came to that await.
    """

    def __init__(self, at: int, moment: Moment, act: Callable[[], object] | None = None) -> None:
        self.reached: bool = False
        self._at = at
        self._moment = moment
        self._act = act
        self._step = 0

    def start(self, start: Callable[[], Coroutine[Any, Any, object]]) -> asyncio.Task[object]:
        """Start the coroutine in a task."""

        async def run() -> object:
            return await self._drive(start())

        return asyncio.get_running_loop().create_task(run())

    @types.coroutine
    def _drive(self, coroutine: Coroutine[Any, Any, object]) -> Generator[Any, Any, object]:
        step: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
        while True:
            try:
                future = step()
            except StopIteration as end:
                return end.value
            self._act_at(future)
            try:
                yield future
            except BaseException as error:  # noqa: BLE001  passed on
                step = _thrower(coroutine, error)
            else:
                step = lambda: coroutine.send(None)  # noqa: E731

    def _act_at(self, future: asyncio.Future[Any] | None) -> None:
        number, self._step = self._step, self._step + 1
        repeats = self._moment is Moment.REPEATEDLY
        if number != self._at and not (repeats and number > self._at):
            return
        self.reached = True
        task = asyncio.current_task()
        assert task is not None
        act = self._act or task.cancel
        if future is None or self._moment is not Moment.ARRIVED:
            asyncio.get_running_loop().call_soon(act)
        else:  # called before the task is woken, which registers its own callback later
            future.add_done_callback(lambda _: act())


def _thrower(
    coroutine: Coroutine[Any, Any, object], error: BaseException
) -> Callable[[], Awaitable[object]]:
    return lambda: coroutine.throw(error)
