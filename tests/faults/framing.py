"""Good answers in all the forms that servers give them, and broken ones of HTTP's own."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from faults import places
from faults.raw_server import Act
from faults.rows import TEXTS, Row
from faults.wire import chunked, event, events, head, said

from cometgem import (
    APIConnectionError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.testing import Reply
from cometgem.types import Blob

if TYPE_CHECKING:
    from faults.rows import Served

__all__ = ["FORMS", "FRAMING"]

_THREE = TEXTS[:3]
_GOOD = Reply.text(*_THREE)
_BODY = events(3, finish="STOP")
_JSON = "application/json"
_USAGE = b'data: {"usageMetadata": {"totalTokenCount": 9}}\n\n'
_TOTAL = {"usage_metadata.total_token_count": 9}


def _good(
    when: str,
    serves: Served,
    texts: tuple[str, ...] = _THREE,
    *,
    reused: bool = True,
    **fields: Any,
) -> Row:
    return Row(when=when, serves=(serves,), texts=texts, reused=reused, fields=fields)


def _lines(when: str, body: bytes, texts: tuple[str, ...] = _THREE, **fields: Any) -> Row:
    return _good(when, Reply.raw(body), texts, **fields)


def _compressed(encoding: str, *pieces: bytes) -> Served:
    """Return a chunked answer of pieces that have been compressed already."""
    return (
        head("Transfer-Encoding: chunked", f"Content-Encoding: {encoding}"),
        chunked(*pieces) + b"0\r\n\r\n",
    )


def _deflated(wbits: int, *, flushed: bool) -> list[bytes]:
    packer = zlib.compressobj(wbits=wbits)
    pieces = _BODY.split(b"\n\n")[:-1]
    flush = packer.flush if flushed else lambda _: b""
    packed = [packer.compress(piece + b"\n\n") + flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [piece for piece in [*packed, packer.flush()] if piece]


_BLOB = {"inlineData": {"mimeType": "image/png", "data": "-_8"}}
_BETWEEN = b": PING\n\n: keepalive\n\n: OPENROUTER PROCESSING\n\n:\n\n:\n"
_SILENT = b"data: : keepalive\n\ndata: null\n\ndata:\n\ndata: \n\ndata\n\n"
_EVENTS = [event(said(text)) for text in _THREE]
_EVENTS[-1] = event(said(_THREE[-1], "STOP"))

FORMS = [
    _good("lines end in CRLF", _GOOD.framed(newline="\r\n")),
    _good("lines end in CR", _GOOD.framed(newline="\r")),
    _good("no space follows `data:`", _GOOD.framed(space=False)),
    _good("JSON is spread over many data lines", _GOOD.framed(pretty=True)),
    _good("a byte order mark comes first", _GOOD.framed(bom=True)),
    _good("`[DONE]` comes last", _GOOD.framed(done=True)),
    _good("the last blank line is left out", _GOOD.framed(blank_end=False)),
    _good("every byte comes on its own", _GOOD.framed(newline="\r\n").cut(1)),
    _good("characters are cut in two", Reply.text("é", "日本", "🌠").cut(1), ("é", "日本", "🌠")),
    _lines("comments stand before and between the chunks", _BETWEEN + _BETWEEN.join(_EVENTS)),
    _lines("events say nothing, or hold a comment", _SILENT + _SILENT.join(_EVENTS)),
    _lines(
        "there are `event:`, `id:`, `retry:` and unknown lines",
        b"".join(b"event: message\nid: 1\nretry: 5\nother: x\nlonely\n" + one for one in _EVENTS),
    ),
    _lines(
        "line separators that are none stand raw inside strings",
        event(said("a\u2028b\u2029c\u0085d\x0be\x0cf\x00g", "STOP")),
        ("a\u2028b\u2029c\u0085d\x0be\x0cf\x00g",),
    ),
    _lines(
        "the text is invalid UTF-8",
        event(said("caf\xe9", "STOP")).replace(b"\xc3", b""),
        ("caf\ufffd",),
    ),
    _good("an event is 20 MB long", Reply.text("x" * 20_000_000), ("x" * 20_000_000,)),
    _lines(
        "3000 chunks come at once",
        event(said("x")) * 3000 + event(said("", "STOP")),
        ("x",) * 3000 + ("",),
    ),
    _lines("usage comes after the finish reason", _BODY + _USAGE, (*_THREE, ""), **_TOTAL),
    _lines(
        "usage comes after `[DONE]`", _BODY + b"data: [DONE]\n\n" + _USAGE, (*_THREE, ""), **_TOTAL
    ),
    _lines(
        "a chunk comes after `[DONE]`",
        _BODY + b"data: [DONE]\n\n" + event(said("more")),
        (*_THREE, "more"),
    ),
    _lines("text comes after STOP", _BODY + event(said("more")), (*_THREE, "more")),
    _lines(
        "RECITATION comes after STOP",
        _BODY + event({"candidates": [{"finishReason": "RECITATION"}]}),
        (*_THREE, ""),
        finish_reason="RECITATION",
    ),
    _lines(
        "every chunk names a finish reason, and the first is empty",
        event(said("a", "")) + event(said("b", "STOP")) + event(said("c", "STOP")),
        ("a", "b", "c"),
    ),
    _lines(
        "the finish reason is unknown",
        event(said("a", "SOMETHING_NEW")),
        ("a",),
        finish_reason="SOMETHING_NEW",
    ),
    _lines(
        "the prompt is blocked",
        event({"promptFeedback": {"blockReason": "SAFETY"}}),
        ("",),
        finish_reason=None,
        block_reason="SAFETY",
    ),
    _lines(
        "chunks lack candidates, content, parts or text",
        event({"responseId": "r"})
        + event({"candidates": [{}]})
        + event({"candidates": [{"content": {}}]})
        + event({"candidates": [{"content": {"role": "model"}, "groundingMetadata": {}}]})
        + event({"candidates": [{"content": {"parts": [{}]}, "safetyRatings": [{}]}]})
        + event(said("a", "STOP")),
        ("", "", "", "", "", "a"),
        response_id="r",
    ),
    _lines(
        "lists and objects are null, numbers are strings",
        event(
            {
                "candidates": [
                    {
                        "content": {"parts": [{"text": "a"}, None], "role": None},
                        "finishReason": "STOP",
                        "safetyRatings": None,
                        "index": "0",
                    }
                ],
                "usageMetadata": {"totalTokenCount": "9", "promptTokensDetails": None},
                "promptFeedback": None,
            }
        ),
        ("a",),
        **_TOTAL,
    ),
    _lines(
        "base64 is URL-safe and has no padding",
        event({"candidates": [{"content": {"parts": [_BLOB]}, "finishReason": "STOP"}]}),
        ("",),
        images=[Blob(mime_type="image/png", data=b"\xfb\xff")],
    ),
    _lines(
        "fields and enumerated values are new",
        event({**said("a", "STOP"), "fieldOf2030": {"x": 1}, "modelStatus": {"modelStage": "NEW"}}),
        ("a",),
    ),
    _lines(
        "usage falls",
        event({**said("a"), "usageMetadata": {"totalTokenCount": 12}})
        + event({**said("b", "STOP"), "usageMetadata": {"totalTokenCount": 9}}),
        ("a", "b"),
        **_TOTAL,
    ),
    *[
        _good(
            f"the body is {name}, {'flushed with each event' if flushed else 'in one piece'}",
            _compressed(encoding, *_deflated(wbits, flushed=flushed)),
        )
        for name, encoding, wbits in (
            ("gzip", "gzip", 31),
            ("deflate", "deflate", 15),
            ("deflate without its header", "deflate", -15),
        )
        for flushed in (True, False)
    ],
    *[
        Row(when=f"the body is br, {how}", at=at, texts=_THREE, reused=True)
        for how, at in (
            ("flushed with each event", places.brotli_flushed),
            ("in one piece", places.brotli_at_once),
        )
    ],
    _good(
        "the body is labelled application/json",
        Reply.raw(_BODY, content_type=_JSON),
    ),
    _good("the body has no label", (head(f"Content-Length: {len(_BODY)}", kind=None) + _BODY,)),
    _lines(
        "one JSON response is labelled text/event-stream",
        json.dumps(said("a", "STOP")).encode(),
        ("a",),
    ),
    _good(
        "a JSON array comes, since `alt=sse` got lost",
        Reply.raw(
            json.dumps([said("a"), said("b", "STOP")], indent=2).encode(), content_type=_JSON
        ),
        ("a", "b"),
    ),
    _good(
        "the body ends with the connection, as in HTTP/1.0",
        (head().replace(b"1.1", b"1.0"), _BODY, Act.CLOSE),
        reused=False,
    ),
]

_CHUNKED = "Transfer-Encoding: chunked"
_HALF = b'data: {"candidates": [{"con'


def _cut_gzip(k: int, tail: bytes) -> Served:
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(events(k) + b": x\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    return (head(_CHUNKED, "Content-Encoding: gzip"), chunked(data) + tail)


def _long(k: int) -> Served:
    data = events(k)
    return (head(f"Content-Length: {len(data) + 100}"), data, Act.CLOSE)


def _short(k: int) -> Served:
    data = events(k) + _HALF
    begin, rest = data[: -len(_HALF)], b'tent": {}}]}\n\n'
    return (head(f"Content-Length: {len(data)}"), begin, Act.HOLD, _HALF + rest)


_TOO_LONG = (
    head("Content-Length: 1000", kind=_JSON),
    json.dumps(said(_THREE[0])).encode(),
    Act.CLOSE,
)

FRAMING = [
    Row(
        when="chunked encoding stops in the middle of an event",
        serves=lambda k: (head(_CHUNKED), chunked(events(k) + _HALF), Act.CLOSE),
        error=StreamInterruptedError,
        requests=3,
    ),
    Row(
        when="chunked encoding stops between two events",
        serves=lambda k: (head(_CHUNKED), chunked(events(k)) if k else b"", Act.CLOSE),
        error=StreamInterruptedError,
        requests=3,
    ),
    Row(
        when="the size of the first piece of chunked encoding is no number",
        serves=((head(_CHUNKED) + b"oops\r\n", Act.SILENCE),) * 3,
        error=APIConnectionError,
        says="the server's response is not valid HTTP",
        requests=3,
        calls="both",
    ),
    Row(
        when="the size of a piece of chunked encoding is no number",
        serves=lambda k: (head(_CHUNKED), chunked(events(k)), Act.HOLD, b"oops\r\n", Act.SILENCE),
        ks=(1, 7),
        error=StreamInterruptedError,
    ),
    Row(
        when="Content-Length is larger than the body",
        serves=_long,
        error=StreamInterruptedError,
        requests=3,
    ),
    Row(
        when="Content-Length is larger than the one JSON response in the body",
        serves=(_TOO_LONG,),
        texts=_THREE[:1],
        error=StreamInterruptedError,
    ),
    Row(
        when="Content-Length is larger than the one JSON response in the body",
        serves=(_TOO_LONG,) * 3,
        texts=_THREE[:1],
        error=StreamInterruptedError,
        requests=3,
        calls="single",
    ),
    Row(
        when="a stream comes to a single call, and breaks",
        serves=(Reply.raw(events(3)).then_reset(),) * 3,
        texts=_THREE,
        error=StreamInterruptedError,
        requests=3,
        calls="single",
    ),
    Row(
        when="a stream comes to a single call, and ends with no finish reason",
        serves=(Reply.raw(events(3)),) * 3,
        texts=_THREE,
        error=StreamTruncatedError,
        requests=3,
        reused=True,
        calls="single",
    ),
    Row(
        when="Content-Length is smaller than the body",
        serves=_short,
        ks=(1, 7),
        error=StreamTruncatedError,
        says="in the middle of a chunk",
    ),
    Row(
        when="gzip stops in the middle, and the body ends properly",
        serves=lambda k: _cut_gzip(k, b"0\r\n\r\n"),
        error=StreamTruncatedError,
        requests=3,
        reused=True,
    ),
    Row(
        when="gzip turns into something else",
        serves=lambda k: _cut_gzip(k, chunked(b"\xff" * 100) + b"0\r\n\r\n"),
        error=StreamInterruptedError,
        requests=3,
    ),
    Row(
        when="a body is labelled gzip and is not",
        serves=((head(_CHUNKED, "Content-Encoding: gzip"), chunked(_BODY) + b"0\r\n\r\n"),) * 3,
        error=StreamInterruptedError,
        requests=3,
    ),
    Row(
        when="the answer is a JSON error with status 200",
        serves=(Reply.raw(b'{"error": {"code": 429, "message": "x"}}', content_type=_JSON),) * 3,
        error=RateLimitError,
        fields={"status": 429, "code": "429"},
        requests=3,
        reused=True,
        calls="both",
    ),
    Row(
        when="the answer is a JSON error with status 200, labelled text/event-stream",
        serves=(Reply.raw(b'{"error": {"code": 429, "message": "x"}}'),) * 3,
        error=RateLimitError,
        fields={"status": 429, "code": "429"},
        requests=3,
        reused=True,
        calls="both",
    ),
    Row(
        when="the answer is an HTML page with status 200",
        serves=(Reply.html(200),),
        error=ResponseDecodeError,
        says="the server sent an HTML page instead of chunks",
        reused=True,
        calls="both",
    ),
    Row(
        when="the answer is an endless HTML page with status 200",
        serves=((head(_CHUNKED, kind="text/html"), chunked(b"<html>" + b"x" * 2000), Act.SILENCE),),
        error=ResponseDecodeError,
        says="the server sent an HTML page instead of chunks",
        calls="both",
    ),
    Row(
        when="the answer is plain text with status 200",
        serves=(Reply.raw(b"no healthy upstream\n", content_type="text/plain"),),
        error=ResponseDecodeError,
        says="the body is not an event stream: 'no healthy upstream'",
        reused=True,
        calls="both",
    ),
    Row(
        when="the answer to a stream is empty, with status 200",
        serves=(Reply.raw(b""),) * 3,
        error=StreamTruncatedError,
        requests=3,
        reused=True,
    ),
    Row(
        when="the answer to a single call is empty, with status 200",
        serves=(Reply.raw(b"", content_type=_JSON),),
        error=ResponseDecodeError,
        says="the server sent an empty response",
        reused=True,
        calls="single",
    ),
    Row(
        when="one JSON response is cut, in a proper body",
        serves=(Reply.raw(b'{"candidates": [{"con', content_type=_JSON),) * 3,
        error=StreamTruncatedError,
        requests=3,
        reused=True,
        calls="both",
    ),
    Row(
        when="a JSON array is cut, in a proper body",
        serves=(Reply.raw(json.dumps([said("a"), said("b")])[:-30].encode(), content_type=_JSON),),
        texts=("a",),
        error=StreamTruncatedError,
        reused=True,
    ),
]
