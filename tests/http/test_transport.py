"""The door to aiohttp: what is sent, how errors are translated, and what is closed."""

from __future__ import annotations

import asyncio
import errno
import gc
import math
import pickle
import ssl
import weakref
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import pytest

from cometgem import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Client,
    ClosedError,
    CometGemError,
    ConfigurationError,
    RetryPolicy,
    StreamInterruptedError,
    Timeouts,
)
from cometgem.http.interrupt import Interrupt
from cometgem.http.transport import Transport
from cometgem.request.address import Key
from cometgem.request.build import Request
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem.http.response import HTTPResponse

MODEL = "gemini-3.8-flash"
KEY = "sk-a-key-that-must-not-leak"


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    retry = RetryPolicy(attempts=3, initial=0.0)
    async with Client(KEY, base_url=fake_server.url, retry=retry) as client:
        yield client


BODY = b'{"contents": [{"parts": [{"text": "Hi"}]}]}'
PATH = f"/v1beta/models/{MODEL}:"


OPENED: list[HTTPResponse] = []  # a call closes its response; here the fixture does


def make_transport(url: str, headers: dict[str, str] | None = None, key: str = KEY) -> Transport:
    return Transport(
        url,
        Key(key),
        "x-goog-api-key",
        headers=headers or {},
        session=None,
        max_connections=None,
    )


@pytest.fixture
async def transport(fake_server: FakeServer) -> AsyncIterator[Transport]:
    transport = make_transport(fake_server.url, {"x-a": "1"})
    yield transport
    for response in OPENED:
        response.close()
    OPENED.clear()
    await transport.aclose()


async def send(
    transport: Transport,
    *,
    timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
    streamed: bool = True,
    body: bytes = BODY,
    **headers: str,
) -> HTTPResponse:
    operation = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    request = Request(
        "POST", PATH + operation, {"Content-Type": "application/json", **headers}, body
    )
    total = math.inf if timeouts.total is None else timeouts.total
    total_at = asyncio.get_running_loop().time() + total
    response = await transport.send(request, timeouts, total_at, Interrupt(), streamed=streamed)
    OPENED.append(response)
    return response


async def read_all(response: HTTPResponse) -> bytes:
    body = b""
    while data := await response.read():
        body += data
    return body


async def test_a_response_is_there_with_its_headers(
    transport: Transport, fake_server: FakeServer
) -> None:
    reply = Reply.raw(b"one", content_type="text/plain").with_headers(
        {"x-cometapi-request-id": "r1"}
    )
    fake_server.add(reply.then_pause(0.2).then_raw(b"two"))
    response = await send(transport)
    assert (response.status, response.request_id) == (200, "r1")
    assert response.headers["CONTENT-TYPE"] == "text/plain"
    assert not response.complete
    assert await read_all(response) == b"onetwo"
    assert response.complete
    assert await response.read() == b""


async def test_headers_of_the_transport_of_the_request_and_the_key(
    transport: Transport, fake_server: FakeServer
) -> None:
    await read_all(await send(transport, **{"x-b": "2"}))
    (request,) = fake_server.requests
    sent = [request.headers.getall(name) for name in ("x-a", "x-b")]
    assert (sent, request.auth) == ([["1"], ["2"]], "x-goog-api-key")
    assert request.body == {"contents": [{"parts": [{"text": "Hi"}]}]}


async def test_a_large_body_is_sent_without_a_warning(
    transport: Transport, fake_server: FakeServer
) -> None:
    text = "x" * 2_000_000
    await read_all(await send(transport, body=BODY.replace(b"Hi", text.encode())))
    assert fake_server.requests[0].body["contents"][0]["parts"][0]["text"] == text


async def test_cookies_are_not_kept(transport: Transport, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("x").with_headers({"Set-Cookie": "a=b"}))
    for _ in range(2):
        await read_all(await send(transport))
    assert "cookie" not in fake_server.requests[1].headers


async def test_a_reused_connection_that_turns_out_closed_is_replaced(
    transport: Transport, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("x"), Reply.reset(), Reply.text("y"))
    await read_all(await send(transport))
    assert b"y" in await read_all(await send(transport))
    assert fake_server.connections == 2


async def test_a_new_connection_that_is_closed_is_an_error(
    transport: Transport, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.reset())
    with pytest.raises(APIConnectionError, match="closed before the answer came"):
        await send(transport)
    assert len(fake_server.requests) == 1


