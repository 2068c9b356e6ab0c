"""Chats with random answers, faults and ways of leaving keep the invariants of the history."""

from __future__ import annotations

import asyncio
import contextlib
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL
from conversation.chatting import wire

from cometgem import Chat, Client, CometGemError, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem import ConversationStream

TURNS = 60


async def at_once(x: int) -> int:
    """Answer at once."""
    return x


async def later(x: int) -> int:
    """Answer later."""
    await asyncio.sleep(0.01)
    return x


def in_a_thread(x: int) -> int:
    """Answer from a thread."""
    return x


async def fail(x: int) -> int:
    """Fail."""
    raise KeyError(x)


TOOLS = [at_once, later, in_a_thread, fail]


class Plan:
    """Random replies of the server and ways of leaving, from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self.options: Any = {
            "on_tool_error": self._random.choice(["raise", "report"]),
            "concurrency": self._random.choice([None, 1, 2]),
            "keep_thoughts": self._random.choice([True, False]),
        }

    def chance(self, of: float) -> bool:
        return self._random.random() < of

    def seconds(self) -> float:
        return self._random.random() * 0.03

    def replies(self) -> Iterator[Reply]:
        for _ in range(self._random.choice([0, 0, 1, 2])):
            parts = [self._call() for _ in range(self._random.choice([1, 1, 2, 4]))]
            yield Reply.chunks({"text": "Hm.", "thought": self.chance(0.5)}, *parts, delay=0.001)
        last = Reply.text(*["x"] * self._random.randrange(1, 6), delay=0.002)
        faults = [last.then_end(), last.then_reset(), last.then_error(400), Reply.error(400)]
        yield self._random.choice([last] * 6 + faults)

    def _call(self) -> dict[str, Any]:
        names = ["at_once", "later", "in_a_thread"] * 4 + ["fail", "unknown"]
        call = {"name": self._random.choice(names), "args": {"x": self._random.randrange(9)}}
        return {"functionCall": call | ({"id": "7"} if self.chance(0.5) else {})} | (
            {"thoughtSignature": "c2ln"} if self.chance(0.5) else {}
        )

    async def take_turn(self, chat: Chat[Any]) -> None:
        match self._random.choice(["send", "read", "leave", "drop", "cancel", "close"]):
            case "send":
                await chat.send("Hi")
            case "read":
                await chat.stream("Hi").get_final_response()
            case "leave":
                async with chat.stream("Hi") as stream:
                    await self._read_some(stream)
            case "drop":
                await self._read_some(chat.stream("Hi"))
            case "cancel":
                async with asyncio.timeout(self.seconds()):
                    await chat.stream("Hi").get_final_response()
            case _:
                stream = chat.stream("Hi")
                reading = asyncio.create_task(stream.get_final_response())
                await asyncio.sleep(self.seconds())
                await stream.aclose()
                await asyncio.wait_for(reading, 20)

    async def _read_some(self, stream: ConversationStream[Any]) -> None:
        left = self._random.randrange(6)
        async for _ in stream:
            if not left:
                break
            left -= 1


def check(chat: Chat[Any]) -> None:
    """Check that each call is answered in the next turn, in the order of the calls."""
    turns = wire(chat.history)
    for turn, after in pairwise([*turns, {"parts": []}]):
        assert turn["parts"]
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        if not calls:
            continue
        answers = [part["functionResponse"] for part in after["parts"]]
        assert [(one["name"], one.get("id")) for one in answers] == [
            (one["name"], one.get("id")) for one in calls
        ]
        for call, answer in zip(calls, answers, strict=True):
            if call["name"] in ("fail", "unknown"):
                assert set(answer["response"]) == {"error"}
            else:
                assert answer["response"] == {"result": call["args"]["x"]}


async def turn(plan: Plan) -> bool:
    """Take one turn with a new server; return whether it was kept."""
    with FakeServer() as server:
        server.add(*plan.replies())
        async with Client(
            server.api_key, base_url=server.url, retry=RetryPolicy(attempts=1)
        ) as client:
            chat: Chat[Any] = client.chat(MODEL, history="Before.", tools=TOOLS, **plan.options)
            before = list(chat.history)
            try:
                await plan.take_turn(chat)
            except (CometGemError, TimeoutError):
                assert chat.history == before
                if plan.chance(0.5):
                    with contextlib.suppress(RuntimeError):
                        chat.keep_partial()
            # The test's task, this one, and those of a stream that was dropped.
            while len(asyncio.all_tasks()) > 2:
                await asyncio.sleep(0)
            assert chat.history[:1] == before
            check(chat)
            assert client.load_chat(chat.to_json()).history == chat.history
            return len(chat.history) > 1


@pytest.mark.parametrize("seed", range(5))
async def test_the_history_stays_consistent_whatever_happens(seed: int) -> None:
    plan = Plan(seed)
    kept = [await asyncio.wait_for(turn(plan), 30) for _ in range(TURNS)]
    assert TURNS // 5 < sum(kept) < TURNS
