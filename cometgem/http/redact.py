"""The API key is taken out of errors, where a server echoed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cometgem.errors import CometGemError

__all__ = ["redact_key", "strip_tracebacks"]

# The fields of errors that hold text from the server, which may echo the API key.
_SERVER_FIELDS = {"message", "code", "reason", "request_id", "details", "body", "excerpt"}

# Shorter keys are not redacted: no real key is this short, and their letters would match anywhere.
_SHORTEST_KEY = 8


def redact_key(key: str, error: CometGemError) -> None:
    """Remove the API key from the fields of an error.

    Its traceback and context are dropped as well, since their frames hold the key.
    """
    error.__traceback__ = error.__context__ = None
    for name in _SERVER_FIELDS & vars(error).keys():
        setattr(error, name, _redact(key, getattr(error, name)))


def strip_tracebacks(error: Exception) -> Exception:
    """Remove tracebacks: aiohttp keeps some errors, whose frames would keep the stream alive."""
    inner: BaseException | None = error
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return error


def _redact(key: str, value: Any) -> Any:
    match value:
        case _ if len(key) < _SHORTEST_KEY:
            return value
        case str():
            return value.replace(key, "***")
        case bytes():
            return value.replace(key.encode(), b"***")
        case list():
            return [_redact(key, item) for item in value]
        case dict():
            return {name: _redact(key, item) for name, item in value.items()}
    return value
