"""`FakeServer(gateway="new-api")` drops what that gateway drops."""

from __future__ import annotations

import json
from typing import Any, cast

import aiohttp
import pytest

from cometgem.testing import FakeServer, Reply

USER = {"role": "user", "parts": [{"text": "Hi"}]}


async def arrived(body: dict[str, Any]) -> Any:
    """Return what arrives at the model, and check that the rest of the record is untouched."""
    with FakeServer(gateway="new-api") as server:
        await post(server, body)
        (request,) = server.requests
        assert json.loads(request.raw_body) == body
        return request.body


async def post(server: FakeServer, body: dict[str, Any]) -> tuple[int, Any]:
    url = f"{server.url}/v1beta/models/gemini-4-argon:generateContent"
    headers = {"x-goog-api-key": "k"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json=body) as response,
    ):
        return response.status, await response.json()


def test_unknown_gateways_are_refused() -> None:
    with pytest.raises(ValueError, match=r"gateway='one-api' is not known; valid values are 'new-"):
        FakeServer(gateway=cast("Any", "one-api"))


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ({"serviceTier": "PRIORITY", "store": False, "model": "models/x"}, {}),
        ({"cachedContent": "cachedContents/1"}, {"cachedContent": "cachedContents/1"}),
        ({"generation_config": {"temperature": 1}}, {}),
        ({"generationConfig": {"top_p": 0.5}}, {"generationConfig": {"topP": 0.5}}),
        (
            {"generationConfig": {"responseFormat": {}, "_responseJsonSchema": {}, "seed": 0}},
            {"generationConfig": {"seed": 0}},
        ),
        (
            {"generationConfig": {"thinkingConfig": {"thinking_level": "LOW", "other": 1}}},
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
        ),
        (
            {"toolConfig": {"functionCallingConfig": {"streamFunctionCallArguments": True}}},
            {"toolConfig": {"functionCallingConfig": {}}},
        ),
        ({"system_instruction": {"parts": []}}, {"systemInstruction": {"parts": []}}),
        ({"tools": [{"google_search": {}, "x": 1}]}, {"tools": [{"google_search": {}, "x": 1}]}),
        ({"safetySettings": "odd", "toolConfig": None}, {"safetySettings": "odd"}),
    ],
)
async def test_fields_of_a_request(sent: dict[str, Any], passed: dict[str, Any]) -> None:
    contents = {"contents": [USER]}
    assert await arrived({**contents, **sent}) == {**contents, **passed}


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (
            {"functionCall": {"id": "1", "name": "f", "args": {"b": 1, "a": [{"d": 1, "c": 2}]}}},
            {"functionCall": {"name": "f", "args": {"a": [{"c": 2, "d": 1}], "b": 1}}},
        ),
        (
            {"functionResponse": {"id": "1", "name": "f", "response": {}, "parts": [{}]}},
            {"functionResponse": {"name": "f", "response": {}, "parts": [{}], "id": "1"}},
        ),
        ({"text": "a", "partMetadata": {"x": 1}}, {"text": "a"}),
        ({"toolCall": {"id": "1"}}, {}),
        ({"toolResponse": {"id": "1"}, "thoughtSignature": "c2ln"}, {"thoughtSignature": "c2ln"}),
        ({"text": "", "thoughtSignature": "c2ln"}, {"thoughtSignature": "c2ln"}),
        (
            {"inline_data": {"mime_type": "image/png", "data": ""}},
            {"inlineData": {"mimeType": "image/png", "data": ""}},
        ),
        ({"file_data": {"file_uri": "https://example.com"}}, {}),
    ],
)
async def test_fields_of_a_part(sent: dict[str, Any], passed: dict[str, Any]) -> None:
    body = await arrived({"contents": [{"role": "model", "parts": [sent]}]})
    assert json.dumps(body) == json.dumps({"contents": [{"role": "model", "parts": [passed]}]})


async def test_only_the_keys_of_response_schema_are_sorted() -> None:
    schema = {"type": "OBJECT", "properties": {"b": {"type": "STRING"}, "a": {"type": "STRING"}}}
    body = {"contents": [USER], "generationConfig": {"responseSchema": schema}}
    config = (await arrived(body))["generationConfig"]
    assert list(config["responseSchema"]) == ["properties", "type"]
    assert list(config["responseSchema"]["properties"]) == ["a", "b"]
    body = {"contents": [USER], "generationConfig": {"responseJsonSchema": schema}}
    config = (await arrived(body))["generationConfig"]
    assert list(config["responseJsonSchema"]["properties"]) == ["b", "a"]


async def test_without_its_token_a_long_answer_begins_anew() -> None:
    body: dict[str, Any] = {"contents": [USER]}
    with FakeServer(gateway="new-api") as server:
        server.add(Reply.hops(["a"], ["b"]), Reply.text("next"))
        for _ in range(3):
            _, answer = await post(server, body)
            (candidate,) = answer["candidates"]
            assert candidate["content"]["parts"] == [{"text": "a"}]
            assert answer["usageMetadata"]["promptTokenCount"] == 8
            assert server.requests[-1].body == {"contents": [USER]}
            body["continuationToken"] = candidate["continuationToken"]
        del body["continuationToken"]
        _, answer = await post(server, body)
        assert answer["candidates"][0]["content"]["parts"] == [{"text": "next"}]


async def test_what_the_gateway_drops_is_not_refused() -> None:
    body = {"contents": [USER], "generationConfig": {"responseSchema": {}}}
    body["generationConfig"]["_responseJsonSchema"] = {}
    with FakeServer(strict=True, gateway="new-api") as server:
        assert (await post(server, body))[0] == 200
    with FakeServer(strict=True) as server:
        assert (await post(server, body))[0] == 400
