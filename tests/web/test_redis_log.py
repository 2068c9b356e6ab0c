"""Runs in a real Redis: watched elsewhere, killed, and restarted in the middle of a run."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import pytest
from web import redis_server
from web.reader import Reader, tasks
from web.watching import STALLED, Watching, eventually, relay, text_of

from cometgem import RunError
from cometgem.testing import FakeServer, Reply
from cometgem.web import RedisLog, Runs, TextEncoder, UIMessageEncoder

redis_server.program()  # skips the module without one
redis = pytest.importorskip("redis")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from web.redis_server import RedisServer

    from cometgem import Client

WORDS = [f"word{at} " for at in range(150)]
SAID = "".join(WORDS)
SLOW = Reply.text(*WORDS, delay=0.01)
HEARTBEAT = 1.0


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    before = tasks()
    yield
    assert tasks() <= before


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def database(shared_server: RedisServer) -> Iterator[Any]:
    with redis.Redis(port=shared_server.port) as client:
        client.flushall()
        yield client


@pytest.fixture
def server(shared_server: RedisServer, database: object) -> RedisServer:
    """A server without data."""
    assert database
    return shared_server


def runs_in(server: RedisServer, on_leave: Any = "detach", **options: Any) -> Runs:
    return Runs(RedisLog(server.url, **{"heartbeat": HEARTBEAT, **options}), on_leave)


@pytest.fixture
async def here(server: RedisServer, client: Client) -> AsyncIterator[Runs]:
    async with runs_in(server) as runs:
        yield runs
    await client.aclose()


@pytest.fixture
async def there(server: RedisServer, here: Runs) -> AsyncIterator[Runs]:
    """Runs as of another process: both know each other only through Redis."""
    assert here
    async with runs_in(server) as runs:
        yield runs


async def test_a_run_is_watched_elsewhere(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    first = Watching(await here.start("a", relay(client)))
    viewers = []
    for word in (5, 30, 60):
        await first.wait_for(b"word%d " % word)
        viewers += [Watching(await there.resume("a")), Watching(await here.resume("a"))]
    body = await first.end()
    for viewer in viewers:
        again = await viewer.end()
        assert text_of(again) == text_of(body) == SAID
        assert again.endswith(b'event: done\ndata: {"finishReason":"STOP"}\n\n')
        assert viewer.reader.headers == first.reader.headers
    assert len(fake_server.requests) == 1


async def test_a_viewer_elsewhere_gets_new_pieces_soon(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hel", "lo").then_pause(0.3).then(Reply.text("now")))
    await here.start("a", relay(client))
    viewer = Watching(await there.resume("a"))
    await viewer.wait_for(b"lo")
    start = time.monotonic()
    await viewer.wait_for(b"now")
    assert time.monotonic() - start < 2
    await viewer.end()


async def test_a_run_that_has_ended_is_kept_for_a_while(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer, database: Any
) -> None:
    fake_server.add(SLOW)
    await Watching(await here.start("a", relay(client))).end()
    await eventually(lambda: len(database.keys("*:owner:*")) == 0)
    for runs in (here, there):
        assert await runs.resume("a") is None
        rest = Watching(await runs.resume("a", "140"))
        assert text_of(await rest.end()) == "".join(WORDS[140:])
        assert await runs.resume("a", 999) is None
        every = Watching(await runs.resume("a", ended=True))
        assert text_of(await every.end()) == SAID
        assert not await runs.stop("a")
        assert await runs.resume("b") is None
    keys = [key for key in database.scan_iter() if b"inbox" not in key]
    assert keys
    assert all(0 < database.ttl(key) <= 600 for key in keys)


async def test_a_run_is_stopped_from_elsewhere(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    first = Watching(await here.start("a", relay(client, UIMessageEncoder())))
    second = Watching(await there.resume("a"))
    await second.wait_for(b"lo")
    assert await there.stop("a")
    await fake_server.requests[0].wait_gone()
    for viewer in (first, second):
        assert (await viewer.end()).endswith(b'{"type":"abort"}\n\ndata: [DONE]\n\n')
        assert viewer.reader.ended
    assert await there.resume("a") is None


async def test_a_second_start_elsewhere_stops_the_first(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED, SLOW)
    first = Watching(await here.start("a", relay(client)))
    await first.wait_for(b"lo")
    second = Watching(await there.start("a", relay(client)))
    await fake_server.requests[0].wait_gone()
    assert text_of(await first.end()) == "Hello"
    third = Watching(await here.resume("a"))
    assert text_of(await second.end()) == text_of(await third.end()) == SAID


async def test_a_refusal_elsewhere(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.error(429, retry_after=7).delay(headers=0.3))
    await here.start("a", relay(client))
    second = Watching(await there.resume("a"))
    assert await second.end() == b"Too many requests. Please try again later."
    assert (second.reader.status, second.reader.headers["retry-after"]) == (429, "7")
    assert await there.resume("a", ended=True) is None


async def test_a_run_that_is_stopped_with_the_last_viewer_of_all_processes(
    server: RedisServer, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    async with runs_in(server, "stop") as here, runs_in(server, "stop") as there:
        first = Watching(await here.start("a", relay(client)))
        second = Watching(await there.resume("a"))
        await second.wait_for(b"lo")
        await first.leave()
        await asyncio.sleep(2 * HEARTBEAT)
        assert not fake_server.requests[0].gone
        await second.leave()
        await fake_server.requests[0].wait_gone()


async def test_closing_breaks_off_the_viewers_elsewhere(
    server: RedisServer, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    here = runs_in(server)
    await here.start("a", relay(client))
    second = Watching(await there.resume("a"))
    await second.wait_for(b"lo")
    await here.aclose()
    with pytest.raises(RunError, match="broken off"):
        await second.end()
    assert not second.reader.ended
    assert await there.resume("a") is None


async def test_a_run_that_is_too_large_fails(
    server: RedisServer, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    async with runs_in(server, max_bytes=2000) as here:
        first = Watching(await here.start("a", relay(client)))
        second = Watching(await there.resume("a"))
        assert (await first.end())[-100:] == (await second.end())[-100:]
        assert b"event: error" in first.reader.body


async def test_a_viewer_that_has_missed_much_reads_it_in_large_pieces(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer
) -> None:
    words = [f"{at:07d} " * 600 for at in range(100)]  # 480 KB
    fake_server.add(Reply.text(*words).then_stall())
    first = Watching(await here.start("a", relay(client, TextEncoder(), buffer=1)))
    await first.wait_for(words[1].encode())
    stalled = Reader()
    stalled.stalls = True
    viewer = await there.resume("a")
    assert viewer is not None
    serving = asyncio.create_task(stalled.serve(viewer))
    await first.wait_for(words[-1].encode())
    late = Watching(await there.resume("a"))
    await late.wait_for(words[-1].encode())
    stalled.resume()
    await stalled.wait_for(words[-1].encode())
    assert await there.stop("a")
    await serving
    assert stalled.body == await late.end() == await first.end() == "".join(words).encode()


async def test_a_picture_is_stored_once(
    here: Runs, there: Runs, client: Client, fake_server: FakeServer, database: Any
) -> None:
    data = bytes(range(256)) * 4000
    fake_server.add(Reply.text("A picture:").then_pause(0.2).then(Reply.image(data)))
    first = Watching(await here.start("a", relay(client, UIMessageEncoder())))
    second = Watching(await there.resume("a"))
    body = await first.end()
    assert await second.end() == body
    (key,) = database.scan_iter("*:run:*")
    stored = sum(len(value) for _, fields in database.xrange(key) for value in fields.values())
    assert len(data) * 4 / 3 < stored < len(data) * 4 / 3 + 5000


@pytest.mark.parametrize("keeps", [True, False], ids=["keeps its data", "loses its data"])
async def test_redis_is_killed_and_restarted_in_the_middle_of_a_run(
    *, keeps: bool, tmp_path: Path, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*WORDS, delay=0.02))
    with redis_server.running(tmp_path, keeps=keeps) as server:
        async with runs_in(server) as here, runs_in(server) as there:
            first = Watching(await here.start("a", relay(client)))
            second = Watching(await there.resume("a"))
            await second.wait_for(b"word20 ")
            server.kill()
            await first.wait_for(b"word60 ")  # this process needs no Redis
            local = Watching(await here.resume("a"))
            with pytest.raises(RunError, match="cannot be used"):
                await there.resume("a")
            server.start(keeps=keeps)
            third = None
            async with asyncio.timeout(10):
                while third is None:
                    third = await there.resume("a")
                    await asyncio.sleep(0.02)
            for viewer in (first, second, local, Watching(third)):
                assert text_of(await viewer.end()) == SAID
                assert viewer.reader.ended


async def test_a_run_that_ends_while_redis_is_away_is_written_later(
    tmp_path: Path, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    with redis_server.running(tmp_path) as server:
        async with runs_in(server) as here, runs_in(server) as there:
            first = Watching(await here.start("a", relay(client)))
            second = Watching(await there.resume("a"))
            await second.wait_for(b"word5 ")
            server.kill()
            assert text_of(await first.end()) == SAID
            rest = Watching(await here.resume("a", 100))
            assert text_of(await rest.end()) == "".join(WORDS[100:])
            server.start()
            assert text_of(await second.end()) == SAID


async def test_a_run_starts_without_redis(
    tmp_path: Path, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*WORDS, delay=0.02))
    with redis_server.running(tmp_path) as server:
        server.kill()
        async with runs_in(server) as here, runs_in(server) as there:
            first = Watching(await here.start("a", relay(client)))
            await first.wait_for(b"word5 ")
            server.start()
            second = None
            async with asyncio.timeout(10):
                while second is None:
                    with contextlib.suppress(RunError):
                        second = await there.resume("a")
                    await asyncio.sleep(0.02)
            assert text_of(await Watching(second).end()) == text_of(await first.end()) == SAID


class Counter:
    """Takes the place of a Redis that is away, and counts who asks."""

    def __init__(self, port: int) -> None:
        self.asked = 0
        self._port = port

    async def __aenter__(self) -> Self:
        def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.asked += 1
            writer.close()

        self._server = await asyncio.start_server(count, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self._server.wait_closed()


async def test_nothing_loops_while_redis_is_away(
    tmp_path: Path, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*WORDS, delay=0.02))
    with redis_server.running(tmp_path) as server:
        async with runs_in(server) as here, runs_in(server) as there:
            first = Watching(await here.start("a", relay(client)))
            second = Watching(await there.resume("a"))
            await second.wait_for(b"word5 ")
            server.kill()
            async with Counter(server.port) as counter:
                await asyncio.sleep(1.5)
            assert 0 < counter.asked < 40  # three tasks, each with six attempts
            server.start()
            assert text_of(await second.end()) == text_of(await first.end()) == SAID


async def test_viewers_elsewhere_are_disconnected_if_redis_stays_away(
    tmp_path: Path, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    with redis_server.running(tmp_path) as server:
        async with runs_in(server, heartbeat=0.3) as here, runs_in(server, heartbeat=0.3) as there:
            first = Watching(await here.start("a", relay(client)))
            second = Watching(await there.resume("a"))
            await second.wait_for(b"lo")
            server.kill()
            with pytest.raises(RunError, match="cannot be reached"):
                await second.end()
            assert not second.reader.ended
            assert await here.stop("a")
            assert text_of(await first.end()) == "Hello"
            server.start()


class Backend:
    """A backend in a process of its own."""

    def __init__(self, fake_server: FakeServer, redis_url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        self._args = (fake_server.url, fake_server.api_key, redis_url)
        self.process: asyncio.subprocess.Process | None = None

    def url(self, run_id: str) -> str:
        return f"http://127.0.0.1:{self._port}/{run_id}"

    async def __aenter__(self) -> Self:
        script = str(Path(__file__).parent / "run_backend.py")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, script, str(self._port), *self._args
        )
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.close()
                    return self
                await asyncio.sleep(0.05)

    async def __aexit__(self, *error: object) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        yield session


async def test_two_processes_serve_one_run_and_one_of_them_is_killed(
    server: RedisServer,
    fake_server: FakeServer,
    browser: aiohttp.ClientSession,
) -> None:
    fake_server.add(SLOW, Reply.text(*WORDS[:50]).then_stall(), STALLED)
    async with (
        Backend(fake_server, server.url) as one,
        Backend(fake_server, server.url) as two,
    ):
        async with browser.post(one.url("a")) as first:
            await first.content.readuntil(b"\n\n")
        async with browser.get(two.url("a")) as second:
            assert text_of(await second.read()) == SAID
        async with browser.get(two.url("a")) as nothing:
            assert (nothing.status, await nothing.read()) == (204, b"")
        async with browser.get(two.url("a"), headers={"Last-Event-ID": "140"}) as rest:
            assert text_of(await rest.read()) == "".join(WORDS[140:])

        browsing = asyncio.create_task(browser.post(one.url("b")))
        await fake_server.wait_request(1)
        async with browser.get(two.url("b")) as watching:
            body = b""
            while b"word49 " not in body:
                body += await watching.content.readany()
            assert one.process is not None
            one.process.kill()
            start = time.monotonic()
            with pytest.raises(aiohttp.ClientPayloadError):
                await watching.read()
            assert time.monotonic() - start < 5 * HEARTBEAT  # a busy machine
        async with browser.get(two.url("b")) as nothing:
            assert nothing.status == 204
        (await browsing).close()
