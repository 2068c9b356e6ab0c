"""Which connections are used: how many, and which kept ones are trusted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from faults.raw_server import GOOD, Act, RawServer

from cometgem import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    Client,
    ClosedError,
    ConfigurationError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from cometgem.http.connections import Slots
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "gemini-3.8-flash"
ONCE = RetryPolicy(attempts=1)
OTHER = b'{"candidates":[{"content":{"parts":[{"text":"Other"}]},"finishReason":"STOP"}]}'
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OTHER), OTHER)


def client_of(server: RawServer, **options: Any) -> Client:
    return Client(server.api_key, base_url=server.url, **{"retry": ONCE, **options})


async def test_many_kept_connections_have_died() -> None:
    """One request on a dead one, one on a new one; the other dead ones are not tried."""
    with RawServer() as server:
        async with client_of(server) as client:
            calls = [client.generate_content(MODEL, "Hi") for _ in range(12)]
            await asyncio.gather(*calls)
            kept = server.connections
            server.doom()
            assert (await client.generate_content(MODEL, "Hi")).text == "Hello"
            assert server.connections == kept + 1


@pytest.mark.parametrize("late", [SECOND, SECOND[:60], b"HTTP/1.1 408 Request Timeout\r\n", b"x"])
@pytest.mark.parametrize("seen_by_the_loop", [True, False])
async def test_what_arrives_on_an_idle_connection_is_no_answer(
    late: bytes, *, seen_by_the_loop: bool
) -> None:
    with RawServer() as server:
        async with client_of(server) as client:
            assert (await client.generate_content(MODEL, "Hi")).text == "Hello"
            server.say(late)  # blocks the loop until they are under way
            if seen_by_the_loop:
                await asyncio.sleep(0.1)
            assert (await client.generate_content(MODEL, "Hi")).text == "Hello"
        assert server.connections == 2


async def test_two_answers_in_one_packet() -> None:
    with RawServer((GOOD[0] + SECOND,)) as server:
        async with client_of(server) as client:
            for _ in range(3):
                assert (await client.generate_content(MODEL, "Hi")).text == "Hello"


async def test_a_kept_connection_is_used_again() -> None:
    with RawServer() as server:
        async with client_of(server) as client:
            for _ in range(5):
                await client.generate_content(MODEL, "Hi")
        assert (server.requests, server.connections) == (5, 1)


async def test_a_session_that_raises_for_status(fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(400), Reply.error(503).with_headers({"Retry-After": "0"}))
    fake_server.add(Reply.text("Hello"))
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        client = Client(fake_server.api_key, base_url=fake_server.url, session=session)
        with pytest.raises(BadRequestError):
            await client.generate_content(MODEL, "Hi")
        assert (await client.generate_content(MODEL, "Hi")).text == "Hello"
    assert len(fake_server.requests) == 3


async def test_a_session_that_does_not_decompress_is_refused() -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        with pytest.raises(ConfigurationError, match="auto_decompress=True"):
            Client("sk-key-of-the-test", session=session)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_limit_on_connections(fake_server: FakeServer, *, stream: bool) -> None:
    fake_server.add(*[Reply.text("a", "b", delay=0.01)] * 30)
    async with Client(
        fake_server.api_key, base_url=fake_server.url, max_connections=3, retry=ONCE
    ) as client:

        async def call() -> str:
            if stream:
                done = client.stream_generate_content(MODEL, "Hi").get_final_response()
            else:
                done = client.generate_content(MODEL, "Hi")
            return (await done).text

        assert await asyncio.gather(*(call() for _ in range(30))) == ["ab"] * 30
    assert fake_server.connections <= 3


async def test_the_wait_for_a_connection_counts_toward_the_total_alone(
    fake_server: FakeServer,
) -> None:
    fake_server.add(Reply.text("a").delay(first=0.5), Reply.text("b"), Reply.text("c"))
    short = Timeouts(connect=0.1, first_chunk=0.1, stall=0.1)
    async with Client(
        fake_server.api_key, base_url=fake_server.url, max_connections=1, retry=ONCE
    ) as client:
        first = asyncio.create_task(client.generate_content(MODEL, "Hi"))
        await fake_server.wait_request()
        second = asyncio.create_task(client.generate_content(MODEL, "Hi", timeouts=short))
        with pytest.raises(APITimeoutError) as caught:
            await client.generate_content(MODEL, "Hi", timeouts=Timeouts(total=0.1))
        assert caught.value.phase == "total"
        assert ((await first).text, (await second).text) == ("a", "b")


async def test_closing_in_the_moment_in_which_a_connection_is_free(fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a").then_stall())
    async with Client(
        fake_server.api_key, base_url=fake_server.url, max_connections=1, retry=ONCE
    ) as client:
        first = await client.stream_generate_content(MODEL, "Hi")
        second = client.stream_generate_content(MODEL, "Hi")
        waiting = asyncio.create_task(second.open())
        await asyncio.sleep(0.05)
        await first.aclose()
        await second.aclose()
        async with asyncio.timeout(2):
            with pytest.raises(ClosedError):
                await waiting
        assert len(fake_server.requests) == 1
        assert (await client.generate_content(MODEL, "Hi")).text


async def leave_cancelled(client: Client) -> None:
    task = asyncio.create_task(client.generate_content(MODEL, "Hi"))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])


async def leave_closed(client: Client) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    await stream.aclose()


async def leave_dropped(client: Client) -> None:
    await anext(client.stream_generate_content(MODEL, "Hi"))


async def leave_read(client: Client) -> None:
    await client.stream_generate_content(MODEL, "Hi").get_final_response()


async def leave_refused(client: Client) -> None:
    with pytest.raises(ServerError):
        await client.generate_content(MODEL, "Hi")


async def leave_late(client: Client) -> None:
    with pytest.raises(APITimeoutError):
        await client.generate_content(MODEL, "Hi", timeouts=Timeouts(total=0.1))


LEAVING = [
    (leave_cancelled, Reply.silence()),
    (leave_closed, Reply.text("a").then_stall()),
    (leave_dropped, Reply.text("a").then_stall()),
    (leave_read, Reply.text("a")),
    (leave_refused, Reply.error(503)),
    (leave_late, Reply.silence()),
]


@pytest.mark.parametrize(("leave", "reply"), LEAVING, ids=lambda one: getattr(one, "__name__", ""))
async def test_each_way_of_leaving_frees_a_connection(
    leave: Callable[[Client], Any], reply: Reply, fake_server: FakeServer
) -> None:
    fake_server.add(*[reply] * 5, Reply.text("Hello"))
    async with Client(
        fake_server.api_key, base_url=fake_server.url, max_connections=2, retry=ONCE
    ) as client:
        for _ in range(5):
            await leave(client)
        limits = Timeouts(total=5)
        assert (await client.generate_content(MODEL, "Hi", timeouts=limits)).text == "Hello"


async def test_a_released_slot_goes_to_the_one_that_waited_longest() -> None:
    slots = Slots(1)
    await slots.acquire()
    order: list[int] = []

    async def take(number: int) -> None:
        await slots.acquire()
        order.append(number)
        slots.release()

    tasks = [asyncio.create_task(take(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert slots.full
    slots.release()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ConfigurationError, match=f"max_connections={limit}"):
        Client("sk-key-of-the-test", max_connections=limit)


MANY_CALLS = """
    import asyncio, resource, sys
    from cometgem import Client
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    async def main():
        async with Client(base_url=sys.argv[1]) as client:
            times = range(int(sys.argv[2]))
            calls = (client.generate_content("gemini-3.8-flash", "Hi") for _ in times)
            answers = await asyncio.gather(*calls)
        print(sum(answer.finish_reason == "STOP" for answer in answers))

    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on descriptors")
