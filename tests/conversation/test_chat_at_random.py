"""Chats with random answers, faults and ways of leaving keep the invariants of the history.

Conversations also pause at random, and are then saved, loaded and resumed, as another process
would. COMETGEM_CONVERSATIONS sets how many of these there are; 150 is a quick check.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL
from conversation.chatting import wire

from cometgem import Approve, Chat, Client, CometGemError, Pause, Refuse, RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem import ConversationStream, FunctionCall

TURNS = 60
CONVERSATIONS = int(os.environ.get("COMETGEM_CONVERSATIONS", "150"))


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
    """Check that each call is answered in the next turn, in the order of the calls.

    At the end of the history calls may wait; then each is answered or pending.
    """
    turns = wire(chat.history)
    if chat.pending:
        last = max(at for at, turn in enumerate(turns) if turn["role"] == "model")
        calls = [part for part in turns[last]["parts"] if "functionCall" in part]
        answers = [part for turn in turns[last + 1 :] for part in turn["parts"]]
        assert len(calls) == len(answers) + len(chat.pending)
        assert len(turns) - last <= 2
        turns = turns[:last]
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
            again = client.load_chat(chat.to_json())
            assert (again.history, again.pending) == (chat.history, chat.pending)
            return len(chat.history) > 1


@pytest.mark.parametrize("seed", range(5))
async def test_the_history_stays_consistent_whatever_happens(seed: int) -> None:
    plan = Plan(seed)
    kept = [await asyncio.wait_for(turn(plan), 30) for _ in range(TURNS)]
    assert TURNS // 5 < sum(kept) < TURNS


class Office:
    """A function with side effects, and someone who approves its calls, refuses them or waits."""

    def __init__(self, plan: random.Random) -> None:
        self._plan = plan
        self.ran: list[int] = []
        self.approved: list[int] = []

    async def act(self, x: int) -> str:
        """Act."""
        self.ran.append(x)
        if self._plan.random() < 0.2:
            await asyncio.sleep(0.001)
        return f"did {x}"

    def confirm(self, call: FunctionCall) -> Any:
        what = self._plan.choice(["yes", "no", "wait", "wait"])
        if what == "yes":
            self.approved.append(call.args["x"])
        return {"yes": True, "no": "no", "wait": Pause()}[what]

    def answers(self, chat: Chat[Any]) -> dict[str | int, object]:
        """Answer all pending calls, by id or place; edited arguments are 1,000 more."""
        answers: dict[str | int, object] = {}
        ids = [call.id for call in chat.pending]
        for place, call in enumerate(chat.pending):
            by_id = call.id is not None and ids.count(call.id) == 1 and self._plan.random() < 0.5
            key: Any = call.id if by_id else place
            what = self._plan.choice(["approve", "edit", "refuse", "result", "confirm"])
            if call.name != "act":
                what = self._plan.choice(["refuse", "result"])
            x = call.args["x"]
            if what == "approve":
                self.approved.append(x)
                answers[key] = Approve()
            elif what == "edit":
                self.approved.append(x + 1000)
                answers[key] = Approve({"x": x + 1000})
            elif what != "confirm":
                answers[key] = Refuse("no") if what == "refuse" else f"by hand {x}"
        return answers


def check_responses(chat: Chat[Any]) -> None:
    """Check that each response belongs to its call, whatever was edited or waited in between."""
    for turn, after in pairwise(wire(chat.history)):
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        if not calls or after["role"] == "model":
            continue
        answers = [part["functionResponse"] for part in after["parts"]]
        assert len(calls) == len(answers)
        for call, answer in zip(calls, answers, strict=True):
            assert (call["name"], call.get("id")) == (answer["name"], answer.get("id"))
            x, response = call["args"]["x"], answer["response"]
            assert response in ({"result": f"did {x}"}, {"result": f"by hand {x}"}, {"error": "no"})
        assert "partMetadata" not in str(after)


async def converse(plan: random.Random, client: Client, server: FakeServer) -> int:
    """Hold one conversation to its end, over any number of pauses; return how many there were."""
    office = Office(plan)
    numbers = iter(range(1000))
    rounds = plan.choice([1, 1, 2, 3])
    for _ in range(rounds):
        calls = [
            {"functionCall": {"name": plan.choice(["act", "act", "ask"]), "args": {"x": x}}}
            for x in [next(numbers) for _ in range(plan.choice([1, 2, 2, 4]))]
        ]
        for call in calls:
            if plan.random() < 0.4:
                call["functionCall"]["id"] = plan.choice("ab")
        server.add(Reply.chunks(*calls))
    server.add(Reply.text("Done."))
    tools: Any = [office.act, {"functionDeclarations": [{"name": "ask"}]}]
    chat: Chat[Any] = client.chat(MODEL, tools=tools, confirm=office.confirm)
    pauses, sent = 0, len(server.requests)
    await chat.send("Hi")
    while chat.pending:
        pauses += 1
        before = len(server.requests)
        chat = client.load_chat(chat.to_json(), tools=tools, confirm=office.confirm)
        with pytest.raises(CometGemError, match="for an answer"):
            await chat.send("And?")
        assert len(server.requests) == before
        if plan.random() < 0.5:
            await chat.resume(office.answers(chat))
        else:
            await chat.resume_stream(office.answers(chat)).get_final_response()
    assert chat.history[-1].parts[0].text == "Done."
    assert len(server.requests) - sent == rounds + 1
    assert sorted(office.ran) == sorted(office.approved)  # each once, and only if approved
    check_responses(chat)
    return pauses


async def test_conversations_pause_are_saved_loaded_and_resumed_at_random() -> None:
    plan = random.Random(12)  # noqa: S311
    pauses = 0
    with FakeServer() as server:
        async with Client(server.api_key, base_url=server.url) as client:
            for _ in range(CONVERSATIONS):
                pauses += await asyncio.wait_for(converse(plan, client, server), 30)
    assert pauses > CONVERSATIONS // 2
    assert len(asyncio.all_tasks()) == 1
