"""Against a real redis-server, which is killed and restarted."""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import socket
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from bulk.redis_process import RedisProcess, redis_server

from cometgem import ClosedError, CometGemWarning, ConfigurationError
from cometgem.bulk import Limits, RedisLimiter
from cometgem.bulk.law import Law
from cometgem.bulk.rate import SHARE
from cometgem.bulk.shared_law import Ask, Reply, SharedLaw
from cometgem.testing import FakeServer, ServerLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from cometgem.bulk import Lease

PROGRAM = redis_server()


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisProcess]:
    """One server for the tests that leave it running."""
    server = RedisProcess(PROGRAM)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis() -> Iterator[RedisProcess]:
    """A server that a test may kill."""
    server = RedisProcess(PROGRAM)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def law(shared: RedisProcess) -> AsyncIterator[SharedLaw]:
    law = SharedLaw(shared.url, uuid4().hex)
    yield law
    await law.aclose()


def ask(now: float, *want: float, holder: str = "a", ahead: float = 0.0, **rest: Any) -> Ask:
    return Ask(
        holder=holder, expires=10.0, life="one", ahead=ahead, want=list(want), now=now, **rest
    )


def granted(reply: Reply) -> list[tuple[int, float, float]]:
    return reply.granted if isinstance(reply.granted, list) else []


CASES = [
    Limits(),
    Limits(rpm=6000),
    Limits(tpm=60_000),
    Limits(rpm=600, tpm=600_000),
]


@pytest.mark.parametrize("limits", CASES, ids=str)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_script_decides_as_the_law_in_python(
    law: SharedLaw, limits: Limits, seed: int
) -> None:
    """The same events at the same times, among them refusals of every kind."""
    chance = random.Random(seed)  # noqa: S311  a trace
    known: dict[str, Any] = {}
    if limits.rpm is not None:
        known["ceiling"] = limits.rpm / 60 * SHARE
    if limits.tpm is not None:
        known["tokens"] = limits.tpm / 60 * SHARE
    now = 1000.0
    mine = Law(now, limits)
    await law.ask(ask(now, **known))
    flying: list[tuple[int, float, float]] = []
    seen: Counter[str] = Counter()
    for _ in range(1000):
        now += chance.choice([0.001, 0.01, 0.05, 0.3])
        kind = chance.random()
        told: dict[str, Any] = {}
        if kind < 0.03 and flying:
            number, reserved, at = flying.pop(chance.randrange(len(flying)))
            asked = chance.choice([None, None, None, 1.0, 1.0, 6.0])
            mine.refused(now, number, reserved, now - at, asked)
            told["refused"] = [("one", number, reserved, now - at, -1 if asked is None else asked)]
            seen["refused"] += 1
        elif kind < 0.1 and flying:
            number, reserved, at = flying.pop()
            # A law counts the time first, which `wait` does.
            mine.wait(now, 0)
            mine.give_back(reserved)
            told["unused"] = [("one", reserved)]
        elif kind < 0.5 and flying:
            number, reserved, at = flying.pop(0)
            mine.wait(now, 0)
            mine.settle(1, 50, reserved, 80)
            told["settled"] = (1, 50, reserved, 80)
        reply = await law.ask(ask(now, 50, **told, **known))
        if mine.wait(now, 50) == 0:
            number, reserved = mine.take(now, 50)
            ((other, delay, cost),) = granted(reply)
            assert (other, delay) == (number, 0)
            assert cost == pytest.approx(reserved)
            flying.append((number, reserved, now))
            seen["granted"] += 1
        else:
            assert granted(reply) == []
            seen["waited"] += 1
        assert reply.rate == pytest.approx(mine.pace.rate)
        assert reply.paused == pytest.approx(mine.pace.pause_left(now), abs=1e-6)
    assert min(seen["granted"], seen["waited"]) > 50
    assert seen["refused"] >= 5


async def test_requests_are_granted_ahead(law: SharedLaw) -> None:
    reply = await law.ask(ask(0.0, *[0] * 100, ahead=0.1, ceiling=100.0))
    delays = [delay for _, delay, _ in granted(reply)]
    assert delays == pytest.approx([0.01 * index for index in range(10)], abs=1e-5)
    assert 0.04 <= reply.wait <= 0.11


async def test_holders_get_equal_shares_and_dead_ones_expire(law: SharedLaw) -> None:
    known = {"ceiling": 100.0, "ahead": 0.1}
    for holder in "abcd":
        await law.ask(ask(0.0, holder=holder, **known))
    reply = await law.ask(ask(0.0, *[0] * 50, **known))
    assert reply.holders == 4
    assert len(granted(reply)) == 3  # a quarter of ten, rounded up
    # The others are not heard of for more than ten seconds.
    reply = await law.ask(ask(9.0, *[0] * 50, **known))
    assert reply.holders == 4
    reply = await law.ask(ask(10.5, *[0] * 50, **known))
    assert reply.holders == 1
    assert len(granted(reply)) == 10


