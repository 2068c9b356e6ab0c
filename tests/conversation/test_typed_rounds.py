"""Typed streams of conversations: the type is that of the last answer, each round begins anew."""

from __future__ import annotations

import copy
import gc
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydantic import BaseModel, TypeAdapter

from cometgem import (
    ConfigurationError,
    FunctionCall,
    FunctionTool,
    OutputValidationError,
    Pause,
    StreamError,
    TypedConversationStream,
    TypedResponse,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from cometgem import Client
    from cometgem.testing import FakeServer

MODEL = "gemini-3.8-flash"


class City(msgspec.Struct):
    name: str
    degrees: int


class Town(BaseModel):
    name: str
    degrees: int


CITIES = [{"name": "Bath", "degrees": 4}, {"name": "Rome", "degrees": 9}]
VALUES = msgspec.convert(CITIES, list[City])
TOWNS = [Town(**one) for one in CITIES]
TEXT = json.dumps(CITIES)
CALL = Reply.call("temperature", {"city": "Bath"}, signature="c2ln")


def temperature(city: str) -> int:
    """Measure the temperature."""
    return len(city)


def reply(text: str, size: int = 5) -> Reply:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return Reply.text(*pieces, thought="They want [cities].")


def ask(client: Client, **options: Any) -> TypedConversationStream[Any, list[City]]:
    return client.run_tools(
        MODEL, "How warm?", tools=[temperature], response_type=list[City], **options
    )


async def collect(items: AsyncIterable[Any], got: list[Any]) -> None:
    async for item in items:
        got.append(item)  # noqa: PERF401  what came before an error is kept


async def test_the_items_of_the_last_answer(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(CALL, reply(TEXT))
    async with ask(client) as stream:
        first = await anext(items := stream.items())
        assert not stream.complete
        assert len(stream.snapshot.text) < len(TEXT)
        assert [first, *[city async for city in items]] == VALUES
        final = await stream.get_final_response()
        assert [city async for city in stream.items()] == VALUES
    assert type(final) is TypedResponse
    assert final.parsed == VALUES
    assert repr(stream) == "<TypedConversationStream complete, rounds=2>"
    configs = [request.body["generationConfig"] for request in fake_server.requests]
    assert all(one["responseJsonSchema"]["type"] == "array" for one in configs)


async def test_partial_begins_anew_with_each_round(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply('[{"name": "draft').then(CALL), reply(TEXT))
    async with ask(client) as stream:
        assert stream.partial is None
        shown = [(stream.round, copy.deepcopy(stream.partial)) async for _ in stream]
        assert stream.partial == CITIES
    assert (1, [{"name": "draft"}]) in shown
    assert [value for number, value in shown if number == 1][-3:] == [None, None, None]
    assert next(value for number, value in shown if number == 2) is None
    assert (2, [{"name": "Ba"}]) in shown or (2, [{"name": "Bath"}]) in shown


async def test_words_before_a_call_are_no_answer(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply("Let me look this up.").then(CALL), reply(TEXT))
    async with ask(client) as stream:
        async for _ in stream:
            assert stream.partial is None or isinstance(stream.partial, list)
        assert [city async for city in stream.items()] == VALUES
    fake_server.add(reply("Let me look this up.").then(CALL), reply(TEXT))
    async with ask(client) as stream:
        assert [city async for city in stream.items()] == VALUES


async def test_items_before_a_call_are_told_apart_by_their_round(
    client: Client, fake_server: FakeServer
) -> None:
    # The second element does not match, and the text goes on after the call.
    draft = reply(json.dumps([CITIES[1], {"name": "draft"}]) + " ")
    fake_server.add(draft.then(CALL).then(Reply.text("[1, 2]")), reply(TEXT))
    async with ask(client) as stream:
        seen = [(stream.round, city) async for city in stream.items()]
    assert seen == [(1, VALUES[1]), (2, VALUES[0]), (2, VALUES[1])]


async def test_elements_at_hand_are_not_handed_out_after_a_call(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(TEXT).then(CALL), reply("[]"))
    async with ask(client) as stream:
        items = stream.items()
        assert await anext(items) == VALUES[0]
        async for item in stream:
            if isinstance(item, FunctionCall):
                break
        assert [city async for city in items] == []
        assert stream.complete


@pytest.mark.parametrize(
    ("text", "path", "index"),
    [
        (json.dumps([CITIES[0], {"name": "Rome"}, CITIES[1]]), "$[1]", 1),
        (json.dumps(CITIES[:1])[:-1], "", 1),
        ("Sorry.", "", 0),
        ('{"cities": []}', "$", None),
    ],
)
async def test_what_does_not_match_raises_after_the_items_before_it(
    client: Client, fake_server: FakeServer, text: str, path: str, index: int | None
) -> None:
    fake_server.add(CALL, reply(text))
    got: list[City] = []
    async with ask(client) as stream:
        items = stream.items()
        with pytest.raises(OutputValidationError) as caught:
            await collect(items, got)
        with pytest.raises(OutputValidationError):  # and again
            await anext(items)
    error = caught.value
    assert got == VALUES[: index or 0]
    assert (error.problem, error.path, error.index) == ("wrong", path, index)
    assert (error.text, error.finish_reason) == (text, "STOP")
    assert isinstance(error.partial, TypedResponse)
    assert stream.state == "complete"  # the error is raised at its end, so the turn is kept
    with pytest.raises(OutputValidationError):
        _ = (await stream.get_final_response()).parsed


async def test_partial_raises_if_the_last_answer_is_not_json(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(CALL, reply("Sorry."))
    async with ask(client) as stream:
        async for _ in stream:
            assert stream.partial is None
        with pytest.raises(OutputValidationError, match="expected a value"):
            _ = stream.partial


async def test_a_chat_without_tools_fails_at_once(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply('[{"name": "Bath"}, ').then_stall())
    chat = client.chat(MODEL)
    async with chat.stream("How warm?", response_type=list[City]) as stream:
        with pytest.raises(OutputValidationError, match="element 0"):
            await anext(stream.items())
        assert stream.state == "closed"
    assert chat.history == []
    await fake_server.requests[0].wait_gone()


async def test_chats_stream_types(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(CALL, reply(TEXT), reply("{}"))
    chat = client.chat(MODEL, tools=[temperature], generation_config={"temperature": 0})
    async with chat.stream("How warm?", response_type=TypeAdapter(list[Town])) as stream:
        assert [city async for city in stream.items("", Town)] == TOWNS
        assert (await stream.get_final_response()).parsed == TOWNS
    assert [turn.role for turn in chat.history] == ["user", "model"] * 2
    await chat.stream("And in words?").get_final_response()
    configs = [request.body["generationConfig"] for request in fake_server.requests]
    assert [one["temperature"] for one in configs] == [0, 0, 0]
    assert ["responseJsonSchema" in one for one in configs] == [True, True, False]


async def test_items_of_a_conversation_that_pauses_end_without_an_error(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply("[").then(CALL), reply(TEXT), CALL, reply(TEXT))
    chat = client.chat(MODEL, tools=[temperature], confirm=lambda _: Pause("ask"))
    async with chat.stream("How warm?", response_type=list[City]) as stream:
        assert [city async for city in stream.items()] == []
        assert (stream.state, stream.partial) == ("paused", None)
        final = await stream.get_final_response()
        with pytest.raises(OutputValidationError):
            _ = final.parsed
    async with chat.resume_stream({0: 4}, response_type=list[City]) as resumed:
        assert [city async for city in resumed.items()] == VALUES
    assert resumed.complete
    await chat.send("Again?")
    answer = await chat.resume({0: 4}, response_type=list[City], schema_dialect="openapi")
    assert answer.parsed == VALUES
    config = fake_server.requests[-1].body["generationConfig"]
    assert config["responseSchema"]["type"] == "ARRAY"


async def test_an_answer_with_calls_says_so(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(CALL)
    declared = FunctionTool(None, name="temperature")
    chat = client.chat(MODEL, tools=[declared])
    answer = await chat.send("How warm?", response_type=City, reasks=2)
    with pytest.raises(OutputValidationError, match="has function calls and no text"):
        _ = answer.parsed


async def test_an_answer_with_calls_is_not_asked_for_again(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Let me look.").then(CALL))
    chat = client.chat(MODEL, tools=[FunctionTool(None, name="temperature")])
    answer = await chat.send("How warm?", response_type=City, reasks=2)
    assert len(answer.attempts) == 1
    assert [call.name for call in chat.pending] == ["temperature"]


async def test_a_call_that_the_server_did_not_understand_begins_anew(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply("[{]").finish("MALFORMED_FUNCTION_CALL"), reply(TEXT))
    async with ask(client) as stream:
        assert [city async for city in stream.items()] == VALUES


async def test_items_of_chunks_that_were_taken(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(CALL, reply(TEXT))
    async with ask(client) as stream:
        async for _ in stream.heartbeat(5):
            pass
        assert stream.partial == CITIES
        assert [city async for city in stream.items()] == VALUES


async def test_an_answer_that_is_continued(client: Client, fake_server: FakeServer) -> None:
    texts = [TEXT[:9], TEXT[9:20], TEXT[20:30], TEXT[30:]]
    fake_server.add(Reply.hops(texts, checkpoints=[1], cuts=[3]))
    with pytest.raises(StreamError) as caught:
        await ask(client).get_final_response()
    async with ask(client, continuation=caught.value.checkpoint) as rest:
        assert [city async for city in rest.items()] == VALUES
        assert rest.partial == CITIES
        assert (await rest.get_final_response()).parsed == VALUES


async def test_leaving_items_closes_the_conversation(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(CALL, reply(TEXT).then_stall())
    gc.disable()
    try:
        async for city in ask(client).items():
            assert city == VALUES[0]
            break
        await fake_server.requests[1].wait_gone()
    finally:
        gc.enable()


async def test_what_cannot_work_is_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer
) -> None:
    with pytest.raises(ConfigurationError, match="needs response_type"):
        client.run_tools(MODEL, "Hi", tools=[], schema_dialect="openapi")  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="beside response_type"):
        ask(client, generation_config={"response_schema": {"type": "ARRAY"}})
    chat = client.chat(MODEL)
    with pytest.raises(ConfigurationError, match="not a type"):
        chat.stream("Hi", response_type="int")
    with pytest.raises(ConfigurationError, match="items\\(\\) needs a list"):
        chat.stream("Hi", response_type=City).items()  # type: ignore[call-overload]
    assert fake_server.requests == []
