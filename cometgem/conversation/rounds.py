"""A conversation over several rounds: the model answers, its calls are run, and it continues.

Like the stream of a single answer, it closes whichever way it is left. The functions of a round
run in one task that holds no reference to the stream, so dropping the stream ends the task.
"""

from __future__ import annotations

import asyncio
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

import anyio

from cometgem.conversation.progress import Progress
from cometgem.conversation.requests import SingleRound
from cometgem.errors import (
    APITimeoutError,
    ClosedError,
    CometGemError,
    ToolError,
    TooManyRoundsError,
)
from cometgem.types.content import FunctionCall, FunctionResponse
from cometgem.types.response import GenerateContentResponse
from cometgem.views import Heartbeat, ImageStream, TextStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from types import TracebackType

    from cometgem.conversation.options import Settings
    from cometgem.conversation.progress import ConversationState, Resumption
    from cometgem.conversation.requests import Caller, Requests
    from cometgem.stream import GenerateContentStream
    from cometgem.types.content import Content
    from cometgem.types.response import UsageMetadata

__all__ = ["ConversationItem", "ConversationStream"]

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

_ENDED_WELL = ("paused", "stopped", "complete")

_T = TypeVar("_T")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class ConversationStream(Generic[ItemT_co]):
    """An async iterator of chunks, complete function calls, and the responses to them.

    The first request is sent once it is opened, entered or iterated. ``break``, an exception,
    cancellation, ``del`` and the end of ``async with`` close the connection and cancel running
    functions. A synchronous function cannot be stopped in its thread; its result is dropped.

    Attributes:
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
        self.round: int = 0
        self._progress = Progress(requests, settings, resumption)
        self._run_in_loop = caller.run_in_loop
        self._total_time = settings.total_time
        self._on_end = on_end
        self._ends_at: float | None = None  # loop time
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
        return f"<{type(self).__name__} {self.state}, rounds={self._progress.number}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT_co:
        item: ItemT_co = await self._exclusively(self._next)
        return item

    @property
    def turns(self) -> list[Content]:
        """The turns added by the conversation: the model's, and the responses to their calls.

        A turn is added once it is complete. After a resumption, the first is the model's turn
        whose calls were pending, with the arguments that were run.
        """
        return self._progress.turns

    @property
    def history(self) -> list[Content]:
        """The whole conversation so far: the contents it was started with, and its ``turns``.

        In the state "paused", it can be saved and given to ``run_tools`` with ``answers=``.
        """
        return self._progress.history

    @property
    def state(self) -> ConversationState:
        """Whether the conversation is "open", or how it has ended."""
        return self._progress.state

    @property
    def complete(self) -> bool:
        """Whether the last answer has ended, and nothing else ended the conversation."""
        return self.state == "complete"

    @property
    def pending(self) -> list[FunctionCall]:
        """The calls that wait for an answer, in the state "paused"; otherwise none."""
        return self._progress.pending

    @property
    def pause_reasons(self) -> list[str]:
        """Why each pending call waits: the reason of its ``Pause``, or ""."""
        return self._progress.pause_reasons

    @property
    def partial_turns(self) -> list[Content]:
        """The turns, and what arrived of the one that is not complete, for ``keep_partial``."""
        return self._progress.partial_turns

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
        running = self._progress.running
        reason = _CLOSED if running is None else _CLOSED_IN_TOOLS
        self._run_in_loop(partial(self.interrupt, reason))
        # A task that waits for an item waits for the tools itself, and a tool may call this.
        if running is not None and not self._waiting:
            await running.wait()

    def interrupt(self, reason: str) -> None:
        """Close the conversation; ``reason`` is the message of the ClosedError of later reads."""
        self._closed = self._closed or reason
        if self.state not in _ENDED_WELL:
            self._progress.items.clear()  # drop what was read but not handed out
        self._progress.end("closed")
        self._end()
        self._progress.interrupt(reason)

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
        return self._progress.snapshot

    @property
    def usage(self) -> UsageMetadata:
        """The tokens of all rounds so far; ``total_token_count`` is what is billed."""
        return self._progress.usage

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
        progress = self._progress
        try:
            self._check_usable()
            if not progress.items:
                progress.take()
        except BaseException as error:
            self._leave(error)
            raise
        if progress.state != "open":
            self._end()
        if not progress.items:
            return None
        self.round = progress.number
        item: ItemT_co = progress.items.popleft()
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
        if not self._progress.number:
            raise RuntimeError("the conversation has not sent a request yet")
        if isinstance(self._progress.round, SingleRound):
            raise RuntimeError("this conversation is not streamed")  # noqa: TRY004
        return self._progress.round

    async def _open(self) -> None:
        self._check_usable()
        if not self._ended:
            await self._progress.open()
            self._check_usable()

    async def _exclusively(self, step: Callable[[], Awaitable[_T]]) -> _T:
        if self._waiting:
            raise _busy()
        self._waiting = True
        try:
            if self._total_time is None:
                return await step()
            return await self._in_time(self._total_time, step)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self._leave(error)
            running = self._progress.running
            if running is not None and not running.ended:
                with anyio.CancelScope(shield=True):
                    await running.wait()
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
        if isinstance(error, Exception) and not isinstance(error, ClosedError):
            self._progress.end("failed")
        self.interrupt(_CANCELLED if isinstance(error, asyncio.CancelledError) else _CLOSED)

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise copy(self._failure)
        if self._closed and self.state not in _ENDED_WELL:
            raise ClosedError(self._closed)

    async def _next(self) -> Any:
        progress = self._progress
        while not progress.items:
            self._check_usable()
            if progress.state != "open":
                raise StopAsyncIteration
            await progress.step()
            if progress.state in _ENDED_WELL:
                self._end()
        self._check_usable()
        self.round = progress.number
        return progress.items.popleft()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(self)

    def _describe(self, error: BaseException) -> None:
        """Attach what had arrived to the error."""
        if not isinstance(error, CometGemError):
            return
        turn = self._progress.turn
        if not error.turns:
            error.turns = [*self.turns, *([] if turn is None else [turn.model_turn()])]
        if error.partial is None and self.snapshot.candidates:
            error.partial = self.snapshot
        if isinstance(error, ToolError) and turn is not None:
            error.responses = [turn.responses[at] for at in sorted(turn.responses)]


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