async def test_refusals_of_a_law_that_is_lost_do_not_count(law: SharedLaw) -> None:
    before = await law.ask(ask(0.0, 0))
    reply = await law.ask(ask(0.1, refused=[("another", 0, 0.0, 0.05, 60.0)]))
    assert reply.paused == 0
    reply = await law.ask(ask(0.1, refused=[(before.life, 0, 0.0, 0.05, 60.0)]))
    assert reply.paused == pytest.approx(60)


async def drain(limiter: RedisLimiter, seconds: float, tasks: int = 50) -> int:
    """Acquire as often as possible; return how often."""
    count = 0
    end = time.monotonic() + seconds

    async def work() -> None:
        nonlocal count
        while time.monotonic() < end:
            try:
                async with asyncio.timeout(end - time.monotonic()):
                    await limiter.acquire()
            except TimeoutError:
                return
            count += 1

    await asyncio.gather(*(work() for _ in range(tasks)))
    return count


async def test_two_limiters_share_a_known_rate(shared: RedisProcess) -> None:
    name = uuid4().hex
    limits = Limits(rpm=12_000)
    async with (
        RedisLimiter(shared.url, name, limits) as one,
        RedisLimiter(shared.url, name, limits) as other,
    ):
        await asyncio.gather(one.acquire(), other.acquire())
        first, second = await asyncio.gather(drain(one, 2.0), drain(other, 2.0))
    assert first + second <= 196 * 2.1 + 5
    assert first + second >= 196 * 1.5
    assert min(first, second) >= 0.3 * (first + second)


async def test_a_refusal_seen_by_one_pauses_all(shared: RedisProcess) -> None:
    name = uuid4().hex
    async with RedisLimiter(shared.url, name) as one, RedisLimiter(shared.url, name) as other:
        lease = await one.acquire()
        await other.acquire()
        assert one.refused(lease, 30.0) == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.acquire(), 0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.acquire(), 0.3)
        assert other.paused == pytest.approx(30, abs=5)
        assert (one.refusals, other.refusals) == (1, 0)


async def test_a_single_refusal_is_reported_without_another_request(shared: RedisProcess) -> None:
    name = uuid4().hex
    async with RedisLimiter(shared.url, name) as one, RedisLimiter(shared.url, name) as other:
        lease = await one.acquire()
        before = one.rate
        assert one.refused(lease, 1.5) == 1.5
        async with asyncio.timeout(10):
            while other.rate >= before or other.rate == 0:
                await other.acquire()


async def test_usage_corrects_the_estimates_of_all(shared: RedisProcess) -> None:
    name = uuid4().hex
    limits = Limits(rpm=600_000, tpm=6_000_000)
    async with (
        RedisLimiter(shared.url, name, limits) as one,
        RedisLimiter(shared.url, name, limits) as other,
    ):
        one.settle(await one.acquire(100), 300)
        async with asyncio.timeout(10):
            while True:
                lease = await other.acquire(100)
                if lease.reserved > 100:
                    break
                await asyncio.sleep(0.05)
        assert lease.reserved == pytest.approx(300)


