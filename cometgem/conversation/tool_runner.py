"""Runs the functions that the model calls: checked, confirmed, concurrently, with timeouts."""

from __future__ import annotations

import asyncio
import inspect
import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from cometgem.errors import (
    ClosedError,
    ConfigurationError,
    ToolError,
    ToolTimeoutError,
    UnfinishedCallError,
    UnknownToolError,
)
from cometgem.types.content import FunctionResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cometgem.conversation.options import Settings
    from cometgem.request.functions import FunctionTool
    from cometgem.types.content import FunctionCall

__all__ = ["Answer", "RunningCalls", "ToolRunner"]

# How many synchronous functions run at once, unless ``concurrency`` is higher; anyio's default.
_THREADS = 40


class Answer(NamedTuple):
    """The response to the call at a position in the model's turn."""

    at: int
    response: FunctionResponse


class ToolRunner:
    """Runs the calls of one turn and returns their responses.

    Args:
        functions: The functions that the model may call.
        settings: Whether failures are reported, who confirms calls, how many run at once.
    """

    def __init__(self, functions: Iterable[FunctionTool], settings: Settings) -> None:
        self.reports: bool = settings.on_tool_error == "report"
        self._functions = {function.name: function for function in functions}
        self._confirm = settings.confirm
        self._concurrency = settings.concurrency
        # A separate limiter: a thread that hangs would otherwise use up anyio's shared one.
        self._threads = anyio.CapacityLimiter(max(settings.concurrency or 0, _THREADS))

    async def run(self, calls: Sequence[FunctionCall], done: Callable[[Answer], object]) -> None:
        """Run all calls, and pass each answer to ``done`` as soon as it is ready.

        Raises:
            ToolError: A call failed; the others are cancelled.
        """
        failure: BaseException | None = None
        try:
            await self._run_all(calls, done)
        except BaseExceptionGroup as group:
            failure = _first(group)
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # breaks the cycle through its traceback

    async def _run_all(
        self, calls: Sequence[FunctionCall], done: Callable[[Answer], object]
    ) -> None:
        limiter = anyio.CapacityLimiter(self._concurrency or math.inf)

        async def work(at: int, tool: FunctionTool, arguments: dict[str, Any]) -> None:
            async with limiter:
                try:
                    response = await self._run_one(tool, arguments, calls[at])
                except ToolError as error:
                    if not self.reports:
                        raise
                    response = _error_response(calls[at], str(error))
            done(Answer(at, response))

        async with anyio.create_task_group() as group:
            for at, call in enumerate(calls):
                try:
                    tool, arguments = self._find(call)
                except ToolError as error:
                    if not self.reports:
                        raise
                    done(Answer(at, _error_response(call, str(error))))
                    continue
                if (refusal := await self._refusal(call)) is None:
                    group.start_soon(work, at, tool, arguments)
                else:
                    done(Answer(at, _error_response(call, refusal)))

    def _find(self, call: FunctionCall) -> tuple[FunctionTool, dict[str, Any]]:
        if call.will_continue:
            raise UnfinishedCallError(call)
        if call.name not in self._functions:
            raise UnknownToolError(call, [*self._functions])
        tool = self._functions[call.name]
        return tool, tool.parse(call)

    async def _refusal(self, call: FunctionCall) -> str | None:
        if self._confirm is None:
            return None
        verdict = await self._call(self._confirm, call)
        if verdict is True:
            return None
        if verdict is False:
            return "the user refused this call"
        if isinstance(verdict, str):
            return verdict
        raise ConfigurationError(f"confirm must return True, False or a reason, got {verdict!r}")

    async def _run_one(
        self, tool: FunctionTool, arguments: dict[str, Any], call: FunctionCall
    ) -> FunctionResponse:
        result = None
        with anyio.move_on_after(tool.timeout) as time:
            try:
                result = await self._call(partial(tool.function, **arguments))
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                raise ToolError(call, "cancelled itself") from None
            except Exception as error:
                raise ToolError(call, f"raised {type(error).__name__}: {error}") from error
        if time.cancelled_caught:
            raise ToolTimeoutError(call, tool.timeout or 0.0)
        try:
            return tool.to_response(call, result)
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolError(
                call, f"returned a value that cannot be encoded as JSON: {error}"
            ) from error

    async def _call(self, function: Callable[..., object], *arguments: object) -> object:
        """Call a function, in a worker thread unless async; a thread that hangs is abandoned."""
        if _is_async(function):
            result = function(*arguments)
        else:
            from anyio.to_thread import run_sync  # noqa: PLC0415  only for synchronous functions

            result = await run_sync(
                function, *arguments, abandon_on_cancel=True, limiter=self._threads
            )
        return await result if inspect.isawaitable(result) else result


class RunningCalls:
    """The running calls of one turn, in a task that is cancelled when this is dropped."""

    def __init__(self, runner: ToolRunner, calls: Sequence[FunctionCall]) -> None:
        self._answers: dict[int, FunctionResponse] = {}
        self._outcomes: asyncio.Queue[Answer | Exception | None] = asyncio.Queue()
        self._task = asyncio.create_task(_run_into(self._outcomes, runner, calls))
        self._task.add_done_callback(partial(_report_cancellation, self._outcomes))

    def __del__(self) -> None:
        self._task.cancel()

    @property
    def responses(self) -> list[FunctionResponse]:
        """The responses so far, in the order of the calls."""
        return [self._answers[at] for at in sorted(self._answers)]

    async def next(self) -> FunctionResponse | None:
        """Wait for the next response and return it, or None after the last.

        Raises:
            ToolError: A function failed.
            ClosedError: The calls were cancelled in the meantime.
        """
        outcome = await self._outcomes.get()
        try:
            if isinstance(outcome, Exception):
                raise outcome
            if outcome is None:
                return None
            self._answers[outcome.at] = outcome.response
            return outcome.response
        finally:
            del outcome  # breaks the cycle through its traceback

    def cancel(self) -> None:
        """Cancel the calls that are still running."""
        self._task.cancel()

    async def wait(self) -> None:
        """Wait until all calls have ended."""
        await asyncio.wait([self._task])


async def _run_into(
    outcomes: asyncio.Queue[Answer | Exception | None],
    runner: ToolRunner,
    calls: Sequence[FunctionCall],
) -> None:
    # The task must not end with an error: it would keep its traceback, and so the stream, alive.
    try:
        await runner.run(calls, outcomes.put_nowait)
    except Exception as error:  # noqa: BLE001  raised again by RunningCalls.next
        outcomes.put_nowait(error)
    else:
        outcomes.put_nowait(None)


def _report_cancellation(
    outcomes: asyncio.Queue[Answer | Exception | None], task: asyncio.Task[None]
) -> None:
    """Wake the waiting reader, even if the task was cancelled before its first step."""
    if task.cancelled():
        outcomes.put_nowait(ClosedError("the conversation was closed while its tools were running"))


def _is_async(function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  asks whether it is async, not whether it is callable
    )


def _error_response(call: FunctionCall, message: str) -> FunctionResponse:
    """Return a response with the key "error"; https://ai.google.dev/api/caching#FunctionResponse."""
    return FunctionResponse(name=call.name, id=call.id, response={"error": message})


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error: the failure of one function cancels the others."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
