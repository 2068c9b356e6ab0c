"""Against @copilotkit/aimock, which chooses the response by the content of the request."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from interop.foreign import program, running

from cometgem import (
    APIConnectionError,
    Client,
    Content,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    GenerateContentResponse,
    Part,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    ToolError,
    UsageMetadata,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from interop.foreign import Foreign

    from cometgem import ConversationItem

AIMOCK = program(
    "INTEROP_AIMOCK",
    "npm install --ignore-scripts @copilotkit/aimock@1.43.0, and set it to"
    " node_modules/@copilotkit/aimock/dist/cli.js, INTEROP_NODE to a Node of 20.15 or later",
)
MODEL = "gemini-3.8-flash"


def weather(city: str, *, call_id: str | None = None) -> dict[str, Any]:
    named = {"name": "get_weather", "arguments": {"city": city}}
    return named if call_id is None else {**named, "id": call_id}


def answer(said: str, response: dict[str, Any], **more: Any) -> dict[str, Any]:
    match = {"userMessage": said, **more.pop("match", {})}
    return {"match": match, "response": response, **more}


def told(result: str) -> dict[str, Any]:
    return {"hasToolResult": True, "toolResultContains": result}


BEFORE = {"hasToolResult": False}
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 9, "totalTokenCount": 16}
CALLS_USAGE = {"promptTokenCount": 20, "candidatesTokenCount": 5, "totalTokenCount": 25}
FIXTURES = [
    answer("say hello", {"content": "Hello from another server.", "usage": USAGE}, chunkSize=5),
    answer("think", {"reasoning": "Let me think.", "content": "I have thought."}, chunkSize=4),
    answer("and now", {"content": "Hello again."}),
    answer("umbrella", {"content": "Take one.", "usage": USAGE}, match=told("rain in Bath")),
    answer("umbrella", {"content": "I could not see."}, match=told("no rain gauge")),
    answer(
        "umbrella",
        {"toolCalls": [weather("Bath")], "finishReason": "stop", "usage": CALLS_USAGE},
        match=BEFORE,
    ),
    answer("both", {"content": "Both wet."}, match=told("rain in Rome")),
    answer(
        "both",
        {"toolCalls": [weather("Bath", call_id="a"), weather("Rome", call_id="b")]},
        match=BEFORE,
    ),
    answer("too often", {"error": {"message": "Slow down.", "type": "RESOURCE_EXHAUSTED"},
                         "status": 429, "retryAfter": 7}),
    answer("once more", {"error": {"message": "Busy.", "type": "UNAVAILABLE"}, "status": 503},
           match={"sequenceIndex": 0}),
    answer("once more", {"content": "Here I am."}),
    answer("hang up", {"content": "Never sent."}, chaos={"disconnectRate": 1}),
    answer("garbage", {"content": "Never sent."}, chaos={"malformedRate": 1}),
    answer("at length", {"content": "One two three four."}, chunkSize=4, latency=100),
    answer("cut", {"content": "This is cut in the middle."}, chunkSize=8, latency=20,
           truncateAfterChunks=3),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    # The path of Node itself: terminating a launcher might leave Node running.
    node = subprocess.run(  # noqa: S603
        [os.environ.get("INTEROP_NODE", "node"), "-p", "process.execPath"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    options = ["--host", "127.0.0.1", "--port", "0", "--strict", "--validate-on-load"]
    with running([node, AIMOCK, *options, "-f", str(fixtures)], "/ready") as server:
        yield server


@pytest.fixture
async def client(server: Foreign) -> AsyncIterator[Client]:
    server.post("/__aimock/reset/journal", {})
    retry = RetryPolicy(attempts=2, initial=0.0)
    async with Client("any", base_url=server.base_url, retry=retry) as client:
        yield client


def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


def fail(city: str) -> str:
    """Fail."""
    raise ValueError(f"no rain gauge in {city}")


FAILING = FunctionTool(fail, name="get_weather")


def requests(server: Foreign) -> int:
    return len(server.get("/__aimock/journal"))


def messages(server: Foreign) -> Any:
    """Return the messages of the last request, which the journal keeps in OpenAI's format."""
    return server.get("/__aimock/journal")[-1]["body"]["messages"]


