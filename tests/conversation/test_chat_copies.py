"""Chats as JSON, and forks of chats: they are complete and share nothing."""

from __future__ import annotations

from typing import Any

import pytest
from conformance import conformance_file
from conversation.calling import MODEL, WARM, Tools, call, calling
from conversation.chatting import said, say, wire
from response.recorded import recorded

from cometgem import (
    Client,
    ConfigurationError,
    Content,
    Part,
    UsageMetadata,
)
from cometgem.testing import FakeServer, Reply
from cometgem.types import GoogleSearch, Tool

ENDLESS = Reply.text(*["x"] * 200, delay=0.02)


def answers(document: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, known) for name, known in document["files"].items() if not known["error"]]


@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", answers))
async def test_every_recorded_answer_survives_json(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    fake_server.add(Reply.recorded(conformance_file(f"bodies/{name}")), WARM)
    chat = client.chat(MODEL)
    final = await say(chat, "Hi", streamed=known["kind"] == "streaming")
    assert [turn.role for turn in chat.history] == (["user", "model"] if final.parts else [])
    again = client.load_chat(chat.to_json())
    assert (again.history, again.usage) == (chat.history, chat.usage)
    assert wire(again.history) == wire(chat.history)
    await again.send("Go on")
    assert fake_server.requests[1].body["contents"] == wire([*chat.history, *said("Go on")])


async def test_a_chat_survives_json(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"}) | {"thoughtSignature": "c2ln"}), WARM, WARM, WARM
    )
    chat = client.chat(MODEL, tools=[tools.get_weather], system_instruction=["Be", "brief."])
    await chat.send("Hi")
    again = client.load_chat(chat.to_json(), tools=[tools.get_weather])
    assert (again.model, again.history, again.usage) == (chat.model, chat.history, chat.usage)
    assert again.to_json() == chat.to_json()
    await chat.send("And?")
    await again.send("And?")
    assert fake_server.requests[2].body == fake_server.requests[3].body
    other = client.load_chat(chat.to_json().encode(), system_instruction="Sing.")
    assert other.options["system_instruction"] == "Sing."


async def test_json_that_is_not_a_chat_is_refused(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="not the JSON of a chat"):
        client.load_chat("[]")


async def test_a_fork_shares_no_mutable_state(client: Client, fake_server: FakeServer) -> None:
    instruction = Content(parts=[Part(text="Be brief.")])
    search = Tool(google_search=GoogleSearch())
    chat = client.chat(
        MODEL,
        tools=[search],
        history=said("Hi", "Hello."),
        system_instruction=instruction,
        headers={"X-A": "1"},
    )
    fork = chat.fork()
    assert (fork.model, fork.history, fork.options) == (chat.model, chat.history, chat.options)
    fork.history[0].parts[0].text = "Changed"
    fork.options["headers"]["X-A"] = "2"  # type: ignore[index]
    fork.options["system_instruction"].parts[0].text = "Sing."  # type: ignore[union-attr]
    fork.model = "gemini-other"
    search.google_search = None
    fake_server.add(WARM)
    await fork.send("More")
    assert fake_server.requests[0].body["tools"] == [{"googleSearch": {}}]
    assert chat.history == said("Hi", "Hello.")
    assert chat.options == {
        "system_instruction": Content(parts=[Part(text="Be brief.")]),
        "headers": {"X-A": "1"},
    }
    assert (chat.model, chat.usage) == (MODEL, UsageMetadata())
    assert len(fork.history) == 4


async def test_a_fork_can_continue_during_a_turn(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(ENDLESS, WARM)
    chat = client.chat(MODEL)
    async with chat.stream("Hi") as stream:
        await anext(stream)
        fork = chat.fork()
        await fork.send("Hi")
    assert fork.history == said("Hi", "It is warm.")
    assert chat.history == []


async def test_a_fork_keeps_its_tools_and_their_objects(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def confirm(_: object) -> bool:
        return True

    fake_server.add(calling(call("get_weather", {"city": "a"})), WARM)
    fork = client.chat(MODEL, tools=[tools.get_weather], confirm=confirm).fork()
    await fork.send("Hi")
    assert tools.begun == ["a"]
