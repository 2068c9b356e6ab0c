"""Runs the functions that the model calls: checked, confirmed, concurrently, with timeouts."""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias, TypeVar

import anyio

from cometgem.conversation.calling import call_function
from cometgem.conversation.failures import error_response, report
from cometgem.conversation.results import to_response
from cometgem.conversation.verdicts import REFUSED, Approve, Pause, Refuse, ToolFailed
from cometgem.errors import ConfigurationError, ToolCallError, ToolError, ToolTimeoutError
from cometgem.request.arguments import shown
from cometgem.request.functions import FunctionTool
from cometgem.request.media import encode_images, has_images
from cometgem.request.tool_context import ToolContext
from cometgem.types.content import FunctionResponse
from cometgem.types.nesting import deep_copy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from cometgem.conversation.options import Settings
    from cometgem.request.functions import DeclaredTool
    from cometgem.types.content import Content, FunctionCall

__all__ = ["Answer", "Outcome", "Setting", "Todo", "ToolRunner", "Waiting"]

# How many synchronous functions run at once, unless ``concurrency`` is higher; anyio's default.
_THREADS = 40


class Todo(NamedTuple):
    """A call to run, and whether it has been approved already."""

    at: int
    call: FunctionCall
    approved: bool = False


class Answer(NamedTuple):
    """The response to the call at a position in the model's turn.

    Attributes:
        failed: Whether the response is a refusal or reports a failure.
    """

    at: int
    response: FunctionResponse
    failed: bool = False


class Waiting(NamedTuple):
    """The call at a position in the model's turn waits for an answer from elsewhere."""

    at: int
    reason: str


class Setting(NamedTuple):
    """Where in the conversation the calls are made, for the ``ToolContext`` of functions."""

    round: int
    history: Callable[[], Sequence[Content]]


Outcome: TypeAlias = Answer | Waiting

_Found: TypeAlias = "tuple[FunctionTool, dict[str, Any]]"

_T = TypeVar("_T")


class ToolRunner:
    """Runs the calls of one turn and returns their responses.

    Args:
        tools: What the model may call; the functions among them are run, calls of the others wait.
        settings: Whether failures are reported, who confirms calls, how many run at once.
    """

    def __init__(self, tools: Sequence[DeclaredTool], settings: Settings) -> None:
        self._settings = settings
        self._tools = dict(_declared(tools))
        # A separate limiter: a thread that hangs would otherwise use up anyio's shared one.
        self.threads: anyio.CapacityLimiter = anyio.CapacityLimiter(
            max(settings.concurrency or 0, _THREADS)
        )

    def with_tools(self, tools: Sequence[DeclaredTool]) -> Self:
        """Return a runner for other tools, which shares the threads."""
        other = copy.copy(self)
        other._tools = dict(_declared(tools))  # noqa: SLF001  a copy of this
        return other

    @property
    def names(self) -> list[str]:
        """The names that the model may call."""
        return [*self._tools]

    @property
    def reports(self) -> bool:
        """Whether failures of functions are reported to the model."""
        return self._settings.on_tool_error != "raise"

    @property
    def asks(self) -> bool:
        """Whether someone is asked before each call."""
        return self._settings.confirm is not None

    def function(self, name: str) -> FunctionTool | None:
        """Return the tool that can be run under this name, or None if its calls wait."""
        tool = self._tools.get(name)
        return tool if tool is not None and tool.function is not None else None

    async def run(
        self, calls: Sequence[Todo], setting: Setting, done: Callable[[Outcome], object]
    ) -> BaseException | None:
        """Run all calls, and pass each outcome to ``done`` as soon as it is ready.

        Returns:
            The first failure, which has cancelled the other calls, or None. It is not raised,
            since asyncio lets a SystemExit or KeyboardInterrupt of a task end the event loop.
        """
        batch = _Batch(done, self._report)
        limiter = anyio.CapacityLimiter(self._settings.concurrency or math.inf)
        async with anyio.create_task_group() as group:
            batch.scope = group.cancel_scope
            for todo in calls:
                found = await batch.keep(todo, partial(self._allow, todo))
                if batch.failures:
                    break
                if isinstance(found, FunctionResponse):
                    done(Answer(todo.at, found, failed=True))
                elif found is not None:
                    group.start_soon(self._work, batch, limiter, todo, found, setting)
        return batch.failures.pop(0) if batch.failures else None

    async def _work(
        self,
        batch: _Batch,
        limiter: anyio.CapacityLimiter,
        todo: Todo,
        found: _Found,
        setting: Setting,
    ) -> None:
        tool, arguments = found
        call = todo.call

        async def run_one() -> FunctionResponse:
            try:
                async with limiter:
                    if tool.context_parameter is not None:
                        arguments[tool.context_parameter] = ToolContext(
                            call=call,
                            call_id=call.id,
                            round=setting.round,
                            history=setting.history(),
                        )
                    return await self._run_one(tool, arguments, call, batch.scope)
            except asyncio.CancelledError:
                if batch.scope.cancel_called:
                    raise
                _forget_cancellation()
                raise ToolError(call, "cancelled itself") from None

        response = await batch.keep(todo, run_one)
        if response is not None:
            batch.done(Answer(todo.at, response))

    async def _allow(self, todo: Todo) -> _Found | FunctionResponse:
        """Return the function and its arguments, or the response of a call that is refused.

        Raises:
            ToolCallError: The call cannot be run.
            Pause: The call waits.
            ConfigurationError: Whoever confirms the call did not decide, or edited the arguments
                so that they do not fit.
        """
        call = todo.call
        if call.will_continue:
            raise ToolCallError(call, "unfinished")
        if call.name not in self._tools:
            raise ToolCallError(call, "unknown_tool", known=self.names)
        if (tool := self.function(call.name)) is None:
            raise Pause
        arguments = tool.parse(call)  # before anyone is asked about a call that cannot be run
        if todo.approved or self._settings.confirm is None:
            return tool, arguments
        verdict = await call_function(self.threads, self._settings.confirm, call)
        if (refusal := _refusal(call, verdict)) is not None:
            return error_response(call, refusal)
        try:
            return tool, tool.parse(call)  # again, since the arguments may have been edited
        except ToolCallError as error:
            raise ConfigurationError(f"confirm edited the {error}") from None

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
                assert tool.function is not None  # noqa: S101  _allow has checked it
                result = await call_function(self.threads, partial(tool.function, **arguments))
                if has_images(result):
                    result = await call_function(self.threads, encode_images, result)
                await _let_cancellation_arrive(scope, time)
            except (Pause, ToolFailed):
                raise
            except Exception as error:
                raise ToolError(call, f"raised {_described(error)}") from error
        if time.cancelled_caught:
            raise ToolTimeoutError(call, tool.timeout or 0.0)
        return to_response(tool, call, result)

    async def _report(self, call: FunctionCall, failure: ToolError | ToolFailed) -> str | None:
        return await report(call, failure, self._settings.on_tool_error, self.threads)


