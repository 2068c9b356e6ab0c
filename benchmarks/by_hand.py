"""What a good engineer would write on aiohttp and msgspec in an afternoon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp


class Blob(msgspec.Struct, rename="camel"):
    """A picture."""

    mime_type: str
    data: bytes


class Part(msgspec.Struct, rename="camel"):
    """A part of the answer."""

    text: str = ""
    inline_data: Blob | None = None


class Content(msgspec.Struct):
    """The content of the answer."""

    parts: list[Part] = []
    role: str = "model"


class Candidate(msgspec.Struct, rename="camel"):
    """One answer."""

    content: Content = msgspec.field(default_factory=Content)
    finish_reason: str | None = None
    index: int = 0


class Usage(msgspec.Struct, rename="camel"):
    """Token counts."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    total_token_count: int = 0


class Chunk(msgspec.Struct, rename="camel"):
    """One response of the stream."""

    candidates: list[Candidate] = []
    usage_metadata: Usage | None = None
    model_version: str | None = None
    response_id: str | None = None


decode = msgspec.json.Decoder(Chunk).decode


async def stream(session: aiohttp.ClientSession, url: str, body: Any) -> AsyncIterator[Chunk]:
    """Yield the chunks of a stream."""
    async with session.post(url, json=body) as response:
        response.raise_for_status()
        buffer = b""
        async for data in response.content.iter_any():
            buffer += data.replace(b"\r", b"")
            *events, buffer = buffer.split(b"\n\n")
            for event in events:
                if event.startswith(b"data: "):
                    yield decode(event[6:])


async def single(session: aiohttp.ClientSession, url: str, body: Any) -> Chunk:
    """Return the answer to a single call."""
    async with session.post(url, json=body) as response:
        response.raise_for_status()
        return decode(await response.read())
