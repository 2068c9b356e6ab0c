"""The responses of frameworks, as far as they need no server; and the examples."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from web.reader import tasks

from cometgem import Client, ClosedError, RateLimitError
from cometgem.testing import FakeServer, Reply
from cometgem.web import (
    EventEncoder,
    Refusal,
    Relay,
    TextEncoder,
    UIMessageEncoder,
    aiohttp_response,
    refusal,
    respond,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
MODEL = "gemini-3.8-flash"
STALLED = Reply.text("Hel", "lo").then_stall()
QUESTION = {
    "id": "1",
    "trigger": "submit-message",
    "messages": [{"id": "a", "role": "user", "parts": [{"type": "text", "text": "Umbrella?"}]}],
}
FRAMEWORKS = {"fastapi": "app", "litestar": "app", "quart": "app", "django": "application"}


def ask(client: Client) -> Any:
    return client.stream_generate_content(MODEL, "Hi")


def load(framework: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import an example anew, or skip the test."""
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed: pip install 'cometgem[web-test]'")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, f"chat_{framework}", raising=False)
    return importlib.import_module(f"chat_{framework}")


@pytest.fixture(autouse=True)
def _key(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMETAPI_KEY", fake_server.api_key)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)


async def lifespan(app: Any, messages: asyncio.Queue[Any], started: asyncio.Event) -> None:
    async def send(_: Any) -> None:
        started.set()

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, messages.get, send)


def types(body: str) -> list[str]:
    lines = [line[6:] for line in body.splitlines() if line.startswith("data: {")]
    return [json.loads(line)["type"] for line in lines]


SAID = [
    *("start", "start-step", "tool-input-available", "tool-output-available", "finish-step"),
    *("start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"),
]


def assert_said(body: str) -> None:
    assert [one for one in types(body) if one in SAID] == SAID
    assert body.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.filterwarnings("default")  # of the frameworks
async def test_the_example_answers_a_page(
    framework: str, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = getattr(load(framework, monkeypatch), FRAMEWORKS[framework])
    fake_server.add(Reply.call("get_weather", {"city": "Bath"}), Reply.text("Take one."))
    fake_server.add(Reply.error(429, retry_after=99))
    messages: asyncio.Queue[Any] = asyncio.Queue()
    started = asyncio.Event()
    if framework != "django":  # it has no lifespan
        messages.put_nowait({"type": "lifespan.startup"})
        life = asyncio.create_task(lifespan(app, messages, started))
        await started.wait()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        answer = await browser.post("/api/chat", json=QUESTION)
        assert answer.status_code == 200
        assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
        assert_said(answer.text)
        refused = await browser.post("/api/chat", json=QUESTION)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "99")
        bad = await browser.post("/api/chat", json={"messages": []})
        assert bad.headers["content-type"] == "text/plain; charset=utf-8"
        assert bad.status_code == 400
    assert len(fake_server.requests) == 3
    if framework == "django":
        await sys.modules["chat_django"].client().aclose()
    else:
        messages.put_nowait({"type": "lifespan.shutdown"})
        await life


