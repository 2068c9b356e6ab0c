"""Decodes a response body into chunks: the event stream, the JSON in it, and in-band errors.

Bodies outside the protocol are handled, too: a single JSON document or an array of them (a proxy
dropped ``alt=sse``), a bare JSON error after good events, an HTML page. The content type is only
a hint; the first bytes decide.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cometgem.errors import EventTooLargeError, ResponseDecodeError, StreamTruncatedError
from cometgem.response.codec import decode_chunk, excerpt, is_cut, parse_json
from cometgem.response.failure import event_failure, find_error
from cometgem.response.sse import MAX_EVENT_SIZE, ServerSentEvent, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cometgem.types.response import GenerateContentResponse

__all__ = ["ChunkDecoder", "is_empty"]

_BLANK = b" \t\r\n\xef\xbb\xbf"
_PAGE = 1024


class ChunkDecoder:
    """Decodes one response body into chunks.

    Args:
        max_event_size: The maximum size of one event, or of a body that is not an event
            stream, in bytes.
        headers: The response headers; errors take their request id from them.

    Attributes:
        single: Whether the body was a single JSON document, which needs no finish reason.
    """

    def __init__(
        self, max_event_size: int = MAX_EVENT_SIZE, headers: Mapping[str, str] | None = None
    ) -> None:
        self.single: bool = False
        self._sse = SSEDecoder(max_event_size)
        self._max = max_event_size
        self._headers = headers or {}
        self._sniffing = True  # until the first byte that is not blank
        self._document: list[bytes] | None = None  # pieces of a body that is not an event stream
        self._document_size = 0
        self._seen_event = False
        self._unknown_seen = 0

    def feed(self, data: bytes) -> Iterator[GenerateContentResponse]:
        """Take the next bytes of the body and yield the chunks that they complete.

        Exhaust the iterator before the next call. The error of an event is raised after the
        chunks before it.

        Raises:
            APIStatusError: An error arrived as an event, or as bare JSON after the events.
            ResponseDecodeError: An event is not a response.
            EventTooLargeError: An event is over the limit.
        """
        if self._sniffing:
            self._sniff(data)
        if self._document is not None:
            self._hold(data)
            return
        events = self._sse.feed(data)
        self._seen_event = self._seen_event or bool(events)
        for event in events:
            if (chunk := self._decode(event)) is not None:
                yield chunk
        if self._sse.unknown:
            self._check_unknown()

    def close(self) -> Iterator[GenerateContentResponse]:
        """End the body and yield the chunks that were still incomplete.

        Raises:
            StreamTruncatedError: The body ended in the middle of a chunk.
            APIStatusError, ResponseDecodeError, EventTooLargeError: As in ``feed``.
        """
        if self._document is not None:
            yield from self._read_document(b"".join(self._document))
            return
        events = self._sse.close()
        self._seen_event = self._seen_event or bool(events)
        yield from filter(None, map(self._decode_last, events))
        self._check_unknown(at_end=True)

    def _decode(self, event: ServerSentEvent) -> GenerateContentResponse | None:
        """Return the chunk in an event, or None for a keep-alive."""
        data = event.data
        if event.event == "error":
            raise event_failure(find_error(parse_json(data)), data, self._headers)
        try:
            chunk = decode_chunk(data)
        except ResponseDecodeError:
            if _is_keepalive(data):
                return None
            if (error := find_error(parse_json(data))) is not None:
                raise event_failure(error, data, self._headers) from None
            raise
        if chunk.error is None and (
            chunk.candidates or chunk.usage_metadata or chunk.prompt_feedback
        ):
            return chunk
        error = find_error(parse_json(data))
        if error is not None:
            raise event_failure(error, data, self._headers)
        return chunk

    def _decode_last(self, event: ServerSentEvent) -> GenerateContentResponse | None:
        """Decode an event that the end of the body may have cut off."""
        try:
            return self._decode(event)
        except ResponseDecodeError as error:
            if error.path or not is_cut(event.data):
                raise
            raise StreamTruncatedError("the stream ended in the middle of a chunk") from error

    def _sniff(self, data: bytes) -> None:
        """Tell a document from an event stream by its first byte that is not blank."""
        if first := data.lstrip(_BLANK)[:1]:
            self._sniffing = False
            if first in b"{[<":
                self._document = []

    def _hold(self, data: bytes) -> None:
        pieces = self._document = self._document or []
        pieces.append(data)
        self._document_size += len(data)
        if self._document_size > _PAGE and pieces[0].lstrip(_BLANK).startswith(b"<"):
            self._read_page(b"".join(pieces))
        if self._document_size > self._max:
            raise EventTooLargeError(self._document_size, self._max)

    def _read_page(self, body: bytes) -> None:
        page = excerpt(body.lstrip(_BLANK))
        raise ResponseDecodeError("the server sent an HTML page instead of chunks", excerpt=page)

    def _read_document(self, body: bytes) -> Iterator[GenerateContentResponse]:
        body = body.strip(_BLANK)
        if body.startswith(b"<"):
            self._read_page(body)
        if body.startswith(b"{"):
            self.single = True
            yield from filter(None, [self._decode_last(ServerSentEvent(body))])
        else:
            yield from self._read_array(body)

    def _read_array(self, body: bytes) -> Iterator[GenerateContentResponse]:
        text = body.decode("utf-8", "replace")
        read = json.JSONDecoder(strict=False).raw_decode
        at = 1
        while (at := _next_item(text, at)) < len(text) and text[at] != "]":
            try:
                _, end = read(text, at)
            except (ValueError, RecursionError) as error:
                raise StreamTruncatedError("the stream ended in the middle of a chunk") from error
            chunk = self._decode(ServerSentEvent(text[at:end].encode()))
            if chunk is not None:
                yield chunk
            at = end

    def _check_unknown(self, *, at_end: bool = False) -> None:
        """Raise a bare JSON error that a proxy wrote between or after the events."""
        unknown = self._sse.unknown
        if len(unknown) == self._unknown_seen and not at_end:
            return
        self._unknown_seen = len(unknown)
        starts = (at for at, line in enumerate(unknown) if line.startswith((b"{", b"[")))
        if (start := next(starts, None)) is not None and unknown[-1].rstrip()[-1:] in b"}]":
            body = b"\n".join(unknown[start:])
            if (error := find_error(parse_json(body))) is not None:
                raise event_failure(error, body, self._headers)
        if at_end and not self._seen_event and (body := b"\n".join(unknown).strip(_BLANK)):
            raise ResponseDecodeError("the body is not an event stream", excerpt=excerpt(body))


def is_empty(chunk: GenerateContentResponse) -> bool:
    """Whether a chunk says nothing: it has no candidates, feedback, usage or ids."""
    return not (
        chunk.candidates
        or chunk.usage_metadata
        or chunk.prompt_feedback
        or chunk.response_id
        or chunk.model_version
    )


def _is_keepalive(data: bytes) -> bool:
    """Whether it is ``[DONE]``, empty, null, or a keep-alive comment wrapped as data."""
    word = data.strip().lower()
    return word in (b"", b"null", b"[done]") or word.startswith(b":")


def _next_item(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at
