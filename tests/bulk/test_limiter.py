from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from cometgem import Client, RateLimitError, RetryPolicy
from cometgem.bulk import Limits, MemoryLimiter
from cometgem.testing import FakeServer, ServerLimits

if TYPE_CHECKING:
    from cometgem.bulk import Lease, Limiter


async def test_requests_are_granted_at_the_known_rate_in_order() -> None:
    limiter: Limiter = MemoryLimiter(Limits(rpm=6000))
    order: list[int] = []

    async def one(index: int) -> Lease:
        lease = await limiter.acquire()
        order.append(index)
        return lease

    began = time.monotonic()
    leases = await asyncio.gather(*map(one, range(50)))
    assert order == list(range(50))
    assert [lease.number for lease in leases] == list(range(50))
    assert time.monotonic() - began >= 47 / 98
    assert limiter.rate == pytest.approx(98)


async def test_tokens_are_limited() -> None:
    limiter = MemoryLimiter(Limits(rpm=600_000, tpm=60_000))
    began = time.monotonic()
    for _ in range(4):
        limiter.settle(await limiter.acquire(200), 200)
    assert time.monotonic() - began >= 0.55  # 800 tokens at 980 a second, of which 245 at once


async def test_unused_tokens_are_available_again() -> None:
    limiter = MemoryLimiter(Limits(rpm=600_000, tpm=60_000))
    for _ in range(20):
        limiter.settle(await asyncio.wait_for(limiter.acquire(245), 5), 0)


async def test_unknown_usage_keeps_the_estimate() -> None:
    limiter = MemoryLimiter(Limits(rpm=600_000, tpm=60_000))
    limiter.settle(await limiter.acquire(245))
    began = time.monotonic()
    await limiter.acquire(245)
    assert time.monotonic() - began >= 0.2


async def test_a_cancelled_wait_leaves_its_turn_to_others() -> None:
    limiter = MemoryLimiter(Limits(rpm=600))
    await limiter.acquire()
    first, second = (asyncio.create_task(limiter.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    lease = await second
    assert lease.number == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_lease_that_is_granted_to_a_cancelled_task_is_taken_back() -> None:
    limiter = MemoryLimiter(Limits(rpm=600))
    await limiter.acquire()
    task = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    # Granted, but the task has not run since.
    time.sleep(0.15)  # noqa: ASYNC251  the timer becomes due
    asyncio.get_running_loop().call_later(0, task.cancel)
    await asyncio.wait([task])
    began = time.monotonic()
    await limiter.acquire()
    assert time.monotonic() - began < 0.09 or not task.cancelled()


async def test_cancelling_all_leaves_no_timer() -> None:
    limiter = MemoryLimiter(Limits(rpm=1))
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert limiter._timer is None  # noqa: SLF001  seen by nothing else
    await limiter.aclose()


async def test_a_refused_request_waits_by_itself_or_everything_waits() -> None:
    limiter = MemoryLimiter(Limits(rpm=60_000))
    first, second = [await limiter.acquire() for _ in range(2)]
    assert limiter.refused(first, 0.5) == 0.5
    assert limiter.paused == 0
    assert limiter.refused(second, 30.0) == 0
    assert limiter.paused == pytest.approx(30, abs=1)
    assert limiter.refusals == 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(limiter.acquire(), 0.05)


def test_one_limiter_serves_several_event_loops() -> None:
    limiter = MemoryLimiter(Limits(rpm=6000))

    async def three() -> list[int]:
        return [(await limiter.acquire()).number for _ in range(3)]

    assert asyncio.run(three()) == [0, 1, 2]
    assert asyncio.run(three()) == [3, 4, 5]


def test_the_repr_shows_the_limits() -> None:
    assert repr(MemoryLimiter(Limits(rpm=60))) == (
        "MemoryLimiter(Limits(rpm=60, tpm=None, concurrency=500))"
    )


@pytest.mark.parametrize("limits", [Limits(rpm=6000), Limits()], ids=["known", "unknown"])
async def test_every_row_is_answered_by_a_server_with_limits(limits: Limits) -> None:
    limiter = MemoryLimiter(limits)
    server_limits = ServerLimits(requests=100, seconds=1, bucket=True)
    async with (
        FakeServer(limits=server_limits) as server,
        Client("k", base_url=server.url, retry=RetryPolicy(attempts=1)) as client,
    ):

        async def row() -> str:
            while True:
                lease = await limiter.acquire(10)
                try:
                    response = await client.generate_content("gemini-3.8-flash", "Hi")
                except RateLimitError as error:
                    await asyncio.sleep(limiter.refused(lease, error.retry_after))
                else:
                    limiter.settle(lease, 10)
                    return response.text

        texts = await asyncio.gather(*(row() for _ in range(250)))
        assert texts == [texts[0]] * 250
        assert server.admitted == 250
        assert server.refused == limiter.refusals
        if limits.rpm is not None:
            assert server.refused == 0
