"""The single call: one request, one complete response."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

from cometgem import (
    APITimeoutError,
    Client,
    CometGemError,
    EventTooLargeError,
    FunctionCall,
    PermissionDeniedError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
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


PIECES = [
    {"functionCall": {"name": "f", "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}]}},
]


@pytest.mark.parametrize("framing", [b"data: %b\n\n", b"[%b]", b"%b"])
@pytest.mark.parametrize("parts", [PIECES, [{"text": "a"}, {"text": ""}]])
async def test_one_event_in_place_of_a_response_is_merged(
    client: Client, fake_server: FakeServer, parts: list[dict[str, object]], framing: bytes
) -> None:
    answer = {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}]
    }
    body = framing % json.dumps(answer).encode()
    fake_server.add(Reply.raw(body), Reply.raw(body))
    response = await client.generate_content(MODEL, "Hi")
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        final = await stream.get_final_response()
    if parts is PIECES:
        assert response.function_calls == [FunctionCall(name="f", args={"a": "x"})]
    if parts is PIECES or framing != b"%b":
        assert response == final
    else:  # the server's own response is not changed
        assert [part.text for part in response.parts] == ["a", ""]
        assert response.raw == body


async def test_a_part_newer_than_the_library_is_in_the_response(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.chunks({"hologram": {"n": [None, 1]}}, {"text": "a", "tint": 1}))
    response = await client.generate_content(MODEL, "Hi")
    assert response.content.to_dict()["parts"] == [
        {"hologram": {"n": [None, 1]}},
        {"text": "a", "tint": 1},
    ]


async def test_a_cut_stream_in_place_of_a_response_is_an_error(
    client: Client, fake_server: FakeServer
) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}}]}'
    for body in (b"data: %b\n\n" % chunk * 2, b"[%b]" % chunk):
        fake_server.add(Reply.raw(body))
        with pytest.raises(StreamTruncatedError) as caught:
            await client.generate_content(MODEL, "Hi", retry=RetryPolicy(attempts=1))
        assert caught.value.partial is not None
        assert caught.value.partial.text == "x" * body.count(b"text")


async def test_transient_failures_are_retried(client: Client, fake_server: FakeServer) -> None:
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
async def test_invalid_responses_are_errors(
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


async def test_an_error_has_the_partial_response_and_the_request_id(
    client: Client, fake_server: FakeServer
) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}}]}'
    reply = Reply.raw(b"data: %b\n\n" % chunk).with_headers({"x-cometapi-request-id": "r1"})
    fake_server.add(reply, reply, reply)
    with pytest.raises(StreamTruncatedError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.request_id) == ("x", "r1")
    assert len(fake_server.requests) == 3


async def test_the_partial_response_is_of_the_last_attempt(
    client: Client, fake_server: FakeServer
) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}}]}'
    fake_server.add(*[Reply.raw(b"data: %b\n\n" % chunk)] * 2, Reply.error(500))
    with pytest.raises(ServerError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert caught.value.partial is None


async def test_events_complete_before_a_reset_are_in_the_partial_response(
    client: Client, fake_server: FakeServer
) -> None:
    last = b'data: {"candidates": [{"content": {"parts": [{"text": "!"}]}}]}\n'
    fake_server.add(Reply.raw(last).then_reset())
    with pytest.raises(StreamInterruptedError) as caught:
        await client.generate_content(MODEL, "Hi", retry=RetryPolicy(attempts=1))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "!"


async def test_the_connection_is_kept_after_a_response_and_closed_after_an_error(
    client: Client, fake_server: FakeServer
) -> None:
    for _ in range(3):
        await client.generate_content(MODEL, "Hi")
    assert fake_server.connections == 1
    fake_server.add(Reply.text("x").then_stall())
    with pytest.raises(APITimeoutError):
        await client.generate_content(MODEL, "Hi", timeouts=Timeouts(stall=0.1))
    await fake_server.requests[-1].wait_gone()


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            Reply.silence(),
            "no response within 0.2 s; Timeouts(stall=...) sets this limit",
        ),
        (
            Reply.text("x").then_stall(),
            "no response within 0.2 s; Timeouts(stall=...) sets this limit",
        ),
        (
            Reply.raw(b'[{"candidates": [{"content": ', content_type="application/json"),
            "the response ended in the middle of its JSON (request id: fake-request-0)",
        ),
        (
            Reply.raw(b'data: {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}\n\n'),
            (
                "the response ended without a finishReason; what had arrived is in error.partial"
                " (request id: fake-request-0)"
            ),
        ),
    ],
)
async def test_errors_of_a_single_call_do_not_speak_of_a_stream(
    fake_server: FakeServer, reply: Reply, sentence: str
) -> None:
    fake_server.add(reply)
    async with Client(
        fake_server.api_key,
        base_url=fake_server.url,
        timeouts=Timeouts(stall=0.2),
        retry=RetryPolicy(attempts=1),
    ) as client:
        with pytest.raises(CometGemError) as caught:
            await client.generate_content("gemini-2.5-flash", "Hi")
    assert str(caught.value) == sentence
    assert str(pickle.loads(pickle.dumps(caught.value))) == sentence  # noqa: S301


@pytest.mark.parametrize("body", [b'{"message": "Forbidden"}', b"{}", b"[INFO] no upstream"])
async def test_a_foreign_response_is_an_error_at_once(
    body: bytes, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.raw(body, content_type="application/json"))
    with pytest.raises(ResponseDecodeError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert (caught.value.excerpt, caught.value.partial) == (body.decode(), None)
    assert len(fake_server.requests) == 1


async def test_a_streamed_response_with_a_cut_candidate_is_an_error(
    client: Client, fake_server: FakeServer
) -> None:
    whole = b'{"candidates": [{"finishReason": "STOP"}, {"index": 1}]}'
    fake_server.add(*[Reply.raw(b"data: %b\n\n" % whole)] * 3)
    with pytest.raises(StreamTruncatedError, match="without a finishReason for candidate 1"):
        await client.generate_content(MODEL, "Hi")