async def test_more_calls_than_descriptors(fake_server: FakeServer) -> None:
    """From a cold start; by hand with 20,000 of them."""
    code = textwrap.dedent(MANY_CALLS)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, fake_server.url, "1000"],
        capture_output=True,
        text=True,
        env={**os.environ, "COMETAPI_KEY": fake_server.api_key},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1000\n", "")
    assert fake_server.connections <= 256


LONG = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (LONG, "a header of the server's response is larger than 65,536 bytes"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "the server's response is not valid HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the server's response is not valid HTTP"),
        pytest.param(
            b"SSH-2.0-OpenSSH_9.2\r\n",
            "the server's response is not valid HTTP",
            marks=pytest.mark.skipif(
                bool(os.environ.get("AIOHTTP_NO_EXTENSIONS")),
                reason="aiohttp's parser in pure Python waits for an empty line",
            ),
        ),
        (b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n", "the server's response is not valid HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n",
            "the server's response is not valid HTTP",
        ),
    ],
)
async def test_a_head_that_is_not_valid_is_not_asked_for_again(head: bytes, words: str) -> None:
    with RawServer(*[(head, Act.CLOSE)] * 3) as server:
        async with client_of(server, retry=RetryPolicy(attempts=3, initial=0)) as client:
            with pytest.raises(APIConnectionError, match=words) as caught:
                await client.generate_content(MODEL, "Hi")
        assert server.requests == 1
        assert not caught.value.retryable


async def test_a_large_header_is_read() -> None:
    body = GOOD[0].split(b"\r\n", 1)
    head = body[0] + b"\r\nX-Long: " + b"x" * 20_000 + b"\r\n" + body[1]
    with RawServer((head,)) as server:
        async with client_of(server) as client:
            assert (await client.generate_content(MODEL, "Hi")).text == "Hello"
