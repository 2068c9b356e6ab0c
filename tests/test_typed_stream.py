"""Typed streams: the value so far, the items, and what is raised when they do not match."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from pydantic import BaseModel, TypeAdapter

from cometgem import (
    ConfigurationError,
    OutputValidationError,
    StreamInterruptedError,
    TypedResponse,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from cometgem import Client, TypedStream
    from cometgem.testing import FakeServer

MODEL = "gemini-3.8-flash"


class Planet(msgspec.Struct):
    name: str
    radius_km: Annotated[float, msgspec.Meta(gt=0)]


class Moon(BaseModel):
    name: str


PLANETS = [
    {"name": name, "radius_km": radius}
    for name, radius in {"Mercury": 2439.7, "Venus": 6051.8, "Earth": 6371, "Mars": 3389.5}.items()
]
TEXT = json.dumps(PLANETS)
VALUES = msgspec.convert(PLANETS, list[Planet])


def pieces(text: str, size: int = 7) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def reply(text: str, size: int = 7) -> Reply:
    return Reply.text(*pieces(text, size), thought="The user wants [planets].")


def planets(client: Client) -> TypedStream[list[Planet]]:
    return client.stream_generate_content(MODEL, "The planets", response_type=list[Planet])


async def collect(items: AsyncIterable[Any], got: list[Any]) -> None:
    async for item in items:
        got.append(item)  # noqa: PERF401  what came before an error is kept


async def test_items_come_as_soon_as_they_are_complete(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply(TEXT))
    async with planets(client) as stream:
        seen = [(planet, len(stream.snapshot.text)) async for planet in stream.items()]
        final = await stream.get_final_response()
    assert [planet for planet, _ in seen] == VALUES == final.parsed
    assert type(final) is TypedResponse
    ends = [TEXT.index("}", at and seen[at - 1][1]) for at in range(len(seen))]
    assert all(end < read <= end + 8 for end, (_, read) in zip(ends, seen, strict=True))


async def test_the_schema_is_sent(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply(TEXT))
    async with planets(client) as stream:
        await stream.get_final_response()
    config = fake_server.requests[0].body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"]["items"]["required"] == ["name", "radius_km"]


async def test_partial_shows_what_has_come(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply(TEXT))
    async with planets(client) as stream:
        shown = [stream.partial]
        shown += [copy.deepcopy(stream.partial) async for _ in stream]
        root = stream.partial
        assert stream.partial is root
    assert shown[0] is None
    assert [{"name": "Mer"}] in shown
    assert shown[-1] == PLANETS


async def test_partial_items_and_iteration_can_be_mixed(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply(TEXT, 3))
    async with planets(client) as stream:
        for _ in range(30):
            await anext(stream)
        items = stream.items()
        first = await anext(items)
        others = stream.items()
        assert [await anext(others), await anext(others)] == VALUES[:2]
        assert stream.partial[1] == PLANETS[1]
        assert (await stream.get_final_response()).parsed == VALUES
        assert [first, *[planet async for planet in items]] == VALUES
        assert [planet async for planet in others] == VALUES[2:]
        assert [planet async for planet in stream.items()] == VALUES


async def test_chunks_that_were_taken_count_as_well(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply(TEXT))
    async with planets(client) as stream:
        async for _ in stream.heartbeat(5):
            assert stream.partial is None or isinstance(stream.partial, list)
        assert stream.partial == PLANETS


async def test_items_at_a_path(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply(json.dumps({"note": "[", "data": {"planets": PLANETS}})))
    async with client.stream_generate_content(MODEL, "p", response_type=dict[str, Any]) as stream:
        assert [planet async for planet in stream.items("data.planets", Planet)] == VALUES


@pytest.mark.parametrize("kind", [list[Moon], TypeAdapter(list[Moon])])
async def test_pydantic_models(kind: Any, client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply('[{"name": "Io"}, {"name": "Europa"}]'))
    async with client.stream_generate_content(MODEL, "p", response_type=kind) as stream:
        names = [moon.name async for moon in stream.items("", Moon)]
        assert names == ["Io", "Europa"]
        assert (await stream.get_final_response()).parsed == [Moon(name=name) for name in names]


async def test_an_element_that_does_not_match_ends_the_stream_after_those_before(
    client: Client, fake_server: FakeServer
) -> None:
    values = [{"name": str(at), "radius_km": 1} for at in range(7)]
    text = json.dumps([*values, {"name": "7", "radius_km": -1}, *values])
    fake_server.add(Reply.text(*pieces(text)).then_stall())
    got: list[Planet] = []
    stream = planets(client)
    items = stream.items()
    with pytest.raises(OutputValidationError) as caught:
        await collect(items, got)
    assert [planet.name for planet in got] == ["0", "1", "2", "3", "4", "5", "6"]
    error = caught.value
    assert (error.index, error.path, error.problem) == (7, "$[7].radius_km", "wrong")
    assert "Expected `float` > 0.0 at $[7].radius_km, in element 7" in str(error)
    assert error.partial is not None
    assert error.text == error.partial.text
    await fake_server.requests[0].wait_gone()
    with pytest.raises(OutputValidationError, match="element 7"):
        await anext(items)


@pytest.mark.parametrize(
    ("text", "finish", "count", "problem", "says"),
    [
        (TEXT[:-1], "MAX_TOKENS", 4, "cut", "cut off (MAX_TOKENS)"),
        (TEXT[:60], "MAX_TOKENS", 1, "cut", "raise max_output_tokens"),
        (TEXT[:60], "SAFETY", 1, "blocked", "stopped (SAFETY)"),
        (TEXT[:60], "STOP", 1, "wrong", "the JSON is cut off at character 60"),
        ("Here they are: []", "STOP", 0, "wrong", "expected a value, got 'H' at character 0"),
        (TEXT + " Enjoy!", "STOP", 4, "wrong", "text after the end of the JSON at character"),
        ('{"planets": []}', "STOP", 0, "wrong", "is an object, not a list at $"),
        ("", "STOP", 0, "empty", "no text (STOP)"),
        ("", "PROHIBITED_CONTENT", 0, "blocked", "stopped (PROHIBITED_CONTENT)"),
    ],
)
async def test_what_is_wrong_is_told_after_the_items(  # noqa: PLR0913, PLR0917
    text: str,
    finish: str,
    count: int,
    problem: str,
    says: str,
    client: Client,
    fake_server: FakeServer,
) -> None:
    fake_server.add((reply(text) if text else Reply.chunks("")).finish(finish))
    got: list[Planet] = []
    async with planets(client) as stream:
        with pytest.raises(OutputValidationError) as caught:
            await collect(stream.items(), got)
    assert got == VALUES[:count]
    assert caught.value.problem == problem
    assert says in str(caught.value)


async def test_a_blocked_prompt(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.chunks({"promptFeedback": {"blockReason": "SAFETY"}}))
    async with planets(client) as stream:
        with pytest.raises(OutputValidationError, match=r"the prompt was blocked \(SAFETY\)"):
            await anext(stream.items())
        assert stream.partial is None
        with pytest.raises(OutputValidationError, match="the prompt was blocked"):
            _ = stream.snapshot.parsed


async def test_partial_refuses_what_is_not_json(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Sure", "! []"))
    async with planets(client) as stream:
        await anext(stream)
        for _ in range(2):
            with pytest.raises(OutputValidationError, match="got 'S' at character 0"):
                _ = stream.partial


async def test_partial_of_an_answer_that_was_cut(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text('[{"name": "Io', '", "radius_km": 18').finish("MAX_TOKENS"))
    async with planets(client) as stream:
        final = await stream.get_final_response()
        assert stream.partial == [{"name": "Io"}]
    with pytest.raises(OutputValidationError, match="cut off") as caught:
        _ = final.parsed
    assert caught.value.partial is final


async def test_a_number_is_complete_when_the_stream_has_ended(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("1", "2", "3"))
    async with client.stream_generate_content(MODEL, "p", response_type=int) as stream:
        async for _ in stream:
            assert stream.partial is None
        assert stream.partial == 123
        assert stream.snapshot.parsed == 123


async def test_a_fence_is_taken_off(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(reply(f"```json\n{TEXT}\n```\n"))
    async with planets(client) as stream:
        assert [planet async for planet in stream.items()] == VALUES
        assert stream.partial == PLANETS
        assert (await stream.get_final_response()).parsed == VALUES


async def test_errors_of_the_stream_come_through(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text(*pieces(TEXT[:60])).then_reset())
    got: list[Planet] = []
    async with planets(client) as stream:
        with pytest.raises(StreamInterruptedError):
            await collect(stream.items(), got)
    assert got == VALUES[:1]


async def test_leaving_the_items_closes_the_connection(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(*[Reply.text(*pieces(TEXT)).then_stall()] * 3)
    async with planets(client) as stream:
        async for _ in stream.items():
            break
    await fake_server.requests[0].wait_gone()
    async with aclosing(planets(client).items()) as items:
        assert await anext(items) == VALUES[0]
    await fake_server.requests[1].wait_gone()
    gc.disable()
    try:
        async for _ in planets(client).items():
            break
        await fake_server.requests[2].wait_gone()
    finally:
        gc.enable()


async def test_a_cancelled_read_closes_the_connection(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(TEXT[:60]).then_stall())
    stream = planets(client)
    items = stream.items()
    assert await anext(items) == VALUES[0]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(items), 0.05)
    await fake_server.requests[0].wait_gone()


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        (Planet, (), "items() needs a list, and response_type=Planet is not one"),
        (dict[str, int], (), "response_type=dict[str, int] is not one"),
        (tuple[int, str], (), "is not one: give the path"),
        (list[Planet], ("planets",), "items('planets') needs the type of the elements"),
        (list[Planet], (3, Planet), "items(path=3) must be a str"),
        (list[Planet], ("planets", object()), "cannot be declared"),
    ],
)
async def test_items_that_cannot_be_found(
    kind: Any, arguments: tuple[Any, ...], says: str, client: Client
) -> None:
    stream = client.stream_generate_content(MODEL, "p", response_type=kind)
    with pytest.raises(ConfigurationError) as caught:
        stream.items(*arguments)
    assert says in str(caught.value)


async def test_elements_of_a_tuple(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("[1, ", "2]"))
    async with client.stream_generate_content(MODEL, "p", response_type=tuple[int, ...]) as stream:
        assert [item async for item in stream.items()] == [1, 2]
        assert (await stream.get_final_response()).parsed == (1, 2)


def test_repr(client: Client) -> None:
    assert repr(planets(client)) == "<TypedStream not sent, chunks=0>"


async def test_a_long_answer_of_several_hops(client: Client, fake_server: FakeServer) -> None:
    hops = [pieces(part) for part in (TEXT[:50], TEXT[50:90], TEXT[90:])]
    fake_server.add(Reply.hops(*hops), Reply.hops(*hops))
    async with planets(client) as stream:
        assert [planet async for planet in stream.items()] == VALUES
        assert stream.partial == PLANETS
        assert (await stream.get_final_response()).parsed == VALUES
    single = await client.generate_content(MODEL, "p", response_type=list[Planet])
    assert single.parsed == VALUES
    assert len(single.usage_metadata_per_hop) == 3
    assert len(fake_server.requests) == 6


async def test_an_answer_that_goes_on_from_a_checkpoint(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(pieces(TEXT), checkpoints=[5, 11], cuts=[12]))
    got: list[Planet] = []
    with pytest.raises(StreamInterruptedError) as caught:
        await collect(planets(client).items(), got)
    assert got == VALUES[:2]
    async with client.stream_generate_content(
        MODEL, "The planets", response_type=list[Planet], continuation=caught.value.checkpoint
    ) as stream:
        assert [planet async for planet in stream.items()] == VALUES
        assert stream.partial == PLANETS
        assert (await stream.get_final_response()).parsed == VALUES


async def test_the_server_makes_up_json_that_fits(client: Client) -> None:
    async with planets(client) as stream:
        items = [planet async for planet in stream.items()]
        assert items
        assert (await stream.get_final_response()).parsed == items
    for kind in (Planet, Moon, dict[str, int], tuple[int, str], Planet | None):
        for dialect in ("json", "openapi"):
            options: dict[str, Any] = {"response_type": kind, "schema_dialect": dialect}
            response = await client.generate_content(MODEL, "p", **options)
            assert response.text, (kind, dialect)
            if (kind, dialect) != (tuple[int, str], "openapi"):  # says less than the type
                assert response.parsed is not ...  # type: ignore[attr-defined]
