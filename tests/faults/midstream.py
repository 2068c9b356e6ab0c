"""Faults after k good chunks: before the first some are tried again, after it none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults.raw_server import Flood
from faults.rows import AFTER_A_CHUNK, IMPATIENT, KS, Row, after
from faults.wire import chunked, event, events, head, said

from cometgem import (
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    EventTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.rows import Served

    from cometgem import CometGemError
    from cometgem.testing import Reply

__all__ = ["ENDINGS", "ERRORS", "FLOODS"]

_MIB = 1 << 20
_PINGS = b": keepalive\n\n" * 10_000


def _ends(
    when: str,
    serves: Callable[[int], Served],
    error: type[CometGemError],
    *,
    again: bool = False,
    **rest: Any,
) -> Row:
    return Row(when=when, serves=serves, error=error, requests=3 if again else 1, **rest)


def _error(  # noqa: PLR0913  what such rows differ in
    when: str,
    data: bytes | Callable[[Reply], Reply],
    error: type[APIStatusError],
    status: int,
    *,
    again: bool = False,
    says: str = "",
    ks: tuple[int, ...] = KS,
    **fields: Any,
) -> Row:
    def serves(k: int) -> Served:
        reply = after(k).then_raw(data) if isinstance(data, bytes) else data(after(k))
        return reply.then_stall()  # the client does not wait for the end

    return Row(
        when=when,
        serves=serves,
        ks=ks,
        error=error,
        fields={"status": status, **fields},
        says=says,
        requests=3 if again else 1,
    )


def _event_error(
    error: type[APIStatusError], status: int, code: str, *, again: bool = False
) -> Row:
    return _error(
        f"an event is an error with the status {status}",
        lambda reply: reply.then_error(status),
        error,
        status,
        again=again,
        code=code,
    )


def _shape(when: str, document: object, status: int, *, again: bool = False, **fields: Any) -> Row:
    kinds = {400: BadRequestError, 403: PermissionDeniedError, 429: RateLimitError}
    return _error(
        when, event(document), kinds.get(status, ServerError), status, again=again, **fields
    )


_GOOGLE = {"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}
_EXHAUSTED: dict[str, Any] = {"code": "RESOURCE_EXHAUSTED"}

ERRORS = [
    _event_error(BadRequestError, 400, "400"),
    _event_error(AuthenticationError, 401, "invalid_api_key"),
    _event_error(PermissionDeniedError, 403, "insufficient_user_quota"),
    _event_error(NotFoundError, 404, "404"),
    _event_error(APIStatusError, 408, "408", again=True),
    _event_error(APIStatusError, 413, "413"),
    _event_error(RateLimitError, 429, "rate_limit_exceeded", again=True),
    _event_error(ServerError, 500, "500", again=True),
    _event_error(ServerError, 502, "502", again=True),
    _event_error(ServerError, 503, "503", again=True),
    _event_error(ServerError, 504, "504", again=True),
    _event_error(ServerError, 524, "524", again=True),
    _event_error(ServerError, 529, "529", again=True),
    _shape(
        "its `code` is a word",
        {"error": {"message": "x", "code": "oops"}},
        500,
        again=True,
        code="oops",
    ),
    _shape(
        "its `code` is `invalid_request`",
        {"error": {"message": "x", "code": "invalid_request"}},
        500,
        code="invalid_request",
    ),
    _shape(
        "its `code` is `model_not_found`",
        {"error": {"message": "x", "code": "model_not_found"}},
        503,
        code="model_not_found",
    ),
    _shape('its `code` is ""', {"error": {"message": "x", "code": ""}}, 500, again=True),
    _shape("its `code` is null", {"error": {"message": "x", "code": None}}, 500, again=True),
    _shape("there is no `code`", {"error": {"message": "x"}}, 500, again=True),
    _shape("there is no `message`", {"error": {"code": 429}}, 429, again=True, code="429"),
    _shape(
        "there is no `error` around it",
        {"code": "429", "message": "x"},
        429,
        again=True,
        code="429",
    ),
    _shape("`error` is a string", {"error": "oops"}, 500, again=True, says="500: oops"),
    _shape("it is Google's", _GOOGLE, 429, again=True, **_EXHAUSTED),
    _shape("it is Google's, in a list of one", [_GOOGLE], 429, again=True, **_EXHAUSTED),
    _shape(
        "it is Google's with RetryInfo",
        {"error": {**_GOOGLE["error"], "details": [{"retryDelay": "30s"}]}},
        429,
        retry_after=30.0,
        **_EXHAUSTED,
    ),
    _shape(
        "a chunk holds it",
        {**said("lost"), "error": {"code": 429, "message": "x"}},
        429,
        again=True,
        code="429",
    ),
    _error(
        "an `event: error` is no JSON",
        b"event: error\ndata: overloaded\n\n",
        ServerError,
        500,
        again=True,
        says="500: overloaded",
    ),
    _error(
        "it stands as pretty-printed JSON between the events",
        lambda reply: reply.then_error(429, bare=True, dialect="google"),
        RateLimitError,
        429,
        ks=(1, 7),
        **_EXHAUSTED,
    ),
    _error(
        "it stands as one line of JSON between the events",
        b'{"error": {"code": 503, "message": "x"}}\n',
        ServerError,
        503,
        ks=(1, 7),
        code="503",
    ),
]


def _raw(*steps: Any) -> Callable[[int], Served]:
    """Return chunked scripts that go on after k chunks."""
    return lambda k: (head("Transfer-Encoding: chunked"), chunked(events(k)) if k else b"", *steps)


ENDINGS = [
    _ends(
        "the connection is reset",
        lambda k: after(k).then_reset(),
        StreamInterruptedError,
        again=True,
        says="the connection broke",
    ),
    _ends(
        "the body ends, with no finish reason",
        lambda k: after(k).then_end(),
        StreamTruncatedError,
        again=True,
        reused=True,
        says="the stream ended without a finishReason",
    ),
    _ends(
        "the body ends in the middle of a chunk",
        lambda k: after(k).then_raw(b'data: {"candidates": [{"con').then_end(),
        StreamTruncatedError,
        again=True,
        reused=True,
        says="the stream ended in the middle of a chunk",
    ),
    _ends(
        "an event is no JSON",
        lambda k: after(k).then_raw(b"data: {oops}\n\n").then_stall(),
        ResponseDecodeError,
        says="the server sent something that is not JSON: '{oops}'",
    ),
    _ends(
        "an event is JSON of another shape",
        lambda k: after(k).then_raw(b'data: {"candidates": [{"content": 7}]}\n\n').then_stall(),
        ResponseDecodeError,
        fields={"path": "$.candidates[0].content"},
    ),
    _ends(
        "an event is JSON, but no object",
        lambda k: after(k).then_raw(b"data: 7\n\n").then_stall(),
        ResponseDecodeError,
        fields={"path": "$"},
    ),
    _ends(
        "nothing more comes",
        lambda k: after(k).then_stall(),
        APITimeoutError,
        fields={"phase": "first_chunk"},
        client={"timeouts": IMPATIENT},
    ),
    _ends(
        "nothing more comes but keep-alive comments",
        lambda k: after(k).pings(every=0.02).then_stall(),
        APITimeoutError,
        fields={"phase": "first_chunk"},
        client={"timeouts": IMPATIENT},
    ),
    _ends(
        "nothing more comes but 10,000 comments at once",
        lambda k: after(k).then_raw(_PINGS).then_stall(),
        APITimeoutError,
        fields={"phase": "first_chunk"},
        client={"timeouts": IMPATIENT},
    ),
    _ends(
        "`Timeouts(total=)` runs out",
        lambda k: after(k).then_stall(),
        APITimeoutError,
        ks=(0, 1),
        fields={"phase": "total"},
        client={"timeouts": Timeouts(total=1.0)},
    ),
    Row(
        when="the connection is reset after the finish reason",
        serves=(after(0).then_raw(events(2, finish="STOP")).then_reset(),),
        texts=("text 0 ", "text 1 "),
        error=StreamInterruptedError,
    ),
    Row(
        when="an error comes after the finish reason",
        serves=(after(0).then_raw(events(2, finish="STOP")).then_error(429).then_stall(),),
        texts=("text 0 ", "text 1 "),
        error=RateLimitError,
        fields={"status": 429, "code": "rate_limit_exceeded"},
    ),
    Row(
        when="nothing comes after the finish reason, and the body does not end",
        serves=(after(0).then_raw(events(2, finish="STOP")).then_stall(),),
        texts=("text 0 ", "text 1 "),
        client={"timeouts": AFTER_A_CHUNK},
        error=APITimeoutError,
        fields={"phase": "stall"},
    ),
]


FLOODS = [
    _ends(
        "a line of 300 MB comes, under a limit of 1 MB",
        _raw(chunked(b"data: "), Flood(chunked(b"x" * _MIB), 300)),
        EventTooLargeError,
        fields={"limit": _MIB},
        client={"max_event_size": _MIB},
        grows=6,
        sends=32,
    ),
    Row(
        when="a line of 300 MB comes, under the default limit of 64 MiB",
        serves=_raw(chunked(b"data: "), Flood(chunked(b"x" * _MIB), 300)),
        ks=(1,),
        error=EventTooLargeError,
        fields={"limit": 64 * _MIB},
        grows=64 + 6,
        sends=64 + 32,
    ),
    Row(
        when="an event of 300 MB comes in many lines, under a limit of 1 MB",
        serves=_raw(Flood(chunked(b"data: " + b"x" * 1000 + b"\n"), 300_000)),
        ks=(1,),
        error=EventTooLargeError,
        fields={"limit": _MIB},
        client={"max_event_size": _MIB},
        grows=6,
        sends=32,
    ),
    Row(
        when="a JSON document of 300 MB comes, under a limit of 1 MB",
        serves=(
            (head("Transfer-Encoding: chunked"), chunked(b"{"), Flood(chunked(b" " * _MIB), 300)),
        ),
        error=EventTooLargeError,
        fields={"limit": _MIB},
        client={"max_event_size": _MIB},
        calls="both",
        grows=6,
        sends=32,
    ),
    Row(
        when="a comment of 100 MB comes, under a limit of 1 MB",
        serves=(
            (
                head("Transfer-Encoding: chunked"),
                *(chunked(b": "), Flood(chunked(b"x" * _MIB), 100), chunked(b"\n")),
                *(chunked(events(1, finish="STOP")), b"0\r\n\r\n"),
            ),
        ),
        texts=("text 0 ",),
        client={"max_event_size": _MIB},
        reused=True,
        grows=6,
    ),
]
