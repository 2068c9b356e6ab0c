"""The client: construction, options, event loop and lifetime."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import (
    APIStatusError,
    Client,
    ClosedError,
    CometGemWarning,
    ConfigurationError,
    RetryPolicy,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-flash"
KEY = "sk-a-key-that-must-not-leak"


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    retry = RetryPolicy(attempts=3, initial=0.0)
    async with Client(KEY, base_url=fake_server.url, retry=retry) as client:
        yield client


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMETAPI_KEY", "COMETAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "set the environment variable COMETAPI_KEY"),
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": "a\nb"}, "api_key has a space, a line break"),
        ({"api_key": "k", "base_url": "http://example.com"}, "would send the key unencrypted"),
        ({"api_key": "k", "auth": "basic"}, "use 'x-goog-api-key' or 'bearer'"),
        ({"api_key": "k", "max_event_size": 0}, "max_event_size=0"),
        ({"api_key": "k", "headers": {"Authorization": "x"}}, "must not set 'Authorization'"),
    ],
)
def test_invalid_arguments_are_refused_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Client(**options)


@pytest.mark.usefixtures("no_environment")
def test_the_environment_provides_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client("k").base_url == "https://api.cometapi.com"
    monkeypatch.setenv("COMETAPI_KEY", "k")
    monkeypatch.setenv("COMETAPI_BASE_URL", "http://127.0.0.1:8080/")
    assert Client().base_url == "http://127.0.0.1:8080"
    assert Client(base_url="https://example.com/x").base_url == "https://example.com/x"
    assert Client(base_url="http://example.com", allow_insecure=True).base_url


async def test_headers_of_the_client_and_of_a_call(fake_server: FakeServer) -> None:
    headers = {"x-a": "client", "x-b": "client", "accept": "application/json;q=1"}
    async with Client(KEY, base_url=fake_server.url, headers=headers) as client:
        await client.generate_content(MODEL, "Hi", headers={"X-B": "call", "user-agent": "mine"})
    sent = fake_server.requests[0].headers
    assert [sent.getall(name) for name in ("x-a", "x-b", "accept", "user-agent")] == [
        ["client"],
        ["call"],
        ["application/json;q=1"],
        ["mine"],
    ]


async def test_a_closed_client_refuses_calls(fake_server: FakeServer) -> None:
    client = Client(KEY, base_url=fake_server.url)
    await client.generate_content(MODEL, "Hi")
    await client.aclose()
    await client.aclose()
    with pytest.raises(ClosedError, match="the client is closed"):
        await client.generate_content(MODEL, "Hi")
    with pytest.raises(ClosedError):
        client.stream_generate_content(MODEL, "Hi")
    assert "closed" in repr(client)


def test_use_in_another_event_loop_is_refused(fake_server: FakeServer) -> None:
    client = Client(KEY, base_url=fake_server.url)

    async def call() -> None:
        await client.generate_content(MODEL, "Hi")

    with asyncio.Runner() as first:
        first.run(call())
        with (
            pytest.raises(ConfigurationError, match="another event loop"),
            asyncio.Runner() as other,
        ):
            other.run(call())
        first.run(client.aclose())


async def test_invalid_arguments_are_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer
) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'generationConfig'"):
        await client.generate_content(MODEL, "Hi", extra_body={"generatonConfig": {}})
    with pytest.raises(ConfigurationError):
        client.stream_generate_content("../admin", "Hi")
    with pytest.raises(TypeError, match="generation_config="):
        client.stream_generate_content(MODEL, "Hi", temperature=1)  # type: ignore[call-arg]
    assert fake_server.requests == []


async def test_the_key_is_not_in_a_repr_or_pickle(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(400))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert KEY not in repr(client) + repr(vars(client)) + repr(vars(client._transport))  # noqa: SLF001
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__)
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            way(client)


@pytest.mark.parametrize("config", [{"thinkingLevel": "LOW"}, {"thinkingBudget": 99999}])
async def test_thinking_that_does_not_fit_the_model_is_sent_with_a_warning(
    fake_server: FakeServer, config: dict[str, Any]
) -> None:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        with pytest.warns(CometGemWarning, match="does not fit 'gemini-2.5-flash'") as single:
            await client.generate_content(
                "gemini-2.5-flash", "Hi", generation_config={"thinkingConfig": config}
            )
        with pytest.warns(CometGemWarning, match="does not fit 'gemini-2.5-flash'") as streamed:
            client.stream_generate_content(
                "gemini-2.5-flash", "Hi", generation_config={"thinkingConfig": config}
            )
    assert {warning.filename for warning in (*single, *streamed)} == {__file__}
    assert fake_server.requests[0].body["generationConfig"] == {"thinkingConfig": config}
