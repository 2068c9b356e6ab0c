import io
import json
from typing import Any

import aiohttp
import pytest

from cometgem.testing import FakeServer, Reply, validate

GOOD = {"contents": [{"parts": [{"text": "Hi"}]}]}
PATH = "/v1beta/models/gemini-x:generateContent"


async def ask(
    server: FakeServer,
    path: str = PATH,
    *,
    method: str = "POST",
    data: bytes | None = None,
    key: str | None = "k",
) -> tuple[int, Any]:
    data = json.dumps(GOOD).encode() if data is None else data
    headers = {} if key is None else {"x-goog-api-key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, server.url + path, data=io.BytesIO(data), headers=headers
        ) as response,
    ):
        assert response.headers["x-cometapi-request-id"]
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("request_options", "status", "code"),
    [
        ({"key": None}, 401, "invalid_api_key"),
        ({"key": ""}, 401, "invalid_api_key"),
        ({"data": b"{"}, 400, "bad_request_body"),
        ({"data": b"[]"}, 400, "bad_request_body"),
        ({"data": b"\xff"}, 400, "bad_request_body"),
        ({"data": b"{" * 50}, 400, "bad_request_body"),
        ({"data": b'{"contents": ' + b"9" * 5000 + b"}"}, 400, "bad_request_body"),
        ({"data": b'{"contents": "\xff\xfe"}'}, 400, "bad_request_body"),
        ({"data": b"\xff\xfe{\x00}\x00"}, 500, "invalid_request"),  # JSON in UTF-16
        ({"data": b"{}"}, 500, "invalid_request"),
        ({"data": b'{"contents": []}'}, 500, "invalid_request"),
        ({"data": b'{"contents": "Hi"}'}, 500, "invalid_request"),
        ({"path": "/v1beta/models/gpt-5:generateContent"}, 503, "model_not_found"),
        ({"path": "/v1beta/models/gemini-x:countTokens"}, 404, ""),
        ({"path": "/v1beta/v1beta/models/gemini-x:generateContent"}, 404, ""),
        ({"path": "/v1beta/models/a/gemini-x:generateContent"}, 404, ""),
        ({"method": "PUT"}, 404, ""),
    ],
)
async def test_invalid_requests_are_refused_like_the_gateway_does(
    request_options: dict[str, Any], status: int, code: str
) -> None:
    with FakeServer() as server:
        server.add(Reply.text("kept"))
        answered, body = await ask(server, **request_options)
        assert answered == status
        assert body["error"]["code"] == code
        assert body["error"]["type"] == "comet_api_error"
        assert body["error"]["message"].endswith("(request id: fake-request-0)")
        assert (await ask(server))[1]["candidates"][0]["content"]["parts"] == [{"text": "kept"}]


@pytest.mark.parametrize("path", ["/v1/models/gemini-x:", "/v1alpha/models/gemini%2Dx:"])
async def test_other_versions_and_encoded_names(path: str) -> None:
    with FakeServer() as server:
        status, _ = await ask(server, path + "generateContent")
        assert status == 200
        assert server.requests[0].model == "gemini-x"


async def test_the_known_models_can_be_given() -> None:
    with FakeServer(models={"my-model"}) as server:
        assert (await ask(server))[0] == 503
        assert (await ask(server, "/v1beta/models/my-model:generateContent"))[0] == 200
    with FakeServer(models=lambda name: name == "gemini-x") as server:
        assert (await ask(server))[0] == 200


async def test_validation_can_be_switched_off() -> None:
    with FakeServer(validate=False) as server:
        server.add(Reply.error(418))
        assert (await ask(server, "/anything", data=b"", key=None))[0] == 418
        assert (await ask(server, "/v1beta/models/gpt:generateContent", data=b"{"))[0] == 200


async def test_a_body_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert validate.MAX_BODY == 128 * 1024 * 1024
    monkeypatch.setattr(validate, "MAX_BODY", 2_000_000)
    with FakeServer() as server:
        good = json.dumps(GOOD).encode()
        assert (await ask(server, data=good + b" " * 1_900_000))[0] == 200
        assert (await ask(server, data=good + b" " * 2_000_000))[0] == 413


@pytest.mark.parametrize("levels", [101, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("is_complete", [True, False])
async def test_a_deeply_nested_body_is_refused_like_the_api_does(
    levels: int, *, is_complete: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    data = b'{"contents": [' + b'{"a":[' * (levels // 2) + b"]}" * (levels // 2) + b"]}"
    data = data if is_complete else data[:-1]
    with FakeServer() as server:
        server.add(Reply.text("kept"))
        status, body = await ask(server, data=data)
        assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")
        (request,) = server.requests
        assert request.raw_body == data
        assert request.operation == "generateContent"
        await request.wait_done()
        assert request.finished
        assert (await ask(server))[1]["candidates"][0]["content"]["parts"] == [{"text": "kept"}]
    assert capfd.readouterr().err == ""


async def test_an_unvalidated_deep_body_gets_the_scripted_reply() -> None:
    with FakeServer(validate=False) as server:
        assert (await ask(server, data=b"[" * 100_000))[0] == 200
        assert server.requests[0].body is None


@pytest.mark.parametrize(
    "contents",
    [
        [{"parts": [{"text": "["}]}] * 200,
        [{"parts": [{"text": '[{"\\' * 200}]}],
        json.loads("[" * 99 + "]" * 99),
    ],
    ids=["long", "brackets in text", "just deep enough"],
)
async def test_a_body_that_is_not_too_deep(contents: Any) -> None:
    with FakeServer() as server:
        assert (await ask(server, data=json.dumps({"contents": contents}).encode()))[0] == 200
        assert server.requests[0].body == {"contents": contents}
