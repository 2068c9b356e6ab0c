"""Responses whose status is an error."""

from __future__ import annotations

from faults.raw_server import Act
from faults.rows import AtLeast, Row, final, raises
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

__all__ = ["STATUSES"]

_PAST, _FUTURE = "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"


def _moved(status: int, location: str | None) -> Reply:
    return Reply.raw(b"", status=status).with_headers({"Location": location})


# fmt: off
STATUSES = [
    Row(
        "the status is 301 and the location is another host",
        (_moved(301, "https://elsewhere.example/"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(APIStatusError, "points to https://elsewhere.example/", status=301),
    ),
    Row(
        "the status is 302 without a location", (_moved(302, None),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(APIStatusError, "302: redirects are not followed", status=302),
    ),
    Row(
        "the status is 400", (Reply.error(400),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: made-up error 400", status=400, code="400"),
    ),
    Row(
        "the status is 401", (Reply.error(401),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(
            AuthenticationError, "check that the API key is correct",
            status=401, code="invalid_api_key"),
    ),
    Row(
        "the status is 403", (Reply.error(403),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(PermissionDeniedError, "check the key's permissions and balance",
                    status=403, code="insufficient_user_quota"),
    ),
    Row(
        "the status is 404", (Reply.error(404),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(NotFoundError, "404: made-up error 404; check the model", status=404,
                    code="404"),
    ),
    Row(
        "the status is 408", (Reply.error(408),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(APIStatusError, "408: made-up error 408", status=408, code="408"),
    ),
    Row(
        "the status is 413", (Reply.error(413),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(APIStatusError, "413: made-up error 413", status=413, code="413"),
    ),
    Row(
        "status 413 arrives before the whole request has been sent",
        ((
            Act.UNREAD,
            head("Content-Length: 2", "Connection: close", status="413 Too Large", kind=None),
            b"no",
            Act.DRAIN,
        ),),
        contents="x" * 20_000_000,
        operation="both", requests=0, texts=(), connection="closed",
        ends=raises(APIStatusError, "413: no", status=413),
    ),
    Row(
        "the status is 429", (Reply.error(429),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "send fewer requests at a time",
                    status=429, code="rate_limit_exceeded"),
    ),
    Row(
        "the status is 429 without a body", (Reply.raw(b"", status=429),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "429: Too Many Requests (no body)", status=429),
    ),
    Row(
        "a 429 response asks for a delay of 0 s", (Reply.error(429, retry_after="0"),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 0 s",
                    status=429, code="rate_limit_exceeded", retry_after=0.0),
    ),
    Row(
        "a 429 response asks for a longer delay than `RetryPolicy(maximum=)`",
        (Reply.error(429, retry_after="2"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 2 s",
                    status=429, code="rate_limit_exceeded", retry_after=2.0),
    ),
    Row(
        "a 429 response asks for a delay of 3000 years",
        (Reply.error(429, retry_after="99999999999"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 1e+11 s",
                    status=429, code="rate_limit_exceeded", retry_after=99999999999.0),
    ),
    Row(
        "a 429 response asks for a delay until a date in the past",
        (Reply.error(429, retry_after=_PAST),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 0 s",
                    status=429, code="rate_limit_exceeded", retry_after=0.0),
    ),
    Row(
        "a 429 response asks for a delay until a date in the far future",
        (Reply.error(429, retry_after=_FUTURE),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 2.5",
                    status=429, code="rate_limit_exceeded", retry_after=AtLeast(2e11)),
    ),
    Row(
        "the Retry-After of a 429 response is neither a number nor a date",
        (Reply.error(429, retry_after="soon"),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "send fewer requests at a time",
                    status=429, code="rate_limit_exceeded"),
    ),
    Row(
        "the Retry-After of a 429 response is negative", (Reply.error(429, retry_after="-1"),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "send fewer requests at a time",
                    status=429, code="rate_limit_exceeded"),
    ),
    Row(
        "the RetryInfo of a 429 response asks for a short delay",
        (Reply.error(429, dialect="google", retry_delay=0.01),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 0.01 s",
                    status=429, code="RESOURCE_EXHAUSTED", retry_after=0.01),
    ),
    Row(
        "the RetryInfo of a 429 response asks for a longer delay than `RetryPolicy(maximum=)`",
        (Reply.error(429, dialect="google", retry_delay=34.5),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(RateLimitError, "retry after 34.5 s",
                    status=429, code="RESOURCE_EXHAUSTED", retry_after=34.5),
    ),
    Row(
        "the status is 500", (Reply.error(500),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(ServerError, "500: made-up error 500", status=500, code="500"),
    ),
    Row(
        "the status is 500 and the code `invalid_request`",
        (Reply.error(500, code="invalid_request"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(ServerError, "500 invalid_request: made-up error 500",
                    status=500, code="invalid_request"),
    ),
    Row(
        "the status is 501", (Reply.error(501),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(ServerError, "501: made-up error 501", status=501, code="501"),
    ),
    Row(
        "the status is 502 and the body an HTML page", (Reply.html(502),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(
            ServerError, "502: the server sent an HTML page instead of JSON: 502 Bad Gateway",
                    status=502),
    ),
    Row(
        "the status is 503", (Reply.error(503),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(ServerError, "503: made-up error 503", status=503, code="503"),
    ),
    Row(
        "the status is 503 and the code `model_not_found`",
        (Reply.error(503, code="model_not_found"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(ServerError, "503 model_not_found: made-up error 503",
                    status=503, code="model_not_found"),
    ),
    Row(
        "the status is 504", (Reply.error(504),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(ServerError, "504: made-up error 504", status=504, code="504"),
    ),
    Row(
        "the status is 524", (Reply.error(524),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(ServerError, "524: made-up error 524", status=524, code="524"),
    ),
    Row(
        "the status is 529", (Reply.error(529),) * 3,
        operation="both", requests=3, texts=(), connection="kept",
        ends=raises(ServerError, "529: made-up error 529", status=529, code="529"),
    ),
    Row(
        "the status is 500, then 429, then 200",
        (Reply.error(500), Reply.error(429), Reply.text("a", "b")),
        operation="both", requests=3, texts=("a", "b"), connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the status of a stream is 204",
        ((head("Content-Length: 0", status="204 No Content"),),) * 3,
        operation="stream", requests=3, texts=(), connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended without a finishReason"),
    ),
]
