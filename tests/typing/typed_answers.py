"""Typed answers, as type checkers see them. Never run."""

# pyright: strict

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, assert_type

import msgspec
import pydantic

from cometgem import (
    Client,
    ConversationItem,
    ConversationStream,
    GenerateContentResponse,
    GenerateContentStream,
    ItemStream,
    OutputValidationError,
    TypedConversationStream,
    TypedResponse,
    TypedStream,
)


class Planet(msgspec.Struct):
    name: str
    radius_km: Annotated[float, msgspec.Meta(gt=0)]


class Kind(enum.Enum):
    ROCKY = "rocky"


class Moon(TypedDict):
    name: str


class Orbit(NamedTuple):
    au: float
    days: float


@dataclasses.dataclass
class Star:
    name: str


class Model(pydantic.BaseModel):
    name: str


async def single(client: Client) -> None:
    response = await client.generate_content("m", "p", response_type=Planet)
    assert_type(response, TypedResponse[Planet])
    assert_type(response.parsed, Planet)
    assert_type(response.parse(response.candidates[0]), Planet)
    assert_type(response.attempts, Sequence[GenerateContentResponse])
    assert_type(response.text, str)
    assert_type(await client.generate_content("m", "p"), GenerateContentResponse)
    more = await client.generate_content(
        "m", "p", response_type=list[Planet], schema_dialect="openapi", reasks=2, thinking="low"
    )
    assert_type(more.parsed, list[Planet])


async def forms(client: Client) -> None:
    generate = client.generate_content
    assert_type((await generate("m", "p", response_type=int)).parsed, int)
    assert_type((await generate("m", "p", response_type=Kind)).parsed, Kind)
    assert_type((await generate("m", "p", response_type=Moon)).parsed, Moon)
    assert_type((await generate("m", "p", response_type=Orbit)).parsed, Orbit)
    assert_type((await generate("m", "p", response_type=Star)).parsed, Star)
    assert_type((await generate("m", "p", response_type=Model)).parsed, Model)
    assert_type((await generate("m", "p", response_type=Planet | Star)).parsed, Planet | Star)
    assert_type((await generate("m", "p", response_type=Planet | None)).parsed, Planet | None)
    assert_type((await generate("m", "p", response_type=dict[str, int])).parsed, dict[str, int])
    assert_type((await generate("m", "p", response_type=tuple[int, str])).parsed, tuple[int, str])
    assert_type(
        (await generate("m", "p", response_type=Literal["a", "b"])).parsed, Literal["a", "b"]
    )
    assert_type((await generate("m", "p", response_type=Annotated[int, "text"])).parsed, int)
    adapter: pydantic.TypeAdapter[list[Model]] = pydantic.TypeAdapter(list[Model])
    assert_type((await generate("m", "p", response_type=adapter)).parsed, list[Model])


async def streams(client: Client) -> None:
    assert_type(client.stream_generate_content("m", "p"), GenerateContentStream)
    stream = client.stream_generate_content("m", "p", response_type=list[Planet])
    assert_type(stream, TypedStream[list[Planet]])
    async with stream as same:
        assert_type(same, TypedStream[list[Planet]])
    assert_type(stream.partial, Any)
    assert_type(stream.items(), ItemStream[Planet])
    async for planet in stream.items():
        assert_type(planet, Planet)
    iterator: AsyncIterator[Planet] = stream.items()
    assert_type(await anext(iterator), Planet)
    assert_type(await stream.get_final_response(), TypedResponse[list[Planet]])
    assert_type(stream.snapshot.parsed, list[Planet])
    async for chunk in stream:
        assert_type(chunk, GenerateContentResponse)
    system = client.stream_generate_content("m", "p", response_type=dict[str, list[Planet]])
    assert_type(system.items("planets", Planet), ItemStream[Planet])
    assert_type(system.items("a.b", Planet | None), ItemStream[Planet | None])
    adapter: pydantic.TypeAdapter[Model] = pydantic.TypeAdapter(Model)
    assert_type(system.items("a", adapter), ItemStream[Model])
    pairs = client.stream_generate_content("m", "p", response_type=tuple[int, ...])
    assert_type(pairs.items(), ItemStream[int])


