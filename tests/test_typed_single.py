"""Single calls with a type: one value, or what is wrong with the answer; asking again."""

from __future__ import annotations

import copy
import enum
import pickle
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from pydantic import BaseModel, Field, TypeAdapter

from cometgem import (
    Candidate,
    ConfigurationError,
    Content,
    GenerateContentResponse,
    GenerationConfig,
    OutputValidationError,
    Part,
    TypedResponse,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from cometgem import Client
    from cometgem.testing import FakeServer

MODEL = "gemini-3.8-flash"


class Planet(msgspec.Struct):
    name: str
    radius_km: Annotated[float, msgspec.Meta(gt=0)]


class Kind(enum.Enum):
    ROCKY = "rocky"
    GAS = "gas"


class Orbit(TypedDict):
    au: float


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Star:
    name: str
    kind: Kind = Kind.GAS


class Moon(BaseModel):
    name: str = Field(min_length=2)


class Cat(msgspec.Struct, tag=True):
    meows: int


class Dog(msgspec.Struct, tag=True):
    barks: int


# Literals of several types.
MIXED = pytest.mark.skipif(
    tuple(map(int, metadata.version("msgspec").split(".")[:2])) < (0, 22),
    reason="msgspec before 0.22 cannot sort the values",
)

FORMS = [
    (Planet, '{"name": "Mars", "radius_km": 3389.5}', Planet("Mars", 3389.5)),
    (list[Planet], '[{"name": "Mars", "radius_km": 3389.5}]', [Planet("Mars", 3389.5)]),
    (Kind, '"gas"', Kind.GAS),
    (Orbit, '{"au": 1.5}', {"au": 1.5}),
    (Point, "[1, 2]", Point(1, 2)),
    (Star, '{"name": "Sun", "kind": "rocky"}', Star("Sun", Kind.ROCKY)),
    (Moon, '{"name": "Io"}', Moon(name="Io")),
    (list[Moon], '[{"name": "Io"}]', [Moon(name="Io")]),
    (TypeAdapter(dict[str, Moon]), '{"a": {"name": "Io"}}', {"a": Moon(name="Io")}),
    (Cat | Dog, '{"type": "Dog", "barks": 2}', Dog(2)),
    (Planet | None, "null", None),
    pytest.param(Literal["a", 1], "1", 1, marks=MIXED),
    (dict[str, int], '{"a": 1}', {"a": 1}),
    (tuple[int, str], '[1, "a"]', (1, "a")),
    (Annotated[int, msgspec.Meta(ge=1)], "5", 5),
    (str, '"text"', "text"),
    (float, "5", 5.0),
]


@pytest.mark.parametrize(("kind", "text", "value"), FORMS, ids=lambda one: repr(one)[:40])
async def test_forms(
    kind: Any, text: str, value: Any, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(f" ```json\n{text}\n```\n", thought="[1] {"))
    response = await client.generate_content(MODEL, "p", response_type=kind)
    assert response.parsed == value
    assert type(response.parsed) is type(value)
    assert response.parsed is response.parsed
    assert fake_server.requests[0].body["generationConfig"]["responseJsonSchema"]


async def test_nothing_changes_without_a_type(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("[1]"))
    response = await client.generate_content(MODEL, "p")
    assert type(response) is GenerateContentResponse
    assert "generationConfig" not in fake_server.requests[0].body


async def test_the_response_is_complete(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("[1]"), Reply.text("[1]"))
    response = await client.generate_content(MODEL, "p", response_type=list[int])
    plain = await client.generate_content(MODEL, "p")
    assert response.to_dict().keys() == plain.to_dict().keys()
    assert response.raw.startswith(b"{")
    assert response.text == "[1]"
    assert response.attempts == (response,)


WRONG = [
    ('{"name": "Mars", "radius_km": -1}', "STOP", "wrong", "$.radius_km", "Expected `float` > 0.0"),
    ('{"name": "Mars", "radius_km": -1}', "MAX_TOKENS", "wrong", "$.radius_km", "Expected"),
    ('{"name": "Mars"', "MAX_TOKENS", "cut", "", "cut off (MAX_TOKENS)"),
    ('{"name": "Mars"', "STOP", "wrong", "", "truncated"),
    ('{"name": "Mars"', "RECITATION", "blocked", "", "stopped (RECITATION)"),
    ("The answer is {}", "STOP", "wrong", "", "JSON is malformed"),
    ("", "STOP", "empty", "", "no text (STOP)"),
    ("", "MAX_TOKENS", "cut", "", "raise max_output_tokens"),
    ("", "MALFORMED_FUNCTION_CALL", "blocked", "", "stopped (MALFORMED_FUNCTION_CALL)"),
    ("[" * 50, "MAX_TOKENS", "cut", "$", "cut off"),
    ("[" * 50, "STOP", "wrong", "$", "Expected `object`, got `array`"),
]


@pytest.mark.parametrize(("text", "finish", "problem", "path", "says"), WRONG)
async def test_an_answer_that_does_not_match(  # noqa: PLR0913, PLR0917
    text: str,
    finish: str,
    problem: str,
    path: str,
    says: str,
    client: Client,
    fake_server: FakeServer,
) -> None:
    fake_server.add(Reply.text(text).finish(finish))
    response = await client.generate_content(MODEL, "p", response_type=Planet)
    with pytest.raises(OutputValidationError) as caught:
        _ = response.parsed
    error = caught.value
    assert (error.problem, error.path, error.text) == (problem, path, text)
    assert (error.finish_reason, error.index) == (finish, None)
    assert says in str(error)
    assert error.partial is response
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  our own


async def test_a_number_that_may_go_on_is_cut(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("12").finish("MAX_TOKENS"))
    response = await client.generate_content(MODEL, "p", response_type=int)
    with pytest.raises(OutputValidationError, match="cut off"):
        _ = response.parsed


@pytest.mark.parametrize("kind", [Moon, list[Moon], TypeAdapter(list[Moon])])
async def test_what_pydantic_says(kind: Any, client: Client, fake_server: FakeServer) -> None:
    text = '{"name": "I"}' if kind is Moon else '[{"name": "I"}]'
    fake_server.add(Reply.text(text))
    response = await client.generate_content(MODEL, "p", response_type=kind)
    with pytest.raises(OutputValidationError, match="at least 2 characters") as caught:
        _ = response.parsed
    assert caught.value.path == {Moon: "$.name", list[Moon]: "$[0]"}.get(kind, "$[0].name")
    fake_server.add(Reply.text("Sure!"))
    response = await client.generate_content(MODEL, "p", response_type=kind)
    with pytest.raises(OutputValidationError) as caught:
        _ = response.parsed
    assert (caught.value.problem, caught.value.path) == ("wrong", "")


async def test_further_candidates(client: Client, fake_server: FakeServer) -> None:
    answers = [
        {"index": at, "content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
        for at, text in enumerate(["1", "2", '"x"'])
    ]
    fake_server.add(Reply.chunks({"candidates": answers}))
    response = await client.generate_content(MODEL, "p", response_type=int)
    first, second, third = response.candidates
    assert (response.parsed, response.parse(first), response.parse(second)) == (1, 1, 2)
    with pytest.raises(OutputValidationError, match="Expected `int`, got `str`") as caught:
        response.parse(third)
    assert caught.value.text == '"x"'


async def test_a_copy_does_not_know_its_type(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("1"))
    response = await client.generate_content(MODEL, "p", response_type=int)
    for same in (copy.copy(response), pickle.loads(pickle.dumps(response))):  # noqa: S301
        assert type(same) is TypedResponse
        assert same == response
        with pytest.raises(RuntimeError, match="copied, unpickled or built by hand"):
            _ = same.parsed


CONFIGS: list[dict[str, Any]] = [
    {"generation_config": {"response_json_schema": {}}},
    {"generation_config": {"responseJsonSchema": {"type": "object"}}},
    {"generation_config": {"responseSchema": {"type": "OBJECT"}}},
    {"generation_config": {"_responseJsonSchema": {"type": "object"}}},
    {"generation_config": {"responseFormat": {"text": {"mimeType": "text/plain"}}}},
    {"generation_config": {"response_mime_type": "text/plain"}},
    {"generation_config": GenerationConfig(response_json_schema={"type": "object"})},
    {"generation_config": GenerationConfig(response_mime_type="text/x.enum")},
    {"extra_body": {"generationConfig": {"responseJsonSchema": {"type": "object"}}}},
    {"extra_body": {"generation_config": {"response_schema": {"type": "OBJECT"}}}},
    {"reasks": -1},
    {"reasks": True},
    {"reasks": 1.5},
    {"schema_dialect": "openAPI"},
    {"response_type": {"type": "object"}},
    {"response_type": "Planet"},
    {"response_type": object()},
    {"response_type": None, "reasks": 1},
    {"response_type": None, "schema_dialect": "openapi"},
]


@pytest.mark.parametrize("options", CONFIGS, ids=repr)
async def test_what_cannot_work_is_refused_before_anything_is_sent(
    options: dict[str, Any], client: Client, fake_server: FakeServer
) -> None:
    given: dict[str, Any] = {"response_type": Planet, **options}
    with pytest.raises(ConfigurationError):
        await client.generate_content(MODEL, "p", **given)
    if "reasks" not in options:
        with pytest.raises(ConfigurationError):
            client.stream_generate_content(MODEL, "p", **given)
    assert fake_server.requests == []


@pytest.mark.parametrize(
    "config",
    [
        {"temperature": 0, "response_mime_type": "application/json"},
        GenerationConfig(temperature=0, response_mime_type="application/json"),
    ],
)
async def test_other_settings_are_kept(
    config: Any, client: Client, fake_server: FakeServer
) -> None:
    before = copy.deepcopy(config)
    fake_server.add(Reply.text("1"))
    await client.generate_content(
        MODEL, "p", response_type=int, generation_config=config, schema_dialect="openapi"
    )
    assert config == before
    assert fake_server.requests[0].body["generationConfig"] == {
        "temperature": 0,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "INTEGER"},
    }


async def test_a_wrong_answer_is_asked_again(client: Client, fake_server: FakeServer) -> None:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    fake_server.add(
        Reply.text('{"name": "Mars"}', thought="Hm.", signature="c2ln").usage(usage),
        Reply.text('{"name": "Mars", "radius_km": 0}').usage(usage),
        Reply.text('{"name": "Mars", "radius_km": 3389.5}').usage(usage),
    )
    response = await client.generate_content(MODEL, "Mars", response_type=Planet, reasks=3)
    assert response.parsed == Planet("Mars", 3389.5)
    assert len(response.attempts) == 3
    assert response.usage_metadata is not None
    assert response.usage_metadata.total_token_count == 21
    assert response.attempts[0].text == '{"name": "Mars"}'
    contents = fake_server.requests[2].body["contents"]
    assert [turn["role"] for turn in contents] == ["user", "model", "user", "model", "user"]
    assert contents[0] == {"role": "user", "parts": [{"text": "Mars"}]}
    assert any(part.get("thoughtSignature") == "c2ln" for part in contents[1]["parts"])
    assert "missing required field `radius_km`" in contents[2]["parts"][0]["text"]
    assert "Expected `float` > 0.0 at $.radius_km" in contents[4]["parts"][0]["text"]


async def test_the_last_answer_is_returned_when_none_matches(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(*[Reply.text("[1]")] * 3)
    response = await client.generate_content(MODEL, "p", response_type=int, reasks=2)
    assert len(response.attempts) == len(fake_server.requests) == 3
    with pytest.raises(OutputValidationError, match="Expected `int`, got `array`"):
        _ = response.parsed


@pytest.mark.parametrize("finish", ["MAX_TOKENS", "SAFETY"])
async def test_cut_and_blocked_answers_are_not_asked_again(
    finish: str, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text('{"name": ').finish(finish))
    response = await client.generate_content(MODEL, "p", response_type=Planet, reasks=2)
    assert len(fake_server.requests) == 1
    with pytest.raises(OutputValidationError):
        _ = response.parsed


def test_a_response_built_by_hand() -> None:
    response: TypedResponse[int] = TypedResponse(
        candidates=[Candidate(content=Content(role="model", parts=[Part(text="1")]))]
    )
    assert response.text == "1"
    with pytest.raises(RuntimeError):
        _ = response.parsed


async def test_the_right_name_of_a_mistyped_response_type_is_listed(client: Client) -> None:
    with pytest.raises(TypeError, match=r"unknown option 'respons_type'; .* response_type, "):
        await client.generate_content(MODEL, "p", respons_type=int)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"unknown option 'respons_type'; .* response_type, "):
        client.chat(MODEL, respons_type=int)  # type: ignore[call-overload]
