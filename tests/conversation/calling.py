"""Shared by tests of conversations: functions, replies that call them, and ways to read."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from cometgem import (
    ConversationStream,
    FunctionCall,
    GenerateContentResponse,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from cometgem import ConversationItem

MODEL = "gemini-3-flash-preview"
WARM = Reply.text("It is ", "warm.")


class Tools:
    """Functions that record when they begin and how they end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.gate = asyncio.Event()

    async def get_weather(self, city: str) -> dict[str, str]:
        """Look up the weather."""
        self.begun.append(city)
        return {"weather": f"warm in {city}"}

    def get_time(self, city: str, *, hours: int = 0) -> str:
        """Look up the time, in a thread."""
        assert threading.current_thread() is not threading.main_thread()
        self.begun.append(city)
        return f"{city} +{hours}"

    async def wait(self, name: str) -> str:
        """Wait until the gate is open."""
        self.begun.append(name)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append(f"{name} cancelled")
            raise
        self.ended.append(name)
        return name

    async def fail(self, why: str) -> None:
        """Fail."""
        raise KeyError(why)


def call(name: str, args: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args, **more}}


def calling(*parts: dict[str, Any]) -> Reply:
    """Reply with function calls, one per chunk."""
    return Reply.chunks(*parts)


def kinds(items: list[ConversationItem]) -> list[str]:
    """Describe the items, in order: texts, calls and responses."""
    return [
        (item.text or "-")
        if isinstance(item, GenerateContentResponse)
        else f"call {item.name}"
        if isinstance(item, FunctionCall)
        else f"answer {item.response}"
        for item in items
    ]


async def read(stream: ConversationStream[ConversationItem]) -> list[ConversationItem]:
    return [item async for item in stream]
