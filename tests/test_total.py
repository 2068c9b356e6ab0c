"""`Timeouts(total=)` ends a stream whoever is slow: the server, or the caller."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import APITimeoutError, Client, RetryPolicy, Timeouts
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MODEL = "gemini-3.8-flash"
BUFFERED = Reply.text(*["x"] * 300)  # all of it has arrived long before the caller has read it
SLOW = Reply.text(*["x"] * 300, delay=0.03)


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(
        fake_server.api_key,
        base_url=fake_server.url,
        retry=RetryPolicy(attempts=1),
        timeouts=Timeouts(total=0.3),
    ) as client:
        yield client
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def block(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251  a caller that blocks its own event loop


def chunks(client: Client) -> Any:
    return client.stream_generate_content(MODEL, "Hi")


def text(client: Client) -> Any:
    return client.stream_generate_content(MODEL, "Hi").text_stream


def heartbeat(client: Client) -> Any:
    return client.stream_generate_content(MODEL, "Hi").heartbeat(10)


def conversation(client: Client) -> Any:
    return client.run_tools(MODEL, "Hi", tools=[])


def chat(client: Client) -> Any:
    return client.chat(MODEL).stream("Hi")


@pytest.mark.parametrize("pause", [asyncio.sleep, block])
@pytest.mark.parametrize("reply", [BUFFERED, SLOW], ids=["buffered", "slow"])
@pytest.mark.parametrize("start", [chunks, text, heartbeat, conversation, chat])
async def test_a_slow_caller_is_stopped_at_the_total_time(
    start: Callable[[Client], Any],
    reply: Reply,
    pause: Callable[[float], Any],
    client: Client,
    fake_server: FakeServer,
) -> None:
    fake_server.add(reply)
    count = 0
    with pytest.raises(APITimeoutError) as caught:
        async with aclosing(start(client)) as items:
            async for _ in items:
                count += 1
                await pause(0.03)
    assert caught.value.phase == "total"
    assert caught.value.seconds == 0.3
    assert 0 < count < 100  # 300 chunks would take 9 seconds
    assert caught.value.partial is not None
    assert caught.value.chunks == len(caught.value.partial.text) == count


async def test_the_connection_is_closed_while_the_caller_is_busy(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    await fake_server.requests[0].wait_gone()  # nobody has asked for the next chunk
    with pytest.raises(APITimeoutError, match=r"not finished within 0\.3 s"):
        await anext(stream)


async def test_an_answer_that_has_been_read_to_its_end_stays(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a", "b"))
    stream = client.stream_generate_content(MODEL, "Hi")
    assert [chunk.text async for chunk in stream] == ["a", "b"]
    await asyncio.sleep(0.4)
    assert (await stream.get_final_response()).text == "ab"


async def test_a_retry_does_not_start_the_time_again(fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(503), SLOW)
    async with Client(
        fake_server.api_key,
        base_url=fake_server.url,
        retry=RetryPolicy(attempts=2, initial=0),
        timeouts=Timeouts(total=0.3),
    ) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        await stream.open()
        await asyncio.sleep(0.35)
        with pytest.raises(APITimeoutError, match=r"Timeouts\(total="):
            await anext(stream)
