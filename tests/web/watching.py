"""Runs to test, and what their viewers get."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from web.reader import Reader

from cometgem.testing import Reply
from cometgem.web import EventEncoder, Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem import Client
    from cometgem.web import Encoder
    from cometgem.web.served import Served

MODEL = "gemini-3.8-flash"
WORDS = [f"word{at} " for at in range(50)]
SLOW = Reply.text(*WORDS, delay=0.01)
STALLED = Reply.text("Hel", "lo").then_stall()


def relay(client: Client, encoder: Encoder | None = None, **options: Any) -> Relay:
    stream = client.stream_generate_content(MODEL, "Hi")
    return Relay(stream, EventEncoder() if encoder is None else encoder, **options)


class Watching:
    """A reader that is being served.

    Attributes:
        reader: What it got.
    """

    def __init__(self, app: Served | None) -> None:
        assert app is not None
        self.reader = Reader()
        self._serving = asyncio.create_task(self.reader.serve(app))

    async def wait_for(self, text: bytes) -> None:
        await self.reader.wait_for(text)

    async def leave(self) -> None:
        self.reader.left.set()
        await self._serving

    async def end(self) -> bytes:
        """Wait until the response is complete; raise what the application raises."""
        await self._serving
        return self.reader.body

    @property
    def text(self) -> str:
        """The text that came as named events."""
        return text_of(self.reader.body)


def text_of(body: bytes) -> str:
    """Return the text of named events."""
    return "".join(
        json.loads(event.split(b"data: ")[1])["text"]
        for event in body.split(b"\n\n")
        if b"event: text\n" in event
    )


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)
