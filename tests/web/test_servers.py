"""Frameworks on servers: the model's connection is closed as soon as the reader has left."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NEEDED = ("daphne", "django", "fastapi", "granian", "hypercorn", "litestar", "quart", "uvicorn")
if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
    pytest.skip(
        f"{', '.join(missing)} not installed: pip install 'cometgem[web-test]', or run .ci/run web",
        allow_module_level=True,
    )

BACKENDS = [
    *(
        (framework, server)
        for server in ("uvicorn", "hypercorn", "granian", "daphne")
        for framework in ("fastapi", "litestar", "quart", "django")
    ),
    ("middleware", "uvicorn"),
    ("aiohttp", "aiohttp"),
]
ENDLESS = 60.0  # seconds
LARGE = Reply.text(*["x" * 8000] * 4000)
SLOWER = Reply.text(*["x" * 8000] * 1000, delay=0.01)
STALLED = Reply.text("Hel", "lo").then_stall()
BAD = ("unclosed", "never retrieved", "never awaited", "was destroyed", "Unclosed", "ResourceWar")

_log = logging.getLogger("tests.web")


class Backend:
    """A backend in a process of its own, and the API that it asks."""

    def __init__(self, framework: str, server: str, log: Path) -> None:
        self.server = server
        self.name = f"{framework} on {server}"
        self.api = FakeServer()
        self.log = log
        self.browsers: list[Browser] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._arguments = [framework, server, str(self.port)]

    def __enter__(self) -> Self:
        self.api.start()
        keys = {"COMETAPI_KEY": self.api.api_key, "COMETAPI_BASE_URL": self.api.url}
        script = str(Path(__file__).parent / "backend.py")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, script, *self._arguments],
                env=os.environ | keys,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + ENDLESS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.1)
        pytest.fail(f"{self.name} did not start: {self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.api.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    async def ask(self, path: str, method: str = "POST") -> Browser:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        writer.write(head.encode())
        self.browsers.append(Browser(reader, writer))
        return self.browsers[-1]

    async def journal(self) -> dict[str, list[str]]:
        answer = await self.ask("tasks", "GET")
        body = (await answer.rest()).partition(b"\r\n\r\n")[2]
        found: dict[str, list[str]] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
        return found


class Browser:
    """One request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.read = b""
        self._reader = reader
        self._writer = writer

    async def wait_for(self, text: bytes, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.read.count(text) < times:
                data = await self._reader.read(65_536)
                assert data, self.read
                self.read += data

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                while data := await self._reader.read(65_536):
                    self.read += data
        self.leave()
        return self.read

    def leave(self) -> None:
        self._writer.close()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    @property
    def status(self) -> int:
        return int(self.read.split(b" ", 2)[1])


@pytest.fixture(scope="module", params=BACKENDS, ids="-".join)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    with Backend(*request.param, tmp_path_factory.mktemp("backend") / "log") as backend:
        yield backend


@pytest.fixture(autouse=True)
async def _leave(backend: Backend) -> AsyncIterator[None]:
    yield
    while backend.browsers:
        await backend.browsers.pop().close()


async def assert_closed(backend: Backend, request: Any, since: float) -> None:
    await request.wait_gone(2.0)
    taken = time.monotonic() - since
    _log.info("%s: closed after %.0f ms", backend.name, 1000 * taken)
    assert taken < 2
    await assert_no_tasks(backend)


async def assert_no_tasks(backend: Backend) -> None:
    async with asyncio.timeout(3):
        while (await backend.journal())["tasks"]:
            await asyncio.sleep(0.05)


# What the model does when the reader leaves, and what has been read by then.
LEAVING = {
    "opening": (Reply.silence(), b""),
    "pinging": (Reply.silence(), b": ping"),
    "waiting": (STALLED, b'"lo"'),
    "between chunks": (Reply.text(*["x"] * 500, delay=0.01), b'"x"'),
}


@pytest.mark.parametrize("when", LEAVING)
async def test_the_stream_is_closed_when_the_reader_leaves(when: str, backend: Backend) -> None:
    reply, read = LEAVING[when]
    backend.api.add(reply)
    index = len(backend.api.requests)
    browser = await backend.ask("chat")
    request = await backend.api.wait_request(index)
    await browser.wait_for(read)
    assert not request.gone
    browser.leave()
    await assert_closed(backend, request, time.monotonic())


async def test_the_stream_is_closed_when_a_reader_leaves_who_does_not_read(
    backend: Backend,
) -> None:
    # daphne takes everything at once, so the model must not be faster than the reader leaves.
    backend.api.add(SLOWER if backend.server == "daphne" else LARGE)
    index = len(backend.api.requests)
    browser = await backend.ask("chat")
    request = await backend.api.wait_request(index)
    await browser.wait_for(b"xxx")
    await asyncio.sleep(0.7)
    assert not request.finished
    browser.leave()
    await assert_closed(backend, request, time.monotonic())


async def test_a_stalled_reader_is_given_up(backend: Backend) -> None:
    if backend.server == "daphne":
        pytest.skip("daphne has no backpressure: it takes everything at once")
    backend.api.add(LARGE)
    index = len(backend.api.requests)
    browser = await backend.ask("chat")
    request = await backend.api.wait_request(index)
    await browser.wait_for(b"xxx")
    await request.wait_gone(6.0)
    await assert_no_tasks(backend)
    browser.leave()


async def test_tools_are_cancelled_when_the_reader_leaves(backend: Backend) -> None:
    backend.api.add(Reply.call("wait", {"seconds": ENDLESS}))
    browser = await backend.ask("tools")
    await browser.wait_for(b"tool-input-available")
    async with asyncio.timeout(3):
        while (await backend.journal())["tool"] != ["begun"]:
            await asyncio.sleep(0.05)
        browser.leave()
        while (await backend.journal())["tool"] != ["begun", "cancelled"]:
            await asyncio.sleep(0.05)
    await assert_no_tasks(backend)


@pytest.mark.parametrize(
    ("path", "reply", "status", "retry_after"),
    [
        ("chat", Reply.error(429, retry_after=7, message="secret"), 429, b"7"),
        ("chat", Reply.error(400, message="secret"), 400, None),
        ("text", Reply.error(401, message="secret"), 502, None),
        ("tools", Reply.error(403, message="secret"), 502, None),
        ("impatient", Reply.silence(), 504, None),
    ],
)
async def test_an_error_before_the_first_chunk_is_a_status(
    path: str, reply: Reply, status: int, retry_after: bytes | None, backend: Backend
) -> None:
    backend.api.add(reply)
    browser = await backend.ask(path)
    read = (await browser.rest()).lower()
    assert browser.status == status
    assert (b"retry-after: 7" in read) is (retry_after is not None)
    assert b"secret" not in read
    assert b"text/plain" in read


async def test_the_answer_arrives(backend: Backend) -> None:
    backend.api.add(Reply.silence().then(Reply.text("Hel", "lo")))
    index = len(backend.api.requests)
    browser = await backend.ask("chat")
    await browser.wait_for(b": ping", times=2)  # while the model has not even sent headers
    backend.api.requests[index].resume()
    read = await browser.rest()
    assert browser.status == 200
    assert b"x-vercel-ai-ui-message-stream: v1" in read.lower()
    assert b"data: [DONE]\n\n" in read
    assert read.endswith(b"0\r\n\r\n")
    await assert_no_tasks(backend)


async def test_a_client_that_is_closed_breaks_the_connection(backend: Backend) -> None:
    backend.api.add(STALLED)
    index = len(backend.api.requests)
    browser = await backend.ask("chat")
    await browser.wait_for(b'"lo"')
    await (await backend.ask("close")).rest()
    if backend.server == "daphne":  # it cannot break a response: the reader waits for its end
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await browser.rest()
        browser.leave()
    else:
        await browser.rest()
    await backend.api.requests[index].wait_gone(2.0)
    assert b"[DONE]" not in browser.read
    # Starlette's BaseHTTPMiddleware ends the response of an application that has raised.
    ended_well = backend.name.startswith("middleware")
    assert browser.read.endswith(b"0\r\n\r\n") == ended_well


def test_nothing_was_left_open(backend: Backend) -> None:
    backend.stop()
    log = backend.log.read_text()
    assert [line for line in log.splitlines() if any(word in line for word in BAD)] == []
