from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem.testing import FakeServer, Reply, ServerLimits
from cometgem.testing.limits import Gate

if TYPE_CHECKING:
    from aiohttp import ClientResponse

BODY = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
PATH = "/v1beta/models/gemini-x:generateContent"


def test_a_window_begins_with_the_full_quota() -> None:
    gate = Gate(ServerLimits(requests=2, seconds=10))
    assert [gate.refuse(1.0), gate.refuse(9.0)] == [None, None]
    assert gate.refuse(9.5) == pytest.approx(0.5)
    assert gate.refuse(10.0) is None
    assert (gate.admitted, gate.refused) == (3, 1)


def test_a_bucket_starts_full_and_fills_steadily() -> None:
    gate = Gate(ServerLimits(requests=2, seconds=10, bucket=True))
    assert [gate.refuse(0.0), gate.refuse(0.0)] == [None, None]
    assert gate.refuse(1.0) == pytest.approx(4.0)
    assert gate.refuse(5.0) is None
    assert gate.refuse(100.0) is None
    assert gate.refuse(100.0) is None
    assert gate.refuse(100.0) == pytest.approx(5.0)


@pytest.mark.parametrize(("bucket", "wait"), [(False, 10.0), (True, 5.0)])
def test_tokens_may_be_exceeded_by_the_last_answer(*, bucket: bool, wait: float) -> None:
    gate = Gate(ServerLimits(tokens=100, seconds=10, bucket=bucket))
    assert gate.refuse(0.0) is None
    gate.charge(tokens=150)
    assert gate.refuse(0.0) == pytest.approx(wait)
    assert gate.refuse(10.0) is None


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"tokens": -1}, {"seconds": 0}])
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        ServerLimits(**wrong)


async def answers(server: FakeServer, count: int, key: str = "k") -> list[ClientResponse]:
    async with aiohttp.ClientSession(headers={"x-goog-api-key": key}) as session:
        found = [await session.post(server.url + PATH, json=BODY) for _ in range(count)]
        for response in found:
            await response.read()
        return found


async def test_the_server_refuses_what_exceeds_the_limit() -> None:
    limits = ServerLimits(requests=2, seconds=3600, bucket=True)
    async with FakeServer(limits=limits) as server:
        server.add(Reply.text("one"), Reply.text("two"), Reply.text("three"))
        found = await answers(server, 3)
        assert [response.status for response in found] == [200, 200, 429]
        assert "two" in await found[1].text()
        assert (await found[2].json())["error"]["code"] == "rate_limit_exceeded"
        assert 1700 <= int(found[2].headers["retry-after"]) <= 1800
        assert (server.admitted, server.refused) == (2, 1)


async def test_the_server_may_keep_quiet_about_when_to_come_back() -> None:
    limits = ServerLimits(requests=1, seconds=3600, bucket=True, retry_after=False)
    async with FakeServer(limits=limits) as server:
        refusal = (await answers(server, 2))[1]
    assert refusal.status == 429
    assert "retry-after" not in refusal.headers


async def test_the_server_counts_the_tokens_of_its_answers() -> None:
    limits = ServerLimits(tokens=40, seconds=3600, bucket=True)
    async with FakeServer(limits=limits, default=Reply.text("a", "b")) as server:
        server.add(Reply.text("a").usage({"totalTokenCount": 25}), Reply.text("a").usage(None))
        found = await answers(server, 5)
        # 25, none, 10, 10 of 40
        assert [response.status for response in found] == [200, 200, 200, 200, 429]


async def test_invalid_requests_do_not_count() -> None:
    async with FakeServer(limits=ServerLimits(requests=1, seconds=3600)) as server:
        assert [one.status for one in await answers(server, 3, key="")] == [401] * 3
        assert (server.admitted, server.refused) == (0, 0)


async def test_no_limits_count_nothing() -> None:
    async with FakeServer() as server:
        await answers(server, 3)
        assert (server.admitted, server.refused) == (0, 0)
