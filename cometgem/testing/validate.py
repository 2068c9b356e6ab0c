"""Validates requests and refuses them like the API. No I/O."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cometgem.testing.reply import Reply
from cometgem.testing.strict import strict_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cometgem.testing.journal import RecordedRequest

__all__ = ["MAX_BODY", "auth", "invalid", "is_gemini", "parse_json", "parse_path", "refusal"]

# The gateway's limit: 128 MB.
MAX_BODY = 128 * 1024 * 1024

# The most tokens that a single call may ask for, since Gemini 4. A token goes on a long answer.
# https://ai.google.dev/gemini-api/docs/generate-content/long-decode
_SINGLE_CAP = 32_768

# The API's limit on nested objects and lists, which is that of protobuf.
_MAX_DEPTH = 100

_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)

# The newest generation of models when this was written.
_NEWEST = 4

_GENERATION = re.compile(r"gemini-(\d+)(?!\d)")

_PATH = re.compile(r"/v1(?:alpha|beta)?/models/([^/:]+):(generateContent|streamGenerateContent)")


def parse_path(path: str) -> tuple[str, str]:
    """Return the model and the operation, both empty for any other path."""
    match = _PATH.fullmatch(path)
    return (unquote(match[1]), match[2]) if match else ("", "")


def parse_json(data: bytes) -> Any:
    """Return the JSON value, or None if the data is not JSON or cannot be parsed here.

    The latter are numbers of thousands of digits, and values nested deeper than Python allows.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def auth(headers: Mapping[str, str]) -> str | None:
    """Return how the API key was sent: "x-goog-api-key", "bearer" or None."""
    if headers.get("x-goog-api-key"):
        return "x-goog-api-key"
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    return "bearer" if scheme.lower() == "bearer" and key.strip() else None


def is_gemini(model: str) -> bool:
    """Return whether it could be the name of a Gemini model. No list, since models change."""
    return model.startswith("gemini-")


def refusal(
    request: RecordedRequest, knows: Callable[[str], bool], *, strict: bool = False
) -> Reply | None:
    """Return the error that the API answers with, or None if the request is valid.

    Args:
        request: The request.
        knows: Recognizes the names of models.
        strict: Whether to refuse also what `strict_problem` and the cap of all models refuse.
    """
    problem = _problem(request, knows)
    if problem is None and strict:
        message = strict_problem(request.body, generation(request.model)) or over_cap(request)
        problem = (400, "INVALID_ARGUMENT", message) if message else None
    if problem is None:
        return None
    status, code, message = problem
    if code == "INVALID_ARGUMENT":
        return invalid(message, request)
    return Reply.error(status, code=code, message=message, request_id=request.request_id)


def invalid(message: str, request: RecordedRequest) -> Reply:
    """Return the API's 400 INVALID_ARGUMENT, as the gateway passes it on."""
    return Reply.error(400, dialect="google", message=message, request_id=request.request_id)


def _problem(  # noqa: PLR0911  # one per problem
    request: RecordedRequest, knows: Callable[[str], bool]
) -> tuple[int, str, str] | None:
    if request.method != "POST" or not request.operation:
        return 404, "", f"Invalid URL ({request.method} {request.path})"
    if request.auth is None:
        return 401, "invalid_api_key", "no API key was sent"
    if len(request.raw_body) > MAX_BODY:
        return (
            413,
            "",
            f"the body has {len(request.raw_body)} bytes, expected no more than {MAX_BODY}",
        )
    if _is_too_deep(request.raw_body):
        return 400, "INVALID_ARGUMENT", f"Message too deep: more than {_MAX_DEPTH} levels."
    if not isinstance(request.body, dict):
        return 400, "bad_request_body", "the body is not a JSON object"
    if not knows(request.model):
        return 503, "model_not_found", f"No available channel for model {request.model}"
    contents = request.body.get("contents")
    if not isinstance(contents, list) or not contents:
        return 500, "invalid_request", "contents is required"
    if generation(request.model) >= 4 and (message := over_cap(request)):  # noqa: PLR2004
        return 400, "INVALID_ARGUMENT", message
    return None


def generation(model: str) -> int:
    """Return the number in the name of a model: of the newest for "latest", 0 if it has none."""
    if model.endswith("-latest"):
        return _NEWEST
    match = _GENERATION.match(model)
    return int(match[1]) if match else 0


def over_cap(request: RecordedRequest) -> str | None:
    """Return the API's message if a single call asks for more tokens than it may."""
    config = request.body.get("generationConfig")
    if request.operation != "generateContent" or not isinstance(config, dict):
        return None
    asked = config.get("maxOutputTokens")
    if not isinstance(asked, int) or asked <= _SINGLE_CAP or request.body.get("continuationToken"):
        return None
    return (
        f"Unable to submit request because it has a maxOutputTokens value of {asked} but the"
        f" supported range is from 1 (inclusive) to {_SINGLE_CAP + 1} (exclusive)."
        " Update the value and try again."
    )


def _is_too_deep(data: bytes) -> bool:
    """Whether JSON is nested deeper than the API allows, also if it is too deep to be parsed."""
    if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match[0], 0)
        if depth > _MAX_DEPTH:
            return True
    return False
