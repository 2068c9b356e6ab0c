"""Against llmock, which answers in the order of its script and keeps what it was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from interop.foreign import program, running

from cometgem import (
    APITimeoutError,
    Client,
    Content,
    FunctionResponse,
    Part,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
    ToolError,
)
from cometgem.protocol.codec import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from interop.foreign import Foreign

MODEL = "gemini-2.5-flash"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Foreign]:
    (llmock,) = program("INTEROP_LLMOCK")
    options = ["--host", "127.0.0.1", "--port", "0", "--tool-mode", "off"]
    with running([llmock, "serve", *options], "/health", "/gemini") as server:
        yield server


@pytest.fixture
async def client(server: Foreign) -> AsyncIterator[Client]:
    server.post("/_llmock/reset", {})
    retry = RetryPolicy(attempts=2, initial=0.0)
    async with Client("any", base_url=server.base_url, retry=retry) as client:
        yield client
    assert server.get("/_llmock/scenario")["pending"] == []


def script(server: Foreign, *behaviors: dict[str, Any]) -> None:
    server.post("/_llmock/scenario", {"behaviors": behaviors})


def reply(text: str, *cities: str) -> dict[str, Any]:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in cities]
    return {"type": "reply", "text": text} | ({"tool_calls": calls} if calls else {})


def fault(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "stream_fault", "kind": kind, "after_chunks": 3, **more}


def bodies(server: Foreign) -> list[Any]:
    """What was sent, as it was sent."""
    sent = [request["body"] for request in server.get("/_llmock/requests")["requests"]]
    return [json.loads(body) if isinstance(body, str) else body for body in sent]


def wire(turns: list[Content]) -> Any:
    return json.loads(encode(turns))


def get_weather(city: str) -> str:
    """Look up the weather."""
    if city == "Nowhere":
        raise ValueError("there is no such city")
    return f"rain in {city}"


async def test_a_single_call_says_what_a_stream_says(client: Client, server: Foreign) -> None:
    script(server, reply("Hello from another server."), reply("Hello from another server."))
    single = await client.generate_content(MODEL, "Hi")
    stream = client.stream_generate_content(MODEL, "Hi")
    chunks = [chunk.text async for chunk in stream]
    assert chunks == ["Hello ", "from ", "another ", "server."]
    for response in (single, stream.snapshot):
        assert response.text == "Hello from another server."
        assert response.finish_reason == "STOP"
        assert response.usage_metadata is not None
        assert response.usage_metadata.total_token_count


async def test_two_rounds(client: Client, server: Foreign) -> None:
    script(server, reply("", "Bath"), reply("Take one."))
    stream = client.run_tools(MODEL, "Umbrella?", tools=[get_weather])
    assert (await stream.get_final_response()).text == "Take one."
    assert bodies(server)[1]["contents"] == [
        {"role": "user", "parts": [{"text": "Umbrella?"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "get_weather", "args": {"city": "Bath"}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "get_weather",
                                  "response": {"result": "rain in Bath"}}}]},
    ]  # fmt: skip


async def test_parallel_calls_are_answered_in_order(client: Client, server: Foreign) -> None:
    script(server, reply("Both.", "Bath", "Rome"), reply("Wet."))
    stream = client.run_tools(MODEL, "Umbrella?", tools=[get_weather])
    assert (await stream.get_final_response()).text == "Wet."
    assert [part.function_response for part in stream.turns[1].parts] == [
        FunctionResponse(name="get_weather", response={"result": "rain in Bath"}),
        FunctionResponse(name="get_weather", response={"result": "rain in Rome"}),
    ]
    assert bodies(server)[1]["contents"][1:] == wire(stream.turns[:2])


async def test_a_failing_tool_ends_it_before_anything_more_is_sent(
    client: Client, server: Foreign
) -> None:
    script(server, reply("", "Nowhere"))
    with pytest.raises(ToolError, match="raised ValueError: there is no such city"):
        await client.run_tools(MODEL, "Umbrella?", tools=[get_weather]).get_final_response()
    assert len(bodies(server)) == 1


async def test_a_failing_tool_is_reported(client: Client, server: Foreign) -> None:
    script(server, reply("", "Nowhere", "Bath"), reply("I see."))
    stream = client.run_tools(MODEL, "Hi", tools=[get_weather], on_tool_error="report")
    assert (await stream.get_final_response()).text == "I see."
    answers = bodies(server)[1]["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in answers] == [
        {"error": "the tool 'get_weather' raised ValueError: there is no such city"},
        {"result": "rain in Bath"},
    ]


async def test_a_chat_sends_its_history_and_its_signatures(client: Client, server: Foreign) -> None:
    script(server, reply("", "Bath"), reply("Rain."), reply("Fine."))
    signed = Part(text="Ask.", thought_signature="AZ+/_-==")
    history = [Content(role="user", parts=[Part(text="Hi")]), Content(role="model", parts=[signed])]
    chat = client.chat(MODEL, history=history, tools=[get_weather], system_instruction="Be brief.")
    assert (await chat.send("Umbrella?")).text == "Rain."
    async with chat.stream("Thanks") as stream:
        assert "".join([text async for text in stream.text_stream]) == "Fine."
    sent = bodies(server)
    assert [len(body["contents"]) for body in sent] == [3, 5, 7]
    for body in sent:
        assert body["contents"] == wire(chat.history[: len(body["contents"])])
        assert body["contents"][1]["parts"][0]["thoughtSignature"] == "AZ+/_-=="
        assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


async def test_too_often_then_again(client: Client, server: Foreign) -> None:
    busy = {"type": "fail", "status": 429, "retry_after": 0.5, "message": "Slow down."}
    script(server, busy, busy, reply("Here I am."))
    with pytest.raises(RateLimitError, match="Slow down") as caught:
        await client.generate_content(MODEL, "Hi", retry=ONCE)
    assert caught.value.retry_after == 1
    assert (await client.generate_content(MODEL, "Hi")).text == "Here I am."


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("disconnect", StreamInterruptedError),
        ("truncate", StreamTruncatedError),
        ("malformed", ResponseDecodeError),
    ],
)
async def test_a_broken_stream(
    client: Client, server: Foreign, kind: str, error: type[Exception]
) -> None:
    script(server, reply("This is cut in the middle."), fault(kind))
    with pytest.raises(error) as caught:
        await client.stream_generate_content(MODEL, "Hi").get_final_response()
    assert caught.value.partial.text == "This is cut "  # type: ignore[attr-defined]


async def test_a_stall(client: Client, server: Foreign) -> None:
    script(server, reply("This comes in the middle of time."), fault("stall", stall_seconds=20))
    timeouts = Timeouts(stall=0.5)
    with pytest.raises(APITimeoutError) as caught:
        await client.stream_generate_content(MODEL, "Hi", timeouts=timeouts).get_final_response()
    assert (caught.value.phase, caught.value.chunks) == ("stall", 3)


async def test_it_goes_on_after_a_break(client: Client, server: Foreign) -> None:
    script(server, reply("One two three."), reply("Hello again."))
    async for chunk in client.stream_generate_content(MODEL, "Hi"):
        assert chunk.text == "One "
        break
    assert (await client.generate_content(MODEL, "Hi")).text == "Hello again."
