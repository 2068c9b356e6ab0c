"""Builds the right exception from the status, headers and body of an error response.

Reads every known shape: Google's ``{"error": {code, message, status, details}}`` (also
as a list of one), the gateway's ``{"error": {message, type, param, code}}``, the bare
``{"code", "message"}``, ``{"errors": [{message}]}``, HTML, text and nothing.
"""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cometgem.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from cometgem.response.codec import is_within, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_ERROR_BODY", "event_failure", "find_error", "request_id", "status_failure"]

# Enough for every error seen so far; more would only fill logs.
MAX_ERROR_BODY = 64 * 1024

_EXCERPT = 200

# No real details are this deep, and copying deeper ones could end in a RecursionError.
_MAX_DEPTH = 64

_CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}

# google/rpc/code.proto: the HTTP mapping of each name.
_GOOGLE_STATUS = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}

# The HTTP status that the gateway sends with each of these codes outside a stream.
_GATEWAY_STATUS = {
    "invalid_api_key": 401,
    "insufficient_user_quota": 403,
    "model_not_found": 503,
    "rate_limit_exceeded": 429,
}

_REQUEST_ID = re.compile(r"\(request id: ([^)\s]+)\)")
# Bounded, so that a hostile body cannot make the search slow.
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{0,200})", re.IGNORECASE)
_SECONDS = re.compile(r"\d+(?:\.\d+)?")

# Longer than any date in a header; the standard library needs quadratic time to refuse a long one.
_LONGEST_DATE = 100

_NANO = 1e-9


def status_failure(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float
) -> APIStatusError:
    """Build the exception for a response whose status is not 2xx.

    Args:
        status: The HTTP status.
        headers: The response headers, case-insensitive.
        body: The body, or its beginning.
        now: The current time in seconds since the epoch, to interpret a ``Retry-After`` date.
    """
    return _failure(find_error(parse_json(body)), body, headers, status=status, now=now)


def event_failure(
    error: Mapping[str, Any] | None, body: bytes, headers: Mapping[str, str]
) -> APIStatusError:
    """Build the exception for an error inside a response whose status was 2xx.

    Args:
        error: The result of ``find_error``; None if the event is not JSON.
        body: The event's data.
        headers: The response headers, case-insensitive.
    """
    return _failure(error, body, headers, status=_implied_status(error or {}), now=None)


def find_error(document: object) -> dict[str, Any] | None:
    """Return the error object in a JSON document, in any known shape, or None."""
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        return None
    match document.get("error"):
        case dict() as error if any(error.values()):
            return error
        case dict():
            pass  # such as {"code": 0}
        case str() as message if message:
            return {**document, "message": message}
        case other if other:  # true or a number: the message is in the keys beside it
            return document
    match document.get("errors"):
        case [{"message": str(message)} as error, *_] if message:
            return dict(error)
    bare = isinstance(document.get("message"), str) and "code" in document
    return document if bare else None


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the gateway's request id from the response headers, or None."""
    return headers.get("x-cometapi-request-id") or headers.get("x-request-id") or None


def _failure(
    error: dict[str, Any] | Mapping[str, Any] | None,
    body: bytes,
    headers: Mapping[str, str],
    *,
    status: int,
    now: float | None,
) -> APIStatusError:
    error = error or {}
    message = _text(error.get("message")) or _describe(status, body)
    details = [
        item
        for item in _list(error.get("details"))
        if isinstance(item, dict) and is_within(item, _MAX_DEPTH)
    ]
    quoted = _REQUEST_ID.search(message)
    default = ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else APIStatusError
    return _CLASSES.get(status, default)(
        status,
        message,
        code=_code(error),
        reason=next((text for item in details if (text := _text(item.get("reason")))), None),
        request_id=request_id(headers) or (quoted[1] if quoted else None),
        retry_after=_retry_after(headers.get("retry-after"), details, now),
        details=details,
        body=body[:MAX_ERROR_BODY],
    )


def _code(error: Mapping[str, Any]) -> str | None:
    name = error.get("status")
    if isinstance(name, str) and name and not name.isdigit():
        return name
    return _text(error.get("code"))


def _implied_status(error: Mapping[str, Any]) -> int:
    """Return the HTTP status the error would have had outside a stream; 500 if unknown."""
    for key in ("code", "status"):
        value = error.get(key)
        text = str(value) if isinstance(value, (str, int)) else ""
        if text.isascii() and text.isdigit() and len(text) == 3 and text >= "400":  # noqa: PLR2004
            return int(text)
        known = _GOOGLE_STATUS.get(text) or _GATEWAY_STATUS.get(text)
        if known:
            return known
    return 500


def _retry_after(
    header: str | None, details: list[dict[str, Any]], now: float | None
) -> float | None:
    asked = [_header_seconds(header, now)] if header else []
    asked += [_duration(item["retryDelay"]) for item in details if "retryDelay" in item]
    return max((seconds for seconds in asked if seconds is not None), default=None)


def _header_seconds(header: str, now: float | None) -> float | None:
    """RFC 9110 10.2.3: delay-seconds, or an HTTP date."""
    seconds = _duration(header)
    if seconds is not None or now is None or len(header) > _LONGEST_DATE:
        return seconds
    try:
        date = parsedate_to_datetime(header)
        # The asctime format has no time zone; RFC 9110 5.6.7: all dates are in GMT.
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _duration(value: object) -> float | None:
    """Return the seconds in "3.5s", "3.5", 3.5 or {"seconds": 3, "nanos": 500000000}, or None."""
    match value:
        case bool():
            return None
        case int() | float():
            return _seconds(value)
        case str():
            text = value.strip().removesuffix("s").rstrip()
            return float(text) if _SECONDS.fullmatch(text) else None
        case dict() if "seconds" in value or "nanos" in value:
            whole, nanos = _duration(value.get("seconds", 0)), _duration(value.get("nanos", 0))
            return None if whole is None or nanos is None else whole + nanos * _NANO
    return None


def _seconds(number: float) -> float | None:
    try:
        return float(number) if number >= 0 else None  # NaN is not
    except OverflowError:
        return math.inf


def _describe(status: int, body: bytes) -> str:
    """Describe an error response that has no message of its own."""
    start = body.strip()[:_EXCERPT]
    if start.startswith(b"<"):
        title = _TITLE.search(body)
        name = title[1].strip().decode("utf-8", "replace") if title else ""
        return f"the server sent an HTML page instead of JSON{f': {name}' if name else ''}"
    if start:
        return start.decode("utf-8", "replace")
    try:
        return f"{HTTPStatus(status).phrase} (no body)"
    except ValueError:
        return "no body"


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, (str, int)) and value != "" else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
