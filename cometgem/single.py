"""A single call: one complete response, of one request or of the hops of a long answer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cometgem.errors import (
    APITimeoutError,
    CometGemError,
    ResponseDecodeError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.hops import Continuation, Hops
from cometgem.http.memory import large_block
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.continuation import count_covered
from cometgem.response.merge import ResponseMerger
from cometgem.response.merge_calls import CallMerger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.http.attempts import Attempts
    from cometgem.http.response import HTTPResponse
    from cometgem.types.response import GenerateContentResponse

__all__ = ["SingleCall"]


class SingleCall:
    """Sends a request and reads its response; if the server streams instead, chunks are merged.

    A response that is one JSON document is returned as it is, unless calls in it are in pieces.
    Nothing is handed out before the end. So a hop that is cut goes on from the last token in it,
    and what came after that is dropped.

    Args:
        attempts: Sends the request.
        max_size: The maximum size of the response, in bytes.
        continuation: How a long answer goes on.
        streams: Whether the request asks for a stream, as each chunk has a time limit then.
    """

    def __init__(
        self,
        attempts: Attempts,
        max_size: int,
        continuation: Continuation = Continuation(),  # noqa: B008  frozen
        *,
        streams: bool = False,
    ) -> None:
        self._attempts = attempts
        self._max_size = max_size
        self._streams = streams
        self._merger = continuation.begin()  # of the hops before, and this one when it has ended
        self._hops = Hops(self._merger, continuation, attempts.token)
        self._is_whole = False  # whether the hop was one JSON document
        self._chunks: list[GenerateContentResponse] = []  # of this attempt
        self._response: HTTPResponse | None = None
        attempts.watch(attempts)

    async def run(self) -> GenerateContentResponse:
        """Return the response, after as many attempts as the retry policy allows."""
        try:
            while (response := await self._run_hop()) is None:
                pass
        except CometGemError as error:
            if isinstance(error, (APITimeoutError, StreamError)):
                error.streamed = False
            checkpoint = self._hops.checkpoint
            with contextlib.suppress(CometGemError):
                for chunk in self._chunks:
                    self._merger.add(chunk)
            self._attempts.describe(error, self._merger, self._response, checkpoint=checkpoint)
            raise
        return response

    async def _run_hop(self) -> GenerateContentResponse | None:
        """Return the response, or None if another hop is to follow."""
        try:
            if (cut := await self._attempts.run(self._try_hop)) is not None:
                raise cut
        except CometGemError as error:
            begun = self._keep_covered()
            pause = self._pause_after(error, begun=begun)
            if pause is None:
                raise
            self._chunks = []
        else:
            return self._end_hop()
        await self._attempts.sleep(pause)
        self._attempts.begin_hop(self._hops.begin(after_cut=True))
        return None

    def _end_hop(self) -> GenerateContentResponse | None:
        chunks, self._chunks = self._chunks, []
        first, is_first = chunks[0], self._merger.is_empty
        self._merge(chunks)
        if (token := self._hops.next_token()) is None:
            if self._is_whole and is_first and not _in_pieces(first):
                return first
            return self._merger.response()
        self._hops.begin()
        self._attempts.begin_hop(token)
        return None

    def _merge(self, chunks: Sequence[GenerateContentResponse]) -> None:
        for chunk in chunks:
            self._hops.inspect(chunk)
        for chunk in chunks:
            self._merger.add(chunk)
            if self._merger.token is not None:
                self._hops.note(chunk)

    def _keep_covered(self) -> bool:
        """Merge the chunks up to the last token, if any; the rest may be generated again."""
        chunks = self._chunks
        covered = count_covered(chunks)
        self._chunks = chunks[covered:]
        self._merge(chunks[:covered])
        return covered > 0

    def _pause_after(self, error: CometGemError, *, begun: bool) -> float | None:
        """Return the seconds to wait before the answer goes on, or None if it does not.

        A response that did not come in time may still be generated, and billed, so it is not asked
        for again unless it is a stream.
        """
        if isinstance(error, APITimeoutError) and not self._streams:
            return None
        if not (self._attempts.can_send and self._hops.recovers(error, begun=begun)):
            return None
        pause = self._attempts.wait_after(error, self._hops.failures)
        if pause is not None:
            for chunk in self._chunks:
                self._hops.drop(chunk)
        return pause

    async def _try_hop(self) -> CometGemError | None:
        """Request the hop once; an error is returned if there is a token in what had arrived.

        Then it is not the retry policy that decides, since the whole hop would be repeated.
        """
        try:
            await self._read_hop()
        except CometGemError as error:
            if not count_covered(self._chunks):
                raise
            return error
        return None

    async def _read_hop(self) -> None:
        self._chunks, self._response = [], None
        self._hops.forget_inspected()
        self._response = response = await self._attempts.send()
        decoder = ChunkDecoder(self._max_size, response.headers, large_block)
        if not response.complete:  # most are; then a timer would only add 5 % to the cost
            response.start_waiting()
        chunks = self._chunks
        try:
            while data := await response.read():
                before = len(chunks)
                chunks.extend(decoder.feed(data))
                if self._streams and len(chunks) > before:
                    response.stop_waiting()
                    response.start_waiting()
            chunks.extend(decoder.close())
        except StreamInterruptedError:
            with contextlib.suppress(StreamTruncatedError, ResponseDecodeError):
                chunks.extend(decoder.close())
            raise
        except StreamTruncatedError as error:
            error.message = "the response ended in the middle of its JSON"
            raise
        finally:
            response.close()
        if not chunks:
            raise ResponseDecodeError("the server sent an empty response", excerpt="")
        self._is_whole = decoder.single
        if not decoder.single and (missing := _unfinished(chunks)):
            raise StreamTruncatedError(f"the response ended without {missing}")


def _unfinished(chunks: Sequence[GenerateContentResponse]) -> str:
    """Return what is missing; few responses are streams, so that they may be merged twice."""
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(chunk)
    return merger.unfinished


def _in_pieces(response: GenerateContentResponse) -> bool:
    return any(
        part.function_call is not None and CallMerger.begins(part.function_call)
        for candidate in response.candidates
        if candidate.content is not None
        for part in candidate.content.parts
    )
