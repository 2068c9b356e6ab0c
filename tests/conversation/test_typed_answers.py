"""Typed answers of chats: after functions have run, and asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from pydantic import TypeAdapter

from cometgem import ConfigurationError, GenerateContentResponse, OutputValidationError
from cometgem.testing import Reply

if TYPE_CHECKING:
    from cometgem import Client
    from cometgem.testing import FakeServer

MODEL = "gemini-3.8-flash"


class Answer(msgspec.Struct):
    degrees: int


def temperature(city: str) -> int:
    """Measure the temperature."""
    return len(city)


async def test_the_last_answer_has_the_type(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(
        Reply.call("temperature", {"city": "Bath"}, signature="c2ln"),
        Reply.text('{"degrees": 4}'),
        Reply.text("Cold."),
    )
    chat = client.chat(
        MODEL, tools=[temperature], generation_config={"temperature": 0}, thinking="low"
    )
    answer = await chat.send("How warm is Bath?", response_type=Answer)
    assert answer.parsed == Answer(4)
    assert type(await chat.send("And in words?")) is GenerateContentResponse
    configs = [request.body["generationConfig"] for request in fake_server.requests]
    assert [one["temperature"] for one in configs] == [0, 0, 0]
    assert ["responseJsonSchema" in one for one in configs] == [True, True, False]
    assert [turn.role for turn in chat.history] == ["user", "model"] * 3
    assert chat.options.get("generation_config") == {"temperature": 0}


async def test_a_wrong_answer_is_asked_again(client: Client, fake_server: FakeServer) -> None:
    usage = {"promptTokenCount": 5, "totalTokenCount": 7}
    fake_server.add(
        Reply.text('{"degrees": "four"}', thought="Hm.", signature="c2ln").usage(usage),
        Reply.text('{"degrees": 4}').usage(usage),
    )
    chat = client.chat(MODEL)
    answer = await chat.send(
        "How warm is Bath?", response_type=TypeAdapter(dict[str, int]), reasks=2
    )
    assert answer.parsed == {"degrees": 4}
    assert len(answer.attempts) == 2
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.total_token_count == chat.usage.total_token_count == 14
    sent = fake_server.requests[1].body["contents"]
    assert [turn["role"] for turn in sent] == ["user", "model", "user"]
    assert any(part.get("thoughtSignature") == "c2ln" for part in sent[1]["parts"])
    assert "at $.degrees" in sent[2]["parts"][0]["text"]
    assert [turn.role for turn in chat.history] == ["user", "model", "user", "model"]


async def test_an_answer_that_is_cut_is_in_the_history(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text('{"degrees": ').finish("MAX_TOKENS"))
    chat = client.chat(MODEL)
    answer = await chat.send("How warm is Bath?", response_type=Answer, reasks=2)
    with pytest.raises(OutputValidationError, match="cut off"):
        _ = answer.parsed
    assert len(chat.history) == 2


async def test_what_cannot_work_is_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer
) -> None:
    chat = client.chat(MODEL, generation_config={"response_json_schema": {"type": "object"}})
    with pytest.raises(ConfigurationError, match="beside response_type"):
        await chat.send("Hi", response_type=Answer)
    with pytest.raises(ConfigurationError, match="reasks=-1"):
        await client.chat(MODEL).send("Hi", response_type=Answer, reasks=-1)
    assert (fake_server.requests, chat.history) == ([], [])
