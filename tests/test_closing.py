"""Closing a client or a stream ends everything at once, from wherever it is closed."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem import Client, ClosedError, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MODEL = "gemini-3.8-flash"
SLOW = Reply.text(*["x"] * 300, delay=0.02)


async def single(client: Client) -> object:
    return await client.generate_content(MODEL, "Hi")


async def stream(client: Client) -> object:
    return await client.stream_generate_content(MODEL, "Hi").get_final_response()


async def opening(client: Client) -> object:
    return await client.stream_generate_content(MODEL, "Hi").open()


async def heartbeat(client: Client) -> object:
    return [chunk async for chunk in client.stream_generate_content(MODEL, "Hi").heartbeat(0.01)]


async def conversation(client: Client) -> object:
    return await client.run_tools(MODEL, "Hi", tools=[]).get_final_response()


async def chat(client: Client) -> object:
    return await client.chat(MODEL).send("Hi")


REPLIES = {
    "waits for the next attempt": Reply.error(503).with_headers({"Retry-After": "20"}),
    "waits for the headers": Reply.silence(),
    "waits for the first chunk": SLOW.delay(first=10),
    "reads": SLOW,
    "waits for the body of an error": Reply.error(400).delay(first=10),
}


@pytest.mark.parametrize("own_session", [True, False])
@pytest.mark.parametrize("state", REPLIES)
@pytest.mark.parametrize("call", [single, stream, opening, heartbeat, conversation, chat])
async def test_closing_the_client_ends_a_call(
    call: Callable[[Client], Awaitable[object]],
    state: str,
    fake_server: FakeServer,
    *,
    own_session: bool,
) -> None:
    if call is opening and state in ("waits for the first chunk", "reads"):
        pytest.skip("the stream is open by then")
    fake_server.add(REPLIES[state])
    async with aiohttp.ClientSession() as session:
        client = Client(
            fake_server.api_key,
            base_url=fake_server.url,
            session=None if own_session else session,
        )
        task = asyncio.create_task(call(client))  # type: ignore[arg-type]
        await fake_server.wait_request()
        await asyncio.sleep(0.1)
        assert not task.done()
        async with asyncio.timeout(2):
            await client.aclose()
            with pytest.raises(ClosedError):
                await task
        (request,) = fake_server.requests
        if not request.finished:
            await request.wait_gone()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_nothing_is_handed_out_after_the_client_was_closed(fake_server: FakeServer) -> None:
    fake_server.add(Reply.text(*"abcdef"))
    client = Client(fake_server.api_key, base_url=fake_server.url)
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    await asyncio.sleep(0.1)  # all of it has come
    await client.aclose()
    for _ in range(2):
        with pytest.raises(ClosedError, match="the client is closed"):
            await anext(stream)
    assert stream.snapshot.text == "a"


async def test_nothing_is_handed_out_after_the_stream_was_closed(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    stream = client.stream_generate_content(MODEL, "Hi")
    count_at_close = -1
    count = 0

    async def read() -> None:
        nonlocal count
        async for _ in stream:
            count += 1

    task = asyncio.create_task(read())
    while count < 3:
        await asyncio.sleep(0.001)
    await stream.aclose()
    count_at_close = count
    with pytest.raises(ClosedError, match="was closed"):
        await task
    assert count == count_at_close


async def test_nothing_buffered_is_handed_out_after_the_stream_was_closed(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*"abcdef"))
    stream = client.stream_generate_content(MODEL, "Hi")
    await stream.open()
    await asyncio.sleep(0.1)
    await anext(stream)
    await stream.aclose()
    with pytest.raises(ClosedError):
        await anext(stream)


async def test_a_stream_that_was_read_to_its_end_stays_readable_after_aclose(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a", "b"))
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        assert "".join([text async for text in stream.text_stream]) == "ab"
    assert (await stream.get_final_response()).text == "ab"


async def test_closing_a_client_in_another_thread(fake_server: FakeServer) -> None:
    fake_server.add(SLOW)
    client = Client(fake_server.api_key, base_url=fake_server.url)
    task = asyncio.create_task(stream(client))  # type: ignore[arg-type]
    await fake_server.wait_request()
    await asyncio.sleep(0.1)
    await asyncio.to_thread(asyncio.run, client.aclose())
    with pytest.raises(ClosedError):
        await task
    await fake_server.requests[0].wait_gone()


async def test_closing_a_stream_in_another_thread(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(SLOW)
    one = client.stream_generate_content(MODEL, "Hi")
    task = asyncio.create_task(one.get_final_response())
    await fake_server.wait_request()
    await asyncio.sleep(0.1)
    await asyncio.to_thread(asyncio.run, one.aclose())
    with pytest.raises(ClosedError):
        await task
    await fake_server.requests[0].wait_gone()


def test_closing_a_client_while_its_loop_rests(fake_server: FakeServer) -> None:
    client = Client(fake_server.api_key, base_url=fake_server.url)
    with asyncio.Runner() as runner:
        runner.run(single(client))  # type: ignore[arg-type]
        asyncio.run(client.aclose())
    with pytest.raises(ClosedError):
        asyncio.run(single(client))  # type: ignore[arg-type]


# asyncio warns of each connection that is open when its loop is closed; it cannot be closed then.
# uvloop warns while it closes them, and hangs if that warning is an error.
@pytest.mark.filterwarnings("ignore:unclosed resource:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_closing_a_client_whose_loop_is_closed(fake_server: FakeServer) -> None:
    client = Client(fake_server.api_key, base_url=fake_server.url)
    asyncio.run(single(client))  # type: ignore[arg-type]
    asyncio.run(client.aclose())
    with pytest.raises(ClosedError):
        asyncio.run(single(client))  # type: ignore[arg-type]
    del client
    gc.collect()
    give_up_at = time.monotonic() + 5
    while fake_server.open_connections and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert fake_server.open_connections == 0


async def test_dropping_a_stream_in_another_thread(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(SLOW)
    held: list[Any] = [client.stream_generate_content(MODEL, "Hi")]
    await anext(held[0])
    thread = threading.Thread(target=held.clear)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
    await fake_server.requests[0].wait_gone()
    assert fake_server.requests[0].chunks_sent < 300


async def test_the_text_of_a_stream_can_be_closed(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(SLOW)
    async with aclosing(client.stream_generate_content(MODEL, "Hi").text_stream) as texts:
        held = texts  # so that only aclose() can close it
        await anext(texts)
    await fake_server.requests[0].wait_gone()
    with pytest.raises(ClosedError):
        await anext(held)


async def test_a_retry_that_sleeps_lets_its_client_be_closed(fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(503))
    client = Client(
        fake_server.api_key,
        base_url=fake_server.url,
        retry=RetryPolicy(attempts=2, initial=100, maximum=100),
    )
    calls = [asyncio.create_task(single(client)) for _ in range(3)]  # type: ignore[arg-type]
    fake_server.add(*[Reply.error(503)] * 2)
    await fake_server.wait_request(2)
    await asyncio.sleep(0.1)
    await client.aclose()
    for call in calls:
        with pytest.raises(ClosedError, match="the client is closed"):
            await call


async def test_a_client_in_a_cycle_closes_its_session_first_in_a_garbage_collection(
    fake_server: FakeServer,
) -> None:
    """The collector may finalize the session before the client; its own finalizer warns."""
    gc.collect()
    gc.disable()
    try:
        client = Client(fake_server.api_key, base_url=fake_server.url)
        await client.generate_content(MODEL, "Hi")
        sessions = [one for one in gc.get_objects() if isinstance(one, aiohttp.ClientSession)]
        session = next(one for one in sessions if not one.closed)
        # This collection moves what only the cycle refers to behind the session.
        cycle: list[Any] = [client]
        cycle.append(cycle)
        del client, sessions
        gc.collect()
        left = weakref.ref(session)
        del session, cycle
        gc.collect()
    finally:
        gc.enable()
    assert left() is None
    give_up_at = time.monotonic() + 10
    while fake_server.open_connections and time.monotonic() < give_up_at:
        await asyncio.sleep(0.01)
    assert fake_server.open_connections == 0


@pytest.mark.parametrize("served", [Reply.text("a").then_stall(), Reply.silence()])
def test_a_cancelled_read_keeps_no_cycle(fake_server: FakeServer, served: Reply) -> None:
    fake_server.add(served)
    left: list[weakref.ref[object]] = []

    async def cancel() -> None:
        stream = client.stream_generate_content(MODEL, "Hi")
        left.append(weakref.ref(stream))
        task = asyncio.create_task(stream.get_final_response())
        await fake_server.wait_request()
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    gc.disable()
    try:
        client = Client(fake_server.api_key, base_url=fake_server.url)
        asyncio.run(cancel())
        assert left[0]() is None
    finally:
        gc.enable()
