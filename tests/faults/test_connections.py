"""Reused connections, and many connections at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from faults.play import MODEL, all_gone, quiet
from faults.raw_server import GOOD, Act, RawServer
from faults.rows import ONE_ATTEMPT

from cometgem import APIConnectionError, Client, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem import GenerateContentStream

MANY = 2000


@pytest.mark.parametrize("by_reset", [False, True])
async def test_server_closed_the_connection_before_the_loop_noticed(*, by_reset: bool) -> None:
    with quiet(), RawServer() as server:
        async with Client(server.api_key, base_url=server.url, retry=ONE_ATTEMPT) as client:
            for _ in range(3):
                await client.generate_content(MODEL, "Hi")
                server.hang_up(by_reset=by_reset)  # blocks the event loop until it is done
            assert (await client.generate_content(MODEL, "Hi")).text == "Hello"
        assert (server.requests, server.connections) == (4, 4)
        await all_gone(server)


async def test_large_request_on_a_closed_connection() -> None:
    with quiet(), RawServer() as server:
        async with Client(server.api_key, base_url=server.url, retry=ONE_ATTEMPT) as client:
            await client.generate_content(MODEL, "Hi")
            server.hang_up(by_reset=False)
            assert (await client.generate_content(MODEL, "x" * 5_000_000)).text == "Hello"
        await all_gone(server)


async def test_new_connection_is_not_replaced() -> None:
    with RawServer((Act.CLOSE,)) as server:
        async with Client(server.api_key, base_url=server.url, retry=ONE_ATTEMPT) as client:
            with pytest.raises(APIConnectionError):
                await client.generate_content(MODEL, "Hi")
        assert server.requests == 1


async def test_session_of_the_caller_keeps_its_own_retries() -> None:
    with RawServer(GOOD, (Act.CLOSE,)) as server:
        async with (
            aiohttp.ClientSession() as session,
            Client(
                server.api_key,
                base_url=server.url,
                session=session,
                retry=RetryPolicy(attempts=2, initial=0.0),
            ) as client,
        ):
            for _ in range(2):
                await client.generate_content(MODEL, "Hi")
            assert session.trace_configs == []
        assert server.requests == 3


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Allow enough file descriptors for both ends of all connections."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * MANY + 200
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        pytest.skip(f"skipped: the limit of {hard} file descriptors is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
async def test_two_thousand_concurrent_streams(fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.text("a", "b").then_stall().then(Reply.text("c"))] * MANY)
    with quiet():
        async with Client(fake_server.api_key, base_url=fake_server.url) as client:
            streams = [client.stream_generate_content(MODEL, "Hi") for _ in range(MANY)]

            async def begin(stream: GenerateContentStream) -> None:
                await anext(stream)
                await anext(stream)

            async with asyncio.timeout(60):
                await asyncio.gather(*map(begin, streams))
                assert fake_server.open_connections == MANY
                for request in fake_server.requests:
                    request.resume()
                finals = await asyncio.gather(*(one.get_final_response() for one in streams))
            assert {final.text for final in finals} == {"abc"}
        await all_gone(fake_server)
    assert len(fake_server.requests) == MANY
