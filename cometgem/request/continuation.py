"""Requests of a long answer: the same request with a token, or as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from cometgem.types.wire import encode

if TYPE_CHECKING:
    from cometgem.request.build import Request

__all__ = ["MAX_SINGLE_TOKENS", "as_stream", "exceeds_single_call", "token_of", "with_token"]

MAX_SINGLE_TOKENS = 32_768
"""What ``generateContent`` takes as ``maxOutputTokens`` in a request without a token; more is a
400. ai.google.dev/gemini-api/docs/generate-content/long-decode"""

_KEY = "continuationToken"


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: int | float | str | None = None


class _Body(msgspec.Struct, rename="camel"):
    generation_config: _Config | None = None
    continuation_token: str | None = None


def with_token(request: Request, token: str) -> Request:
    """Return the request for the hop that a token leads to; the rest is sent byte for byte."""
    body = msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
    body[_KEY] = msgspec.Raw(encode(token))
    return replace(request, body=encode(body))


def token_of(request: Request) -> str | None:
    """Return the token that the caller has put into the body by ``extra_body``."""
    body = _read(request, _KEY)
    return (body.continuation_token or None) if body is not None else None


def exceeds_single_call(request: Request) -> bool:
    """Whether ``generateContent`` would refuse the request for its ``maxOutputTokens``."""
    body = _read(request, "maxOutputTokens")
    if body is None or body.generation_config is None or token_of(request) is not None:
        return False
    limit = body.generation_config.max_output_tokens
    return isinstance(limit, (int, float)) and limit > MAX_SINGLE_TOKENS


def as_stream(request: Request) -> Request:
    """Return a request for ``generateContent`` as one for ``streamGenerateContent``."""
    headers = {
        name: "text/event-stream" if (name, value) == ("Accept", "application/json") else value
        for name, value in request.headers.items()
    }
    path = request.path.removesuffix(":generateContent") + ":streamGenerateContent?alt=sse"
    return replace(request, path=path, headers=headers)


def _read(request: Request, key: str) -> _Body | None:
    """Return a part of the body, if the key occurs in it; bodies can be large, so most are not."""
    if key.encode() not in request.body:
        return None
    try:
        return msgspec.json.decode(request.body, type=_Body)
    except msgspec.DecodeError:  # of a type that only the server can judge
        return None
