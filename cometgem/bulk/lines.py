"""The lines of a results file: a result as JSON, and back. Pure.

The keys are those of the results of Google's Batch API, ``key`` with ``response`` or ``error``, and
some of our own.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from cometgem import errors
from cometgem.errors import (
    APIStatusError,
    CometGemError,
    IncompleteAnswerError,
    OutputValidationError,
)
from cometgem.response.codec import decode_chunk
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.bulk.result import MapResult
    from cometgem.types.response import GenerateContentResponse

__all__ = [
    "START",
    "Fingerprints",
    "Line",
    "as_json",
    "error_of",
    "error_to_json",
    "line_of",
    "read_key",
    "read_line",
    "response_of",
    "write_line",
]


# msgspec does not decode into `Raw | None`.
NOTHING = Raw(b"")


# gc=False: never a part of a cycle, so that the collector need not know each of a million.
class _Key(msgspec.Struct, gc=False):
    key: str | int


class Line(_Key, omit_defaults=True, gc=False):
    """One result.

    Attributes:
        key: The key of the row.
        fingerprint: That of the request; "" if the request could not be built.
        attempts: How many requests were sent, without refused ones.
        seconds: How long it took.
        response: The response, as JSON; empty if there is none.
        error: The error, likewise.
        partial: What had arrived before the error, likewise.
        request: The body of the request, if it was asked for.
    """

    fingerprint: str = ""
    attempts: int = 0
    seconds: float = 0.0
    response: Raw = NOTHING
    error: Raw = NOTHING
    partial: Raw = NOTHING
    request: Raw = NOTHING


class _Error(msgspec.Struct, omit_defaults=True):
    """An error: ``code`` (the HTTP status), ``status`` and ``message`` are as in Google's JSON."""

    type: str = "CometGemError"
    code: int | None = None
    status: str | None = None
    message: str = ""
    reason: str | None = None
    request_id: str | None = None
    details: list[Any] = []
    problem: errors.OutputProblem | None = None
    path: str = ""
    finish_reason: str | None = None
    block_reason: str | None = None


_read_key = msgspec.json.Decoder(_Key).decode
read_line: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode
"""Returns a line; raises ``msgspec.DecodeError`` if it is not a result."""

_read_error = msgspec.json.Decoder(_Error).decode
_write = msgspec.json.Encoder().encode

# How a line begins and ends, and what follows the key: a string in JSON has no plain quotes.
START = b'{"key":'
_AFTER_KEY = b',"fingerprint":"'
_END = b"}\n"

# Strings in JSON have no line ends, so that these are outside of them.
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


class Fingerprints:
    """Tells what requests to a model are recognized by.

    Args:
        model: The model.
    """

    def __init__(self, model: str) -> None:
        self._begun = hashlib.sha256(model.encode() + b"\n")

    def of(self, body: bytes) -> str:
        """Return the fingerprint of a request: SHA-256 of the model, a line end and the body."""
        digest = self._begun.copy()  # faster than a new one
        digest.update(body)
        return digest.hexdigest()


def line_of(result: MapResult[Any, Any], fingerprint: str = "", body: bytes = b"") -> Line:
    """Return the line of a result.

    Args:
        result: The result.
        fingerprint: That of the request.
        body: The body of the request, if it is to be kept.
    """
    line = Line(
        key=result.key,
        fingerprint=fingerprint,
        attempts=result.attempts,
        seconds=round(result.seconds, 3),
        request=Raw(body) if body else NOTHING,
    )
    if result.response is not None:
        line.response = as_json(result.response)
    if (error := result.error) is not None:
        line.error = error_to_json(error)
        if error.partial is not None:
            line.partial = as_json(error.partial)
    return line


def read_key(line: bytes) -> str | int:
    """Return the key of a line.

    Of a line that begins and ends as a result, only the key is decoded.

    Raises:
        msgspec.DecodeError: It is not a result.
    """
    if line.startswith(START) and line.endswith(_END):
        end = line.find(_AFTER_KEY)
        if end > 0:
            try:
                return _read_key(line[:end] + b"}").key
            except msgspec.DecodeError:
                pass  # the fingerprint does not follow the key
    return _read_key(line).key


def write_line(line: Line) -> bytes:
    """Return the JSON of a line, with its end."""
    return _write(line) + b"\n"


def as_json(response: GenerateContentResponse) -> Raw:
    """Return the JSON of a response, in one line: the server's own, if it is at hand."""
    if raw := response.raw:
        raw = raw.translate(_LINE_ENDS)
        try:
            msgspec.json.decode(raw, type=msgspec.Struct)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # it was repaired when it was decoded
        else:
            return Raw(raw)
    return Raw(encode(response))


def response_of(raw: Raw) -> GenerateContentResponse:
    """Return the response of a line."""
    return decode_chunk(bytes(raw))


def error_to_json(error: CometGemError) -> Raw:
    """Return the JSON of an error."""
    made = _Error(type=type(error).__name__, message=error.message or str(error))
    match error:
        case APIStatusError():
            made.code, made.status, made.reason = error.status, error.code, error.reason
            made.request_id, made.details = error.request_id, error.details
        case OutputValidationError():
            made.problem, made.path = error.problem, error.path
            made.finish_reason, made.block_reason = error.finish_reason, error.block_reason
        case IncompleteAnswerError():
            made.finish_reason, made.block_reason = error.finish_reason, error.block_reason
        case _:
            made.message = str(error)
    return Raw(encode(made))


def error_of(line: Line) -> CometGemError | None:
    """Return the error of a line, of the class and with the fields that it had, or None."""
    if not line.error:
        return None
    read = _read_error(line.error)
    kind = getattr(errors, read.type, None)
    error: CometGemError
    if kind is OutputValidationError:
        error = OutputValidationError(
            read.problem or "wrong",
            read.message,
            path=read.path,
            finish_reason=read.finish_reason,
            block_reason=read.block_reason,
        )
    elif kind is IncompleteAnswerError:
        error = IncompleteAnswerError(
            read.message, finish_reason=read.finish_reason, block_reason=read.block_reason
        )
    elif isinstance(kind, type) and issubclass(kind, APIStatusError):
        error = kind(
            read.code or 0,
            read.message,
            code=read.status,
            reason=read.reason,
            request_id=read.request_id,
            details=read.details,
        )
    else:
        # Of the other kinds, the sentence is all that is kept.
        error = CometGemError(read.message)
    if line.partial:
        error.partial = response_of(line.partial)
    if isinstance(error, OutputValidationError) and error.partial is not None:
        error.text = error.partial.text
    return error
