"""A streamed response: hands out chunks as they arrive, merges them, and closes when it is left.

Laws: iterating does not await while a decoded chunk is available; a stream that is being iterated
has no task, queue or cancel scope; no error is kept together with its traceback, since that cycle
would keep a dropped stream, and its connection, alive.
"""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

import anyio

from cometgem.errors import (
    ClosedError,
    CometGemError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.merge import ResponseMerger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
    from types import TracebackType

    from cometgem.http.attempts import Attempts
    from cometgem.http.transport import HTTPResponse
    from cometgem.types.response import GenerateContentResponse

__all__ = ["GenerateContentStream", "TextStream"]

_T = TypeVar("_T")


class GenerateContentStream:
    """An async iterator of chunks. The request is sent once it is opened, entered or iterated.

    The end of ``async with``, ``aclose()``, a cancelled read and the last reference going away
    close the connection at once, so the server stops generating. ``break`` and an exception close
    it as well, unless a variable still refers to the stream.

    Example::

        async with client.stream_generate_content("gemini-3.8-flash", "Hi") as stream:
            async for chunk in stream:
                print(chunk.text, end="")
            final = await stream.get_final_response()
    """

    _response: HTTPResponse | None = None

    def __init__(self, attempts: Attempts, max_event_size: int) -> None:
        self._attempts = attempts
        self._max_event_size = max_event_size
        self._decoder = ChunkDecoder(max_event_size)
        self._merger = ResponseMerger()
        self._chunks: Iterator[GenerateContentResponse] = iter(())  # decoded from the last read
        self._unread: HTTPResponse | None = None  # opened, nothing read yet
        self._beginning: anyio.CancelScope | None = None
        self._waiting = False
        self._ended = False
        self._closed = False
        self._failure: CometGemError | None = None

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
        """Open the stream and return it, as in ``async for chunk in await stream``."""
        return self.__aenter__().__await__()

    def __del__(self) -> None:
        if self._response is not None:
            self._response.close()

    def __repr__(self) -> str:
        states = {
            "failed": self._failure is not None,
            "ended": self._ended,
            "closed": self._closed,
            "open": self._response is not None,
        }
        state = next((name for name, holds in states.items() if holds), "not sent")
        return f"<GenerateContentStream {state}, chunks={self._merger.chunks}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GenerateContentResponse:
        if self._waiting:
            raise _busy()
        try:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._waiting = True
                chunk = await self._next()
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            self._waiting = False
        self._merger.add(chunk)
        return chunk

    async def open(self) -> None:
        """Send the request and wait for the status and headers; does nothing if already open.

        Raises:
            APIStatusError: The API returned an error.
            APIConnectionError: No response came, or none in time.
            ClosedError: The stream or its client is closed.
        """
        if self._waiting:
            raise _busy()
        self._waiting = True
        try:
            self._check_usable()
            if self._response is None:
                await self._begin(self._send)
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            self._waiting = False

    async def aclose(self) -> None:
        """Close the connection; the chunks so far stay available in ``snapshot``.

        A task that is waiting for the next chunk gets ClosedError. Closing again, or after the
        end, does nothing.
        """
        self._closed = True
        if not self._ended:
            self._chunks = iter(())  # drop what was read but not handed out
        if self._response is not None:
            self._response.close()
        if self._beginning is not None:
            self._beginning.cancel()

    async def get_final_response(self) -> GenerateContentResponse:
        """Read the remaining chunks and return all chunks merged into one response.

        Raises:
            CometGemError: As in iteration; ``partial`` holds what had arrived.
        """
        async for _ in self:
            pass
        return self.snapshot

    @property
    def snapshot(self) -> GenerateContentResponse:
        """The chunks handed out so far, merged; later chunks do not change it."""
        return self._merger.response()

    @property
    def text_stream(self) -> TextStream:
        """The text of each chunk that has any, without thoughts."""
        return TextStream(self)

    @property
    def status(self) -> int:
        """The HTTP status; RuntimeError until the stream is open."""
        return self._opened().status

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers, case-insensitive; RuntimeError until the stream is open."""
        return self._opened().headers

    @property
    def request_id(self) -> str | None:
        """The gateway's request id, for its support; RuntimeError until the stream is open."""
        return self._opened().request_id

    def _opened(self) -> HTTPResponse:
        if self._response is None:
            raise RuntimeError("the stream is not open yet: await stream.open() first")
        return self._response

    async def _next(self) -> GenerateContentResponse:
        if self._closed or self._ended:
            self._check_usable()
            self._end()
        if self._merger.chunks:
            return await self._read(self._opened())
        return await self._begin(self._first)

    async def _begin(self, once: Callable[[], Awaitable[_T]]) -> _T:
        """Run the attempts up to the first chunk, in a cancel scope that ``aclose`` can cancel."""
        try:
            with anyio.CancelScope() as self._beginning:
                return await self._attempts.run(once)
        finally:
            self._beginning = None
        raise ClosedError("the stream was closed before its first chunk arrived")

    async def _send(self) -> None:
        self._response = self._unread = response = await self._attempts.send()
        self._decoder = ChunkDecoder(self._max_event_size, response.headers)
        self._ended = False

    async def _first(self) -> GenerateContentResponse:
        if self._unread is None:
            await self._send()
        self._unread = None
        response = self._opened()
        try:
            chunk = await self._read(response)
        except CometGemError:
            response.close()
            raise
        self._attempts.forget_request()
        return chunk

    async def _read(self, response: HTTPResponse) -> GenerateContentResponse:
        response.start_waiting()
        try:
            while data := await response.read():
                self._chunks = self._decoder.feed(data)
                for chunk in self._chunks:
                    return chunk
        except StreamInterruptedError as error:
            self._chunks = _drain_then_raise(self._decoder, error)
            return next(self._chunks)
        finally:
            response.stop_waiting()
        self._ended = True
        self._chunks = self._decoder.close()
        last = next(self._chunks, None)
        return self._end() if last is None else last

    def _end(self) -> NoReturn:
        if self._merger.finished:
            raise StopAsyncIteration
        raise StreamTruncatedError("the stream ended without a finishReason")

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise copy.copy(self._failure)
        if self._closed and not self._ended:
            raise ClosedError(
                "the stream was closed before its end; what had arrived is in stream.snapshot"
            )

    def _leave(self, error: BaseException) -> None:
        """Close the connection, and attach what had arrived to the error."""
        if isinstance(error, StopAsyncIteration):
            return
        self._closed = True
        if self._response is not None:
            self._response.close()
        if isinstance(error, CometGemError):
            self._attempts.describe(
                error, self._merger, self._response, handed_out=self._merger.chunks
            )
            self._failure = copy.copy(error)


class TextStream:
    """An async iterator of the text of a stream; returned by ``stream.text_stream``."""

    def __init__(self, stream: AsyncIterator[GenerateContentResponse]) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            chunk = await self._stream.__anext__()
            if text := chunk.text:
                return text


def _drain_then_raise(
    decoder: ChunkDecoder, error: StreamInterruptedError
) -> Iterator[GenerateContentResponse]:
    """Yield the chunks that were complete when the connection broke, then raise."""
    error.__traceback__ = None
    with contextlib.suppress(StreamTruncatedError, ResponseDecodeError):
        yield from decoder.close()
    raise copy.copy(error) from error.__cause__


def _busy() -> RuntimeError:
    return RuntimeError("the stream is already being read by another task")