async def test_the_example_for_aiohttp_answers_a_page(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = load("aiohttp", monkeypatch).app
    fake_server.add(Reply.call("get_weather", {"city": "Bath"}), Reply.text("Take one."))
    fake_server.add(Reply.error(429, retry_after=99))
    async with TestClient(TestServer(app)) as browser:
        async with browser.post("/api/chat", json=QUESTION) as answer:
            assert answer.status == 200
            assert_said(await answer.text())
        async with browser.post("/api/chat", json=QUESTION) as refused:
            assert (refused.status, refused.headers["retry-after"]) == (429, "99")
        async with browser.post("/api/chat", json={"messages": []}) as bad:
            assert bad.status == 400


async def test_without_starlette_the_relay_is_the_response(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "starlette.responses", raising=False)
    relay = Relay(ask(client), TextEncoder())
    assert await respond(relay) is relay


def test_a_refusal_can_be_returned() -> None:
    assert refusal(ClosedError("x")) == Refusal(
        502, "The model is not available at the moment. Please try again."
    )
    assert Refusal(429, "Later.", 3).headers["retry-after"] == "3"


def aiohttp_app(*relays: Relay) -> web.Application:
    left = list(relays)

    async def chat(request: web.Request) -> web.StreamResponse:
        return await aiohttp_response(request, left.pop(0))

    app = web.Application()
    app.router.add_get("/", chat)
    return app


@contextlib.asynccontextmanager
async def asking(server: TestServer) -> AsyncIterator[asyncio.StreamReader]:
    """Ask over a connection that is closed at the end of the block."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    yield reader
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


END = b"0\r\n\r\n"


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read to the end of the connection and return the last bytes."""
    last = b""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            last = (last + data)[-len(END) :]
    return last


@pytest.mark.parametrize("cancels", [True, False])
@pytest.mark.parametrize(
    ("reply", "read"), [(Reply.silence(), b""), (STALLED, b"Hello")], ids=["opening", "waiting"]
)
async def test_aiohttp_notices_a_reader_who_leaves(
    reply: Reply,
    read: bytes,
    cancels: bool,  # noqa: FBT001
    client: Client,
    fake_server: FakeServer,
) -> None:
    fake_server.add(reply)
    app = aiohttp_app(Relay(ask(client), TextEncoder()))
    async with TestServer(app) as server:
        assert server.runner is not None
        server.runner.server.handler_cancellation = cancels
        async with asking(server) as reader:
            request = await fake_server.wait_request()
            if read:
                await reader.readuntil(b"lo")
        await request.wait_gone()


async def test_aiohttp_breaks_a_response_that_its_reader_does_not_take(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*["x" * 8000] * 3000))
    app = aiohttp_app(Relay(ask(client), EventEncoder(), send_timeout=0.2))
    async with TestServer(app) as server, asking(server) as reader:
        await reader.readuntil(b"xxx")
        await fake_server.requests[0].wait_gone()
        assert await rest(reader) != END


async def test_aiohttp_breaks_the_connection_of_a_client_that_is_closed(
    fake_server: FakeServer,
) -> None:
    fake_server.add(STALLED)
    client = Client()
    app = aiohttp_app(Relay(ask(client), UIMessageEncoder()))
    async with TestServer(app) as server, asking(server) as reader:
        await reader.readuntil(b'"lo"')
        await client.aclose()
        assert await rest(reader) != END


async def test_pieces_without_a_server(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo"))
    assert b"".join([piece async for piece in Relay(ask(client), TextEncoder())]) == b"Hello"
    assert tasks() == set()


async def test_pieces_end_when_they_are_dropped(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(STALLED)
    gc.disable()
    try:
        async for _ in Relay(ask(client), TextEncoder()):
            break
        await fake_server.requests[0].wait_gone()
    finally:
        gc.enable()


@pytest.mark.parametrize("way", ["aclose", "close", "cancel"])
async def test_pieces_can_be_closed(way: str, client: Client, fake_server: FakeServer) -> None:
    fake_server.add(STALLED)
    pieces = aiter(Relay(ask(client), TextEncoder()))
    await anext(pieces)
    if way == "aclose":
        await pieces.aclose()
    elif way == "close":
        await asyncio.to_thread(pieces.close)
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                while True:
                    await anext(pieces)
    await fake_server.requests[0].wait_gone()
    while tasks():
        await asyncio.sleep(0)


async def test_a_cancelled_close_closes_the_stream_too(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    stream = ask(client)
    await stream.open()
    pieces = aiter(Relay(stream, TextEncoder()))
    reader = asyncio.ensure_future(anext(pieces))
    closing = asyncio.create_task(pieces.aclose())
    await asyncio.sleep(0)  # the task that sends has been made, but has not begun
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(ClosedError):
        await asyncio.wait_for(reader, 5)
    await fake_server.requests[0].wait_gone()


async def test_a_task_that_waits_for_a_piece_is_woken(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.silence())
    pieces = aiter(Relay(ask(client), TextEncoder()))
    waiting = asyncio.create_task(anext(pieces))  # type: ignore[arg-type]
    await fake_server.wait_request()
    await pieces.aclose()
    with pytest.raises(ClosedError):
        await waiting
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_pieces_that_nobody_asks_for_are_given_up(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    pieces = aiter(Relay(ask(client), TextEncoder(), send_timeout=0.1))
    await anext(pieces)  # its reader never takes it
    await fake_server.requests[0].wait_gone()
    with pytest.raises(TimeoutError):
        await anext(pieces)


async def test_pieces_of_a_refused_request_raise(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(429))
    pieces = aiter(Relay(ask(client), TextEncoder()))
    with pytest.raises(RateLimitError):
        await pieces.open()


async def collect(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_the_first_piece_is_kept_by_open(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo"))
    pieces = aiter(Relay(ask(client), TextEncoder()))
    await pieces.open()
    assert await collect(pieces) == b"Hello"
