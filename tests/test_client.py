"""The client: construction, the single call, its life."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem import (
    APIStatusError,
    APITimeoutError,
    Client,
    ClosedError,
    CometGemError,
    CometGemWarning,
    ConfigurationError,
    EventTooLargeError,
    PermissionDeniedError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-2.5-flash"
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
        ({"api_key": "k", "auth": "basic"}, "give 'x-goog-api-key' or 'bearer'"),
        ({"api_key": "k", "max_event_size": 0}, "max_event_size=0"),
        ({"api_key": "k", "headers": {"Authorization": "x"}}, "must not set 'Authorization'"),
    ],
)
def test_what_can_never_work_is_refused_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Client(**options)


@pytest.mark.usefixtures("no_environment")
def test_the_environment_serves_where_no_argument_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client("k").base_url == "https://api.cometapi.com"
    monkeypatch.setenv("COMETAPI_KEY", "k")
    monkeypatch.setenv("COMETAPI_BASE_URL", "http://127.0.0.1:8080/")
    assert Client().base_url == "http://127.0.0.1:8080"
    assert Client(base_url="https://example.com/x").base_url == "https://example.com/x"
    assert Client(base_url="http://example.com", allow_insecure=True).base_url


async def test_a_single_call(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo"))
    response = await client.generate_content(MODEL, "Hi")
    assert (response.text, response.finish_reason) == ("Hello", "STOP")
    assert response.raw.startswith(b"{")
    assert fake_server.requests[0].operation == "generateContent"


async def test_a_stream_in_place_of_a_response_is_merged(
    client: Client, fake_server: FakeServer
) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}'
    fake_server.add(Reply.raw(b"data: %b\n\n" % chunk * 2), Reply.raw(b"[%b]" % chunk))
    assert (await client.generate_content(MODEL, "Hi")).text == "xx"
    assert (await client.generate_content(MODEL, "Hi")).text == "x"


async def test_a_cut_stream_in_place_of_a_response_is_no_success(
    client: Client, fake_server: FakeServer
) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}}]}'
    for body in (b"data: %b\n\n" % chunk * 2, b"[%b]" % chunk):
        fake_server.add(Reply.raw(body))
        with pytest.raises(StreamTruncatedError) as caught:
            await client.generate_content(MODEL, "Hi", retry=RetryPolicy(attempts=1))
        assert caught.value.partial is not None
        assert caught.value.partial.text == "x" * body.count(b"text")


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


@pytest.mark.parametrize("auth", ["x-goog-api-key", "bearer"])
async def test_both_ways_to_carry_the_key(auth: Any, fake_server: FakeServer) -> None:
    async with Client(KEY, base_url=fake_server.url, auth=auth) as client:
        await client.generate_content(MODEL, "Hi")
    assert fake_server.requests[0].auth == auth


async def test_thousands_of_calls_are_not_capped(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.text("x").delay(headers=0.3)] * 150)
    calls = [client.generate_content(MODEL, "Hi") for _ in range(150)]
    responses = await asyncio.gather(*calls)
    assert {response.text for response in responses} == {"x"}
    assert fake_server.connections > 100


async def test_a_failure_that_passes(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(500), Reply.text("half").then_reset(), Reply.text("ok"))
    assert (await client.generate_content(MODEL, "Hi")).text == "ok"
    assert len(fake_server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (
            Reply.error(403, message="user quota is not enough", dialect="bare"),
            PermissionDeniedError,
        ),
        (Reply.raw(b'{"error": {"code": 403, "message": "no"}}'), PermissionDeniedError),
        (Reply.raw(b"not json", content_type="application/json"), ResponseDecodeError),
        (Reply.raw(b"", content_type="application/json"), ResponseDecodeError),
        (Reply.html(200), ResponseDecodeError),
        (Reply.text("x").then_reset(), StreamInterruptedError),
        (Reply.silence(), APITimeoutError),
        (Reply.text("x").then_stall(), APITimeoutError),
    ],
)
async def test_a_bad_answer(
    reply: Reply, kind: type[CometGemError], client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply)
    with pytest.raises(kind) as caught:
        await client.generate_content(
            MODEL, "Hi", timeouts=Timeouts(stall=0.2), retry=RetryPolicy(attempts=1)
        )
    assert getattr(caught.value, "phase", "stall") == "stall"


async def test_a_response_over_the_limit(fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("x" * 5000))
    async with Client(KEY, base_url=fake_server.url, max_event_size=1000) as client:
        with pytest.raises(EventTooLargeError):
            await client.generate_content(MODEL, "Hi")


async def test_an_endless_error_body_is_cut(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.raw(b"x" * 1_000_000, status=400, content_type="text/plain"))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert caught.value.body == b"x" * 65536


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_told_and_not_followed(
    status: int, client: Client, fake_server: FakeServer
) -> None:
    reply = Reply.raw(b"", status=status).with_headers({"Location": "https://elsewhere.example/"})
    fake_server.add(reply)
    with pytest.raises(APIStatusError, match="redirects are not followed") as caught:
        await client.generate_content(MODEL, "Hi")
    assert fake_server.url in str(caught.value)
    assert "https://elsewhere.example/" in str(caught.value)
    assert len(fake_server.requests) == 1


async def test_a_server_that_echoes_the_key(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(401, message=f"Incorrect API key: {KEY}"))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert str(caught.value).startswith("401 invalid_api_key: Incorrect API key: ***")
    assert KEY.encode() not in pickle.dumps(caught.value)


async def test_closed_means_closed(fake_server: FakeServer) -> None:
    client = Client(KEY, base_url=fake_server.url)
    await client.generate_content(MODEL, "Hi")
    await client.aclose()
    await client.aclose()
    with pytest.raises(ClosedError, match="the client is closed"):
        await client.generate_content(MODEL, "Hi")
    with pytest.raises(ClosedError):
        client.stream_generate_content(MODEL, "Hi")
    assert "closed" in repr(client)


def test_another_event_loop(fake_server: FakeServer) -> None:
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


async def test_a_given_session_is_used_and_not_closed(fake_server: FakeServer) -> None:
    async with aiohttp.ClientSession(headers={"x-mine": "1"}) as session:
        async with Client(KEY, base_url=fake_server.url, session=session) as client:
            await client.generate_content(MODEL, "Hi")
        assert not session.closed
    assert fake_server.requests[0].headers["x-mine"] == "1"
    client = Client(KEY, base_url=fake_server.url, session=session)
    with pytest.raises(ClosedError):
        await client.generate_content(MODEL, "Hi")


async def test_bad_input_is_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer
) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'generationConfig'"):
        await client.generate_content(MODEL, "Hi", extra_body={"generatonConfig": {}})
    with pytest.raises(ConfigurationError):
        client.stream_generate_content("../admin", "Hi")
    with pytest.raises(TypeError, match="generation_config="):
        client.stream_generate_content(MODEL, "Hi", temperature=1)  # type: ignore[call-arg]
    assert fake_server.requests == []


async def test_the_key_hides(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(400))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert KEY not in repr(client) + repr(vars(client)) + repr(vars(client._transport))  # noqa: SLF001
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__)
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            way(client)


async def test_a_proxy_of_the_environment_is_asked_for_https_only(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with Client(KEY, base_url=fake_server.url) as client:
        await client.generate_content(MODEL, "Hi")
    async with Client(
        KEY, base_url="https://example.invalid", retry=RetryPolicy(attempts=1)
    ) as client:
        with pytest.raises(CometGemError, match="the proxy did not connect"):
            await client.generate_content(MODEL, "Hi")
    monkeypatch.setenv("no_proxy", "example.invalid")
    async with Client(
        KEY, base_url="https://example.invalid", retry=RetryPolicy(attempts=1)
    ) as client:
        with pytest.raises(CometGemError, match=r"not found|failed"):
            await client.generate_content(MODEL, "Hi")


@pytest.mark.parametrize("config", [{"thinkingLevel": "LOW"}, {"thinkingBudget": 99999}])
async def test_thinking_that_does_not_fit_is_sent_with_a_warning(
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
