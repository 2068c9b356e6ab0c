"""Ids of requests for approval, which a page sends back with what the person said.

The page sends the whole history, so it could make up a call and approve it. With a secret, the id
is signed: only calls that the model made, with their arguments unchanged, can be approved.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, TypeAlias

import msgspec

from cometgem.errors import BadMessagesError, ConfigurationError
from cometgem.request.arguments import shown

__all__ = ["Secret", "approval_id", "check_approval", "check_secret"]

Secret: TypeAlias = "str | bytes | None"  # noqa: S105  a type

_SHORTEST = 16  # bytes; what is shorter can be guessed
_LENGTH = 32  # hexadecimal digits, of which nobody finds the right ones by trying


def check_secret(secret: Secret) -> bytes | None:
    """Return the secret as bytes.

    Raises:
        ConfigurationError: It is not a text, or too short.
    """
    if secret is None:
        return None
    data = secret.encode() if isinstance(secret, str) else secret
    if not isinstance(data, bytes):
        raise ConfigurationError(f"secret must be a str or bytes, got {type(secret).__name__}")
    if len(data) < _SHORTEST:
        raise ConfigurationError(
            f"secret has {len(data)} bytes, and at least {_SHORTEST} are needed; use"
            " secrets.token_bytes(32), the same in all processes"
        )
    return data


def approval_id(secret: bytes | None, page_id: str, name: str, args: dict[str, Any]) -> str:
    """Return the id of a request for approval of a call."""
    return page_id if secret is None else f"{page_id}.{_signature(secret, page_id, name, args)}"


def check_approval(
    secret: bytes | None, given: str, page_id: str, name: str, args: dict[str, Any]
) -> None:
    """Check that a person was asked to approve exactly this call.

    Raises:
        BadMessagesError: Nobody was.
    """
    right = approval_id(secret, page_id, name, args)
    if not hmac.compare_digest(right.encode("utf-8", "replace"), given.encode("utf-8", "replace")):
        raise BadMessagesError(
            f"the approval of tool {shown(name)} is not one that was asked for: the call was"
            " changed, or the secret is another one"
        )


def _signature(secret: bytes, page_id: str, name: str, args: dict[str, Any]) -> str:
    data = msgspec.json.encode([page_id, name, _plain(args)], order="sorted")
    return hmac.new(secret, data, hashlib.sha256).hexdigest()[:_LENGTH]


def _plain(value: Any) -> Any:
    """Return the value as it is after JavaScript has read and written it: 1.0 becomes 1."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
