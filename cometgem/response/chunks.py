"""Decodes a response body into chunks: the event stream, the JSON in it, and in-band errors.

Bodies outside the protocol are handled, too: a single JSON document or an array of them (a proxy
dropped ``alt=sse``), a bare JSON error after good events, an HTML page, the JSON of another API.
The content type is only a hint; the first bytes decide.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from cometgem.errors import (
    APIStatusError,
    CometGemError,
    EventTooLargeError,
    ResponseDecodeError,
    StreamTruncatedError,
)
from cometgem.response.buffer import Buffer
from cometgem.response.codec import check_values, decode_chunk, excerpt, is_cut, parse_json
from cometgem.response.failure import event_failure, find_error
from cometgem.response.sse import MAX_EVENT_SIZE, ServerSentEvent, SSEDecoder
from cometgem.response.stray import StrayDocuments
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cometgem.response.buffer import Allocate, Data

__all__ = ["ChunkDecoder", "is_empty"]

_BLANK = b" \t\r\n\xef\xbb\xbf"
_PAGE = 1024

_KEYS = frozenset(GenerateContentResponse.__struct_encode_fields__) - {"error"}


class ChunkDecoder:
    """Decodes one response body into chunks.

    Args:
        max_event_size: The maximum size of one event, or of a body that is not an event
            stream, in bytes.
        headers: The response headers; errors take their request id from them.
        allocate: Allocates the memory of a large event or body, see ``Buffer``.

    Attributes:
        single: Whether the body was a single JSON document, which needs no finish reason.
    """

    def __init__(
        self,
        max_event_size: int = MAX_EVENT_SIZE,
        headers: Mapping[str, str] | None = None,
        allocate: Allocate | None = None,
    ) -> None:
        self.single: bool = False
        self._sse = SSEDecoder(max_event_size, allocate)
        self._allocate = allocate
        self._max = max_event_size
        self._headers = headers or {}
        self._sniffing = True  # until the first byte that is not blank
        self._document: Buffer | None = None  # a body that is not an event stream
        self._is_page = False
        self._seen_event = False
        self._seen_response = False  # an event with at least one key of a response
        self._foreign: bytes | None = None  # the first event without any
        self._stray = StrayDocuments()
        self._unknown_seen = 0

    def whole_chunk(self, data: bytes) -> GenerateContentResponse | None:
        """Return the chunk of a read that is exactly one event; else None: ``feed`` it.

        The first event of a body, and whatever is not a plain response, is left to ``feed``.
        """
        if not self._seen_response or (body := self._sse.whole_event(data)) is None:
            return None
        try:
            chunk = decode_chunk(body)
        except CometGemError:
            return None
        return chunk if _is_response(chunk) else None

    def feed(self, data: bytes) -> Iterator[GenerateContentResponse]:
        """Take the next bytes of the body and yield the chunks that they complete.

        Exhaust the iterator before the next call. The error of an event is raised after the
        chunks before it.

        Raises:
            APIStatusError: An error arrived as an event, or as bare JSON after the events.
            ResponseDecodeError: An event is not a response.
            EventTooLargeError: An event is over the limit, or has too many objects and lists.
        """
        if self._sniffing:
            self._sniff(data)
        if self._document is not None:
            self._hold(self._document, data)
            return
        events = self._sse.feed(data)
        self._seen_event = self._seen_event or bool(events)
        for event in events:
            if (chunk := self._decode(event)) is not None:
                yield chunk
        if self._unknown_seen < len(self._sse.unknown):
            yield from self._check_unknown()

    def close(self) -> Iterator[GenerateContentResponse]:
        """End the body and yield the chunks that were still incomplete.

        Raises:
            StreamTruncatedError: The body ended in the middle of a chunk.
            ResponseDecodeError: As in ``feed``, or no event has any key of a response.
            APIStatusError, EventTooLargeError: As in ``feed``.
        """
        if self._document is not None:
            yield from self._read_document(self._document.take())
            return
        yield from self._end_events()
        yield from self._check_unknown()
        self._check_stray(self._stray.close())
        if not self._seen_event and (body := b"\n".join(self._sse.unknown).strip(_BLANK)):
            raise ResponseDecodeError("the body is not an event stream", excerpt=excerpt(body))
        self._check_foreign()

    def _decode(self, event: ServerSentEvent) -> GenerateContentResponse | None:
        """Return the chunk in an event, or None for a keep-alive."""
        if event.event == "error":
            check_values(event.data)
            data = bytes(event.data)
            raise event_failure(find_error(parse_json(data)), data, self._headers)
        try:
            chunk = decode_chunk(event.data)
        except ResponseDecodeError:
            data = bytes(event.data)
            if _is_keepalive(data):
                return None
            if (error := find_error(parse_json(data))) is not None:
                raise event_failure(error, data, self._headers) from None
            raise
        if _is_response(chunk):
            self._seen_response = True
            return chunk
        data = bytes(event.data)
        document = parse_json(data)
        if (error := find_error(document)) is not None:
            raise event_failure(error, data, self._headers)
        if isinstance(document, dict) and not _KEYS.isdisjoint(document):
            self._seen_response = True
        elif self._foreign is None:
            self._foreign = data
        return chunk

    def _decode_last(self, event: ServerSentEvent) -> GenerateContentResponse | None:
        """Decode an event that the end of the body may have cut off."""
        try:
            return self._decode(event)
        except ResponseDecodeError as error:
            if error.path or not is_cut(bytes(event.data)):
                raise
            raise StreamTruncatedError("the stream ended in the middle of a chunk") from error

    def _sniff(self, data: bytes) -> None:
        """Tell a document from an event stream by its first byte that is not blank."""
        if first := data.lstrip(_BLANK)[:1]:
            self._sniffing = False
            self._is_page = first == b"<"
            if first in b"{[<":
                self._document = Buffer(self._max, self._allocate)

    def _hold(self, document: Buffer, data: bytes) -> None:
        size = document.size + len(data)
        if self._is_page and size > _PAGE:
            self._read_page(bytes(document.take()) + data)
        if size > self._max:
            raise EventTooLargeError(size, self._max)
        document.add(data)

    def _read_page(self, body: bytes) -> None:
        page = excerpt(body.lstrip(_BLANK))
        raise ResponseDecodeError("the server sent an HTML page instead of chunks", excerpt=page)

    def _read_document(self, body: Data) -> Iterator[GenerateContentResponse]:
        body = _strip(body)
        if body[:1] == b"<":
            self._read_page(bytes(body))
        if body[:1] == b"{":
            self.single = True
            chunk = self._decode_last(ServerSentEvent(body))
            self._check_foreign()
            yield from filter(None, [chunk])
        else:
            yield from self._read_array(bytes(body))
            self._check_foreign()

    def _read_array(self, body: bytes) -> Iterator[GenerateContentResponse]:
        check_values(body)
        text = body.decode("utf-8", "replace")
        read = json.JSONDecoder(strict=False).raw_decode
        at = 1
        while (at := _next_item(text, at)) < len(text) and text[at] != "]":
            try:
                _, end = read(text, at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError):
                    cut = not text.endswith("]")
                else:
                    cut = is_cut(text[at:].encode())
                if not cut:
                    raise ResponseDecodeError(
                        "the server sent something that is not JSON", excerpt=excerpt(body)
                    ) from None
                raise StreamTruncatedError("the stream ended in the middle of a chunk") from error
            chunk = self._decode(ServerSentEvent(text[at:end].encode()))
            if chunk is not None:
                yield chunk
            at = end
        if text[at + 1 :].strip() and not self._seen_response:
            raise ResponseDecodeError(
                "the server sent something that is not JSON", excerpt=excerpt(body)
            )

    def _end_events(self) -> Iterator[GenerateContentResponse]:
        """Yield the chunk of an event without its blank line, if there is one."""
        events = self._sse.close()
        self._seen_event = self._seen_event or bool(events)
        yield from filter(None, map(self._decode_last, events))

    def _check_unknown(self) -> Iterator[GenerateContentResponse]:
        """Raise a bare JSON error that a proxy wrote between or after the events.

        A chunk before it of which only the blank line is missing is yielded first.
        """
        new = self._sse.unknown[self._unknown_seen :]
        self._unknown_seen += len(new)
        for line in new:
            try:
                self._check_stray(self._stray.add(line))
            except APIStatusError:
                with contextlib.suppress(ResponseDecodeError, StreamTruncatedError):
                    yield from self._end_events()
                raise

    def _check_stray(self, documents: Iterator[bytes]) -> None:
        for document in documents:
            if (error := find_error(parse_json(document))) is not None:
                raise event_failure(error, document, self._headers)

    def _check_foreign(self) -> None:
        """Raise an error if all that came was JSON of something else, such as another API."""
        if self._foreign is not None and not self._seen_response:
            raise ResponseDecodeError(
                "the server sent JSON that is not a generateContent response",
                excerpt=excerpt(self._foreign),
            )


def is_empty(chunk: GenerateContentResponse) -> bool:
    """Whether a chunk says nothing: it has no candidates, feedback, usage or ids."""
    return not (
        chunk.candidates
        or chunk.usage_metadata
        or chunk.prompt_feedback
        or chunk.response_id
        or chunk.model_version
    )


def _is_response(chunk: GenerateContentResponse) -> bool:
    return chunk.error is None and bool(
        chunk.candidates or chunk.usage_metadata or chunk.prompt_feedback
    )


def _strip(body: Data) -> Data:
    """Return a body without the blanks around it; if they are few, a view is not copied."""
    if isinstance(body, bytes):
        return body.strip(_BLANK)
    head, tail = bytes(body[:_PAGE]), bytes(body[-_PAGE:])
    start, after = len(head) - len(head.lstrip(_BLANK)), len(tail) - len(tail.rstrip(_BLANK))
    if _PAGE in (start, after):
        return bytes(body).strip(_BLANK)
    return body[start : len(body) - after]


def _is_keepalive(data: bytes) -> bool:
    """Whether it is ``[DONE]``, empty, null, or a keep-alive comment wrapped as data."""
    word = data.strip().lower()
    return word in (b"", b"null", b"[done]") or word.startswith(b":")


def _next_item(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at
