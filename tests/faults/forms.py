"""Valid streams in every form that servers give them."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from faults import places
from faults.raw_server import Act
from faults.rows import TEXTS, Row, final
from faults.wire import chunked, event, events, head, said

from cometgem.testing import Reply
from cometgem.types import Blob

if TYPE_CHECKING:
    from faults.rows import Served

__all__ = ["FORMS"]

_THREE = TEXTS[:3]
_GOOD = Reply.text(*_THREE)
_BODY = events(3, finish="STOP")
_EVENTS = [event(said(_THREE[0])), event(said(_THREE[1])), event(said(_THREE[2], "STOP"))]
_JSON = "application/json"
_USAGE = b'data: {"usageMetadata": {"totalTokenCount": 9}}\n\n'
_BLOB = {"inlineData": {"mimeType": "image/png", "data": "-_8"}}
_BETWEEN = b": PING\n\n: keepalive\n\n: OPENROUTER PROCESSING\n\n:\n\n:\n"
_SILENT = b"data: : keepalive\n\ndata: null\n\ndata:\n\ndata: \n\ndata\n\n"
_OTHER_LINES = b"event: message\nid: 1\nretry: 5\nother: x\nlonely\n"
_SEPARATORS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x00g"

_SPARSE = [
    {"responseId": "r"},
    {"candidates": [{}]},
    {"candidates": [{"content": {}}]},
    {"candidates": [{"content": {"role": "model"}, "groundingMetadata": {}}]},
    {"candidates": [{"content": {"parts": [{}]}, "safetyRatings": [{}]}]},
    said("a", "STOP"),
]
_NULLS: dict[str, Any] = {
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
_NEWER = {**said("a", "STOP"), "fieldOf2030": {"x": 1}, "modelStatus": {"modelStage": "NEW"}}
_FALLING = [
    {**said("a"), "usageMetadata": {"totalTokenCount": 12}},
    {**said("b", "STOP"), "usageMetadata": {"totalTokenCount": 9}},
]


def _stream(*chunks: object) -> Reply:
    return Reply.raw(b"".join(map(event, chunks)))


def _deflate(encoding: str, wbits: int, *, flush: bool) -> Served:
    """Return the valid stream compressed, in chunked encoding."""
    packer = zlib.compressobj(wbits=wbits)
    pieces = []
    for one in _EVENTS:
        pieces += [packer.compress(one), packer.flush(zlib.Z_SYNC_FLUSH) if flush else b""]
    body = chunked(*filter(None, [*pieces, packer.flush()])) + b"0\r\n\r\n"
    return (head("Transfer-Encoding: chunked", f"Content-Encoding: {encoding}"), body)


# fmt: off
FORMS = [
    Row(
        "lines end with CRLF", (_GOOD.framed(newline="\r\n"),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "lines end with CR", (_GOOD.framed(newline="\r"),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "no space follows `data:`", (_GOOD.framed(space=False),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the JSON of an event is spread over several data lines", (_GOOD.framed(pretty=True),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the stream starts with a byte order mark", (_GOOD.framed(bom=True),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the stream ends with `[DONE]`", (_GOOD.framed(done=True),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the last blank line is missing", (_GOOD.framed(blank_end=False),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "every byte arrives separately", (_GOOD.framed(newline="\r\n").cut(1),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "multi-byte characters arrive in pieces", (Reply.text("é", "日本", "🌠").cut(1),),
        operation="stream", requests=1, texts=("é", "日本", "🌠"), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "there are comments before and between the chunks",
        (Reply.raw(_BETWEEN + _BETWEEN.join(_EVENTS)),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "there are empty events, and events with a comment as data",
        (Reply.raw(_SILENT + _SILENT.join(_EVENTS)),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "there are `event:`, `id:`, `retry:` and unknown lines",
        (Reply.raw(b"".join(_OTHER_LINES + one for one in _EVENTS)),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "strings contain Unicode line separators, which do not end a line here",
        (_stream(said(_SEPARATORS, "STOP")),),
        operation="stream", requests=1, texts=(_SEPARATORS,), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the text is invalid UTF-8",
        (Reply.raw(event(said("caf\xe9", "STOP")).replace(b"\xc3", b"")),),
        operation="stream", requests=1, texts=("caf\ufffd",), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "an event is 20 MB long", (Reply.text("x" * 20_000_000),),
        operation="stream", requests=1, texts=("x" * 20_000_000,), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "3001 chunks arrive at once", (_stream(*[said("x")] * 3000, said("", "STOP")),),
        operation="stream", requests=1, texts=(*["x"] * 3000, ""), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "usage metadata follows the finish reason", (Reply.raw(_BODY + _USAGE),),
        operation="stream", requests=1, texts=(*_THREE, ""), connection="kept",
        ends=final("STOP", **{"usage_metadata.total_token_count": 9}),
    ),
    Row(
        "usage metadata follows `[DONE]`", (Reply.raw(_BODY + b"data: [DONE]\n\n" + _USAGE),),
        operation="stream", requests=1, texts=(*_THREE, ""), connection="kept",
        ends=final("STOP", **{"usage_metadata.total_token_count": 9}),
    ),
    Row(
        "a chunk follows `[DONE]`",
        (Reply.raw(_BODY + b"data: [DONE]\n\n" + event(said("more"))),),
        operation="stream", requests=1, texts=(*_THREE, "more"), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "text follows the finish reason STOP", (Reply.raw(_BODY + event(said("more"))),),
        operation="stream", requests=1, texts=(*_THREE, "more"), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the finish reason RECITATION follows STOP",
        (Reply.raw(_BODY + event({"candidates": [{"finishReason": "RECITATION"}]})),),
        operation="stream", requests=1, texts=(*_THREE, ""), connection="kept",
        ends=final("RECITATION"),
    ),
    Row(
        "every chunk has a finish reason, and the first one is empty",
        (_stream(said("a", ""), said("b", "STOP"), said("c", "STOP")),),
        operation="stream", requests=1, texts=("a", "b", "c"), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the finish reason is unknown", (_stream(said("a", "SOMETHING_NEW")),),
        operation="stream", requests=1, texts=("a",), connection="kept",
        ends=final("SOMETHING_NEW"),
    ),
    Row(
        "the prompt is blocked", (_stream({"promptFeedback": {"blockReason": "SAFETY"}}),),
        operation="stream", requests=1, texts=("",), connection="kept",
        ends=final(None, block_reason="SAFETY"),
    ),
    Row(
        "chunks lack candidates, content, parts or text", (_stream(*_SPARSE),),
        operation="stream", requests=1, texts=("", "", "", "", "", "a"), connection="kept",
        ends=final("STOP", response_id="r"),
    ),
    Row(
        "lists and objects are null, and numbers are strings", (_stream(_NULLS),),
        operation="stream", requests=1, texts=("a",), connection="kept",
        ends=final("STOP", **{"usage_metadata.total_token_count": 9}),
    ),
    Row(
        "base64 is URL-safe and has no padding",
        (_stream({"candidates": [{"content": {"parts": [_BLOB]}, "finishReason": "STOP"}]}),),
        operation="stream", requests=1, texts=("",), connection="kept",
        ends=final("STOP", images=[Blob(mime_type="image/png", data=b"\xfb\xff")]),
    ),
    Row(
        "fields and enum values are unknown", (_stream(_NEWER),),
        operation="stream", requests=1, texts=("a",), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the token count decreases", (_stream(*_FALLING),),
        operation="stream", requests=1, texts=("a", "b"), connection="kept",
        ends=final("STOP", **{"usage_metadata.total_token_count": 9}),
    ),
    Row(
        "the body is gzip, flushed after each event", (_deflate("gzip", 31, flush=True),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is gzip, in one piece", (_deflate("gzip", 31, flush=False),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is deflate, flushed after each event", (_deflate("deflate", 15, flush=True),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is deflate, in one piece", (_deflate("deflate", 15, flush=False),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is deflate without the zlib header, flushed after each event",
        (_deflate("deflate", -15, flush=True),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is deflate without the zlib header, in one piece",
        (_deflate("deflate", -15, flush=False),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is brotli, flushed after each event", at=places.brotli_flushed,
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the body is brotli, in one piece", at=places.brotli_in_one_piece,
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the content type is application/json", (Reply.raw(_BODY, content_type=_JSON),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the response has no Content-Type",
        ((head(f"Content-Length: {len(_BODY)}", kind=None) + _BODY,),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "a single JSON response arrives as text/event-stream",
        (Reply.raw(json.dumps(said("a", "STOP")).encode()),),
        operation="stream", requests=1, texts=("a",), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "a JSON array arrives, as without `alt=sse`",
        (Reply.raw(json.dumps([said("a"), said("b", "STOP")], indent=2).encode(),
                   content_type=_JSON),),
        operation="stream", requests=1, texts=("a", "b"), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the end of the connection ends the body, as in HTTP/1.0",
        ((head().replace(b"1.1", b"1.0"), _BODY, Act.CLOSE),),
        operation="stream", requests=1, texts=_THREE, connection="closed",
        ends=final("STOP"),
    ),
]