class _Batch:
    """The calls of one turn: passes on outcomes, and collects failures instead of raising them."""

    def __init__(
        self,
        done: Callable[[Outcome], object],
        report_failure: Callable[[FunctionCall, ToolError | ToolFailed], Awaitable[str | None]],
    ) -> None:
        self.done = done
        self.failures: list[BaseException] = []
        self.scope = anyio.CancelScope()  # that of the task group
        self._report = report_failure

    async def keep(self, todo: Todo, step: Callable[[], Awaitable[_T]]) -> _T | None:
        """Return the result of a step, or None if it has failed or the call waits."""
        try:
            return await step()
        except Pause as pause:
            self.done(Waiting(todo.at, str(pause.reason)))
        except (ToolError, ToolFailed) as failure:
            await self._settle(todo, failure)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  raised again by RunningCalls.next
            self._fail(error)
        return None

    async def _settle(self, todo: Todo, failure: ToolError | ToolFailed) -> None:
        try:
            message = await self._report(todo.call, failure)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  raised again by RunningCalls.next
            self._fail(error)
            return
        if message is None:
            self._fail(failure)
        else:
            self.done(Answer(todo.at, error_response(todo.call, message), failed=True))

    def _fail(self, error: BaseException) -> None:
        self.failures.append(error)
        self.scope.cancel()


def _declared(tools: Sequence[DeclaredTool]) -> Iterator[tuple[str, FunctionTool | None]]:
    """Yield the name of each declared function, with the tool if it is one of ours."""
    for tool in tools:
        if isinstance(tool, FunctionTool):
            yield tool.name, tool
            continue
        if isinstance(tool, Mapping):
            given: Any = tool.get("functionDeclarations", tool.get("function_declarations"))
        else:
            given = tool.function_declarations
        for one in given or ():
            name = one.get("name") if isinstance(one, Mapping) else getattr(one, "name", None)
            if isinstance(name, str):
                yield name, None


def _refusal(call: FunctionCall, verdict: object) -> str | None:
    """Return why the call is refused, or None if it is allowed.

    Raises:
        Pause: It waits.
        ConfigurationError: It is not a verdict.
    """
    if verdict is True:
        return None
    if verdict is False:
        return REFUSED
    if isinstance(verdict, str):
        return verdict
    if isinstance(verdict, Refuse):
        return verdict.reason
    if isinstance(verdict, Approve):
        if verdict.args is not None:
            call.args = deep_copy(verdict.args)
        return None
    if isinstance(verdict, Pause) or verdict is Pause:
        raise verdict if isinstance(verdict, Pause) else Pause
    raise ConfigurationError(
        "confirm must return True, False or a reason, got"
        f" {shown(verdict)}; Approve, Refuse and Pause are valid, too"
    )


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
