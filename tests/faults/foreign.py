"""Bodies with status 200 that are not the answer to the request, and answers that end too early."""

from __future__ import annotations

import json
from typing import Any

from faults.rows import TEXTS, Row
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


def _json(document: object) -> Reply:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply.raw(data, content_type=_JSON)


def _foreign(when: str, document: object, says: str = _NOT_OURS, **rest: Any) -> Row:
    return Row(
        when=when,
        serves=(_json(document),),
        error=ResponseDecodeError,
        says=says,
        reused=True,
        calls="both",
        **rest,
    )


def _crowd(item: bytes) -> bytes:
    return b'{"candidates":[%b]}' % b",".join([item] * 5_000_000)


FOREIGN = [
    _foreign("it has only a `message`", {"message": "Forbidden"}),
    _foreign("it has only a `detail`", {"detail": [{"msg": "field required"}]}),
    _foreign("it is a completion of OpenAI's API", {"object": "chat.completion", "choices": []}),
    _foreign("it is any other object", {"this": ["is", "not", "it"]}),
    _foreign("it is an empty object", {}),
    _foreign("it is a log line such as `[INFO] ...`", b"[INFO] no upstream", says="not JSON"),
    _foreign("it is text in brackets", b"[oops]", says="that is not JSON: '[oops]'"),
    _foreign(
        "it has an integer of 5,000 digits", b'{"candidates": %b}' % (b"1" * 5000), says="not JSON"
    ),
    _foreign("it is nested 100,000 levels deep", b'{"a":' * 100_000, says="not JSON"),
    Row(
        when="it is a stream of OpenAI's API",
        serves=(Reply.raw(event({"choices": [{"delta": {"content": "a"}}]}) * 3),),
        error=ResponseDecodeError,
        says=_NOT_OURS,
        reused=True,
    ),
    Row(
        when="it is a list of `errors`",
        serves=(_json({"errors": [{"message": "slow down", "code": 429}]}),) * 3,
        error=RateLimitError,
        fields={"status": 429, "code": "429"},
        says="429: slow down",
        requests=3,
        reused=True,
        calls="both",
    ),
    Row(
        when="it is an error with a `type` beside it",
        serves=(_json({"type": "error", "error": {"type": "t", "message": "overloaded"}}),) * 3,
        error=ServerError,
        fields={"status": 500},
        says="500: overloaded",
        requests=3,
        reused=True,
        calls="both",
    ),
    Row(
        when="it is 15 MB of empty candidates, compressed to 15 KB",
        serves=(_json(_crowd(b"{}")).gzip(),),
        error=EventTooLargeError,
        says="objects and lists, expected no more than 568,750",
        fields={"limit": 568_750},
        calls="both",
        reused=True,
        grows=150,
    ),
]

_CUT = {"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}}]}
_WITHOUT_A_REASON = events(3, finish="FINISH_REASON_UNSPECIFIED")

INCOMPLETE = [
    Row(
        when="one of several candidates has no finish reason",
        serves=(Reply.raw(events(3, finish="STOP") + event(_CUT)),),
        texts=(*_THREE, ""),
        error=StreamTruncatedError,
        says="the stream ended without a finishReason for candidate 1",
        reused=True,
    ),
    Row(
        when="the finish reason is FINISH_REASON_UNSPECIFIED",
        serves=(Reply.raw(_WITHOUT_A_REASON),),
        texts=_THREE,
        error=StreamTruncatedError,
        says="the stream ended without a finishReason",
        reused=True,
    ),
    Row(
        when="an indented error comes after the events",
        serves=(Reply.raw(events(3) + b'  {\n\t"error": {"code": 503, "message": "m"}}'),),
        texts=_THREE,
        error=ServerError,
        fields={"status": 503, "code": "503"},
        reused=True,
    ),
    Row(
        when="each chunk has an empty error beside its candidates",
        serves=(
            Reply.raw(event(said("a") | {"error": {}}) + event(said("b", "STOP") | {"error": []})),
        ),
        texts=("a", "b"),
        reused=True,
    ),
]
