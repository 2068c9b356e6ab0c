"""`server.respond`: a reply as a function of the request."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest

from cometgem import BadRequestError, Client, ServerError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem.testing import RecordedRequest

MODEL = "gemini-3.8-flash"


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        yield client


def echo(request: RecordedRequest) -> Reply | None:
    text = request.body["contents"][0]["parts"][0]["text"]
    return Reply.text(text.upper()) if text != "script" else None


async def test_it_is_asked_before_the_script(client: Client, fake_server: FakeServer) -> None:
    assert fake_server.respond is None
    fake_server.respond = echo
    assert fake_server.respond is echo
    fake_server.add(Reply.text("scripted"))
    texts = [
        (await client.generate_content(MODEL, prompt)).text
        for prompt in ("a", "script", "b", "script")
    ]
    assert texts == ["A", "scripted", "B", "Hello from the fake server."]
    fake_server.respond = None
    assert (await client.generate_content(MODEL, "a")).text == "Hello from the fake server."


async def test_refused_requests_do_not_reach_it(fake_server: FakeServer) -> None:
    fake_server.respond = lambda _: Reply.text("reached")
    async with (
        Client("k", base_url=fake_server.url) as client,
        aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session,
    ):
        with pytest.raises(ServerError, match="model gpt"):
            await client.generate_content("gpt", "Hi")
        url = f"{fake_server.url}/v1beta/models/{MODEL}:generateContent"
        body = {"contents": [{"parts": []}], "continuationToken": "d3Jvbmc="}
        async with session.post(url, data=json.dumps(body)) as response:
            assert response.status == 400


async def test_it_can_begin_a_long_answer(fake_server: FakeServer) -> None:
    asked: list[RecordedRequest] = []

    def respond(request: RecordedRequest) -> Reply:
        asked.append(request)
        return Reply.hops(["a"], ["b"])

    fake_server.respond = respond
    url = f"{fake_server.url}/v1beta/models/{MODEL}:generateContent"
    body: dict[str, Any] = {"contents": [{"parts": [{"text": "Hi"}]}]}
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session:
        for text in ("a", "b"):
            async with session.post(url, json=body) as response:
                (candidate,) = (await response.json())["candidates"]
            assert candidate["content"]["parts"] == [{"text": text}]
            body["continuationToken"] = candidate.get("continuationToken")
    assert len(asked) == 1


async def raise_later(_: RecordedRequest) -> Reply:
    return Reply.text("never")


def fail(_: RecordedRequest) -> Reply:
    raise LookupError("no such row")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fail, r"respond \(fail\) raised LookupError: no such row"),
        (lambda _: "text", "raised TypeError: respond returned 'text', expected a Reply or None"),
        (raise_later, "raised TypeError: respond is an async function, expected a plain one"),
    ],
    ids=["raises", "wrong type", "async"],
)
async def test_its_failure_is_seen_at_once(
    function: Any,
    message: str,
    client: Client,
    fake_server: FakeServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake_server.respond = cast("Any", function)
    with (
        caplog.at_level(logging.ERROR, "cometgem.testing"),
        pytest.raises((ServerError, BadRequestError), match=message) as caught,
    ):
        await client.generate_content(MODEL, "Hi")
    assert caught.value.status == 500
    assert len(fake_server.requests) == 1  # not retried
    (error,) = fake_server.respond_errors
    assert type(error).__name__ in str(caught.value)
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[1] is error
