"""Errors after k valid chunks of a stream. Only k = 0 is retried.

The server leaves the body open after each: the client does not wait for its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.rows import Row, after, k_chunks, raises
from faults.wire import event, said

from cometgem import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.testing import Reply

__all__ = ["ERROR_EVENTS"]

_GOOGLE = {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}
_RETRY_INFO = {**_GOOGLE, "details": [{"retryDelay": "30s"}]}
_ONE_LINE = b'{"error": {"code": 503, "message": "x"}}\n'


def _status(status: int) -> Callable[[int], Reply]:
    """Return replies with the fake server's own error event."""
    return lambda k: after(k).then_error(status).then_stall()


def _bytes(data: bytes) -> Callable[[int], Reply]:
    return lambda k: after(k).then_raw(data).then_stall()


def _event(document: object) -> Callable[[int], Reply]:
    return _bytes(event(document))


def _pretty(k: int) -> Reply:
    return after(k).then_error(429, bare=True, dialect="google").then_stall()


# fmt: off
ERROR_EVENTS = [
    Row(
        "its status is 400", _status(400), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(BadRequestError, "400: made-up error 400", status=400, code="400"),
    ),
    Row(
        "its status is 401", _status(401), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(AuthenticationError, "401 invalid_api_key: made-up error 401",
                    status=401, code="invalid_api_key"),
    ),
    Row(
        "its status is 403", _status(403), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(PermissionDeniedError, "403 insufficient_user_quota: made-up error 403",
                    status=403, code="insufficient_user_quota"),
    ),
    Row(
        "its status is 404", _status(404), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(NotFoundError, "404: made-up error 404", status=404, code="404"),
    ),
    Row(
        "its status is 408", _status(408), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(APIStatusError, "408: made-up error 408", status=408, code="408"),
    ),
    Row(
        "its status is 413", _status(413), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(APIStatusError, "413: made-up error 413", status=413, code="413"),
    ),
    Row(
        "its status is 429", _status(429), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429 rate_limit_exceeded: made-up error 429",
                    status=429, code="rate_limit_exceeded"),
    ),
    Row(
        "its status is 500", _status(500), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500: made-up error 500", status=500, code="500"),
    ),
    Row(
        "its status is 502", _status(502), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "502: made-up error 502", status=502, code="502"),
    ),
    Row(
        "its status is 503", _status(503), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "503: made-up error 503", status=503, code="503"),
    ),
    Row(
        "its status is 504", _status(504), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "504: made-up error 504", status=504, code="504"),
    ),
    Row(
        "its status is 524", _status(524), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "524: made-up error 524", status=524, code="524"),
    ),
    Row(
        "its status is 529", _status(529), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "529: made-up error 529", status=529, code="529"),
    ),
    Row(
        "its `code` is a word",
        _event({"error": {"message": "x", "code": "oops"}}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500 oops: x", status=500, code="oops"),
    ),
    Row(
        "its `code` is `invalid_request`",
        _event({"error": {"message": "x", "code": "invalid_request"}}), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500 invalid_request: x", status=500, code="invalid_request"),
    ),
    Row(
        "its `code` is `model_not_found`",
        _event({"error": {"message": "x", "code": "model_not_found"}}), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(ServerError, "503 model_not_found: x", status=503, code="model_not_found"),
    ),
    Row(
        'its `code` is ""', _event({"error": {"message": "x", "code": ""}}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500: x", status=500),
    ),
    Row(
        "its `code` is null", _event({"error": {"message": "x", "code": None}}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500: x", status=500),
    ),
    Row(
        "its `code` is missing", _event({"error": {"message": "x"}}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500: x", status=500),
    ),
    Row(
        "its `message` is missing", _event({"error": {"code": 429}}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, '429: {"error": {"code": 429}}', status=429, code="429"),
    ),
    Row(
        "it is not wrapped in `error`", _event({"code": "429", "message": "x"}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429: x", status=429, code="429"),
    ),
    Row(
        "its `error` is a string", _event({"error": "oops"}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500: oops", status=500),
    ),
    Row(
        "it has Google's form", _event({"error": _GOOGLE}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429 RESOURCE_EXHAUSTED: Slow down",
                    status=429, code="RESOURCE_EXHAUSTED"),
    ),
    Row(
        "it has Google's form, in a list of one", _event([{"error": _GOOGLE}]), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429 RESOURCE_EXHAUSTED: Slow down",
                    status=429, code="RESOURCE_EXHAUSTED"),
    ),
    Row(
        "it has Google's form with RetryInfo", _event({"error": _RETRY_INFO}), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429 RESOURCE_EXHAUSTED: Slow down; retry after 30 s",
                    status=429, code="RESOURCE_EXHAUSTED", retry_after=30.0),
    ),
    Row(
        "it is part of a chunk with text",
        _event({**said("lost"), "error": {"code": 429, "message": "x"}}), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429: x", status=429, code="429"),
    ),
    Row(
        "it is an `event: error` whose data is not JSON",
        _bytes(b"event: error\ndata: overloaded\n\n"), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(ServerError, "500: overloaded", status=500),
    ),
    Row(
        "it is pretty-printed JSON between the events", _pretty, after=(1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(RateLimitError, "429 RESOURCE_EXHAUSTED: made-up error 429",
                    status=429, code="RESOURCE_EXHAUSTED"),
    ),
    Row(
        "it is one line of JSON between the events", _bytes(_ONE_LINE), after=(1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(ServerError, "503: x", status=503, code="503"),
    ),
]
