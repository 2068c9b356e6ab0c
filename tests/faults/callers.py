"""What a caller may do to a stream or a call, beyond simply leaving it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from faults.play import MODEL
from faults.rows import TEXTS, after
from faults.wire import events

from cometgem import Client, ClosedError, StreamInterruptedError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cometgem import GenerateContentStream

__all__ = ["ACTIONS", "Action", "Scene"]

# The server never ends it: the client has to.
_ENDLESS = Reply.raw(events(2)).then_stall()


@dataclass
class Scene:
    """A client, its server, and a stream whose request has not been sent yet."""

    client: Client
    server: FakeServer
    stream: GenerateContentStream | None
    texts: list[str] = field(default_factory=list)

    @property
    def open_stream(self) -> GenerateContentStream:
        """The stream, before it is dropped."""
        assert self.stream is not None
        return self.stream

    async def read(self, chunks: int) -> None:
        """Read a number of chunks."""
        for _ in range(chunks):
            self.texts.append((await anext(self.open_stream)).text)

    async def read_all(self) -> None:
        """Read to the end."""
        async for chunk in self.open_stream:
            self.texts.append(chunk.text)

    async def cancel(self, work: Coroutine[Any, Any, object], after: int = 0) -> None:
        """Cancel work once it has read `after` chunks and waits for more."""
        task = asyncio.create_task(work)
        await self.server.wait_request()
        while len(self.texts) < after:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # lets it start to wait; no check depends on it
        task.cancel()
        await task


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something a caller does, and what comes of it.

    Attributes:
        when: The action; completes the sentence "What happens when ...".
        does: Performs it.
        serves: What the server does.
        texts: Of the chunks that are handed out. Merged, they are `stream.snapshot` and
            `error.partial`.
        error: What is raised; None if nothing is.
        leaves: Whether the server sees the connection close before its response has ended.
    """

    when: str
    does: Callable[[Scene], Coroutine[Any, Any, object]]
    serves: Reply
    texts: tuple[str, ...]
    error: type[BaseException] | None
    leaves: bool


async def _cancelled_waiting(scene: Scene) -> None:
    await scene.cancel(scene.read_all(), after=2)


async def _cancelled_in_loop_body(scene: Scene) -> None:
    async def body() -> None:
        async with scene.open_stream:
            await scene.read(1)
            await asyncio.sleep(20)

    await scene.cancel(body(), after=1)


async def _cancelled_opening(scene: Scene) -> None:
    await scene.cancel(scene.open_stream.open())


async def _cancelled_single(scene: Scene) -> None:
    await scene.cancel(scene.client.generate_content(MODEL, "Hi"))


async def _timeout_around(scene: Scene) -> None:
    async with asyncio.timeout(None) as limit:
        await scene.read(2)
        limit.reschedule(asyncio.get_running_loop().time() + 0.05)
        await scene.read_all()


async def _fail_after_around(scene: Scene) -> None:
    with anyio.fail_after(None) as scope:
        async with scene.open_stream:
            await scene.read(2)
            scope.deadline = anyio.current_time() + 0.05
            await scene.read_all()


async def _timeout_around_one(scene: Scene) -> None:
    await scene.read(2)
    try:
        await asyncio.wait_for(scene.read(1), 0.05)
    except TimeoutError:
        await scene.read(1)


async def _breaks_while_busy(scene: Scene) -> None:
    await scene.read(1)
    await scene.server.requests[0].wait_done()
    await asyncio.sleep(0.2)
    await scene.read_all()


async def _two_loops(scene: Scene) -> None:
    async for chunk in scene.open_stream:
        scene.texts.append(chunk.text)
        break
    await scene.read_all()


async def _final_after_break(scene: Scene) -> None:
    async with scene.open_stream as stream:
        await scene.read(1)
        final = await stream.get_final_response()
    scene.texts.append(final.text.removeprefix(scene.texts[0]))


