"""JSON in wire form: streamed function calls, and errors in every dialect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ErrorFields", "JSONObject", "call_pieces", "dumps", "error", "error_code"]

JSONObject: TypeAlias = dict[str, Any]


class ErrorFields(TypedDict, total=False):
    """The fields of an error body.

    Attributes:
        code: The gateway's `code` (string, number or None) or Google's `status` word. Defaults to
            the one for the HTTP status.
        message: The message.
        dialect: "gateway" (the default), "google", or "bare", which has no `error` around it.
        retry_delay: The delay of Google's RetryInfo, in seconds.
        request_id: Added to the end of the message.
    """

    code: str | int | None
    message: str
    dialect: Literal["gateway", "google", "bare"]
    retry_delay: float
    request_id: str


# Only codes that do not change what a status means: 500 `invalid_request` and 503
# `model_not_found` are permanent errors, while a plain 500 or 503 is worth a retry.
_GATEWAY_CODES = {
    401: "invalid_api_key",
    403: "insufficient_user_quota",
    429: "rate_limit_exceeded",
}
_GOOGLE_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def dumps(body: object, *, indent: int | None = None) -> bytes:
    """Return JSON without escapes for non-ASCII, so that a cut can fall inside a character."""
    separators = (",", ":") if indent is None else None
    return json.dumps(body, ensure_ascii=False, indent=indent, separators=separators).encode()


def error(status: int, fields: ErrorFields) -> JSONObject:
    """Return an error body."""
    message = fields.get("message", f"made-up error {status}")
    if "request_id" in fields:
        message = f"{message} (request id: {fields['request_id']})"
    dialect = fields.get("dialect", "gateway")
    if dialect == "bare":
        return {"code": fields.get("code"), "message": message}
    body: JSONObject
    if dialect == "google":
        word = fields.get("code", _GOOGLE_WORDS.get(status, "UNKNOWN"))
        body = {"code": status, "message": message, "status": word}
    else:
        code = fields.get("code", _GATEWAY_CODES.get(status, status))
        body = {"message": message, "type": "comet_api_error", "param": "", "code": code}
    if "retry_delay" in fields:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        body["details"] = [{"@type": kind, "retryDelay": f"{fields['retry_delay']:g}s"}]
    return {"error": body}


def error_code(data: bytes) -> int:
    """Return the `error.code` of a JSON body, or 200."""
    try:
        body = json.loads(data.decode("utf-8-sig"))
        return int((body[0] if isinstance(body, list) else body)["error"]["code"])
    except (LookupError, TypeError, ValueError):
        return 200


def call_pieces(call: JSONObject) -> Iterator[JSONObject]:
    """Yield a function call as Vertex streams it: the name, arguments by path, an empty call."""
    yield {name: value for name, value in call.items() if name != "args"} | {"willContinue": True}
    for path, value in _leaves(call.get("args", {}), "$"):
        for piece in _values(value):
            yield {"partialArgs": [{"jsonPath": path, **piece}], "willContinue": True}
    yield {}


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _values(value: object) -> Iterator[JSONObject]:
    if isinstance(value, str):
        half = len(value) // 2
        if half:
            yield {"stringValue": value[:half], "willContinue": True}
        yield {"stringValue": value[half:]}
    elif value is None:
        yield {"nullValue": "NULL_VALUE"}
    else:
        yield {"boolValue" if isinstance(value, bool) else "numberValue": value}