@pytest.mark.parametrize(
    ("timeouts", "streamed", "phase"),
    [
        (Timeouts(stall=0.1), True, "first_chunk"),
        (Timeouts(first_chunk=0.1), True, "first_chunk"),
        (Timeouts(stall=0.1), False, "stall"),
        (Timeouts(total=0.1), True, "total"),
    ],
)
async def test_headers_that_do_not_come_in_time(
    transport: Transport,
    fake_server: FakeServer,
    timeouts: Timeouts,
    phase: str,
    *,
    streamed: bool,
) -> None:
    fake_server.add(Reply.silence())
    with pytest.raises(APITimeoutError) as caught:
        await send(transport, timeouts=timeouts, streamed=streamed)
    assert (caught.value.phase, caught.value.seconds) == (phase, 0.1)
    await fake_server.requests[0].wait_gone()


async def test_a_wait_for_a_chunk_that_takes_too_long(
    transport: Transport, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("x").then_stall())
    response = await send(transport, timeouts=Timeouts(stall=0.1))
    assert await response.read()
    response.stop_waiting()
    response.start_waiting()
    with pytest.raises(APITimeoutError) as caught:
        await response.read()
    assert caught.value.phase == "stall"


async def test_bytes_before_a_reset_are_read(transport: Transport, fake_server: FakeServer) -> None:
    fake_server.add(Reply.raw(b"one").then_reset())
    response = await send(transport)
    await asyncio.sleep(0.2)
    assert await response.read() == b"one"
    with pytest.raises(StreamInterruptedError, match="the connection broke") as caught:
        await response.read()
    assert isinstance(caught.value.__cause__, aiohttp.ClientError | OSError)


async def test_closing_a_response_ends_a_read(
    transport: Transport, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("x").then_stall())
    response = await send(transport)
    await response.read()
    reading = asyncio.create_task(response.read())
    await asyncio.sleep(0.05)
    response.close()
    with pytest.raises(ClosedError, match="closed while waiting for its next chunk"):
        await reading
    await fake_server.requests[0].wait_gone()


async def test_closing_the_transport_interrupts_the_calls_it_watches(transport: Transport) -> None:
    calls = [Mock(), Mock()]
    gone = Mock()
    for call in (*calls, gone):
        transport.watch(call)
    del call, gone
    await transport.aclose()
    for call in calls:
        call.interrupt.assert_called_once_with("the client is closed; create a new Client")


async def test_a_closed_transport_sends_nothing(
    transport: Transport, fake_server: FakeServer
) -> None:
    await transport.aclose()
    with pytest.raises(ClosedError, match="create a new Client"):
        await send(transport)
    assert fake_server.requests == []


async def test_a_dropped_transport_closes_its_idle_connections(fake_server: FakeServer) -> None:
    transport = make_transport(fake_server.url)
    alive = weakref.ref(transport)
    gc.disable()
    try:
        await read_all(await send(transport))
        OPENED.clear()
        assert fake_server.open_connections == 1
        del transport
        assert alive() is None
        async with asyncio.timeout(5):
            while fake_server.open_connections:
                await asyncio.sleep(0.01)
    finally:
        gc.enable()


async def test_an_error_status_raises_with_the_body_so_far(
    transport: Transport, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.raw(b'{"a', status=500).then_stall())
    with pytest.raises(APIStatusError) as caught:
        await send(transport, timeouts=Timeouts(stall=0.2))
    assert (caught.value.status, caught.value.body) == (500, b'{"a')
    await fake_server.requests[0].wait_gone()


