"""Every way of leaving a stream, and the streams that are still alive afterwards."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from cometgem import GenerateContentStream
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem import Client

MODEL = "gemini-3.8-flash"
ENDLESS = Reply.text(*["x"] * 200, delay=0.02)


@contextmanager
def live_streams() -> Iterator[weakref.WeakSet[GenerateContentStream]]:
    """Track the streams that are alive, with the garbage collector off."""
    live: weakref.WeakSet[GenerateContentStream] = weakref.WeakSet()
    made = GenerateContentStream.__init__

    def watched(self: GenerateContentStream, *args: object) -> None:
        made(self, *args)  # type: ignore[arg-type]
        live.add(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenerateContentStream, "__init__", watched)
        gc.collect()
        gc.disable()
        try:
            yield live
        finally:
            gc.enable()


async def leave_by_break(client: Client, said: str = "Hi") -> None:
    async for _ in client.stream_generate_content(MODEL, said):
        break


async def leave_by_break_of_text(client: Client, said: str = "Hi") -> None:
    async for _ in client.stream_generate_content(MODEL, said).text_stream:
        break


async def leave_by_error(client: Client, said: str = "Hi") -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in client.stream_generate_content(MODEL, said):
            raise ZeroDivisionError


async def leave_by_block(client: Client, said: str = "Hi") -> None:
    async with client.stream_generate_content(MODEL, said) as stream:
        await anext(stream)


async def leave_by_error_in_block(client: Client, said: str = "Hi") -> None:
    with pytest.raises(ZeroDivisionError):
        async with client.stream_generate_content(MODEL, said) as stream:
            async for _ in stream:
                raise ZeroDivisionError


async def leave_by_del(client: Client, said: str = "Hi") -> None:
    stream = client.stream_generate_content(MODEL, said)
    await anext(stream)
    del stream


async def leave_by_return(client: Client, said: str = "Hi") -> None:
    async for _ in client.stream_generate_content(MODEL, said):
        return


async def leave_by_aclose(client: Client, said: str = "Hi") -> None:
    stream = client.stream_generate_content(MODEL, said)
    await anext(stream)
    await stream.aclose()


async def leave_by_cancel(client: Client, said: str = "Hi") -> None:
    with anyio.move_on_after(0.2) as scope:
        async for _ in client.stream_generate_content(MODEL, said):
            pass
    assert scope.cancelled_caught


async def leave_by_timeout(client: Client, said: str = "Hi") -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.stream_generate_content(MODEL, said).get_final_response()


WAYS = [way for name, way in sorted(globals().items()) if name.startswith("leave_by_")]
