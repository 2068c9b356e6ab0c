"""Leaving closes: the server sees it, nothing is left behind, no collector had to run."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import anyio
import pytest

from cometgem import Client, ClientClosedError, GenerateContentStream, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

MODEL = "gemini-2.5-flash"
ENDLESS = Reply.text(*["x"] * 200, delay=0.02)


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    fake_server.add(ENDLESS)
    async with Client(
        fake_server.api_key, base_url=fake_server.url, retry=RetryPolicy(attempts=1)
    ) as client:
        yield client


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[weakref.WeakSet[GenerateContentStream]]:
    """The streams that are alive, with the garbage collector off."""
    live: weakref.WeakSet[GenerateContentStream] = weakref.WeakSet()
    made = GenerateContentStream.__init__

    def watched(self: GenerateContentStream, *args: object) -> None:
        made(self, *args)  # type: ignore[arg-type]
        live.add(self)

    monkeypatch.setattr(GenerateContentStream, "__init__", watched)
    gc.collect()
    gc.disable()
    yield live
    gc.enable()


async def leave_by_break(client: Client) -> None:
    async for _ in client.stream_generate_content(MODEL, "Hi"):
        break


async def leave_by_break_of_text(client: Client) -> None:
    async for _ in client.stream_generate_content(MODEL, "Hi").text_stream:
        break


async def leave_by_error(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in client.stream_generate_content(MODEL, "Hi"):
            raise ZeroDivisionError


async def leave_by_block(client: Client) -> None:
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        await anext(stream)


async def leave_by_error_in_block(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        async with client.stream_generate_content(MODEL, "Hi") as stream:
            async for _ in stream:
                raise ZeroDivisionError


async def leave_by_del(client: Client) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    del stream


async def leave_by_return(client: Client) -> None:
    async for _ in client.stream_generate_content(MODEL, "Hi"):
        return


async def leave_by_aclose(client: Client) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    await stream.aclose()


async def leave_by_cancel(client: Client) -> None:
    with anyio.move_on_after(0.2) as scope:
        async for _ in client.stream_generate_content(MODEL, "Hi"):
            pass
    assert scope.cancelled_caught


async def leave_by_timeout(client: Client) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.stream_generate_content(MODEL, "Hi").get_final_response()


WAYS = [way for name, way in sorted(globals().items()) if name.startswith("leave_by_")]


@pytest.mark.parametrize("leave", WAYS)
async def test_the_server_sees_each_way_of_leaving(
    leave: Callable[[Client], Awaitable[None]],
    client: Client,
    fake_server: FakeServer,
    live: weakref.WeakSet[GenerateContentStream],
) -> None:
    await leave(client)
    await asyncio.sleep(0)  # the loop itself holds a cancelled wait until its next turn
    assert len(live) == 0
    await fake_server.requests[0].wait_gone()
    assert fake_server.requests[0].chunks_sent < 200
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelled_while_it_is_opened(fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        task = asyncio.create_task(stream.open())
        request = await fake_server.wait_request()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await request.wait_gone()
        with pytest.raises(ClientClosedError):
            await stream.open()


async def test_closed_by_another_task_while_it_is_opened(fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        task = asyncio.create_task(stream.open())
        request = await fake_server.wait_request()
        await stream.aclose()
        with pytest.raises(ClientClosedError, match="before its first chunk"):
            await task
        await request.wait_gone()


async def test_closed_during_the_wait_for_a_retry(fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(429, retry_after=20))
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        task = asyncio.create_task(stream.get_final_response())
        await (await fake_server.wait_request()).wait_done()
        await asyncio.sleep(0.05)
        await stream.aclose()
        with pytest.raises(ClientClosedError):
            await task
    assert len(fake_server.requests) == 1


async def test_the_client_closed_under_a_waiting_stream(
    client: Client, fake_server: FakeServer
) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    task = asyncio.create_task(stream.get_final_response())
    await asyncio.sleep(0.05)
    await client.aclose()
    with pytest.raises(ClientClosedError) as caught:
        await task
    assert caught.value.partial is not None
    await fake_server.requests[0].wait_gone()


def test_the_loop_ends_with_an_open_stream(fake_server: FakeServer) -> None:
    fake_server.add(ENDLESS)

    async def forget_everything() -> None:
        client = Client(fake_server.api_key, base_url=fake_server.url)
        await anext(client.stream_generate_content(MODEL, "Hi"))

    asyncio.run(forget_everything(), debug=True)
    fake_server.requests[0].join()
    assert fake_server.requests[0].gone
