"""The key stays secret: every place where it could show is searched for it."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import cometgem
from cometgem import (
    APIStatusError,
    Client,
    CometGemError,
    ConfigurationError,
    EventTooLargeError,
    RetryPolicy,
    Timeouts,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MODEL = "gemini-3.8-flash"
KEY = "sk-the-key-that-nobody-may-see"
ECHO = f"Incorrect API key provided: {KEY}."


def everything_shown(error: BaseException) -> str:
    """Return everything that a log, a debugger or a crash report would show of an error."""
    shown = [repr(error), str(error)]
    for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
        if str(Path(cometgem.__file__).parent) in frame.filename:
            shown += (frame.locals or {}).values()
    if isinstance(error, CometGemError):
        shown += [repr(vars(error)), repr(pickle.dumps(error))]
    for cause in (error.__cause__, error.__context__):
        if cause is not None:
            shown.append(everything_shown(cause))
    return "\n".join(shown)


FAILURES = {
    "status": Reply.error(401, message=ECHO),
    "google": Reply.error(400, message=ECHO, dialect="google"),
    "bare": Reply.error(403, message=ECHO, dialect="bare"),
    "text": Reply.raw(ECHO.encode(), status=500, content_type="text/plain"),
    "redirect": Reply.raw(b"", status=302).with_headers({"Location": f"https://x.test/?k={KEY}"}),
    "event": Reply.text("x").then_error(429, message=ECHO),
    "undecodable": Reply.text("x").then_raw(f"data: {ECHO}\n\n".encode()),
    "page": Reply.raw(f"<html>{ECHO}</html>".encode(), content_type="text/html"),
    "reset": Reply.reset(),
    "interrupted": Reply.text("x").then_reset(),
    "truncated": Reply.text("x").then_end(),
    "stalled": Reply.text("x").then_stall(),
    "silent": Reply.silence(),
    "too large": Reply.text("x" * 9000),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
async def test_no_error_shows_the_key(
    reply: Reply, fake_server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    fake_server.add(reply)
    async with Client(
        KEY,
        base_url=fake_server.url,
        retry=RetryPolicy(attempts=1),
        timeouts=Timeouts(stall=0.2),
        max_event_size=8000,
    ) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        with pytest.raises(CometGemError) as caught:
            await stream.get_final_response()
        shown = everything_shown(caught.value) + repr(client) + repr(stream)
    assert len(fake_server.requests) == 1
    assert KEY not in shown
    assert KEY not in caplog.text
    assert KEY not in repr(fake_server.requests) + repr(fake_server.requests[0].headers)
    assert KEY not in fake_server.requests[0].path


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": f"{KEY}\n"},
        {"api_key": f"{KEY} "},
        {"api_key": KEY, "base_url": "ftp://x"},
        {"api_key": KEY, "auth": "basic"},
        {"api_key": KEY, "headers": {"host": "x"}},
    ],
)
def test_configuration_errors_do_not_show_the_key(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client(**options)
    frames = everything_shown(caught.value)
    assert KEY not in frames


def test_a_key_from_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMETAPI_KEY", f"{KEY}\r\n")
    with pytest.raises(ConfigurationError, match="COMETAPI_KEY has") as caught:
        Client()
    assert KEY not in everything_shown(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_is_not_sent_to_a_second_host(status: int, fake_server: FakeServer) -> None:
    with FakeServer() as elsewhere:
        target = f"{elsewhere.url}/v1beta/models/{MODEL}:generateContent"
        fake_server.add(Reply.raw(b"", status=status).with_headers({"Location": target}))
        async with Client(KEY, base_url=fake_server.url) as client:
            with pytest.raises(APIStatusError):
                await client.generate_content(MODEL, "Hi")
        assert elsewhere.connections == 0


async def test_a_proxy_receives_only_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = b""

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        async with Client(
            KEY, base_url="https://api.example", retry=RetryPolicy(attempts=1)
        ) as client:
            with pytest.raises(CometGemError, match="the proxy did not connect") as caught:
                await client.generate_content(MODEL, "Hi")
    assert heard.startswith(b"CONNECT api.example:443 HTTP/1.1\r\n")
    assert KEY.encode() not in heard
    assert KEY not in everything_shown(caught.value)


def bomb(start: bytes) -> bytes:
    """Return 1 GiB in 5 MB of gzip, after a prefix that makes it part of an event or document."""
    packer = zlib.compressobj(1, wbits=31)
    squeezed = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    mebibyte = packer.compress(b"x" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return squeezed + mebibyte * 1024  # a full flush lets a piece stand for itself, so repeat


async def bomb_as_event(client: Client) -> None:
    await client.stream_generate_content(MODEL, "Hi").get_final_response()


async def bomb_as_response(client: Client) -> None:
    await client.generate_content(MODEL, "Hi")


@pytest.mark.parametrize("call", [bomb_as_event, bomb_as_response])
@pytest.mark.parametrize("start", [b"data: ", b'{"a": "'])
async def test_a_decompression_bomb_is_stopped_at_the_limit(
    call: Callable[[Client], Awaitable[None]], start: bytes, fake_server: FakeServer
) -> None:
    squeezed = bomb(start)
    fake_server.add(Reply.raw(squeezed).with_headers({"Content-Encoding": "gzip"}))
    async with Client(KEY, base_url=fake_server.url, max_event_size=8 << 20) as client:
        tracemalloc.start()
        try:
            with pytest.raises(EventTooLargeError):
                await call(client)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 24 << 20


async def test_control_characters_from_a_server_are_escaped(
    fake_server: FakeServer,
) -> None:
    fake_server.add(Reply.error(400, message="\x1b[2Jgone\x07\r\u202e"))
    async with Client(KEY, base_url=fake_server.url) as client:
        with pytest.raises(APIStatusError) as caught:
            await client.generate_content(MODEL, "Hi")
    assert str(caught.value).isprintable()
    assert r"\x1b[2Jgone\x07\r\u202e" in str(caught.value)
