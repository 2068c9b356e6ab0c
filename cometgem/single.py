"""A single call: one request, one complete response."""

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
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.merge import ResponseMerger

if TYPE_CHECKING:
    from cometgem.http.attempts import Attempts
    from cometgem.http.response import HTTPResponse
    from cometgem.types.response import GenerateContentResponse

__all__ = ["SingleCall"]


class SingleCall:
    """Sends a request and reads its response; if the server streams instead, chunks are merged.

    Args:
        attempts: Sends the request.
        max_size: The maximum size of the response, in bytes.
    """

    def __init__(self, attempts: Attempts, max_size: int) -> None:
        self._attempts = attempts
        self._max_size = max_size
        self._chunks: list[GenerateContentResponse] = []
        self._response: HTTPResponse | None = None
        attempts.watch(attempts)

    async def run(self) -> GenerateContentResponse:
        """Return the response, after as many attempts as the retry policy allows."""
        try:
            return await self._attempts.run(self._read_response)
        except CometGemError as error:
            if isinstance(error, (APITimeoutError, StreamError)):
                error.streamed = False
            self._attempts.describe(error, _merge(self._chunks), self._response)
            raise

    async def _read_response(self) -> GenerateContentResponse:
        chunks: list[GenerateContentResponse] = []
        self._chunks, self._response = chunks, None
        self._response = response = await self._attempts.send()
        decoder = ChunkDecoder(self._max_size, response.headers)
        if not response.complete:  # most are; then a timer would only add 5 % to the cost
            response.start_waiting()
        try:
            while data := await response.read():
                chunks += decoder.feed(data)
            chunks += decoder.close()
        except StreamInterruptedError:
            with contextlib.suppress(StreamTruncatedError, ResponseDecodeError):
                chunks += decoder.close()
            raise
        except StreamTruncatedError as error:
            error.message = "the response ended in the middle of its JSON"
            raise
        finally:
            response.close()
        return _only_response(chunks, streamed=not decoder.single)


def _only_response(
    chunks: list[GenerateContentResponse], *, streamed: bool
) -> GenerateContentResponse:
    if not chunks:
        raise ResponseDecodeError("the server sent an empty response", excerpt="")
    if len(chunks) == 1 and not streamed:
        return chunks[0]
    merger = _merge(chunks)
    if streamed and not merger.finished:
        raise StreamTruncatedError("the response ended without a finishReason")
    return chunks[0] if len(chunks) == 1 else merger.response()


def _merge(chunks: list[GenerateContentResponse]) -> ResponseMerger:
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(chunk)
    return merger
