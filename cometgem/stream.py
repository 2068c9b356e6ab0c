"""A streamed response: hands out chunks as they arrive, merges them, and closes when it is left.

Laws: iterating does not await while a decoded chunk is available; a stream that is being iterated
has no task, queue or cancel scope; no error is kept together with its traceback, since that cycle
would keep a dropped stream, and its connection, alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from cometgem.errors import (
    ClosedError,
    CometGemError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.hops import Continuation, Hops
from cometgem.http.memory import large_block
from cometgem.response.chunks import ChunkDecoder, is_empty
from cometgem.response.continuation import count_covered
from cometgem.views import Heartbeat, ImageStream, TextStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from types import TracebackType

    from cometgem.http.attempts import Attempts
    from cometgem.http.response import HTTPResponse
    from cometgem.types.checkpoint import Checkpoint
    from cometgem.types.response import GenerateContentResponse

__all__ = ["GenerateContentStream"]

_CLOSED = "the stream was closed before its end; what had arrived is in stream.snapshot"
# Chunks that are held until one says something; more would only fill the memory.
_MAX_EMPTY = 1000

_CLOSED_EARLY = "the stream was closed before its first chunk arrived"
_CANCELLED = (
    "the stream was closed because the task that waited for its next chunk was cancelled, as"
    " asyncio.wait_for() and asyncio.timeout() do; what had arrived is in stream.snapshot. To"
    " notice silences without closing the stream, use stream.heartbeat(seconds)"
)


class GenerateContentStream:
    """An async iterator of chunks. The request is sent once it is opened, entered or iterated.

    The end of ``async with``, ``aclose()``, a cancelled read and the last reference going away
    close the connection at once, so the server stops generating. ``break`` and an exception close
    it as well, unless a variable still refers to the stream.

    A long answer of several hops, each a request, is one stream: the next hop is requested when the
    chunks of the one before have been read. See ``docs/long-answers.md``.

    Example::

        async with client.stream_generate_content("gemini-3.8-flash", "Hi") as stream:
            async for chunk in stream:
                print(chunk.text, end="")
            final = await stream.get_final_response()
    """

    _response: HTTPResponse | None = None

    def __init__(
        self,
        attempts: Attempts,
        max_event_size: int,
        continuation: Continuation = Continuation(),  # noqa: B008  frozen
    ) -> None:
        self._attempts = attempts
        self._max_event_size = max_event_size
        self._decoder = ChunkDecoder(max_event_size)
        self._merger = continuation.begin()
        self._hops = Hops(self._merger, continuation, attempts.token)
        self._chunks: Iterator[GenerateContentResponse] = iter(())  # decoded from the last read
        self._unread: HTTPResponse | None = None  # a response of which nothing has been read
        self._begun = False  # whether a chunk of the current hop has been handed out
        self._pause: float | None = None  # seconds to wait before the next hop, after a cut
        self._waiting = False
        self._bounded = False  # by the total time of the call
        self._ended = False
        self._closed = ""  # why
        self._failure: CometGemError | None = None
        attempts.watch(self)

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
            self._response.drop()

    def __repr__(self) -> str:
        states = {
            "failed": self._failure is not None,
            "ended": self._ended,
            "closed": bool(self._closed),
            "open": self._response is not None,
        }
        state = next((name for name, holds in states.items() if holds), "not sent")
        return f"<{type(self).__name__} {state}, chunks={self._merger.chunks}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GenerateContentResponse:
        if self._waiting:
            raise _busy()
        try:
            chunk = self._buffered()
            if self._bounded and (chunk is not None or not self._ended):
                self._attempts.check_total()
            if chunk is None:
                self._waiting = True
                if self._begun and not (self._ended or self._closed or self._pause is not None):
                    # Not in a coroutine of its own, since each one costs every chunk.
                    response = self._opened()
                    response.start_waiting()
                    try:
                        data = await response.readany()
                    except Exception:  # noqa: BLE001  _next() gets it again
                        data = b""
                    response.stop_waiting()
                    chunk = self._decode(data)
                if chunk is None:
                    chunk = await self._next()
            self._merger.add(chunk)
            if self._merger.token is not None:
                self._hops.note(chunk)
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            self._waiting = False
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
                await self._attempts.run(self._send)
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            self._waiting = False

    async def aclose(self) -> None:
        """Close the connection; the chunks so far stay available in ``snapshot``.

        A task that waits for the next chunk gets ClosedError. Closing twice, or after the end,
        does nothing. May be called from any thread.
        """
        reason = _CLOSED if self._merger.chunks else _CLOSED_EARLY
        self._attempts.run_in_loop(partial(self.interrupt, reason))

    def interrupt(self, reason: str) -> None:
        """Close the connection; ``reason`` is the message of the ClosedError of later reads."""
        self._closed = self._closed or reason
        if self._has_unread_chunks():
            self._ended = False
            self._chunks = iter(())
        self._attempts.interrupt(reason)

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
    def checkpoint(self) -> Checkpoint | None:
        """The last place at which the answer can go on in another call, or None.

        Errors have it as ``error.checkpoint``.
        """
        return self._hops.checkpoint

    @property
    def text_stream(self) -> TextStream:
        """The text of each chunk that has any, without thoughts."""
        return TextStream(self)

    def images(self) -> ImageStream:
        """Return an async iterator of the images, each as soon as it has arrived.

        Those in the model's thinking are left out.
        """
        return ImageStream(self)

    def heartbeat(self, seconds: float) -> Heartbeat[GenerateContentResponse]:
        """Return an async iterator of the chunks that yields None after each silence.

        For a keep-alive to a browser, for example. A read is not cancelled by a silence, which
        ``asyncio.wait_for(anext(stream), seconds)`` would do.

        Args:
            seconds: How long nothing may come before None is yielded.

        Raises:
            ConfigurationError: ``seconds`` is not a number above 0.
        """
        return Heartbeat(self, seconds)

    def take(self) -> GenerateContentResponse | None:
        """Return a chunk that has been read already, or None if the next one must be awaited."""
        if self._waiting:
            raise _busy()
        try:
            chunk = self._buffered()
            if chunk is None:
                return None
            if self._bounded:
                self._attempts.check_total()
            self._merger.add(chunk)
            if self._merger.token is not None:
                self._hops.note(chunk)
        except BaseException as error:
            self._leave(error)
            raise
        return chunk

    @property
    def status(self) -> int:
        """The HTTP status of the current hop; RuntimeError until the stream is open."""
        return self._opened().status

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the current hop, case-insensitive; RuntimeError until the stream is open."""
        return self._opened().headers

    @property
    def request_id(self) -> str | None:
        """The gateway's request id of the current hop; RuntimeError until the stream is open."""
        return self._opened().request_id

    def _opened(self) -> HTTPResponse:
        if self._response is None:
            raise RuntimeError("the stream is not open yet: await stream.open() first")
        return self._response

    def _buffered(self) -> GenerateContentResponse | None:
        """Return the next chunk of the last read, if there is one."""
        try:
            return next(self._chunks, None)
        except CometGemError as error:
            if not self._recovers(error):
                raise
            return None

    def _decode(self, data: bytes) -> GenerateContentResponse | None:
        """Return the chunk of a read that is just one; all others are in ``_chunks`` then."""
        if not data or self._closed:  # the end, a failure, or closed in this moment
            return None
        chunk = self._decoder.whole_chunk(data)
        if chunk is None:
            self._chunks = self._decoder.feed(data)
        return chunk

    async def _next(self) -> GenerateContentResponse:
        """Return the next chunk, of this hop or the next one."""
        while True:
            self._check_usable()
            try:
                for decoded in self._chunks:
                    return decoded
                if self._pause is not None:
                    await self._go_on_after_cut(self._pause)
                elif self._ended:
                    self._end_hop()
                if not self._begun:
                    return await self._attempts.run(self._first)
                if (chunk := await self._read(self._opened())) is not None:
                    return chunk
            except CometGemError as error:
                if not self._recovers(error):
                    raise

    def _recovers(self, error: CometGemError) -> bool:
        """Whether the answer goes on although its hop was cut; if so, after ``_pause``."""
        self._pause = self._pause_after(error)
        if self._pause is None:
            return False
        if self._response is not None:
            self._response.close()
        self._chunks = iter(())
        return True

    def _pause_after(self, error: CometGemError) -> float | None:
        if self._attempts.can_send and self._hops.recovers(error, begun=self._begun):
            return self._attempts.wait_after(error, self._hops.failures)
        return None

    async def _go_on_after_cut(self, pause: float) -> None:
        await self._attempts.sleep(pause)
        self._pause = None
        self._begin_hop(self._hops.begin(after_cut=True))

    def _end_hop(self) -> None:
        """Begin the next hop, or raise the end of the answer, or what is missing for that."""
        self._check_finished()
        if (token := self._hops.next_token()) is None:
            self._attempts.forget_request()
            raise StopAsyncIteration
        if self._closed:
            raise ClosedError(self._closed)
        self._hops.begin()
        self._begin_hop(token)

    def _begin_hop(self, token: str) -> None:
        self._attempts.begin_hop(token)
        self._begun = self._ended = False
        self._unread = None

    async def _send(self) -> None:
        self._response = self._unread = response = await self._attempts.send()
        self._decoder = ChunkDecoder(self._max_event_size, response.headers, large_block)
        self._ended = False
        self._bounded = self._attempts.total_at < math.inf

    async def _first(self) -> GenerateContentResponse:
        """Return the first chunk of a hop, which is the last that a failure can be retried before.

        A chunk that says nothing does not count: a gateway may send it and then fail. Neither does
        the beginning of a hop that may turn out not to continue the answer.
        """
        if self._unread is None:
            await self._send()
        self._unread = None
        self._chunks = iter(())
        self._hops.forget_inspected()
        response = self._opened()
        try:
            held = await self._read_beginning(response)
        except CometGemError:
            response.close()
            raise
        if not held:
            raise StopAsyncIteration
        self._begun = True
        if not self._hops.may_go_on:
            self._attempts.forget_request()
        if len(held) > 1:
            self._chunks = chain(held[1:], self._chunks)
        return held[0]

    async def _read_beginning(self, response: HTTPResponse) -> list[GenerateContentResponse]:
        """Return the chunks up to the first that says something, or all if there is none."""
        held: list[GenerateContentResponse] = []
        while len(held) <= _MAX_EMPTY:
            if (chunk := next(self._chunks, None)) is None and not self._ended:
                chunk = await self._read(response)
            if chunk is None:
                if all(map(is_empty, held)):
                    self._check_finished()
                break
            held.append(chunk)
            if not self._hops.inspect(chunk) and not is_empty(chunk):
                break
        return held

    async def _read(self, response: HTTPResponse) -> GenerateContentResponse | None:
        """Return the next chunk, or None at the end of the body."""
        response.start_waiting()
        try:
            while data := await response.read():
                self._chunks = self._decoder.feed(data)
                for chunk in self._chunks:
                    return chunk
        except StreamInterruptedError as error:
            self._chunks = _then_raise(self._complete_chunks(error), error)
            return next(self._chunks)
        finally:
            response.stop_waiting()
        self._ended = True
        self._chunks = self._decoder.close()
        return next(self._chunks, None)

    def _complete_chunks(self, error: StreamInterruptedError) -> list[GenerateContentResponse]:
        """Return the chunks that were complete when the connection broke.

        Those behind the last token are dropped if the answer goes on from there.
        """
        chunks: list[GenerateContentResponse] = []
        with contextlib.suppress(StreamTruncatedError, ResponseDecodeError):
            chunks.extend(self._decoder.close())
        if chunks and self._pause_after(error) is not None:
            covered = count_covered(chunks)
            for chunk in chunks[covered:]:
                self._hops.drop(chunk)
            del chunks[covered:]
        return chunks

    def _check_finished(self) -> None:
        if missing := self._merger.unfinished:
            raise StreamTruncatedError(f"the stream ended without {missing}")

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise copy.copy(self._failure)
        if self._closed and not self._ended:
            raise ClosedError(self._closed)

    def _has_unread_chunks(self) -> bool:
        try:
            return next(self._chunks, None) is not None
        except CometGemError:
            return True

    def _leave(self, error: BaseException) -> None:
        """Close the connection, and attach what had arrived to the error."""
        if isinstance(error, StopAsyncIteration):
            return
        self._closed = _CANCELLED if isinstance(error, asyncio.CancelledError) else _CLOSED
        self._bounded = False
        if self._response is not None:
            self._response.close()
        if isinstance(error, CometGemError):
            self._attempts.describe(
                error,
                self._merger,
                self._response,
                handed_out=self._merger.chunks,
                checkpoint=self._hops.checkpoint,
            )
            self._failure = copy.copy(error)


def _then_raise(
    chunks: list[GenerateContentResponse], error: StreamInterruptedError
) -> Iterator[GenerateContentResponse]:
    error.__traceback__ = None
    yield from chunks
    raise copy.copy(error) from error.__cause__


def _busy() -> RuntimeError:
    return RuntimeError("the stream is already being read by another task")
