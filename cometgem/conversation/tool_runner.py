"""Runs the functions that the model calls: checked, confirmed, concurrently, with timeouts."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import anyio

from cometgem.conversation.results import to_response
from cometgem.errors import (
    ClosedError,
    ConfigurationError,
    ToolError,
    ToolTimeoutError,
    UnfinishedCallError,
    UnknownToolError,
)
from cometgem.request.media import encode_images, has_images
from cometgem.types.content import FunctionResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

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


_Outcome: TypeAlias = Answer | BaseException | None  # None after the last answer


_Found: TypeAlias = "tuple[FunctionTool, dict[str, Any]]"

_T = TypeVar("_T")


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

    async def run(
        self, calls: Sequence[FunctionCall], done: Callable[[Answer], object]
    ) -> BaseException | None:
        """Run all calls, and pass each answer to ``done`` as soon as it is ready.

        Returns:
            The first failure, which has cancelled the other calls, or None. It is not raised,
            since asyncio lets a SystemExit or KeyboardInterrupt of a task end the event loop.
        """
        batch = _Batch(done, reports=self.reports)
        limiter = anyio.CapacityLimiter(self._concurrency or math.inf)
        async with anyio.create_task_group() as group:
            batch.scope = group.cancel_scope
            for at, call in enumerate(calls):
                found = await batch.keep(at, call, partial(self._allow, call))
                if batch.failures:
                    break
                if isinstance(found, FunctionResponse):
                    done(Answer(at, found))
                elif found is not None:
                    group.start_soon(self._work, batch, limiter, at, call, found)
        return batch.failures.pop(0) if batch.failures else None

    async def _work(
        self,
        batch: _Batch,
        limiter: anyio.CapacityLimiter,
        at: int,
        call: FunctionCall,
        found: _Found,
    ) -> None:
        async def run_one() -> FunctionResponse:
            try:
                async with limiter:
                    return await self._run_one(*found, call, batch.scope)
            except asyncio.CancelledError:
                if batch.scope.cancel_called:
                    raise
                _forget_cancellation()
                raise ToolError(call, "cancelled itself") from None

        response = await batch.keep(at, call, run_one)
        if response is not None:
            batch.done(Answer(at, response))

    async def _allow(self, call: FunctionCall) -> _Found | FunctionResponse:
        """Return the function and its arguments, or the response of a call that is refused."""
        tool, arguments = self._find(call)
        refusal = await self._refusal(call)
        return (tool, arguments) if refusal is None else _error_response(call, refusal)

    def _find(self, call: FunctionCall) -> tuple[FunctionTool, dict[str, Any]]:
        if call.will_continue:
            raise UnfinishedCallError(call)
        if call.name not in self._functions:
            raise UnknownToolError(call, [*self._functions])
        tool = self._functions[call.name]
        if tool.function is None:
            raise UnknownToolError(call, [*self._functions])
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
        self,
        tool: FunctionTool,
        arguments: dict[str, Any],
        call: FunctionCall,
        scope: anyio.CancelScope,
    ) -> FunctionResponse:
        result = None
        with anyio.move_on_after(tool.timeout) as time:
            try:
                assert tool.function is not None  # noqa: S101  _find has checked it
                result = await self._call(partial(tool.function, **arguments))
                if has_images(result):
                    result = await self._call(encode_images, result)
                await _let_cancellation_arrive(scope, time)
            except Exception as error:
                raise ToolError(call, f"raised {_described(error)}") from error
        if time.cancelled_caught:
            raise ToolTimeoutError(call, tool.timeout or 0.0)
        return to_response(tool, call, result)

    async def _call(self, function: Callable[..., object], *arguments: object) -> object:
        """Call a function, in a worker thread unless async; a thread that hangs is abandoned."""
        if _is_async(function):
            result = function(*arguments)
        else:
            from anyio.to_thread import run_sync  # noqa: PLC0415  only for synchronous functions

            outcome = await run_sync(
                partial(_outcome, function, *arguments),
                abandon_on_cancel=True,
                limiter=self._threads,
            )
            try:
                if isinstance(outcome, _Raised):
                    raise outcome.error
                result = outcome
            finally:
                del outcome  # breaks the cycle through its traceback
        return await result if inspect.isawaitable(result) else result


class _Batch:
    """The calls of one turn: passes on answers, and collects failures instead of raising them."""

    def __init__(self, done: Callable[[Answer], object], *, reports: bool) -> None:
        self.done = done
        self.reports = reports
        self.failures: list[BaseException] = []
        self.scope = anyio.CancelScope()  # that of the task group

    async def keep(
        self, at: int, call: FunctionCall, step: Callable[[], Awaitable[_T]]
    ) -> _T | None:
        """Return the result of a step, or None if it has failed."""
        try:
            return await step()
        except ToolError as error:
            if self.reports:
                self.done(Answer(at, _error_response(call, str(error))))
            else:
                self._fail(error)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  raised again by RunningCalls.next
            self._fail(error)
        return None

    def _fail(self, error: BaseException) -> None:
        self.failures.append(error)
        self.scope.cancel()


class RunningCalls:
    """The running calls of one turn, in a task that is cancelled when this is dropped."""

    def __init__(self, runner: ToolRunner, calls: Sequence[FunctionCall]) -> None:
        self._answers: dict[int, FunctionResponse] = {}
        self._outcomes: asyncio.Queue[_Outcome] = asyncio.Queue()
        failures: list[BaseException] = []
        self._task = asyncio.create_task(_run_into(self._outcomes, failures, runner, calls))
        self._task.add_done_callback(partial(_report_end, self._outcomes, failures))

    def __del__(self) -> None:
        self.cancel()

    @property
    def ended(self) -> bool:
        """Whether all calls have ended."""
        return self._task.done()

    @property
    def responses(self) -> list[FunctionResponse]:
        """The responses so far, in the order of the calls."""
        return [self._answers[at] for at in sorted(self._answers)]

    async def next(self) -> FunctionResponse | None:
        """Wait for the next response and return it, or None after the last.

        Raises:
            ToolError: A function failed.
            BaseException: A function raised an exception that is not an Exception.
            ClosedError: The calls were cancelled in the meantime.
        """
        outcome = await self._outcomes.get()
        try:
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is None:
                return None
            self._answers[outcome.at] = outcome.response
            return outcome.response
        finally:
            del outcome  # breaks the cycle through its traceback

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


async def _run_into(
    outcomes: asyncio.Queue[_Outcome],
    failures: list[BaseException],
    runner: ToolRunner,
    calls: Sequence[FunctionCall],
) -> None:
    # The task must not end with an error: it would keep its traceback, and so the stream, alive.
    try:
        failure = await runner.run(calls, outcomes.put_nowait)
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


async def _let_cancellation_arrive(*scopes: anyio.CancelScope) -> None:
    """Raise CancelledError if the function has cancelled its own task and not awaited since."""
    task = asyncio.current_task()
    if task is not None and task.cancelling() and not any(one.cancel_called for one in scopes):
        await asyncio.sleep(0)


def _forget_cancellation() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _described(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  the error of a function may not have a message
        return type(error).__name__


class _Raised(NamedTuple):
    error: BaseException


def _outcome(function: Callable[..., object], *arguments: object) -> object:
    """Return what the function raised as a value, as a future cannot carry every exception."""
    try:
        return function(*arguments)
    except BaseException as error:  # noqa: BLE001  raised again in the event loop
        return _Raised(error)


def _is_async(function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  asks whether it is async, not whether it is callable
    )


def _error_response(call: FunctionCall, message: str) -> FunctionResponse:
    """Return a response with the key "error"; https://ai.google.dev/api/caching#FunctionResponse."""
    return FunctionResponse(name=call.name, id=call.id, response={"error": message})
