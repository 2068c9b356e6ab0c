from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
import socket
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import ClientSession as Session
    from aiohttp.client import _RequestContextManager
from typing import Never

STREAM = "streamGenerateContent?alt=sse"
BODY = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session:
        yield session


def post(
    session: Session,
    server: FakeServer,
    operation: str = STREAM,
    headers: dict[str, str] | None = None,
) -> _RequestContextManager:
    url = f"{server.url}/v1beta/models/gemini-x:{operation}"
    return session.post(url, json=BODY, headers=headers)


def texts(body: bytes) -> list[str]:
    lines = [line for line in body.decode().splitlines() if line.startswith("data: ")]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    return [part["text"] for c in chunks for part in c["candidates"][0]["content"]["parts"]]


async def test_both_operations(server: FakeServer, session: Session) -> None:
    server.add(Reply.text("Hel", "lo"), Reply.text("Hel", "lo"))
    async with post(session, server) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["x-cometapi-request-id"] == "fake-request-0"
        assert texts(await response.read()) == ["Hel", "lo"]
    async with post(session, server, "generateContent") as response:
        assert response.content_type == "application/json"
        body = await response.json()
        assert body["candidates"][0]["content"]["parts"] == [{"text": "Hello"}]
    first, second = server.requests
    assert (first.operation, second.operation) == ("streamGenerateContent", "generateContent")


async def test_the_script_is_used_in_order_before_the_default(session: Session) -> None:
    async with FakeServer(default=Reply.text("default")) as server:
        server.add(Reply.text("one"), Reply.text("two"))
        seen = [texts(await (await post(session, server)).read()) for _ in range(4)]
    assert seen == [["one"], ["two"], ["default"], ["default"]]


async def test_the_default_is_a_complete_answer(server: FakeServer, session: Session) -> None:
    async with post(session, server, "generateContent") as response:
        body = await response.json()
    thought, text = body["candidates"][0]["content"]["parts"]
    assert thought["thought"]
    assert text["text"]
    assert body["candidates"][0]["finishReason"] == "STOP"
    assert body["usageMetadata"]["thoughtsTokenCount"] == 1


async def test_recorded_requests(server: FakeServer, session: Session) -> None:
    headers = {"X-Own": "1", "Authorization": "Bearer secret"}
    async with post(session, server, STREAM + "&key=secret", headers=headers) as response:
        body = await response.read()
    (request,) = server.requests
    assert request.method == "POST"
    assert request.operation == "streamGenerateContent"
    assert request.model == "gemini-x"
    assert request.path == "/v1beta/models/gemini-x:streamGenerateContent"
    assert request.query == {"alt": "sse", "key": "***"}
    assert request.auth == "x-goog-api-key"
    assert request.headers["x-own"] == "1"
    assert request.headers["X-Goog-Api-Key"] == request.headers["authorization"] == "***"
    assert request.body == BODY
    assert json.loads(request.raw_body) == BODY
    await request.wait_done()
    assert request.finished
    assert not request.gone
    assert request.chunks_sent == 4
    assert request.bytes_sent == len(body)
    assert "secret" not in repr(request)
    assert "secret" not in str(dict(request.headers))


async def test_a_bearer_key(server: FakeServer) -> None:
    headers = {"Authorization": "Bearer k"}
    async with aiohttp.ClientSession(headers=headers) as session, post(session, server) as response:
        assert response.status == 200
    assert server.requests[0].auth == "bearer"


async def test_bytes_sent_counts_compressed_bytes(server: FakeServer, session: Session) -> None:
    server.add(Reply.text("a" * 10_000).gzip())
    async with post(session, server) as response:
        assert texts(await response.read()) == ["a" * 10_000]
    await server.requests[0].wait_done()
    assert 0 < server.requests[0].bytes_sent < 1000


@pytest.mark.parametrize(
    "reply",
    [
        Reply.silence(),
        Reply.text("a").delay(headers=60),
        Reply.text("a").delay(first=60),
        Reply.text("a", "b", delay=60),
        Reply.text("a").then_stall(),
        Reply.text("a").then_stall().pings(every=0.01),
        Reply.text(*["x" * 60_000] * 500),
    ],
    ids=["silent", "before headers", "first", "between", "stalled", "pinging", "sending"],
)
async def test_a_disconnected_client_is_noticed_at_once(
    server: FakeServer, session: Session, reply: Reply
) -> None:
    server.add(reply)
    call = asyncio.create_task(post(session, server).__aenter__())
    request = await server.wait_request()
    if reply.headers_delay == 0.0:
        response = await call
        response.close()
    else:
        call.cancel()
    await request.wait_gone()
    assert request.gone
    assert not request.finished
    for _ in range(1000):
        if server.open_connections == 0:
            break
        await asyncio.sleep(0.005)
    assert (server.connections, server.open_connections) == (1, 0)


async def test_waiting_for_a_client_that_stays_connected(
    server: FakeServer, session: Session
) -> None:
    server.add(Reply.text("a").then_stall())
    async with post(session, server):
        (request,) = server.requests
        with pytest.raises(TimeoutError, match=r"waited 0\.01 s for the client to disconnect"):
            await request.wait_gone(0.01)
        with pytest.raises(TimeoutError, match=r"waited 0\.01 s for the end of the reply"):
            await request.wait_done(0.01)
        with pytest.raises(TimeoutError, match=r"waited 0\.01 s for the end"):
            request.join(0.01)
        request.resume()
        await request.wait_done()
    with pytest.raises(TimeoutError, match="ended before the client disconnected"):
        await request.wait_gone()


async def test_waiting_for_a_request_that_does_not_arrive(server: FakeServer) -> None:
    with pytest.raises(TimeoutError, match=r"waited 0\.01 s for request 3"):
        await server.wait_request(3, timeout=0.01)


