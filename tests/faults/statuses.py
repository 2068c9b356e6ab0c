"""Answers whose status is no success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults.raw_server import Act
from faults.rows import AtLeast, Row
from faults.wire import head

from cometgem import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from cometgem import CometGemError

__all__ = ["STATUSES", "refused"]

_MOVED = "redirects are not followed"
_LIMIT = {"code": "rate_limit_exceeded"}
_PAST, _FUTURE = "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"


def refused(
    when: str,
    reply: Reply,
    error: type[CometGemError],
    *,
    again: bool = False,
    says: str = "",
    **fields: Any,
) -> Row:
    """Return a row of an answer that is read to its end; `again`: each attempt gets it."""
    requests = 3 if again else 1
    if issubclass(error, APIStatusError):
        fields = {"status": reply.status, **fields}
    return Row(
        when=when,
        serves=(reply,) * requests,
        error=error,
        fields=fields,
        says=says,
        requests=requests,
        reused=True,
        calls="both",
    )


def _moved(status: int, location: str | None) -> Reply:
    return Reply.raw(b"", status=status).with_headers({"Location": location})


def _limited(when: str, retry_after: str, wait: object = None, *, again: bool) -> Row:
    fields = _LIMIT if wait is None else {**_LIMIT, "retry_after": wait}
    reply = Reply.error(429, retry_after=retry_after)
    return refused(when, reply, RateLimitError, again=again, **fields)


def _google_limit(seconds: float) -> Reply:
    return Reply.error(429, dialect="google", retry_delay=seconds)


STATUSES = [
    refused(
        "the answer is 301, to elsewhere",
        _moved(301, "https://elsewhere.example/"),
        APIStatusError,
        says="points to https://elsewhere.example/",
    ),
    refused("the answer is 302, to nowhere", _moved(302, None), APIStatusError, says=_MOVED),
    refused("the answer is 400", Reply.error(400), BadRequestError, code="400"),
    refused("the answer is 401", Reply.error(401), AuthenticationError, code="invalid_api_key"),
    refused(
        "the answer is 403", Reply.error(403), PermissionDeniedError, code="insufficient_user_quota"
    ),
    refused("the answer is 404", Reply.error(404), NotFoundError, code="404"),
    refused("the answer is 408", Reply.error(408), APIStatusError, again=True, code="408"),
    refused("the answer is 413", Reply.error(413), APIStatusError, code="413"),
    Row(
        when="the answer is 413 before the request has been sent whole",
        serves=(
            (
                Act.UNREAD,
                head("Content-Length: 2", "Connection: close", status="413 Too Large", kind=None),
                b"no",
                Act.DRAIN,
            ),
        ),
        contents="x" * 20_000_000,
        error=APIStatusError,
        fields={"status": 413},
        says="413: no",
        requests=0,
        calls="both",
    ),
    refused("the answer is 429", Reply.error(429), RateLimitError, again=True, **_LIMIT),
    refused(
        "the answer is 429 without a body",
        Reply.raw(b"", status=429),
        RateLimitError,
        again=True,
        says="429: Too Many Requests (no body)",
    ),
    _limited("a 429 asks to wait 0 s", "0", 0.0, again=True),
    _limited("a 429 asks to wait longer than `RetryPolicy(maximum=)`", "2", 2.0, again=False),
    _limited("a 429 asks to wait for 3000 years", "99999999999", 99999999999.0, again=False),
    _limited("a 429 asks to wait until a date in the past", _PAST, 0.0, again=True),
    _limited("a 429 asks to wait until a distant date", _FUTURE, AtLeast(2e11), again=False),
    _limited("a 429 asks to wait for no number and no date", "soon", again=True),
    _limited("a 429 asks to wait for less than nothing", "-1", again=True),
    refused(
        "a 429 asks by RetryInfo to wait a little",
        _google_limit(0.01),
        RateLimitError,
        again=True,
        code="RESOURCE_EXHAUSTED",
        retry_after=0.01,
    ),
    refused(
        "a 429 asks by RetryInfo to wait longer than `RetryPolicy(maximum=)`",
        _google_limit(34.5),
        RateLimitError,
        code="RESOURCE_EXHAUSTED",
        retry_after=34.5,
    ),
    refused("the answer is 500", Reply.error(500), ServerError, again=True, code="500"),
    refused(
        "the answer is 500 `invalid_request`",
        Reply.error(500, code="invalid_request"),
        ServerError,
        code="invalid_request",
    ),
    refused("the answer is 501", Reply.error(501), ServerError, code="501"),
    refused(
        "the answer is 502 with an HTML page",
        Reply.html(502),
        ServerError,
        again=True,
        says="the server sent an HTML page instead of JSON: 502 Bad Gateway",
    ),
    refused("the answer is 503", Reply.error(503), ServerError, again=True, code="503"),
    refused(
        "the answer is 503 `model_not_found`",
        Reply.error(503, code="model_not_found"),
        ServerError,
        code="model_not_found",
    ),
    refused("the answer is 504", Reply.error(504), ServerError, again=True, code="504"),
    refused("the answer is 524", Reply.error(524), ServerError, again=True, code="524"),
    refused("the answer is 529", Reply.error(529), ServerError, again=True, code="529"),
    Row(
        when="the answer is 500, then 429, then good",
        serves=(Reply.error(500), Reply.error(429), Reply.text("a", "b")),
        texts=("a", "b"),
        requests=3,
        reused=True,
        calls="both",
    ),
    Row(
        when="the answer is 204, to a stream",
        serves=((head("Content-Length: 0", status="204 No Content"),),) * 3,
        error=StreamTruncatedError,
        requests=3,
        reused=True,
    ),
]