def call_message(*calls: tuple[str, str]) -> dict[str, Any]:
    """Return the model's turn with these calls, in the format of the journal."""
    return {"role": "assistant", "content": None, "tool_calls": [
        {"id": call_id, "type": "function", "function": {
            "name": "get_weather", "arguments": f'{{"city":"{city}"}}'}}
        for call_id, city in calls]}  # fmt: skip


def result_message(call_id: str, **response: str) -> dict[str, Any]:
    content = json.dumps(response, separators=(",", ":"))
    return {"role": "tool", "tool_call_id": call_id, "content": content}


# The id that aimock assigns to a call without one.
UNNAMED = "call_gemini_get_weather_0"


async def test_single_call_equals_stream(client: Client) -> None:
    single = await client.generate_content(MODEL, "say hello")
    stream = client.stream_generate_content(MODEL, "say hello")
    chunks = [chunk.text async for chunk in stream]
    assert chunks == ["Hello", " from", " anot", "her s", "erver", "."]
    assert single.text == "Hello from another server."
    assert single.finish_reason == "STOP"
    assert single.usage_metadata == UsageMetadata(
        prompt_token_count=7, candidates_token_count=9, total_token_count=16
    )
    assert stream.snapshot == single


async def test_thoughts_are_separate(client: Client) -> None:
    single = await client.generate_content(MODEL, "think")
    stream = client.stream_generate_content(MODEL, "think")
    chunks = [(chunk.thoughts, chunk.text) async for chunk in stream]
    assert chunks == [("Let ", ""), ("me t", ""), ("hink", ""), (".", ""),
                      ("", "I ha"), ("", "ve t"), ("", "houg"), ("", "ht.")]  # fmt: skip
    assert single.parts == [Part(text="Let me think.", thought=True), Part(text="I have thought.")]
    assert stream.snapshot == single


async def test_two_rounds(client: Client, server: Foreign) -> None:
    stream = client.run_tools(MODEL, "Do I need an umbrella?", tools=[get_weather])
    items: list[ConversationItem] = [item async for item in stream]
    assert [item for item in items if not isinstance(item, GenerateContentResponse)] == [
        FunctionCall(name="get_weather", args={"city": "Bath"}),
        FunctionResponse(name="get_weather", response={"result": "rain in Bath"}),
    ]
    assert stream.snapshot.text == "Take one."
    assert stream.usage.total_token_count == 25 + 16
    assert messages(server) == [
        {"role": "user", "content": "Do I need an umbrella?"},
        call_message((UNNAMED, "Bath")),
        result_message(UNNAMED, result="rain in Bath"),
    ]


async def test_parallel_results_are_sent_in_call_order(client: Client, server: Foreign) -> None:
    rome = asyncio.Event()

    async def get_weather(city: str) -> str:
        """Look up the weather; Rome finishes first."""
        await (rome.wait() if city == "Bath" else asyncio.sleep(0))
        rome.set()
        return f"rain in {city}"

    stream = client.run_tools(MODEL, "both", tools=[FunctionTool(get_weather, timeout=10)])
    items = [item async for item in stream]
    assert [item.id for item in items if isinstance(item, FunctionResponse)] == ["b", "a"]
    assert stream.snapshot.text == "Both wet."
    assert messages(server) == [
        {"role": "user", "content": "both"},
        call_message(("a", "Bath"), ("b", "Rome")),
        result_message("a", result="rain in Bath"),
        result_message("b", result="rain in Rome"),
    ]