async def test_a_stall_can_be_resumed(server: FakeServer, session: Session) -> None:
    server.add(Reply.text("a").then_stall().then(Reply.text("b")), Reply.silence())
    async with post(session, server) as response:
        assert texts(await response.content.readany()) == ["a"]
        assert server.requests[0].chunks_sent == 1
        server.requests[0].resume()
        assert texts(await response.read()) == ["b"]
    call = asyncio.create_task(post(session, server).__aenter__())
    request = await server.wait_request(1)
    request.resume()
    async with await call as response:
        assert response.status == 200


async def test_resets(server: FakeServer, session: Session) -> None:
    server.add(Reply.text("a").then_reset(), Reply.text("a", "b").then_reset(), Reply.reset())
    async with post(session, server) as response:
        assert texts(await response.content.readany()) == ["a"]
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    with pytest.raises(aiohttp.ClientPayloadError):
        async with post(session, server, "generateContent") as response:
            await response.read()
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(session, server)
    for request in server.requests:
        await request.wait_done()
        assert not request.finished
        assert not request.gone


async def test_wrong_headers(server: FakeServer, session: Session) -> None:
    reply = Reply.text("a").with_headers({"Content-Type": "text/plain", "Content-Length": "4"})
    server.add(reply, Reply.html(200), Reply.raw(b"", status=429))
    async with post(session, server) as response:
        assert response.content_type == "text/plain"
        assert await response.read() == b"data"
    async with post(session, server) as response:
        assert (response.status, response.content_type) == (200, "text/html")
    async with post(session, server) as response:
        assert (response.status, await response.read()) == (429, b"")


async def test_slices_are_sent_one_by_one(server: FakeServer, session: Session) -> None:
    reply = Reply.text("é", "b").cut(1)
    server.add(reply)
    async with post(session, server) as response:
        assert texts(await response.read()) == ["é", "b"]
    await server.requests[0].wait_done()
    assert server.requests[0].chunks_sent == 2


async def test_it_answers_while_the_test_blocks(server: FakeServer) -> None:
    def ask() -> Any:
        url = f"{server.url}/v1beta/models/gemini-x:generateContent"
        headers = {"x-goog-api-key": server.api_key}
        request = urllib.request.Request(url, json.dumps(BODY).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return json.load(response)

    assert ask()["candidates"]
    server.requests[0].join()
    assert server.requests[0].finished


def test_waiting_works_from_any_event_loop(server: FakeServer) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session:
            server.add(Reply.text("a").then_stall())
            async with post(session, server):
                await server.wait_request()

    asyncio.run(ask())
    asyncio.run(server.requests[0].wait_gone())
    assert server.requests[0].gone


@pytest.mark.parametrize("reply", [Reply.text("a").then_stall(), Reply.silence()])
async def test_stopping_does_not_wait_for_replies_and_leaves_nothing(
    session: Session, reply: Reply
) -> None:
    threads = threading.active_count()
    async with FakeServer() as server:
        server.add(*[reply] * 5)
        calls = [asyncio.create_task(post(session, server).__aenter__()) for _ in range(5)]
        for index in range(5):
            await server.wait_request(index)
        started = time.perf_counter()
        server.stop()
        assert time.perf_counter() - started < 2
    assert threading.active_count() == threads
    assert server.open_connections == 0
    for request in server.requests:
        await request.wait_done(0)
        assert not request.finished
        assert not request.gone
        request.resume()
    for call in calls:
        try:
            (await call).close()
        except aiohttp.ClientError:
            continue


async def test_an_incomplete_request_is_not_recorded(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiohttp.server")
    host, port = server.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1beta/models/gemini-x:generateContent HTTP/1.1\r\nHost: a\r\n")
    writer.write(b"Content-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    for _ in range(1000):
        if (server.connections, server.open_connections) == (1, 0):
            break
        await asyncio.sleep(0.005)
    assert not server.requests
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_it_can_be_started_again() -> None:
    server = FakeServer()
    for _ in range(2):
        with server:
            assert server.url != "http://127.0.0.1:0"
            with pytest.raises(RuntimeError, match="already running"):
                server.start()
    server.stop()


def test_a_fixed_port_that_is_taken(server: FakeServer) -> None:
    port = int(server.url.rpartition(":")[2])
    other = FakeServer(port=port)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
        other.start()
    assert caught.value.errno == errno.EADDRINUSE
    server.stop()
    with other:
        assert other.url == f"http://127.0.0.1:{port}"


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Never:
        raise OSError(errno.EMFILE, "too many files")

    monkeypatch.setattr(asyncio, "Runner", fail)
    server = FakeServer()
    with pytest.raises(OSError, match="too many files"):
        server.start()
    monkeypatch.undo()
    with server:
        pass


def test_wait_blocks_until_it_is_stopped() -> None:
    with FakeServer() as server:
        stopping = threading.Event()

        def stop() -> None:
            stopping.set()
            server.stop()

        timer = threading.Timer(0.05, stop)
        timer.start()
        server.wait()
        assert stopping.is_set()
        timer.join()
    server.wait()


def test_connections_that_arrive_while_it_stops_are_closed() -> None:
    for _ in range(20):
        server = FakeServer()
        server.start()
        comers = [socket.socket() for _ in range(20)]
        try:
            for comer in comers:
                comer.settimeout(0)
                comer.connect_ex(("127.0.0.1", int(server.url.rpartition(":")[2])))
            server.stop()
        finally:
            for comer in comers:
                comer.close()
        assert server.open_connections == 0
    gc.collect()  # unclosed transports warn, and warnings are errors
