"""Against @copilotkit/aimock, which answers by what a request says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from interop.foreign import program, running

from cometgem import (
    Client,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    GenerateContentResponse,
    RateLimitError,
    RetryPolicy,
    StreamInterruptedError,
    ToolError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from interop.foreign import Foreign

    from cometgem import ConversationItem

MODEL = "gemini-2.5-flash"


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
FIXTURES = [
    answer("say hello", {"content": "Hello from another server.", "usage": USAGE}, chunkSize=5),
    answer("think", {"reasoning": "Let me think.", "content": "I have thought."}, chunkSize=4),
    answer("and now", {"content": "Hello again."}),
    answer("umbrella", {"content": "Take one."}, match=told("rain in Bath")),
    answer("umbrella", {"content": "I could not see."}, match=told("no rain gauge")),
    answer("umbrella", {"toolCalls": [weather("Bath")], "finishReason": "stop"}, match=BEFORE),
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
    answer("cut", {"content": "This is cut in the middle."}, chunkSize=8, latency=20,
           truncateAfterChunks=3),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    node, script = program("INTEROP_NODE", "INTEROP_AIMOCK")
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    options = ["--host", "127.0.0.1", "--port", "0", "--strict", "--validate-on-load"]
    with running([node, script, *options, "-f", str(fixtures)], "/ready") as server:
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


def requests(server: Foreign) -> int:
    return len(server.get("/__aimock/journal"))


async def test_a_single_call_says_what_a_stream_says(client: Client) -> None:
    single = await client.generate_content(MODEL, "say hello")
    stream = client.stream_generate_content(MODEL, "say hello")
    chunks = [chunk.text async for chunk in stream]
    assert chunks == ["Hello", " from", " anot", "her s", "erver", "."]
    for response in (single, stream.snapshot):
        assert response.text == "Hello from another server."
        assert response.finish_reason == "STOP"
        assert response.usage_metadata is not None
        assert response.usage_metadata.total_token_count == 16


async def test_thoughts_stand_apart(client: Client) -> None:
    final = await client.stream_generate_content(MODEL, "think").get_final_response()
    assert (final.thoughts, final.text) == ("Let me think.", "I have thought.")
    assert [part.thought for part in final.parts] == [True, None]


async def test_two_rounds(client: Client) -> None:
    stream = client.run_tools(MODEL, "Do I need an umbrella?", tools=[get_weather])
    items: list[ConversationItem] = [item async for item in stream]
    kinds = [type(item) for item in items if not isinstance(item, GenerateContentResponse)]
    assert kinds == [FunctionCall, FunctionResponse]
    assert stream.snapshot.text == "Take one."


async def test_parallel_calls_are_answered_in_order(client: Client) -> None:
    stream = client.run_tools(MODEL, "both", tools=[get_weather])
    assert (await stream.get_final_response()).text == "Both wet."
    answers = [part.function_response for part in stream.turns[1].parts]
    assert answers == [
        FunctionResponse(name="get_weather", id="a", response={"result": "rain in Bath"}),
        FunctionResponse(name="get_weather", id="b", response={"result": "rain in Rome"}),
    ]


def fail(city: str) -> str:
    """Fail."""
    raise ValueError(f"no rain gauge in {city}")


FAILING = FunctionTool(fail, name="get_weather")


async def test_a_failing_tool_ends_it_before_anything_more_is_sent(
    client: Client, server: Foreign
) -> None:
    with pytest.raises(ToolError, match="raised ValueError: no rain gauge in Bath"):
        await client.run_tools(
            MODEL, "umbrella", tools=[FunctionTool(fail, name="get_weather")]
        ).get_final_response()
    assert requests(server) == 1


async def test_a_failing_tool_is_reported(client: Client) -> None:
    stream = client.run_tools(
        MODEL, "umbrella", tools=[FunctionTool(fail, name="get_weather")], on_tool_error="report"
    )
    assert (await stream.get_final_response()).text == "I could not see."


async def test_a_chat(client: Client) -> None:
    chat = client.chat(MODEL, tools=[get_weather])
    assert (await chat.send("umbrella?")).text == "Take one."
    async with chat.stream("and now") as stream:
        assert "".join([text async for text in stream.text_stream]) == "Hello again."
    assert [turn.role for turn in chat.history] == ["user", "model"] * 3


async def test_too_often(client: Client) -> None:
    with pytest.raises(RateLimitError) as caught:
        await client.generate_content(MODEL, "too often", retry=RetryPolicy(attempts=1))
    error = caught.value
    assert (error.code, error.message) == ("RESOURCE_EXHAUSTED", "Slow down.")
    assert error.retry_after == 7


async def test_it_tries_again(client: Client, server: Foreign) -> None:
    final = await client.stream_generate_content(MODEL, "once more").get_final_response()
    assert final.text == "Here I am."
    assert requests(server) == 2


async def test_a_cut_stream(client: Client) -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        await client.stream_generate_content(MODEL, "cut").get_final_response()
    assert caught.value.chunks == 2
    assert caught.value.partial is not None
    assert caught.value.partial.text == "This is cut in t"


async def test_it_goes_on_after_a_break(client: Client) -> None:
    async for chunk in client.stream_generate_content(MODEL, "cut"):
        assert chunk.text == "This is "
        break
    assert (await client.generate_content(MODEL, "and now")).text == "Hello again."