CONNECTION = Mock(host="h", port=443, ssl=True, is_ssl=True)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (aiohttp.ClientConnectorDNSError(CONNECTION, OSError()), "the host name was not found"),
        (
            aiohttp.ClientConnectorCertificateError(CONNECTION, ValueError("expired")),
            "the certificate was not accepted (expired)",
        ),
        (aiohttp.ClientConnectorSSLError(CONNECTION, OSError()), "TLS failed"),
        (ssl.SSLError(), "TLS failed"),
        (aiohttp.ClientProxyConnectionError(CONNECTION, OSError()), "the proxy did not connect"),
        (
            aiohttp.ClientConnectorError(CONNECTION, OSError(errno.ECONNREFUSED, "x")),
            "no connection (Connection refused)",
        ),
        (aiohttp.ClientConnectorError(CONNECTION, OSError("odd")), "no connection (odd)"),
        (aiohttp.ServerDisconnectedError(), "the connection was closed before the answer came"),
        (ConnectionResetError(), "the connection was closed before the answer came"),
        (aiohttp.ClientResponseError(Mock(), ()), "the server's response is not valid HTTP"),
        (aiohttp.InvalidURL("x"), "the request failed (InvalidURL)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_each_foreign_error_is_translated(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    async def post(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "post", post)
    with pytest.raises(APIConnectionError) as caught:
        await send(transport)
    assert str(caught.value).partition(": ")[2] == sentence
    cause = caught.value.__cause__
    assert isinstance(cause, (aiohttp.ClientError, OSError))
    assert str(cause) in (type(error).__name__, f"[Errno {errno.ECONNREFUSED}] Connection refused")
    assert error.__traceback__ is cause.__traceback__ is None


def test_the_key_is_redacted_wherever_a_server_echoes_it() -> None:
    transport = make_transport("https://x.example")
    error = APIStatusError(
        401,
        f"bad {KEY}",
        code=KEY,
        reason=f"<{KEY}>",
        request_id=KEY,
        details=[{"a": [KEY, {"b": f"{KEY}!"}], "n": 1}],
        body=KEY.encode(),
    )
    transport.redact_key(error)
    assert KEY not in repr(vars(error))
    assert error.details == [{"a": ["***", {"b": "***!"}], "n": 1}]
    assert (error.message, error.reason, error.body) == ("bad ***", "<***>", b"***")


def test_a_key_too_short_to_be_real_is_not_redacted() -> None:
    transport = make_transport("https://x.example", key="k")
    error = APIStatusError(400, "unknown key")
    transport.redact_key(error)
    assert error.message == "unknown key"


@pytest.mark.parametrize("auth", ["x-goog-api-key", "bearer"])
async def test_both_headers_for_the_key(auth: Any, fake_server: FakeServer) -> None:
    async with Client(KEY, base_url=fake_server.url, auth=auth) as client:
        await client.generate_content(MODEL, "Hi")
    assert fake_server.requests[0].auth == auth


async def test_thousands_of_calls_are_not_capped(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.text("x").delay(headers=0.3)] * 150)
    calls = [client.generate_content(MODEL, "Hi") for _ in range(150)]
    responses = await asyncio.gather(*calls)
    assert {response.text for response in responses} == {"x"}
    assert fake_server.connections > 100


async def test_an_endless_error_body_is_read_up_to_the_limit(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.raw(b"x" * 1_000_000, status=400, content_type="text/plain"))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert caught.value.body == b"x" * 65536


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_reported_and_not_followed(
    status: int, client: Client, fake_server: FakeServer
) -> None:
    reply = Reply.raw(b"", status=status).with_headers({"Location": "https://elsewhere.example/"})
    fake_server.add(reply)
    with pytest.raises(APIStatusError, match="redirects are not followed") as caught:
        await client.generate_content(MODEL, "Hi")
    assert fake_server.url in str(caught.value)
    assert "https://elsewhere.example/" in str(caught.value)
    assert len(fake_server.requests) == 1


async def test_a_key_echoed_by_a_server_is_redacted(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.error(401, message=f"Incorrect API key: {KEY}"))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert str(caught.value).startswith("401 invalid_api_key: Incorrect API key: ***")
    assert KEY.encode() not in pickle.dumps(caught.value)


async def test_a_given_session_is_used_and_not_closed(fake_server: FakeServer) -> None:
    async with aiohttp.ClientSession(headers={"x-mine": "1"}) as session:
        async with Client(KEY, base_url=fake_server.url, session=session) as client:
            await client.generate_content(MODEL, "Hi")
        assert not session.closed
        client = Client(KEY, base_url=fake_server.url, session=session)
    assert fake_server.requests[0].headers["x-mine"] == "1"
    with pytest.raises(ClosedError):
        await client.generate_content(MODEL, "Hi")
    with pytest.raises(ConfigurationError, match=r"^session is closed: "):
        Client(KEY, base_url=fake_server.url, session=session)


@pytest.mark.parametrize("session", [5, "session", aiohttp.ClientSession, aiohttp, object()])
def test_a_session_must_be_one_of_aiohttp(session: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^session must be an aiohttp.ClientSession, "):
        Client(KEY, session=session)


async def test_the_environment_proxy_is_used_for_https_only(
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


async def test_no_server_is_a_connection_error() -> None:
    async with Client(
        "key-of-nobody", base_url="http://127.0.0.1:9", retry=RetryPolicy(attempts=3, initial=0.0)
    ) as client:
        with pytest.raises(APIConnectionError, match=r"no response from http://127.0.0.1:9"):
            await client.stream_generate_content(MODEL, "Hi").get_final_response()
