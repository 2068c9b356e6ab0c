"""Leaving closes: the server sees it, nothing is left behind, and no collection is needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from leaving import ENDLESS, MODEL, WAYS, live_streams

from cometgem import Client, ClosedError, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    import weakref
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from cometgem import GenerateContentStream


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    fake_server.add(ENDLESS)
    async with Client(
        fake_server.api_key, base_url=fake_server.url, retry=RetryPolicy(attempts=1)
    ) as client:
        yield client


@pytest.fixture
def live() -> Iterator[weakref.WeakSet[GenerateContentStream]]:
    with live_streams() as live:
        yield live


@pytest.mark.parametrize("leave", WAYS)
async def test_each_way_of_leaving_closes_the_connection(
    leave: Callable[[Client], Awaitable[None]],
    client: Client,
    fake_server: FakeServer,
    live: weakref.WeakSet[GenerateContentStream],
) -> None:
    await leave(client)
    await asyncio.sleep(0)  # the loop holds a cancelled wait until its next iteration
    assert len(live) == 0
    await fake_server.requests[0].wait_gone()
    assert fake_server.requests[0].chunks_sent < 200
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_while_the_stream_is_opened(fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        task = asyncio.create_task(stream.open())
        request = await fake_server.wait_request()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await request.wait_gone()
        with pytest.raises(ClosedError):
            await stream.open()


async def test_closing_from_another_task_while_the_stream_is_opened(
    fake_server: FakeServer,
) -> None:
    fake_server.add(Reply.silence())
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        task = asyncio.create_task(stream.open())
        request = await fake_server.wait_request()
        await stream.aclose()
        with pytest.raises(ClosedError, match="before its first chunk arrived"):
            await task
        await request.wait_gone()


async def test_closing_while_waiting_for_a_retry(fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(429, retry_after=20))
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        task = asyncio.create_task(stream.get_final_response())
        await (await fake_server.wait_request()).wait_done()
        await asyncio.sleep(0.05)
        await stream.aclose()
        with pytest.raises(ClosedError):
            await task
    assert len(fake_server.requests) == 1


async def test_closing_the_client_while_a_stream_waits(
    client: Client, fake_server: FakeServer
) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    task = asyncio.create_task(stream.get_final_response())
    await asyncio.sleep(0.05)
    await client.aclose()
    with pytest.raises(ClosedError) as caught:
        await task
    assert caught.value.partial is not None
    await fake_server.requests[0].wait_gone()


def test_the_event_loop_ends_with_an_open_stream(fake_server: FakeServer) -> None:
    fake_server.add(ENDLESS)

    async def forget_everything() -> None:
        client = Client(fake_server.api_key, base_url=fake_server.url)
        await anext(client.stream_generate_content(MODEL, "Hi"))

    asyncio.run(forget_everything(), debug=True)
    fake_server.requests[0].join()
    assert fake_server.requests[0].gone
