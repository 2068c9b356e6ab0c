"""Broken HTTP, and bodies that are not event streams."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from faults.raw_server import Act
from faults.rows import TEXTS, Row, k_chunks, raises
from faults.wire import chunked, events, head, said

from cometgem import (
    APIConnectionError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from faults.rows import Served

__all__ = ["FRAMING"]

_THREE = TEXTS[:3]
_JSON = "application/json"
_CHUNKED = "Transfer-Encoding: chunked"
_HALF = b'data: {"candidates": [{"con'
_ERROR = b'{"error": {"code": 429, "message": "x"}}'
_CUT_ARRAY = json.dumps([said("a"), said("b")])[:-30].encode()
_NOT_GZIP = (
    head(_CHUNKED, "Content-Encoding: gzip"),
    chunked(events(3, finish="STOP")) + b"0\r\n\r\n",
)
_TOO_LONG_JSON = (
    head("Content-Length: 1000", kind=_JSON),
    json.dumps(said(_THREE[0])).encode(),
    Act.CLOSE,
)
_ENDLESS_HTML = (head(_CHUNKED, kind="text/html"), chunked(b"<html>" + b"x" * 2000), Act.SILENCE)


def _cut_gzip(k: int, tail: bytes) -> Served:
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(events(k) + b": x\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    return (head(_CHUNKED, "Content-Encoding: gzip"), chunked(data) + tail)


def _too_long(k: int) -> Served:
    data = events(k)
    return (head(f"Content-Length: {len(data) + 100}"), data, Act.CLOSE)


def _too_short(k: int) -> Served:
    data = events(k)
    rest = _HALF + b'tent": {}}]}\n\n'
    return (head(f"Content-Length: {len(data + _HALF)}"), data, Act.HOLD, rest)


# fmt: off
FRAMING = [
    Row(
        "chunked encoding stops in the middle of an event",
        lambda k: (head(_CHUNKED), chunked(events(k) + _HALF), Act.CLOSE), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "chunked encoding stops between two events",
        lambda k: (head(_CHUNKED), chunked(events(k)) if k else b"", Act.CLOSE), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "the first chunk size of chunked encoding is not a number",
        ((head(_CHUNKED) + b"oops\r\n", Act.SILENCE),),
        operation="both", requests=1, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the server's response is not valid HTTP"),
    ),
    Row(
        "a later chunk size of chunked encoding is not a number",
        lambda k: (head(_CHUNKED), chunked(events(k)), Act.HOLD, b"oops\r\n", Act.SILENCE),
        after=(1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "Content-Length is larger than the body", _too_long, after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "a stream gets a single JSON response, with a Content-Length that is too large",
        (_TOO_LONG_JSON,),
        operation="stream", requests=1, texts=_THREE[:1], connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "a single call gets a JSON response with a Content-Length that is too large",
        (_TOO_LONG_JSON,) * 3,
        operation="single", requests=3, texts=_THREE[:1], connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "a single call gets a stream that breaks", (Reply.raw(events(3)).then_reset(),) * 3,
        operation="single", requests=3, texts=_THREE, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "a single call gets a stream without a finish reason", (Reply.raw(events(3)),) * 3,
        operation="single", requests=3, texts=_THREE, connection="kept",
        ends=raises(StreamTruncatedError, "the response ended without a finishReason"),
    ),
    Row(
        "Content-Length is smaller than the body", _too_short, after=(1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(StreamTruncatedError, "the stream ended in the middle of a chunk"),
    ),
    Row(
        "the gzip data is truncated and the body ends properly",
        lambda k: _cut_gzip(k, b"0\r\n\r\n"), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended without a finishReason"),
    ),
    Row(
        "the gzip data turns invalid",
        lambda k: _cut_gzip(k, chunked(b"\xff" * 100) + b"0\r\n\r\n"), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "the body is declared as gzip and is not compressed", (_NOT_GZIP,) * 3,
        operation="stream", requests=3, texts=(), connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "the body is a JSON error with status 200",
        (Reply.raw(_ERROR, content_type=_JSON),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "429: x", status=429, code="429"),
    ),
    Row(
        "the body is a JSON error with status 200 and the content type text/event-stream",
        (Reply.raw(_ERROR),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "429: x", status=429, code="429"),
    ),
    Row(
        "the body is an HTML page with status 200", (Reply.html(200),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(
            ResponseDecodeError,
            "the server sent an HTML page instead of chunks: '<!DOCTYPE html>"),
    ),
    Row(
        "the body is an endless HTML page with status 200", (_ENDLESS_HTML,),
        operation="both", requests=1, texts=(), connection="closed",
        ends=raises(
            ResponseDecodeError, "the server sent an HTML page instead of chunks: '<html>xxx"),
    ),
    Row(
        "the body is plain text with status 200",
        (Reply.raw(b"no healthy upstream\n", content_type="text/plain"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(ResponseDecodeError, "the body is not an event stream: 'no healthy upstream'"),
    ),
    Row(
        "the body of a stream is empty, with status 200", (Reply.raw(b""),) * 3,
        operation="stream", requests=3, texts=(), connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended without a finishReason"),
    ),
    Row(
        "the body of a single response is empty, with status 200",
        (Reply.raw(b"", content_type=_JSON),),
        operation="single", requests=1, texts=(), connection="kept",
        ends=raises(ResponseDecodeError, "the server sent an empty response: ''"),
    ),
    Row(
        "a single JSON response is truncated and the body ends properly",
        (Reply.raw(b'{"candidates": [{"con', content_type=_JSON),) * 3,
        operation="single", requests=3, texts=(), connection="kept",
        ends=raises(StreamTruncatedError, "the response ended in the middle of its JSON"),
    ),
    Row(
        "a single JSON response in place of a stream is truncated and the body ends properly",
        (Reply.raw(b'{"candidates": [{"con', content_type=_JSON),) * 3,
        operation="stream", requests=3, texts=(), connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended in the middle of a chunk"),
    ),
    Row(
        "a JSON array is truncated and the body ends properly",
        (Reply.raw(_CUT_ARRAY, content_type=_JSON),),
        operation="stream", requests=1, texts=("a",), connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended in the middle of a chunk"),
    ),
]
