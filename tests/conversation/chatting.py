"""Shared by tests of chats: turns, their wire form, and a way to send a message."""

from __future__ import annotations

import json
from typing import Any

from cometgem import (
    Chat,
    Content,
    GenerateContentResponse,
    Part,
)
from cometgem.types.wire import encode


def said(*texts: str) -> list[Content]:
    """Alternating turns of the user and the model."""
    roles = ["user", "model"] * len(texts)
    return [
        Content(role=role, parts=[Part(text=text)])
        for role, text in zip(roles, texts, strict=False)
    ]


def wire(turns: list[Content]) -> Any:
    return json.loads(encode(turns))


async def say(chat: Chat[Any], text: str, *, streamed: bool) -> GenerateContentResponse:
    if not streamed:
        return await chat.send(text)
    async with chat.stream(text) as stream:
        return await stream.get_final_response()