async def test_failing_tool_ends_the_conversation(client: Client, server: Foreign) -> None:
    with pytest.raises(ToolError, match="raised ValueError: no rain gauge in Bath") as caught:
        await client.run_tools(MODEL, "umbrella", tools=[FAILING]).get_final_response()
    assert caught.value.call == FunctionCall(name="get_weather", args={"city": "Bath"})
    assert isinstance(caught.value.__cause__, ValueError)
    assert requests(server) == 1


async def test_failing_tool_is_reported(client: Client, server: Foreign) -> None:
    stream = client.run_tools(MODEL, "umbrella", tools=[FAILING], on_tool_error="report")
    assert (await stream.get_final_response()).text == "I could not see."
    words = "the tool 'get_weather' raised ValueError: no rain gauge in Bath"
    assert messages(server)[-1] == result_message(UNNAMED, error=words)


async def test_a_chat(client: Client, server: Foreign) -> None:
    chat = client.chat(MODEL, tools=[get_weather])
    assert (await chat.send("umbrella?")).text == "Take one."
    async with chat.stream("and now") as stream:
        assert "".join([text async for text in stream.text_stream]) == "Hello again."
    assert messages(server) == [
        {"role": "user", "content": "umbrella?"},
        call_message((UNNAMED, "Bath")),
        result_message(UNNAMED, result="rain in Bath"),
        {"role": "assistant", "content": "Take one."},
        {"role": "user", "content": "and now"},
    ]
    assert [turn.role for turn in chat.history] == ["user", "model"] * 3
    assert chat.history[-1] == Content(role="model", parts=[Part(text="Hello again.")])
    assert chat.usage.total_token_count == 25 + 16


@pytest.mark.parametrize("streamed", [False, True])
async def test_rate_limit(client: Client, server: Foreign, streamed: bool) -> None:  # noqa: FBT001
    once = RetryPolicy(attempts=1)
    with pytest.raises(RateLimitError) as caught:
        if streamed:
            await client.stream_generate_content(MODEL, "too often", retry=once).open()
        else:
            await client.generate_content(MODEL, "too often", retry=once)
    error = caught.value
    assert (error.status, error.code, error.message) == (429, "RESOURCE_EXHAUSTED", "Slow down.")
    assert error.retry_after == 7
    assert requests(server) == 1


async def test_delay_beyond_the_policy_is_not_retried(client: Client, server: Foreign) -> None:
    with pytest.raises(RateLimitError) as caught:
        await client.generate_content(MODEL, "too often", retry=RetryPolicy(maximum=1.0))
    assert caught.value.retry_after == 7
    assert requests(server) == 1


async def test_retry_succeeds(client: Client, server: Foreign) -> None:
    final = await client.stream_generate_content(MODEL, "once more").get_final_response()
    assert final.text == "Here I am."
    assert requests(server) == 2


async def test_missing_response_is_retried(client: Client, server: Foreign) -> None:
    with pytest.raises(APIConnectionError, match="closed before the answer came"):
        await client.stream_generate_content(MODEL, "hang up").get_final_response()
    assert requests(server) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_invalid_json_is_not_retried(
    client: Client, server: Foreign, *, streamed: bool
) -> None:
    with pytest.raises(ResponseDecodeError, match="the server sent something that is not JSON"):
        if streamed:
            await client.stream_generate_content(MODEL, "garbage").get_final_response()
        else:
            await client.generate_content(MODEL, "garbage")
    assert requests(server) == 1


async def test_truncated_stream(client: Client) -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        await client.stream_generate_content(MODEL, "cut").get_final_response()
    assert caught.value.chunks == 2
    assert caught.value.partial is not None
    assert caught.value.partial.text == "This is cut in t"


async def test_client_is_usable_after_a_break(client: Client) -> None:
    async for chunk in client.stream_generate_content(MODEL, "at length"):
        assert chunk.text == "One "
        break
    assert (await client.generate_content(MODEL, "and now")).text == "Hello again."