async def test_a_cancelled_wait_gives_back(shared: RedisProcess) -> None:
    async with RedisLimiter(shared.url, uuid4().hex, Limits(rpm=600)) as limiter:
        await limiter.acquire()
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0.02)
        for task in tasks[:4]:
            task.cancel()
        lease = await asyncio.wait_for(tasks[4], 5)
        assert lease.number >= 1
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_closing_ends_the_waits(shared: RedisProcess) -> None:
    limiter = RedisLimiter(shared.url, uuid4().hex, Limits(rpm=1))
    await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.05)
    await limiter.aclose()
    with pytest.raises(ClosedError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_close_ends_the_waits_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        limiter = RedisLimiter(f"redis://127.0.0.1:{port}", "silent")
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(limiter.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(ClosedError):
            await asyncio.wait_for(waiting, 5)


def test_one_limiter_serves_several_event_loops(shared: RedisProcess) -> None:
    limiter = RedisLimiter(shared.url, uuid4().hex)

    async def once() -> Lease:
        try:
            return await limiter.acquire()
        finally:
            await limiter.aclose()

    assert [asyncio.run(once()).number for _ in range(2)] == [0, 1]


def test_it_can_be_pickled(shared: RedisProcess) -> None:
    limiter = RedisLimiter(shared.url, "name", Limits(rpm=10))
    copy = pickle.loads(pickle.dumps(limiter))  # noqa: S301  made here
    assert repr(copy) == repr(limiter)
    assert repr(copy) == (
        f"RedisLimiter('{shared.url}', 'name', Limits(rpm=10, tpm=None, concurrency=500))"
    )


def test_a_password_is_not_shown() -> None:
    limiter = RedisLimiter("redis://me:geheim@127.0.0.1:1/0?password=geheim", "name")
    assert "geheim" not in repr(limiter)
    assert "redis://127.0.0.1:1/0" in repr(limiter)


async def test_redis_that_was_never_there_is_an_error() -> None:
    async with RedisLimiter("redis://:geheim@127.0.0.1:1/0", "name") as limiter:
        with pytest.raises(ConfigurationError, match="cannot be used") as caught:
            await limiter.acquire()
        assert "start it, or correct the URL" in str(caught.value)
        assert "geheim" not in str(caught.value)


async def test_without_redis_a_process_goes_on_at_its_share_and_returns(
    redis: RedisProcess,
) -> None:
    name = uuid4().hex
    limits = Limits(rpm=12_000)
    async with (
        RedisLimiter(redis.url, name, limits) as one,
        RedisLimiter(redis.url, name, limits) as other,
    ):
        await asyncio.gather(drain(one, 0.3), drain(other, 0.3))
        assert one.rate == pytest.approx(196)
        redis.kill()
        with pytest.warns(CometGemWarning, match="last known share") as caught:
            lease = await one.acquire()
        assert "98 requests a second of 196" in str(caught[0].message)
        assert lease.law is not None
        count = await drain(one, 1.0)
        assert count <= 98 * 1.1 + 5
        assert one.rate == pytest.approx(98)
        redis.start()
        async with asyncio.timeout(20):
            while (await one.acquire()).law is not None:
                await asyncio.sleep(0.01)
        assert one.rate == pytest.approx(196)


async def test_a_found_rate_survives_a_restart_of_redis(redis: RedisProcess) -> None:
    async with RedisLimiter(redis.url, "name") as limiter:
        await drain(limiter, 1.0)
        # A refusal ends the search.
        limiter.refused(await limiter.acquire(), 0.1)
        await limiter.acquire()
        rate = limiter.rate
        redis.kill()
        redis.start()
        await limiter.acquire()
        assert limiter.rate == pytest.approx(rate, rel=0.2)


WORKER = """
import asyncio, json, sys, warnings
from cometgem import Client, RateLimitError, RetryPolicy
from cometgem.bulk import Limits, RedisLimiter

async def main(redis, server, rows):
    found = {"answers": 0, "refusals": 0, "alone": 0}
    async with (
        RedisLimiter(redis, "shared", Limits(rpm=6000)) as limiter,
        Client("k", base_url=server, retry=RetryPolicy(attempts=1)) as client,
    ):
        async def work():
            while rows:
                rows.pop()
                while True:
                    lease = await limiter.acquire()
                    found["alone"] += lease.law is not None
                    try:
                        await client.generate_content("gemini-3.8-flash", "Hi")
                    except RateLimitError as error:
                        found["refusals"] += 1
                        await asyncio.sleep(limiter.refused(lease, error.retry_after))
                    else:
                        found["answers"] += 1
                        limiter.settle(lease)
                        break
        await asyncio.gather(*(work() for _ in range(30)))
    print(json.dumps(found))

warnings.simplefilter("ignore")
asyncio.run(main(sys.argv[1], sys.argv[2], [0] * int(sys.argv[3])))
"""


async def test_two_processes_lose_no_row_while_redis_is_killed_and_restarted(
    redis: RedisProcess,
) -> None:
    rows = 250
    async with FakeServer(limits=ServerLimits(requests=120, seconds=1, bucket=True)) as server:
        workers = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", WORKER, redis.url, server.url, str(rows)),
                stdout=asyncio.subprocess.PIPE,
            )
            for _ in range(2)
        ]
        await server.wait_request(100, timeout=60)
        redis.kill()
        await server.wait_request(250, timeout=60)
        await asyncio.to_thread(redis.start)
        outputs = await asyncio.wait_for(
            asyncio.gather(*(worker.communicate() for worker in workers)), 60
        )
        found = [json.loads(output) for output, _ in outputs]
        assert [one["answers"] for one in found] == [rows, rows]
        assert server.admitted == 2 * rows
        assert all(one["alone"] > 0 for one in found)
        assert sum(one["refusals"] for one in found) == server.refused <= 5