async def chats(client: Client) -> None:
    chat = client.chat("m")
    assert_type(await chat.send("p"), GenerateContentResponse)
    assert_type(await chat.send("p", response_type=list[Planet]), TypedResponse[list[Planet]])
    assert_type((await chat.send("p", response_type=Planet | None, reasks=1)).parsed, Planet | None)
    assert_type(chat.stream("p"), ConversationStream[GenerateContentResponse])
    stream = chat.stream("p", response_type=list[Planet], schema_dialect="openapi")
    assert_type(stream, TypedConversationStream[GenerateContentResponse, list[Planet]])
    async for chunk in stream:
        assert_type(chunk, GenerateContentResponse)
    adapter: pydantic.TypeAdapter[Model] = pydantic.TypeAdapter(Model)
    assert_type((await chat.resume(response_type=Planet)).parsed, Planet)
    assert_type((await chat.resume({0: 1}, response_type=adapter)).parsed, Model)
    assert_type(await chat.resume(), GenerateContentResponse)
    resumed = chat.resume_stream({"id": 1}, response_type=Planet | None)
    assert_type(resumed, TypedConversationStream[GenerateContentResponse, Planet | None])
    assert_type(chat.resume_stream(), ConversationStream[GenerateContentResponse])
    with_tools = client.chat("m", tools=[len]).stream("p", response_type=adapter)
    assert_type(with_tools, TypedConversationStream[ConversationItem, Model])


async def conversations(client: Client) -> None:
    run = client.run_tools
    assert_type(run("m", "p", tools=[len]), ConversationStream[ConversationItem])
    stream = run("m", "p", tools=[len], response_type=list[Planet])
    assert_type(stream, TypedConversationStream[ConversationItem, list[Planet]])
    async with stream as same:
        assert_type(same, TypedConversationStream[ConversationItem, list[Planet]])
    assert_type(await stream, TypedConversationStream[ConversationItem, list[Planet]])
    assert_type(stream.partial, Any)
    assert_type(stream.items(), ItemStream[Planet])
    assert_type(stream.items("a.b", Planet | None), ItemStream[Planet | None])
    assert_type(await stream.get_final_response(), TypedResponse[list[Planet]])
    assert_type(stream.snapshot.parsed, list[Planet])
    adapter: pydantic.TypeAdapter[Model] = pydantic.TypeAdapter(Model)
    assert_type(stream.items("a", adapter), ItemStream[Model])
    other = run("m", "p", tools=[len], response_type=adapter, schema_dialect="openapi")
    assert_type(other, TypedConversationStream[ConversationItem, Model])
    # One with a type stands where any conversation is expected.
    plain: ConversationStream[ConversationItem] = other
    assert_type((await plain.get_final_response()).text, str)


def error(failure: OutputValidationError) -> None:
    assert_type(failure.problem, Literal["cut", "blocked", "empty", "wrong"])
    assert_type(failure.path, str)
    assert_type(failure.text, str)
    assert_type(failure.index, int | None)
    assert_type(failure.finish_reason, str | None)
    assert_type(failure.partial, GenerateContentResponse | None)


async def misuse(client: Client) -> None:
    await client.generate_content("m", "p", reasks=1)  # type: ignore[call-overload]
    await client.generate_content("m", "p", response_type=int, reasks="1")  # type: ignore[call-overload]
    client.stream_generate_content("m", "p", response_type=int).items()  # type: ignore[call-overload]
    client.run_tools("m", "p", tools=[len], response_type=int).items()  # type: ignore[call-overload]
    client.chat("m").stream("p", response_type=int, reasks=1)  # type: ignore[call-overload]
