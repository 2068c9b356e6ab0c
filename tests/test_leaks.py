"""Leaving a thousand times in each way leaves nothing behind and logs nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from leaving import WAYS, live_streams

from cometgem import Client, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from cometgem.testing import RecordedRequest

log = logging.getLogger(__name__)

TIMES = 1000
AT_ONCE = 50
DEBUGGED = 200  # asyncio's debug mode is twice as slow
ENDLESS = Reply.text(*["x"] * 10, delay=0.02).then_stall()

DESCRIPTORS = next(filter(Path.is_dir, map(Path, ("/proc/self/fd", "/dev/fd"))), None)


def open_descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS else 0


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(default=ENDLESS) as server:
        yield server


@pytest.fixture
async def complaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the complaints of the event loop and of finalizers."""
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 60.0  # other tests may keep the machine busy
    loop.set_exception_handler(lambda _loop, context: complaints.append(str(context)))
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: complaints.append(str(raised)))
    return complaints


class Leaver:
    """Leaves streams, and waits until the server notices."""

    def __init__(self, client: Client, server: FakeServer) -> None:
        self.seconds: list[float] = []
        self._client = client
        self._server = server
        self._seen = 0
        self._requests: dict[str, RecordedRequest] = {}

    async def leave(self, way: Callable[..., Awaitable[None]], said: str) -> None:
        await way(self._client, said)
        left = asyncio.get_running_loop().time()
        if request := self._find(said):  # there may be none if it was cancelled early
            await request.wait_gone()
            self.seconds.append(asyncio.get_running_loop().time() - left)

    def _find(self, said: str) -> RecordedRequest | None:
        requests = self._server.requests
        for request in requests[self._seen :]:
            self._requests[request.body["contents"][0]["parts"][0]["text"]] = request
        self._seen = len(requests)
        return self._requests.get(said)


async def settled(count: Callable[[], int], at: int) -> int:
    """Return the count once it is low enough, or the count after 5 s."""
    for _ in range(500):
        if count() <= at:
            break
        await asyncio.sleep(0.01)
    return count()


@pytest.mark.parametrize("way", WAYS)
async def test_leaving_a_thousand_times_leaks_nothing(
    way: Callable[..., Awaitable[None]],
    server: FakeServer,
    complaints: list[str],
) -> None:
    with live_streams() as live:
        async with Client(
            server.api_key, base_url=server.url, retry=RetryPolicy(attempts=1)
        ) as client:
            leaver = Leaver(client, server)
            await leaver.leave(way, "warm up")
            before = open_descriptors()
            for batch in range(TIMES // AT_ONCE):
                asyncio.get_running_loop().set_debug(batch * AT_ONCE < DEBUGGED)
                said = [f"{batch}.{number}" for number in range(AT_ONCE)]
                await asyncio.gather(*(leaver.leave(way, one) for one in said))
            assert await settled(lambda: server.open_connections, 0) == 0
            assert await settled(open_descriptors, before) <= before
            assert len(live) == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}
        assert all(request.gone for request in server.requests)
    gc.collect()
    assert complaints == []
    seconds = sorted(leaver.seconds)
    log.info("%.3f s until the server saw it, p99", seconds[len(seconds) * 99 // 100])
    assert seconds[len(seconds) // 2] < 1.0
