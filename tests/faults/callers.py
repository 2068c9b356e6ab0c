"""What the caller may do to a stream or a call, beyond the plain ways of leaving it."""

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

__all__ = ["DEEDS", "Deed", "Scene"]

# The client has to end it: the server never does.
_ENDLESS = Reply.raw(events(2)).then_stall()


@dataclass
class Scene:
    """A client, its server, and a stream that has not been sent yet."""

    client: Client
    server: FakeServer
    stream: GenerateContentStream | None
    texts: list[str] = field(default_factory=list)

    @property
    def there(self) -> GenerateContentStream:
        """The stream, where it has not been dropped."""
        assert self.stream is not None
        return self.stream

    async def read(self, chunks: int) -> None:
        """Read so many chunks."""
        for _ in range(chunks):
            self.texts.append((await anext(self.there)).text)

    async def read_all(self) -> None:
        """Read to the end."""
        async for chunk in self.there:
            self.texts.append(chunk.text)

    async def cancel(self, work: Coroutine[Any, Any, object], after: int = 0) -> None:
        """Cancel work, when it has read so many chunks and waits."""
        task = asyncio.create_task(work)
        await self.server.wait_request()
        while len(self.texts) < after:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # to get somewhere; nothing that is checked depends on it
        task.cancel()
        await task


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One thing that a caller does.

    Attributes:
        when: Goes on from "What happens when".
        does: Does it.
        serves: What the server does.
        error: What is raised; None for nothing.
        texts: Of the chunks that were handed out; merged, they are in the snapshot and the error.
        gone: Whether the server saw the client leave before the reply was whole.
    """

    when: str
    does: Callable[[Scene], Coroutine[Any, Any, object]]
    serves: Reply = _ENDLESS
    error: type[BaseException] | None = None
    texts: tuple[str, ...] = ()
    gone: bool = True


async def _cancelled_waiting(scene: Scene) -> None:
    await scene.cancel(scene.read_all(), after=2)


async def _cancelled_in_the_body(scene: Scene) -> None:
    async def body() -> None:
        async with scene.there:
            await scene.read(1)
            await asyncio.sleep(20)

    await scene.cancel(body(), after=1)


async def _cancelled_opening(scene: Scene) -> None:
    await scene.cancel(scene.there.open())


async def _cancelled_single(scene: Scene) -> None:
    await scene.cancel(scene.client.generate_content(MODEL, "Hi"))


async def _timeout_around(scene: Scene) -> None:
    async with asyncio.timeout(None) as limit:
        await scene.read(2)
        limit.reschedule(asyncio.get_running_loop().time() + 0.05)
        await scene.read_all()


async def _fail_after_around(scene: Scene) -> None:
    with anyio.fail_after(None) as scope:
        async with scene.there:
            await scene.read(2)
            scope.deadline = anyio.current_time() + 0.05
            await scene.read_all()


async def _timeout_around_one(scene: Scene) -> None:
    await scene.read(2)
    try:
        await asyncio.wait_for(scene.read(1), 0.05)
    except TimeoutError:
        await scene.read(1)


async def _busy_as_it_breaks(scene: Scene) -> None:
    await scene.read(1)
    await scene.server.requests[0].wait_done()
    await asyncio.sleep(0.2)
    await scene.read_all()


async def _two_loops(scene: Scene) -> None:
    async for chunk in scene.there:
        scene.texts.append(chunk.text)
        break
    await scene.read_all()


async def _final_after_break(scene: Scene) -> None:
    async with scene.there as stream:
        await scene.read(1)
        final = await stream.get_final_response()
    scene.texts.append(final.text.removeprefix(scene.texts[0]))


async def _final_after_the_block(scene: Scene) -> None:
    async with scene.there:
        await scene.read(1)
    await scene.there.get_final_response()


async def _closed_among_chunks(scene: Scene) -> None:
    await scene.read(1)
    await scene.there.aclose()
    await scene.read(1)


async def _client_closed(scene: Scene) -> None:
    await scene.there.open()
    await scene.client.aclose()
    await scene.read_all()


async def _dropped_unread(scene: Scene) -> None:
    await scene.there.open()
    scene.stream = None


DEEDS = [
    Deed(
        when="the task is cancelled while it waits for a chunk",
        does=_cancelled_waiting,
        error=asyncio.CancelledError,
        texts=("text 0 ", "text 1 "),
    ),
    Deed(
        when="the task is cancelled in the body of the loop",
        does=_cancelled_in_the_body,
        error=asyncio.CancelledError,
        texts=("text 0 ",),
    ),
    Deed(
        when="the task is cancelled while it waits to send again",
        does=_cancelled_opening,
        serves=Reply.error(429, retry_after=20),
        error=asyncio.CancelledError,
        gone=False,
    ),
    Deed(
        when="the task is cancelled while the body of a refusal is being read",
        does=_cancelled_opening,
        serves=Reply.raw(b'{"error":', status=400).then_stall(),
        error=asyncio.CancelledError,
    ),
    Deed(
        when="a single call is cancelled before its answer",
        does=_cancelled_single,
        serves=Reply.silence(),
        error=asyncio.CancelledError,
    ),
    Deed(
        when="a single call is cancelled in the middle of its answer",
        does=_cancelled_single,
        serves=Reply.text("a").then_stall(),
        error=asyncio.CancelledError,
    ),
    Deed(
        when="`asyncio.timeout()` around everything runs out",
        does=_timeout_around,
        error=TimeoutError,
        texts=("text 0 ", "text 1 "),
    ),
    Deed(
        when="`anyio.fail_after()` around everything runs out",
        does=_fail_after_around,
        error=TimeoutError,
        texts=("text 0 ", "text 1 "),
    ),
    Deed(
        when="`asyncio.wait_for()` around one chunk runs out, and the next is asked for",
        does=_timeout_around_one,
        error=ClosedError,
        texts=("text 0 ", "text 1 "),
    ),
    Deed(
        when="the connection breaks after 7 chunks, while the caller is busy with the first",
        does=_busy_as_it_breaks,
        serves=after(7).then_reset(),
        error=StreamInterruptedError,
        texts=TEXTS,
        gone=False,
    ),
    Deed(
        when="two loops read one stream, one after the other",
        does=_two_loops,
        serves=Reply.text("a", "b", "c"),
        texts=("a", "b", "c"),
        gone=False,
    ),
    Deed(
        when="the final response is asked for after a part was read",
        does=_final_after_break,
        serves=Reply.text("a", "b"),
        texts=("a", "b"),
        gone=False,
    ),
    Deed(
        when="the final response is asked for after a block that was left early",
        does=_final_after_the_block,
        error=ClosedError,
        texts=("text 0 ",),
    ),
    Deed(
        when="a stream is closed while chunks of it are at hand, and the next is asked for",
        does=_closed_among_chunks,
        error=ClosedError,
        texts=("text 0 ",),
    ),
    Deed(
        when="the client is closed under an open stream that nobody reads",
        does=_client_closed,
        error=ClosedError,
    ),
    Deed(
        when="a stream is opened and dropped, and nothing of it was read",
        does=_dropped_unread,
    ),
]
