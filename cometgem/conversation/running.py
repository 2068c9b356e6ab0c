"""The functions of one turn while they run, in a task that ends with whoever waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from cometgem.conversation.tool_runner import Outcome, Waiting
from cometgem.errors import ClosedError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cometgem.conversation.open_turn import OpenTurn
    from cometgem.conversation.tool_runner import Setting, Todo, ToolRunner
    from cometgem.types.content import FunctionResponse

__all__ = ["RunningCalls"]

_Outcome: TypeAlias = Outcome | BaseException | None  # None after the last outcome


class RunningCalls:
    """The running calls of one turn, in a task that is cancelled when this is dropped.

    Args:
        runner: Runs them.
        turn: Takes their responses.
        todo: The calls to run.
        setting: For the context of the functions.

    Attributes:
        waiting: Why a call waits, by its position in the turn.
    """

    def __init__(
        self, runner: ToolRunner, turn: OpenTurn, todo: Sequence[Todo], setting: Setting
    ) -> None:
        self.waiting: dict[int, str] = {}
        self._turn = turn
        self._todo = todo
        self._outcomes: asyncio.Queue[_Outcome] = asyncio.Queue()
        failures: list[BaseException] = []
        self._task = asyncio.create_task(
            _run_into(
                partial(_record, turn, self.waiting, self._outcomes),
                failures,
                runner,
                todo,
                setting,
            )
        )
        self._task.add_done_callback(partial(_report_end, self._outcomes, failures))

    def __del__(self) -> None:
        self.cancel()

    @property
    def ended(self) -> bool:
        """Whether all calls have ended."""
        return self._task.done()

    async def next(self) -> FunctionResponse | None:
        """Wait for the next response and return it, or None after the last.

        Raises:
            ToolError: A function failed.
            BaseException: A function raised an exception that is not an Exception.
            ClosedError: The calls were cancelled in the meantime.
        """
        outcome = await self._outcomes.get()
        try:
            while isinstance(outcome, Waiting):
                outcome = await self._outcomes.get()
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is None:
                self._check_all_settled()
                return None
            return outcome.response
        finally:
            del outcome  # breaks the cycle through its traceback

    def _check_all_settled(self) -> None:
        for todo in self._todo:
            if todo.at not in self._turn.responses and todo.at not in self.waiting:
                raise ToolError(todo.call, "cancelled itself")

    def cancel(self) -> None:
        """Cancel the calls that are still running; may be called from any thread."""
        loop = self._task.get_loop()
        if not loop.is_running() or asyncio._get_running_loop() is loop:  # noqa: SLF001  None if there is none
            self._task.cancel()
            return
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(self._task.cancel)

    async def wait(self) -> None:
        """Wait until all calls have ended; does not wait in another event loop than theirs."""
        if self._task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([self._task])


def _record(
    turn: OpenTurn,
    waiting: dict[int, str],
    outcomes: asyncio.Queue[_Outcome],
    outcome: Outcome,
) -> None:
    """Record an outcome at once, so that it is not lost if nobody reads it any more."""
    if isinstance(outcome, Waiting):
        waiting[outcome.at] = outcome.reason
    else:
        turn.add_response(outcome.at, outcome.response)
        if outcome.failed:
            turn.failed.add(outcome.at)
    outcomes.put_nowait(outcome)


async def _run_into(
    record: Callable[[Outcome], None],
    failures: list[BaseException],
    runner: ToolRunner,
    todo: Sequence[Todo],
    setting: Setting,
) -> None:
    # The task must not end with an error: it would keep its traceback, and so the stream, alive.
    try:
        failure = await runner.run(todo, setting, record)
    except Exception as error:  # noqa: BLE001  raised again by RunningCalls.next
        failure = error
    if failure is not None:
        failures.append(failure)
    del failure  # the frame may outlive the task, as a traceback refers to it


def _report_end(
    outcomes: asyncio.Queue[_Outcome], failures: list[BaseException], task: asyncio.Task[None]
) -> None:
    """Wake the waiting reader, even if the task was cancelled before its first step."""
    if failures:
        outcomes.put_nowait(failures.pop())
    elif task.cancelled():
        outcomes.put_nowait(ClosedError("the conversation was closed while its tools were running"))
    else:
        outcomes.put_nowait(None)
