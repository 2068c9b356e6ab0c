"""`stream.heartbeat()`: None during silences, and the read goes on."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import BadRequestError, Client, ClosedError, ConfigurationError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-flash"
ENDLESS = Reply.text(*["x"] * 300, delay=0.02)


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        yield client
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_silences_are_none_and_no_chunk_is_lost(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a").then_pause(0.3).then(Reply.text("b", "c")).delay(first=0.3))
    stream = client.stream_generate_content(MODEL, "Hi")
    said = [chunk and chunk.text async for chunk in stream.heartbeat(0.05)]
    assert [text for text in said if text is not None] == ["a", "b", "c"]
    assert said[:3] == [None] * 3
    assert said[-1] == "c"
    assert said[said.index("a") + 1] is None
    assert (await stream.get_final_response()).text == "abc"


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, "5", None, True])
@pytest.mark.parametrize("way", ["stream", "conversation"])
async def test_other_values_than_seconds_are_refused(
    way: str, seconds: Any, client: Client, fake_server: FakeServer
) -> None:
    stream: Any = client.stream_generate_content(MODEL, "Hi")
    if way == "conversation":
        stream = client.run_tools(MODEL, "Hi", tools=[])
    with pytest.raises(ConfigurationError, match=r"^heartbeat\(.*\) is not valid; use a number of"):
        stream.heartbeat(seconds)
    assert fake_server.requests == []


async def test_a_buffered_chunk_needs_no_task(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text(*"abcdef"))
    stream = client.stream_generate_content(MODEL, "Hi")
    await stream.open()
    await asyncio.sleep(0.1)
    beats = stream.heartbeat(10)
    assert await anext(beats)
    for _ in range(4):
        with pytest.raises(StopIteration) as caught:
            beats.__anext__().send(None)
        assert caught.value.value.text in "bcde"


async def test_errors_come_through(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(400).delay(headers=0.1))
    with pytest.raises(BadRequestError):
        [None async for _ in client.stream_generate_content(MODEL, "Hi").heartbeat(0.02)]


async def test_break_leaves_no_task(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(ENDLESS)
    async for chunk in client.stream_generate_content(MODEL, "Hi").heartbeat(0.001):
        if chunk is None and fake_server.requests:  # the read is under way
            break
    await fake_server.requests[0].wait_gone()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_aclose_leaves_no_task(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(ENDLESS)
    stream = client.stream_generate_content(MODEL, "Hi")
    async with aclosing(stream.heartbeat(0.001)) as beats:
        while await anext(beats) is not None or not fake_server.requests:
            pass
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await fake_server.requests[0].wait_gone()


async def test_cancellation_leaves_no_task(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    stream = client.stream_generate_content(MODEL, "Hi")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream.heartbeat(10)), 0.1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await fake_server.requests[0].wait_gone()


async def test_a_second_cancellation_closes_the_stream_too(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a").then_stall().delay(first=0.05))
    stream = client.stream_generate_content(MODEL, "Hi")
    await stream.open()
    waiting = asyncio.ensure_future(anext(stream.heartbeat(10)))
    await asyncio.sleep(0)  # both the heartbeat and its read wait
    (read,) = asyncio.all_tasks() - {waiting, asyncio.current_task()}

    def cancel_twice(_: object) -> None:
        waiting.cancel()
        asyncio.get_running_loop().call_soon(waiting.cancel)

    read.add_done_callback(cancel_twice)  # it has a chunk, and so cannot be cancelled itself
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ClosedError):
        await asyncio.wait_for(anext(stream), 5)


async def test_a_cancelled_read_says_what_closed_the_stream(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a").then_stall())
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.1)
    with pytest.raises(ClosedError, match=r"wait_for\(\).*stream\.heartbeat\(seconds\)"):
        await anext(stream)


async def test_closing_it_while_another_task_waits(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a").then_stall())
    beats = client.stream_generate_content(MODEL, "Hi").heartbeat(10)
    await anext(beats)
    waiting = asyncio.create_task(anext(beats))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    await beats.aclose()
    with pytest.raises(ClosedError):
        await waiting
    await fake_server.requests[0].wait_gone()


async def test_one_task_at_a_time(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a", "b", delay=0.1))
    beats = client.stream_generate_content(MODEL, "Hi").heartbeat(10)
    await anext(beats)
    waiting = asyncio.create_task(anext(beats))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already being read by another task"):
        await anext(beats)
    chunk = await waiting
    assert chunk
    assert chunk.text == "b"
