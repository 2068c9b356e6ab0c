"""A server and its reader, as an ASGI application sees them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cometgem.web.asgi import Message
    from cometgem.web.refusals import Refusal
    from cometgem.web.relay import Relay

SCOPE = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "POST"}


class Reader:
    """Takes what an application sends, unless it is told to stall, and may leave.

    Attributes:
        messages: What was sent so far.
        stalls: Whether the next send blocks.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.stalls = False
        self.left = asyncio.Event()
        self._news = asyncio.Event()
        self._resumed = asyncio.Event()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.stalls:
            await self._resumed.wait()
        self.messages.append(message)
        self._news.set()

    def resume(self) -> None:
        self.stalls = False
        self._resumed.set()

    async def serve(self, app: Relay | Refusal) -> None:
        async with asyncio.timeout(10):
            await app(dict(SCOPE), self.receive, self.send)

    async def wait_for(self, text: bytes) -> None:
        """Wait until the body holds the text."""
        async with asyncio.timeout(10):
            while text not in self.body:
                self._news.clear()
                await self._news.wait()

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        pairs: list[tuple[bytes, bytes]] = self.messages[0]["headers"]
        return {name.decode(): value.decode() for name, value in pairs}

    @property
    def pieces(self) -> list[bytes]:
        """The pieces of the body, without the empty one at the end."""
        return [piece for message in self.messages[1:] if (piece := message["body"])]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def ended(self) -> bool:
        """Whether the body was ended well."""
        return bool(self.messages) and self.messages[-1].get("more_body") is False


def tasks() -> set[asyncio.Task[Any]]:
    """Return all tasks but the current one."""
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]
