"""A conversation over several rounds: the model answers, its calls are run, and it continues.

Like the stream of a single answer, it closes whichever way it is left. The functions of a round
run in one task that holds no reference to the stream, so dropping the stream ends the task.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Self, TypeAlias, TypeVar

import anyio

from cometgem.conversation.calling import outcome_of
from cometgem.conversation.failures import MALFORMED, log_malformed
from cometgem.conversation.open_turn import OpenTurn
from cometgem.conversation.requests import SingleRound
from cometgem.conversation.running import RunningCalls
from cometgem.conversation.tool_runner import Setting, Todo
from cometgem.conversation.turns import model_turn, without_calls
from cometgem.errors import (
    APITimeoutError,
    ClosedError,
    CometGemError,
    ConfigurationError,
    StreamError,
    ToolError,
    TooManyRoundsError,
)
from cometgem.request.arguments import shown
from cometgem.response.usage import add_usage
from cometgem.types.content import Content, FunctionCall, FunctionResponse
from cometgem.types.response import Candidate, GenerateContentResponse, UsageMetadata
from cometgem.views import Heartbeat, TextStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
    from types import TracebackType

    from cometgem.conversation.options import Settings
    from cometgem.conversation.requests import Caller, Requests, Round, RoundStream
    from cometgem.stream import GenerateContentStream

__all__ = ["ConversationItem", "ConversationState", "ConversationStream", "Resumption"]

ConversationItem: TypeAlias = GenerateContentResponse | FunctionCall | FunctionResponse
"""A chunk, a complete function call, or the response to a call."""

ConversationState: TypeAlias = Literal["open", "paused", "stopped", "complete", "closed", "failed"]
"""Whether a conversation goes on, or how it ended: "paused" while calls wait for an answer,
"stopped" by ``stop_after``, "complete" with the last answer, "closed" early or "failed"."""

_ENDED_WELL = ("paused", "stopped", "complete")

_CLOSED = (
    "the conversation was closed before its end; what had arrived is in its turns and its snapshot"
)
_CLOSED_IN_TOOLS = "the conversation was closed while its tools were running"
_CANCELLED = (
    "the conversation was closed because the task that waited for its next item was cancelled, as"
    " asyncio.wait_for() and asyncio.timeout() do; what had arrived is in its turns and its"
    " snapshot. To notice silences without closing it, use heartbeat(seconds)"
)

_T = TypeVar("_T")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Resumption(NamedTuple):
    """How a conversation begins whose history ends with calls.

    Attributes:
        turn: The turn with the calls; the answers that were given are among its responses.
        todo: The calls that are still to be run.
    """

    turn: OpenTurn
    todo: list[Todo]


class ConversationStream(Generic[ItemT_co]):
    """An async iterator of chunks, complete function calls, and the responses to them.

    The first request is sent once it is opened, entered or iterated. ``break``, an exception,
    cancellation, ``del`` and the end of ``async with`` close the connection and cancel running
    functions. A synchronous function cannot be stopped in its thread; its result is dropped.

    Attributes:
        turns: The turns added by the conversation: the model's turns and the responses to their
            calls. A turn is added once it is complete. After a resumption, the first is the
            model's turn whose calls were pending, with the arguments that were run.
        state: "open", or how it ended.
        pending: The calls that wait for an answer, in the state "paused".
        pause_reasons: Why each of them waits; "" if no reason was given.
        round: The number of the round of the item handed out last; 0 before the first, and for
            responses to calls of an earlier conversation.
    """

    def __init__(
        self,
        caller: Caller,
        requests: Requests,
        settings: Settings,
        resumption: Resumption | None = None,
        on_end: Callable[[ConversationStream[Any]], object] = bool,
    ) -> None:
        self.turns: list[Content] = []
        self.state: ConversationState = "open"
        self.pending: list[FunctionCall] = []
        self.pause_reasons: list[str] = []
        self.round: int = 0
        self._run_in_loop = caller.run_in_loop
        self._requests = requests
        self._settings = settings
        self._on_end = on_end
        self._runner = requests.runner
        self._number = 0  # of the current round
        self._asks = True  # a request is due
        self._recorded = True  # the answer of the current round is in the turns, or is no turn
        self._turn: OpenTurn | None = None  # whose calls are being answered
        self._todo: list[Todo] | None = None  # calls that are due
        self._running: RunningCalls | None = None
        self._preparing: asyncio.Task[BaseException | None] | None = None
        self._yielded: set[int] = set()  # positions of the round's calls that were handed out
        self._items: deque[Any] = deque()
        self._earlier_usage = UsageMetadata()  # of the previous rounds
        self._ends_at: float | None = None  # loop time
        self._waiting = False
        self._closed = ""  # why
        self._failure: CometGemError | None = None
        self._ended = False
        self._round: RoundStream = SingleRound(None)
        if resumption is not None:
            self._resume(resumption)
        elif settings.prepare_round is None:
            self._ask()
        caller.watch(self)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __await__(self) -> Generator[Any, None, Self]:
        """Open the conversation and return it, as in ``async for item in await stream``."""
        return self.__aenter__().__await__()

    def __del__(self) -> None:
        if hasattr(self, "_ended"):
            self._end()

    def __repr__(self) -> str:
        return f"<ConversationStream {self.state}, rounds={self._number}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT_co:
        item: ItemT_co = await self._exclusively(self._next)
        return item

    @property
    def complete(self) -> bool:
        """Whether the last answer has ended, and no call waits."""
        return self.state == "complete"

    @property
    def history(self) -> list[Content]:
        """The whole conversation so far: the contents it was started with, and its ``turns``.

        In the state "paused", it can be saved and given to ``run_tools`` with ``answers=``.
        """
        return self._requests.history(self.turns)

    async def open(self) -> None:
        """Send the first request and wait for the status and headers, unless already open.

        If calls of the history have to be run first, they are run when items are read.

        Raises:
            APIStatusError: The API returned an error.
            APIConnectionError: No response came, or none in time.
            ClosedError: The conversation or its client is closed.
        """
        await self._exclusively(self._open)

    async def aclose(self) -> None:
        """Close the connection and cancel the functions; what has arrived stays available.

        A task that is waiting for the next item gets ClosedError. May be called from any thread;
        in the client's event loop, this waits until the functions have ended.
        """
        reason = _CLOSED if self._running is None else _CLOSED_IN_TOOLS
        self._run_in_loop(partial(self.interrupt, reason))
        # A task that waits for an item waits for the tools itself, and a tool may call this.
        if self._running is not None and not self._waiting:
            await self._running.wait()

    def interrupt(self, reason: str) -> None:
        """Close the conversation; ``reason`` is the message of the ClosedError of later reads."""
        self._closed = self._closed or reason
        if self.state not in _ENDED_WELL:
            self._items.clear()  # drop what was read but not handed out
        if self.state == "open":
            self.state = "closed"
        self._end()
        self._round.interrupt(reason)
        if self._running is not None:
            self._running.cancel()
        if self._preparing is not None:
            self._preparing.cancel()

    async def get_final_response(self) -> GenerateContentResponse:
        """Run the conversation to its end and return the last answer, merged.

        In the state "paused" or "stopped", that is the answer with the calls.

        Raises:
            CometGemError: As in iteration; ``partial`` holds what had arrived.
        """
        async for _ in self:
            pass
        return self.snapshot

    @property
    def snapshot(self) -> GenerateContentResponse:
        """The chunks of the current round so far, merged."""
        return self._round.snapshot

    @property
    def usage(self) -> UsageMetadata:
        """The tokens of all rounds so far; ``total_token_count`` is what is billed."""
        return add_usage(self._earlier_usage, self.snapshot.usage_metadata)

    @property
    def text_stream(self) -> TextStream:
        """The text of each chunk that has any, without thoughts; leaving it closes the stream."""
        return TextStream(_Chunks(self))

    def heartbeat(self, seconds: float) -> Heartbeat[ItemT_co]:
        """Return an async iterator of the items that yields None after each silence.

        For a keep-alive to a browser, for example. A read is not cancelled by a silence, which
        ``asyncio.wait_for(anext(conversation), seconds)`` would do, and neither are functions.

        Args:
            seconds: How long nothing may come before None is yielded.

        Raises:
            ConfigurationError: ``seconds`` is not a number above 0.
        """
        return Heartbeat(self, seconds)

    def take(self) -> ItemT_co | None:
        """Return an item that has been read already, or None if the next one must be awaited."""
        if self._waiting:
            raise _busy()
        try:
            self._check_usable()
            if not self._items and self._reads:
                self._take_chunk()
        except BaseException as error:
            self._leave(error)
            raise
        if not self._items:
            return None
        self.round = self._number
        item: ItemT_co = self._items.popleft()
        return item

    @property
    def status(self) -> int:
        """The HTTP status of the current round; RuntimeError until it is open."""
        return self._streamed_round().status

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers of the current round; RuntimeError until it is open."""
        return self._streamed_round().headers

    @property
    def request_id(self) -> str | None:
        """The gateway's request id of the current round; RuntimeError until it is open."""
        return self._streamed_round().request_id

    @property
    def partial_turns(self) -> list[Content]:
        """The turns, and what arrived of the one that is not complete, for ``keep_partial``.

        A complete answer keeps its calls, which can be answered later.
        """
        if self._turn is not None:
            return [*self.turns, *self._turn.turns()]
        answer = without_calls(model_turn(self.snapshot))
        return [*self.turns, *([] if self._recorded or not answer.parts else [answer])]

    def _streamed_round(self) -> GenerateContentStream:
        if not self._number:
            raise RuntimeError("the conversation has not sent a request yet")
        if isinstance(self._round, SingleRound):
            raise RuntimeError("this conversation is not streamed")  # noqa: TRY004
        return self._round

    @property
    def _reads(self) -> bool:
        """Whether the next item comes from the answer of the current round."""
        return (
            self.state == "open" and self._running is None and self._todo is None and not self._asks
        )

    async def _open(self) -> None:
        self._check_usable()
        if self._asks and not self._number and self._turn is None and self.state == "open":
            await self._begin_round()
        if not self._ended:
            await self._round.open()
            self._check_usable()

    async def _exclusively(self, step: Callable[[], Awaitable[_T]]) -> _T:
        if self._waiting:
            raise _busy()
        self._waiting = True
        try:
            if self._settings.total_time is None:
                return await step()
            return await self._in_time(self._settings.total_time, step)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self._leave(error)
            if self._running is not None and not self._running.ended:
                with anyio.CancelScope(shield=True):
                    await self._running.wait()
            raise
        finally:
            self._waiting = False

    async def _in_time(self, seconds: float, step: Callable[[], Awaitable[_T]]) -> _T:
        now = asyncio.get_running_loop().time()
        if self._ends_at is None:
            self._ends_at = now + seconds
        if self._failure is None and self.state == "open" and now >= self._ends_at:
            raise _too_long(seconds)
        try:
            async with asyncio.timeout_at(self._ends_at) as limit:
                return await step()
        except TimeoutError as error:
            if limit.expired() and not isinstance(error, CometGemError):
                raise _too_long(seconds) from None
            raise

    def _leave(self, error: BaseException) -> None:
        """Close the conversation, and attach what had arrived to the error."""
        if isinstance(error, ClosedError) and self._closed:
            error.message = self._closed
        self._describe(error)
        # After an error of a function or of the number of rounds, the conversation is just closed.
        if isinstance(error, CometGemError) and not isinstance(
            error, (ClosedError, ToolError, TooManyRoundsError)
        ):
            self._failure = copy(error)
        if self.state == "open" and isinstance(error, Exception):
            self.state = "closed" if isinstance(error, ClosedError) else "failed"
        self.interrupt(_CANCELLED if isinstance(error, asyncio.CancelledError) else _CLOSED)

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise copy(self._failure)
        if self._closed and self.state not in _ENDED_WELL:
            raise ClosedError(self._closed)

    async def _next(self) -> Any:
        while not self._items:
            self._check_usable()
            if self.state != "open":
                raise StopAsyncIteration
            if self._running is not None:
                await self._read_response(self._running)
            elif self._todo is not None:
                await self._begin_calls(self._todo)
            elif self._asks:
                await self._begin_round()
            else:
                await self._read_round()
        self._check_usable()
        self.round = self._number
        return self._items.popleft()

    async def _read_round(self) -> None:
        try:
            self._add_chunk(await self._round.__anext__())
        except StopAsyncIteration:
            self._end_round()
        except StreamError:
            if not self._reports_open_calls():
                raise
            self._end_round()

    def _take_chunk(self) -> None:
        """Add the next chunk if it is at hand; the synchronous part of ``_read_round``."""
        try:
            if (chunk := self._streamed_round().take()) is not None:
                self._add_chunk(chunk)
        except StreamError:
            if not self._reports_open_calls():
                raise
            self._end_round()

    def _add_chunk(self, chunk: GenerateContentResponse) -> None:
        self._items.append(chunk)
        self._items.extend(self._completed(chunk))

    def _completed(self, chunk: GenerateContentResponse) -> Iterator[FunctionCall]:
        """Yield the calls that this chunk completes, with their pieces merged."""
        if self._runner is None or all(call.will_continue for call in chunk.function_calls):
            return
        for at, call in enumerate(self.snapshot.function_calls):
            if at not in self._yielded and not call.will_continue:
                self._yielded.add(at)
                yield call

    def _end_round(self) -> None:
        answer = self.snapshot
        if answer.finish_reason in MALFORMED:
            self._end_malformed(answer)
        elif self._runner is None or not answer.function_calls:
            if answer.parts:
                self.turns.append(model_turn(answer))
            self._finish("complete")
        else:
            self._turn = OpenTurn(answer.content)
            if self._number >= self._settings.max_rounds:
                raise TooManyRoundsError(self._settings.max_rounds)
            self._check_usable()
            self._todo = [Todo(at, call) for at, call in enumerate(self._turn.calls)]

    def _end_malformed(self, answer: GenerateContentResponse) -> None:
        """Ask the same again: the server has understood no call, and the answer is no turn."""
        self._recorded = True
        if self._runner is None:
            self._finish("complete")
            return
        if self._number >= self._settings.max_rounds:
            raise TooManyRoundsError(self._settings.max_rounds, answer.finish_reason or "")
        log_malformed(answer.finish_reason or "")
        self._asks = True

    def _reports_open_calls(self) -> bool:
        calls = self.snapshot.function_calls
        return (
            self._runner is not None
            and self._runner.reports
            and any(call.will_continue for call in calls)
        )

    def _resume(self, resumption: Resumption) -> None:
        self._turn, todo = resumption
        answered = [at for at in self._turn.pending if at not in {one.at for one in todo}]
        self._items.extend(self._turn.responses[at] for at in answered)
        self._todo = todo
        answer = Candidate(content=self._turn.model_turn())
        self._round = SingleRound(None, GenerateContentResponse(candidates=[answer]))

    async def _begin_calls(self, todo: list[Todo]) -> None:
        self._todo = None
        if self._turn is None or self._runner is None or not todo:
            await self._end_calls({})
            return
        asked = [*self.turns, self._turn.model_turn()]
        setting = Setting(self._number, partial(self._requests.history, asked))
        self._running = RunningCalls(self._runner, self._turn, todo, setting)

    async def _read_response(self, running: RunningCalls) -> None:
        response = await running.next()
        self._check_usable()  # it may have been closed in the moment in which the response came
        if response is not None:
            self._items.append(response)
            return
        self._running = None
        await self._end_calls(running.waiting)

    async def _end_calls(self, waiting: Mapping[int, str]) -> None:
        """Go on once all calls have run, or end here."""
        if (turn := self._turn) is None:
            return
        stops = not waiting and await self._stops(turn)
        self._check_usable()
        self.turns += turn.turns()
        self._turn, self._recorded = None, True
        if waiting:
            self.pending = [turn.calls[at] for at in turn.pending]
            self.pause_reasons = [waiting[at] for at in turn.pending]
            self._finish("paused")
        elif stops:
            self._finish("stopped")
        else:
            self._asks = True

    async def _stops(self, turn: OpenTurn) -> bool:
        stop_after = self._settings.stop_after
        if stop_after is None:
            return False
        if callable(stop_after):
            verdict = stop_after(self.snapshot)
            verdict = await verdict if inspect.isawaitable(verdict) else verdict
            if not isinstance(verdict, bool):
                raise ConfigurationError(f"stop_after must return a bool, got {shown(verdict)}")
            return verdict
        names = {stop_after} if isinstance(stop_after, str) else set(stop_after)
        return any(
            call.name in names and at not in turn.failed for at, call in enumerate(turn.calls)
        )

    async def _begin_round(self) -> None:
        asked = self._requests.round(self._number + 1, self.turns)
        if (prepare := self._settings.prepare_round) is not None:
            # A task, so that closing the conversation can cancel it.
            self._preparing = asyncio.create_task(
                outcome_of(self._requests.threads, prepare, asked)
            )
            try:
                if (error := await self._preparing) is not None:
                    raise error
            except asyncio.CancelledError:
                self._check_usable()
                raise
            finally:
                self._preparing = error = None
            self._check_usable()
        self._ask(asked)

    def _ask(self, asked: Round | None = None) -> None:
        answer, runner = self._requests.ask(asked or self._requests.round(1, self.turns))
        self._earlier_usage = self.usage
        self._round, self._runner = answer, runner
        self._number += 1
        self._asks = self._recorded = False
        self._yielded.clear()

    def _finish(self, state: ConversationState) -> None:
        self.state = state
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(self)

    def _describe(self, error: BaseException) -> None:
        """Attach what had arrived to the error."""
        if not isinstance(error, CometGemError):
            return
        asked = [] if self._turn is None else [self._turn.model_turn()]
        error.turns = [*self.turns, *asked]
        if error.partial is None and self.snapshot.candidates:
            error.partial = self.snapshot
        if isinstance(error, ToolError) and self._turn is not None:
            responses = self._turn.responses
            error.responses = [responses[at] for at in sorted(responses)]


class _Chunks:
    """The chunks among the items of a conversation."""

    def __init__(self, stream: ConversationStream[Any]) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GenerateContentResponse:
        while True:
            item = await self._stream.__anext__()
            if isinstance(item, GenerateContentResponse):
                return item

    async def aclose(self) -> None:
        await self._stream.aclose()


def _busy() -> RuntimeError:
    return RuntimeError("the conversation is already being read by another task")


def _too_long(seconds: float) -> APITimeoutError:
    error = APITimeoutError("total", seconds)
    error.option = "total_time"
    return error
