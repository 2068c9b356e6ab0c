"""A conversation over several rounds: the model answers, its calls are run, and it continues.

Like the stream of a single answer, it closes whichever way it is left. The functions of a round
run in one task that holds no reference to the stream, so dropping the stream ends the task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeAlias, TypeVar

import anyio

from cometgem.conversation.tool_runner import RunningCalls, ToolRunner
from cometgem.conversation.turns import add_usage, model_turn
from cometgem.errors import (
    ClosedError,
    CometGemError,
    StreamError,
    ToolError,
    TooManyRoundsError,
)
from cometgem.types.content import Content, FunctionCall, FunctionResponse, Part
from cometgem.types.response import GenerateContentResponse, UsageMetadata
from cometgem.views import Heartbeat, ImageStream, TextStream
from cometgem.warn import no_warnings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
    from types import TracebackType

    from cometgem.http.transport import Closable
    from cometgem.stream import GenerateContentStream

__all__ = ["Caller", "ConversationItem", "ConversationStream", "SingleRound"]

ConversationItem: TypeAlias = GenerateContentResponse | FunctionCall | FunctionResponse
"""A chunk, a complete function call, or the response to a call."""

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


class Caller(NamedTuple):
    """What a conversation uses of a client.

    Attributes:
        generate_content: Returns a complete answer.
        stream_generate_content: Returns an answer as a stream.
        watch: Interrupts a conversation when the client is closed.
        run_in_loop: Runs a callback in the client's event loop, from any thread.
    """

    generate_content: Callable[..., Awaitable[GenerateContentResponse]]
    stream_generate_content: Callable[..., GenerateContentStream]
    watch: Callable[[Closable], object]
    run_in_loop: Callable[[Callable[[], object]], object]


class ConversationStream(Generic[ItemT_co]):
    """An async iterator of chunks, complete function calls, and the responses to them.

    The first request is sent once it is opened, entered or iterated. ``break``, an exception,
    cancellation, ``del`` and the end of ``async with`` close the connection and cancel running
    functions. A synchronous function cannot be stopped in its thread; its result is dropped.

    Attributes:
        turns: The turns added by the conversation: the model's turns and the responses to their
            calls. A turn is added once it is complete.
        complete: Whether the last answer has ended.
    """

    def __init__(
        self,
        caller: Caller,
        ask: Callable[[Sequence[Content]], GenerateContentStream | SingleRound],
        runner: ToolRunner | None,
        max_rounds: int,
        on_end: Callable[[ConversationStream[Any]], object] = bool,
    ) -> None:
        self.turns: list[Content] = []
        self.complete: bool = False
        self._run_in_loop = caller.run_in_loop
        self._ask = ask
        self._runner = runner
        self._max_rounds = max_rounds
        self._on_end = on_end
        self._rounds = 1
        self._round = ask(self.turns)
        self._running: RunningCalls | None = None
        self._yielded: set[int] = set()  # positions of the round's calls that were handed out
        self._items: deque[Any] = deque()
        self._earlier_usage = UsageMetadata()  # of the previous rounds
        self._waiting = False
        self._closed = ""  # why
        self._failure: CometGemError | None = None
        self._ended = False
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
        state = "complete" if self.complete else "ended" if self._ended else "open"
        return f"<ConversationStream {state}, rounds={self._rounds}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT_co:
        item: ItemT_co = await self._exclusively(self._next)
        return item

    async def open(self) -> None:
        """Send the first request and wait for the status and headers, unless already open.

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
        if not self.complete:
            self._items.clear()  # drop what was read but not handed out
        self._end()
        self._round.interrupt(reason)
        if self._running is not None:
            self._running.cancel()

    async def get_final_response(self) -> GenerateContentResponse:
        """Run the conversation to its end and return the last answer, merged.

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

    def images(self) -> ImageStream:
        """Return an async iterator of the images, each as soon as it has arrived.

        Those in the model's thinking are left out.
        """
        return ImageStream(_Chunks(self))

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
            if not self._items and not self.complete and self._running is None:
                self._take_chunk()
        except BaseException as error:
            self._leave(error)
            raise
        item: ItemT_co | None = self._items.popleft() if self._items else None
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

    def _streamed_round(self) -> GenerateContentStream:
        if isinstance(self._round, SingleRound):
            raise RuntimeError("this conversation is not streamed")  # noqa: TRY004
        return self._round

    async def _open(self) -> None:
        self._check_usable()
        if not self._ended:
            await self._round.open()
            self._check_usable()

    async def _exclusively(self, step: Callable[[], Awaitable[_T]]) -> _T:
        if self._waiting:
            raise _busy()
        self._waiting = True
        try:
            return await step()
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
        self.interrupt(_CANCELLED if isinstance(error, asyncio.CancelledError) else _CLOSED)

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise copy(self._failure)
        if self._closed and not self.complete:
            raise ClosedError(self._closed)

    async def _next(self) -> Any:
        while not self._items:
            self._check_usable()
            if self.complete:
                raise StopAsyncIteration
            if self._running is None:
                await self._read_round()
            else:
                await self._read_answer(self._running)
        self._check_usable()
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

    async def _read_answer(self, running: RunningCalls) -> None:
        response = await running.next()
        self._check_usable()  # it may have been closed in the moment in which the response came
        if response is not None:
            self._items.append(response)
            return
        parts = [Part(function_response=response) for response in running.responses]
        self.turns += [model_turn(self.snapshot), Content(role="user", parts=parts)]
        self._running = None
        self._yielded.clear()
        self._earlier_usage = self.usage
        self._rounds += 1
        with no_warnings():  # the first round has warned
            self._round = self._ask(self.turns)

    def _completed(self, chunk: GenerateContentResponse) -> Iterator[FunctionCall]:
        """Yield the calls that this chunk completes, with their pieces merged."""
        if self._runner is None or all(call.will_continue for call in chunk.function_calls):
            return
        for at, call in enumerate(self.snapshot.function_calls):
            if at not in self._yielded and not call.will_continue:
                self._yielded.add(at)
                yield call

    def _end_round(self) -> None:
        calls = self.snapshot.function_calls
        if self._runner is None or not calls:
            if self.snapshot.parts:
                self.turns.append(model_turn(self.snapshot))
            self.complete = True
            self._end()
        elif self._rounds >= self._max_rounds:
            raise TooManyRoundsError(self._max_rounds)
        else:
            self._check_usable()
            self._running = RunningCalls(self._runner, calls)

    def _reports_open_calls(self) -> bool:
        calls = self.snapshot.function_calls
        return (
            self._runner is not None
            and self._runner.reports
            and any(call.will_continue for call in calls)
        )

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(self)

    def _describe(self, error: BaseException) -> None:
        """Attach what had arrived to the error."""
        if isinstance(error, (ToolError, TooManyRoundsError)):
            error.partial = self.snapshot
            error.turns = [*self.turns, model_turn(self.snapshot)]
        if isinstance(error, ClosedError) and error.partial is None and self.snapshot.candidates:
            error.partial = self.snapshot
        if isinstance(error, ToolError) and self._running is not None:
            error.responses = self._running.responses


class SingleRound:
    """A single call with the interface of a stream of one chunk."""

    def __init__(self, call: Callable[[], Awaitable[GenerateContentResponse]]) -> None:
        self.snapshot: GenerateContentResponse = GenerateContentResponse()
        self._call: Callable[[], Awaitable[GenerateContentResponse]] | None = call

    async def __anext__(self) -> GenerateContentResponse:
        if self._call is None:
            raise StopAsyncIteration
        call, self._call = self._call, None
        self.snapshot = await call()
        return self.snapshot

    async def open(self) -> None:
        """Do nothing: the call is made when its answer is read."""

    def interrupt(self, reason: str) -> None:
        """Do nothing: the client interrupts the call, and cancelling its task cancels it."""


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
