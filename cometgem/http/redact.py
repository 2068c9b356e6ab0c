"""The API key is taken out of errors, where a server echoed it.

Laws: what a server echoes is masked in every field of an error. No exception of another library
is kept: its text may quote the server or the address of a proxy, and its frames hold the key.
"""

from __future__ import annotations

import os
import socket
import ssl
from base64 import b64encode, urlsafe_b64encode
from json import JSONDecodeError
from typing import Any, TypeGuard
from urllib.parse import quote

from cometgem.errors import CometGemError

__all__ = ["Redactor", "foreign_cause"]

# An excerpt may cut the key, and a server may show its beginning: that much of it is masked.
# Shorter keys are not redacted: no real key is this short, and their letters would match anywhere.
_SHORTEST = 8

_MASK = "***"

# What the model said is the caller's, and was handed out already.
_KEPT_FIELDS = {"partial"}

# Other exceptions of the standard library and of aiohttp need arguments, or format them.
_BUILTIN = (Exception, OSError, RuntimeError, ValueError)
_INITS = {cls.__init__ for cls in (*_BUILTIN, TimeoutError, ConnectionResetError)}
_STRS: set[Any] = {cls.__str__ for cls in _BUILTIN}


class Redactor:
    """Masks one API key and its beginnings, also percent-encoded and in Base64."""

    def __init__(self, key: str) -> None:
        forms = {key, quote(key, safe=""), *_in_base64(key.encode())}
        self._forms = sorted(form for form in forms if len(key) >= _SHORTEST)

    def __repr__(self) -> str:
        return "<Redactor>"

    def redact_error(self, error: CometGemError) -> None:
        """Mask the key in the fields of an error and of its causes.

        Their tracebacks and contexts are dropped as well, since their frames hold the key.
        """
        error.__traceback__ = error.__context__ = None
        for name in vars(error).keys() - _KEPT_FIELDS:
            setattr(error, name, self.redact(getattr(error, name)))
        cause = error.__cause__
        if isinstance(cause, CometGemError):
            self.redact_error(cause)
        elif isinstance(cause, JSONDecodeError):  # it holds the whole document
            error.__cause__ = ValueError(str(cause))
        elif cause is not None:
            cause.__traceback__ = cause.__context__ = None

    def redact(self, value: Any) -> Any:
        """Return a JSON value, or bytes, with the key masked."""
        match value:
            case str():
                return self._mask(value)
            case bytes():
                return self._mask(value.decode("latin-1")).encode("latin-1")
            case list():
                return [self.redact(item) for item in value]
            case dict():
                return {self.redact(name): self.redact(item) for name, item in value.items()}
        return value

    def _mask(self, text: str) -> str:
        for form in self._forms:
            text = _mask_form(text, form)
        return text


def foreign_cause(error: Exception) -> Exception:
    """Return a copy of another library's exception that shows only its name and error number.

    aiohttp also keeps some errors, whose frames would keep a stream alive, so the tracebacks of
    the original are dropped.
    """
    inner: BaseException | None = error
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    cls = next(cls for cls in type(error).__mro__ if _is_plain(cls))
    number = (error.errno or 0) if isinstance(error, OSError) else 0
    # The numbers of TLS and of name resolution are not those of the system.
    foreign = isinstance(getattr(error, "os_error", error), (ssl.SSLError, socket.gaierror))
    if number > 0 and not foreign:
        return cls(number, os.strerror(number))
    return cls(type(error).__name__)


def _is_plain(cls: type[Any]) -> TypeGuard[type[Exception]]:
    """Whether an exception of this class can be made of any arguments, and shows only these."""
    if cls.__module__ == "builtins":
        return cls in _BUILTIN or issubclass(cls, OSError)
    return cls.__module__.startswith("aiohttp.") and cls.__init__ in _INITS and cls.__str__ in _STRS


def _in_base64(key: bytes) -> list[str]:
    """Return how a key reads in Base64 after zero, one or two bytes of something else."""
    return [
        # The first character holds bits of what precedes the key, the last of what follows it.
        encode(bytes(skip) + key).decode()[(0, 2, 3)[skip] : (skip + len(key)) * 8 // 6]
        for skip in range(3)
        for encode in (b64encode, urlsafe_b64encode)
    ]


def _mask_form(text: str, form: str) -> str:
    start = form[:_SHORTEST]
    pieces: list[str] = []
    at = 0
    while (found := text.find(start, at)) >= 0:
        end, known = found + len(start), len(start)
        while known < len(form) and text[end : end + 1] == form[known]:
            end, known = end + 1, known + 1
        pieces += [text[at:found], _MASK]
        at = end
    return "".join([*pieces, text[at:]])
