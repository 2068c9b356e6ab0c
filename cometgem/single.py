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
from cometgem.response.merge_calls import CallMerger
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cometgem.http.attempts import Attempts
    from cometgem.http.response import HTTPResponse

__all__ = ["SingleCall"]

_NOTHING = GenerateContentResponse()


class SingleCall:
    """Sends a request and reads its response; if the server streams instead, chunks are merged.

    A response that is one JSON document is returned as it is, unless calls in it are in pieces.

    Args:
        attempts: Sends the request.
        max_size: The maximum size of the response, in bytes.
    """

    def __init__(self, attempts: Attempts, max_size: int) -> None:
        self._attempts = attempts
        self._max_size = max_size
        self._merger = ResponseMerger()
        self._first = _NOTHING
        self._response: HTTPResponse | None = None
        attempts.watch(attempts)

    async def run(self) -> GenerateContentResponse:
        """Return the response, after as many attempts as the retry policy allows."""
        try:
            return await self._attempts.run(self._read_response)
        except CometGemError as error:
            if isinstance(error, (APITimeoutError, StreamError)):
                error.streamed = False
            self._attempts.describe(error, self._merger, self._response)
            raise

    async def _read_response(self) -> GenerateContentResponse:
        self._merger, self._first, self._response = ResponseMerger(), _NOTHING, None
        self._response = response = await self._attempts.send()
        decoder = ChunkDecoder(self._max_size, response.headers)
        if not response.complete:  # most are; then a timer would only add 5 % to the cost
            response.start_waiting()
        try:
            while data := await response.read():
                self._add(decoder.feed(data))
            self._add(decoder.close())
        except StreamInterruptedError:
            with contextlib.suppress(StreamTruncatedError, ResponseDecodeError):
                self._add(decoder.close())
            raise
        except StreamTruncatedError as error:
            error.message = "the response ended in the middle of its JSON"
            raise
        finally:
            response.close()
        merger = self._merger
        if not merger.chunks:
            raise ResponseDecodeError("the server sent an empty response", excerpt="")
        if not decoder.single and (missing := merger.unfinished):
            raise StreamTruncatedError(f"the response ended without {missing}")
        return self._first if decoder.single and not _in_pieces(self._first) else merger.response()

    def _add(self, chunks: Iterable[GenerateContentResponse]) -> None:
        """Merge chunks, of which only the first is kept: most responses are a single one."""
        for chunk in chunks:
            if not self._merger.chunks:
                self._first = chunk
            self._merger.add(chunk)


def _in_pieces(response: GenerateContentResponse) -> bool:
    return any(
        part.function_call is not None and CallMerger.begins(part.function_call)
        for candidate in response.candidates
        if candidate.content is not None
        for part in candidate.content.parts
    )