async def _final_after_the_block(scene: Scene) -> None:
    async with scene.open_stream:
        await scene.read(1)
    await scene.open_stream.get_final_response()


async def _closed_between_chunks(scene: Scene) -> None:
    await scene.read(1)
    await scene.open_stream.aclose()
    await scene.read(1)


async def _client_closed(scene: Scene) -> None:
    await scene.open_stream.open()
    await scene.client.aclose()
    await scene.read_all()


async def _dropped_unread(scene: Scene) -> None:
    await scene.open_stream.open()
    scene.stream = None


# fmt: off
ACTIONS = [
    Action(
        when="the task is cancelled while it waits for a chunk",
        does=_cancelled_waiting, serves=_ENDLESS,
        texts=TEXTS[:2], error=asyncio.CancelledError, leaves=True,
    ),
    Action(
        when="the task is cancelled in the body of the loop",
        does=_cancelled_in_loop_body, serves=_ENDLESS,
        texts=TEXTS[:1], error=asyncio.CancelledError, leaves=True,
    ),
    Action(
        when="the task is cancelled while it waits for the next attempt",
        does=_cancelled_opening, serves=Reply.error(429, retry_after=20),
        texts=(), error=asyncio.CancelledError, leaves=False,
    ),
    Action(
        when="the task is cancelled while it reads the body of an error response",
        does=_cancelled_opening, serves=Reply.raw(b'{"error":', status=400).then_stall(),
        texts=(), error=asyncio.CancelledError, leaves=True,
    ),
    Action(
        when="a single call is cancelled before the response starts",
        does=_cancelled_single, serves=Reply.silence(),
        texts=(), error=asyncio.CancelledError, leaves=True,
    ),
    Action(
        when="a single call is cancelled in the middle of the response",
        does=_cancelled_single, serves=Reply.text("a").then_stall(),
        texts=(), error=asyncio.CancelledError, leaves=True,
    ),
    Action(
        when="an `asyncio.timeout()` around the whole stream expires",
        does=_timeout_around, serves=_ENDLESS,
        texts=TEXTS[:2], error=TimeoutError, leaves=True,
    ),
    Action(
        when="an `anyio.fail_after()` around the whole stream expires",
        does=_fail_after_around, serves=_ENDLESS,
        texts=TEXTS[:2], error=TimeoutError, leaves=True,
    ),
    Action(
        when="an `asyncio.wait_for()` around one chunk expires and another chunk is requested",
        does=_timeout_around_one, serves=_ENDLESS,
        texts=TEXTS[:2], error=ClosedError, leaves=True,
    ),
    Action(
        when="the connection breaks after 7 chunks while the caller is busy with the first",
        does=_breaks_while_busy, serves=after(7).then_reset(),
        texts=TEXTS, error=StreamInterruptedError, leaves=False,
    ),
    Action(
        when="two loops read one stream, one after the other",
        does=_two_loops, serves=Reply.text("a", "b", "c"),
        texts=("a", "b", "c"), error=None, leaves=False,
    ),
    Action(
        when="the final response is requested after some chunks have been read",
        does=_final_after_break, serves=Reply.text("a", "b"),
        texts=("a", "b"), error=None, leaves=False,
    ),
    Action(
        when="the final response is requested after an `async with` block that was left early",
        does=_final_after_the_block, serves=_ENDLESS,
        texts=TEXTS[:1], error=ClosedError, leaves=True,
    ),
    Action(
        when="a stream is closed with chunks still unread and another chunk is requested",
        does=_closed_between_chunks, serves=_ENDLESS,
        texts=TEXTS[:1], error=ClosedError, leaves=True,
    ),
    Action(
        when="the client is closed while a stream is open and nobody reads it",
        does=_client_closed, serves=_ENDLESS,
        texts=(), error=ClosedError, leaves=True,
    ),
    Action(
        when="a stream is opened and dropped without being read",
        does=_dropped_unread, serves=_ENDLESS,
        texts=(), error=None, leaves=True,
    ),
]
