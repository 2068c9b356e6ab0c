"""Bodies with status 200 that are not the answer to the request, and answers that end too early."""

from __future__ import annotations

import json

from faults.rows import TEXTS, Row, final, raises
from faults.wire import event, events, said

from cometgem import (
    EventTooLargeError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    StreamTruncatedError,
)
from cometgem.testing import Reply

__all__ = ["FOREIGN", "INCOMPLETE"]

_JSON = "application/json"
_NOT_OURS = "the server sent JSON that is not a generateContent response"
_THREE = TEXTS[:3]

# fmt: off


def _json(document: object) -> Reply:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply.raw(data, content_type=_JSON)


def _foreign(when: str, document: object, says: str = _NOT_OURS) -> Row:
    return Row(
        when, (_json(document),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(ResponseDecodeError, says),
    )


def _crowd(item: bytes) -> bytes:
    return b'{"candidates":[%b]}' % b",".join([item] * 5_000_000)


FOREIGN = [
    _foreign("has only a `message`", {"message": "Forbidden"}),
    _foreign("has only a `detail`", {"detail": [{"msg": "field required"}]}),
    _foreign("is a completion of OpenAI's API", {"object": "chat.completion", "choices": []}),
    _foreign("is any other object", {"this": ["is", "not", "it"]}),
    _foreign("is an empty object", {}),
    _foreign("is a log line such as `[INFO] ...`", b"[INFO] no upstream", says="not JSON"),
    _foreign("is text in brackets", b"[oops]", says="that is not JSON: '[oops]'"),
    _foreign(
        "has an integer of 5,000 digits", b'{"candidates": %b}' % (b"1" * 5000), says="not JSON"
    ),
    _foreign("is nested 100,000 levels deep", b'{"a":' * 100_000, says="not JSON"),
    Row(
        "is a stream of OpenAI's API",
        (Reply.raw(event({"choices": [{"delta": {"content": "a"}}]}) * 3),),
        operation="stream", requests=1, texts=(), connection="kept",
        ends=raises(ResponseDecodeError, _NOT_OURS),
    ),
    Row(
        "is a list of `errors`",
        (_json({"errors": [{"message": "slow down", "code": 429}]}),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "429: slow down", status=429, code="429"),
    ),
    Row(
        "is an error with a `type` beside it",
        (_json({"type": "error", "error": {"type": "t", "message": "overloaded"}}),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(ServerError, "500: overloaded", status=500),
    ),
    Row(
        "is 15 MB of empty candidates, compressed to 15 KB",
        (_json(_crowd(b"{}")).gzip(),),
        operation="both", requests=1, texts=(), connection="kept", memory=150,
        ends=raises(EventTooLargeError, "objects and lists, expected no more than 568,750",
                    limit=568_750),
    ),
]

_CUT = {"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}}]}
_WITHOUT_A_REASON = events(3, finish="FINISH_REASON_UNSPECIFIED")

INCOMPLETE = [
    Row(
        "one of several candidates has no finish reason",
        (Reply.raw(events(3, finish="STOP") + event(_CUT)),),
        operation="stream", requests=1, texts=(*_THREE, ""), connection="kept",
        ends=raises(StreamTruncatedError, "without a finishReason for candidate 1"),
    ),
    Row(
        "the finish reason is FINISH_REASON_UNSPECIFIED", (Reply.raw(_WITHOUT_A_REASON),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended without a finishReason"),
    ),
    Row(
        "an indented error comes after the events",
        (Reply.raw(events(3) + b'  {\n\t"error": {"code": 503, "message": "m"}}'),),
        operation="stream", requests=1, texts=_THREE, connection="kept",
        ends=raises(ServerError, "503: m", status=503, code="503"),
    ),
    Row(
        "each chunk has an empty error beside its candidates",
        (Reply.raw(event(said("a") | {"error": {}}) + event(said("b", "STOP") | {"error": []})),),
        operation="stream", requests=1, texts=("a", "b"), connection="kept",
        ends=final("STOP"),
    ),
]
