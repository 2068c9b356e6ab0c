"""Without a script, the server's replies make sense of the request."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem import Client, FunctionResponse
from cometgem.testing import FakeServer, Reply
from cometgem.testing.unscripted import PICTURE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-flash"
USER = {"role": "user", "parts": [{"text": "Do I need an umbrella in Bath?"}]}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "city": {"type": "STRING"},
            "days": {"type": "INTEGER"},
            "unit": {"type": "STRING", "enum": ["C", "F"]},
        },
        "required": ["city", "unit"],
    },
}
TOOLS = [{"googleSearch": {}}, {"functionDeclarations": [{"name": "now"}, WEATHER]}]


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        yield client


async def parts(server: FakeServer, **body: Any) -> list[dict[str, Any]]:
    url = f"{server.url}/v1beta/models/{MODEL}:generateContent"
    async with (
        aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session,
        session.post(url, json={"contents": [USER], **body}) as response,
    ):
        assert response.status == 200
        found: list[dict[str, Any]] = (await response.json())["candidates"][0]["content"]["parts"]
        return found


def calling(**config: Any) -> dict[str, Any]:
    return {"functionCallingConfig": config}


async def test_a_greeting(fake_server: FakeServer) -> None:
    assert (await parts(fake_server))[-1] == {"text": "Hello from the fake server."}


@pytest.mark.parametrize("name", ["responseJsonSchema", "responseSchema"])
async def test_json_that_fits_the_schema(name: str, fake_server: FakeServer) -> None:
    schema = {"type": "object", "properties": {"moons": {"type": "integer"}}}
    config = {"responseMimeType": "application/json", name: schema}
    (part,) = await parts(fake_server, generationConfig=config)
    assert json.loads(part["text"]) == {"moons": 1}


async def test_json_without_a_schema_and_a_plain_enum(fake_server: FakeServer) -> None:
    (part,) = await parts(fake_server, generationConfig={"responseMimeType": "application/json"})
    assert json.loads(part["text"]) == {"answer": "Hello from the fake server."}
    schema = {"type": "STRING", "enum": ["yes", "no"]}
    config = {"responseMimeType": "text/x.enum", "responseSchema": schema}
    assert await parts(fake_server, generationConfig=config) == [{"text": "yes"}]


async def test_json_is_streamed_in_pieces(client: Client) -> None:
    properties = {f"property{i}": {"type": "string"} for i in range(10)}
    config: Any = {"responseJsonSchema": {"type": "object", "properties": properties}}
    async with client.stream_generate_content(MODEL, "Hi", generation_config=config) as stream:
        pieces = [chunk.text async for chunk in stream]
    assert len(pieces) > 5
    assert json.loads("".join(pieces)).keys() == properties.keys()


@pytest.mark.parametrize(
    ("tool_config", "name"),
    [
        (None, "now"),
        (calling(mode="AUTO"), "now"),
        (calling(mode="ANY", allowedFunctionNames=["get_weather"]), "get_weather"),
        (calling(mode="ANY", allowedFunctionNames=["other"]), None),
        (calling(mode="NONE"), None),
    ],
)
async def test_a_declared_function_is_called(
    tool_config: Any, name: str | None, fake_server: FakeServer
) -> None:
    body = {"tools": TOOLS} | ({} if tool_config is None else {"toolConfig": tool_config})
    part = (await parts(fake_server, **body))[-1]
    assert part.get("functionCall", {}).get("name") == name
    if name == "get_weather":
        assert part["functionCall"]["args"] == {"city": "Bath", "unit": "C"}
    if name is not None:
        assert part["functionCall"]["id"] == "call-of-fake-request-0"
        assert part["thoughtSignature"]


async def test_json_schemas_of_parameters(fake_server: FakeServer) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tools = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]
    (part,) = await parts(fake_server, tools=tools)
    assert part["functionCall"]["args"] == {"n": 1}


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({"weather": "rain in Bath."}, "get_weather says: weather: rain in Bath."),
        ({"result": 7}, "get_weather says: 7."),
        ({"output": ["a"]}, 'get_weather says: ["a"].'),
        ({"a": 1, "b": "é"}, 'get_weather says: {"a": 1, "b": "é"}.'),
        ({"error": "no such city"}, "get_weather failed: no such city."),
    ],
)
async def test_a_text_about_the_result(
    response: dict[str, Any], said: str, fake_server: FakeServer
) -> None:
    result = {"functionResponse": {"name": "get_weather", "response": response}}
    call = {"functionCall": {"name": "get_weather"}, "thoughtSignature": "c2ln"}
    contents = [USER, {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
    body = {"tools": TOOLS, "toolConfig": calling(mode="ANY")}
    assert await parts(fake_server, contents=contents, **body) == [{"text": said}]
    config = {"responseJsonSchema": {"type": "integer"}}
    answer = await parts(fake_server, contents=contents, generationConfig=config, **body)
    assert answer == [{"text": "1"}]


async def test_a_conversation_with_tools_passes_in_strict_mode() -> None:
    def get_weather(city: str) -> dict[str, str]:
        """Look up the weather."""
        return {"weather": f"rain in {city}"}

    with FakeServer(strict=True) as server:
        async with (
            Client(server.api_key, base_url=server.url) as client,
            client.run_tools(MODEL, "Is it wet in Bath?", tools=[get_weather]) as stream,
        ):
            items = [item async for item in stream]
        assert [item.response for item in items if isinstance(item, FunctionResponse)] == [
            {"weather": "rain in Bath"}
        ]
        assert (await stream.get_final_response()).text == (
            "get_weather says: weather: rain in Bath."
        )


async def test_a_picture(fake_server: FakeServer) -> None:
    config = {"responseModalities": ["Text", "Image"]}
    text, image = await parts(fake_server, generationConfig=config)
    assert text == {"text": "A picture: "}
    assert image["inlineData"]["mimeType"] == "image/png"
    config = {"responseModalities": ["IMAGE"]}
    assert await parts(fake_server, generationConfig=config) == [image]


def test_the_picture_is_a_valid_png() -> None:
    signature, rest = PICTURE[:8], PICTURE[8:]
    assert signature == b"\x89PNG\r\n\x1a\n"
    kinds = []
    while rest:
        (length,) = struct.unpack(">I", rest[:4])
        kind_and_data, crc = rest[4 : 8 + length], rest[8 + length : 12 + length]
        assert struct.unpack(">I", crc)[0] == zlib.crc32(kind_and_data)
        kinds.append(kind_and_data[:4])
        rest = rest[12 + length :]
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


async def test_an_explicit_default_is_kept() -> None:
    with FakeServer(default=Reply.text("mine")) as server:
        assert await parts(server, tools=TOOLS) == [{"text": "mine"}]


async def test_odd_requests_get_the_greeting(fake_server: FakeServer) -> None:
    body = {
        "contents": ["odd", {"role": "user", "parts": "odd"}],
        "tools": ["odd", {"functionDeclarations": "odd"}],
        "toolConfig": "odd",
        "generationConfig": {"responseModalities": "IMAGE"},
    }
    assert (await parts(fake_server, **body))[-1] == {"text": "Hello from the fake server."}
