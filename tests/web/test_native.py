"""Gemini's own stream, passed on to other clients of the API."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from conversation.calling import MODEL, Tools
from web.items import asked, chunk, events, result, written

from cometgem import Client, FunctionCall, ServerError
from cometgem.response.codec import decode_chunk
from cometgem.testing import FakeServer, Reply
from cometgem.types import Candidate, GenerateContentResponse
from cometgem.web import NativeEncoder, Relay


def test_chunks_are_passed_on_byte_for_byte() -> None:
    raw = b'{"candidates": [{"content": {"parts": [{"text": "a"}]}}], "newer": 1.50}'
    assert NativeEncoder().item(decode_chunk(raw)) == b"data: " + raw + b"\n\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_json_of_several_lines(newline: str) -> None:
    raw = newline.join(["{", '"modelVersion":', '"m"}']).encode()
    body = NativeEncoder().item(decode_chunk(raw))
    assert body == b'data: {\ndata: "modelVersion":\ndata: "m"}\n\n'
    assert events(body) == [{"modelVersion": "m"}]


def test_a_chunk_without_raw_json_is_encoded() -> None:
    assert events(NativeEncoder().item(chunk("a"))) == [chunk("a").to_dict()]


def test_tokens_of_long_answers_stay_here() -> None:
    candidate = Candidate(content=chunk("a").content, continuation_token="abc")
    raw = GenerateContentResponse(candidates=[candidate]).to_json().encode()
    assert b"continuationToken" in raw
    assert events(NativeEncoder().item(decode_chunk(raw))) == [chunk("a").to_dict()]


def test_items_of_conversations_that_are_no_chunks_are_left_out() -> None:
    items = [FunctionCall(name="f"), result("f", {})]
    assert written(NativeEncoder(), *items) == b""
    assert events(NativeEncoder().item(chunk(asked("f", {"a": 1})))) != []


def test_a_failure_is_an_error_as_google_sends_it() -> None:
    (error,) = events(NativeEncoder().fail("Sorry."))
    assert error == {"error": {"code": 500, "message": "Sorry.", "status": "INTERNAL"}}


@pytest.fixture
async def body(client: Client, fake_server: FakeServer, tools: Tools) -> bytes:
    """The response to a page for a conversation of two rounds."""
    fake_server.add(
        Reply.call("get_weather", {"city": "Bath"}), Reply.text("Warm", "!", thought="Hm.")
    )
    relay = Relay(client.run_tools(MODEL, "Hi", tools=[tools.get_weather]), NativeEncoder())
    await relay.open()
    return b"".join([piece async for piece in relay])


async def test_our_client_reads_it(body: bytes, client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.raw(body))
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        final = await stream.get_final_response()
    assert final.text == "Warm!"
    assert final.thoughts == "Hm."
    assert final.finish_reason == "STOP"


async def test_our_client_reads_a_failure(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.raw(written(NativeEncoder(), chunk("a"), error="Sorry.")))
    with pytest.raises(ServerError, match="Sorry"):
        async with client.stream_generate_content(MODEL, "Hi") as stream:
            await stream.get_final_response()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_googles_client_reads_it(body: bytes, fake_server: FakeServer) -> None:
    genai = google_client()
    fake_server.add(Reply.raw(body), Reply.raw(written(NativeEncoder(), chunk("a"), error="Oh.")))
    client = genai.Client(api_key="k", http_options={"base_url": fake_server.url})
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
    texts = [
        part.text
        for one in chunks
        for part in one.candidates[0].content.parts or []
        if part.text and not part.thought
    ]
    assert texts == ["Warm", "!"]
    with pytest.raises(genai.errors.APIError, match="Oh"):
        list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
    client.close()


def google_client() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("google.genai", reason="google-genai is not installed")
