"""Against llmock, which answers by a script and records the requests."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from interop.foreign import program, running

from cometgem import (
    APITimeoutError,
    Client,
    Content,
    FunctionResponse,
    FunctionTool,
    Part,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
    ToolError,
)
from cometgem.bulk import Limits
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from interop.foreign import Foreign

LLMOCK = program(
    "INTEROP_LLMOCK",
    "pip install llmock==0.2.2 in an environment of its own, since it is a pytest plugin, too, and"
    " set it to its bin/llmock",
)
MODEL = "gemini-3.8-flash"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Foreign]:
    options = ["--host", "127.0.0.1", "--port", "0", "--tool-mode", "off"]
    with running([LLMOCK, "serve", *options], "/health", "/gemini") as server:
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


def requests(server: Foreign) -> list[Any]:
    found: list[Any] = server.get("/_llmock/requests")["requests"]
    return found


def bodies(server: Foreign) -> list[Any]:
    """Return the bodies of all requests."""
    return [request["body"] for request in requests(server)]


def wire(turns: list[Content]) -> Any:
    return json.loads(encode(turns))


def get_weather(city: str) -> str:
    """Look up the weather."""
    if city == "Nowhere":
        raise ValueError("there is no such city")
    return f"rain in {city}"


async def test_single_call_equals_stream(client: Client, server: Foreign) -> None:
    script(server, reply("Hello from another server."), reply("Hello from another server."))
    single = await client.generate_content(MODEL, "Hi")
    stream = client.stream_generate_content(MODEL, "Hi")
    chunks = [chunk.text async for chunk in stream]
    assert chunks == ["Hello ", "from ", "another ", "server."]
    assert single.text == "Hello from another server."
    assert single.finish_reason == "STOP"
    # llmock counts tokens in its own way.
    assert single.usage_metadata is not None
    assert single.usage_metadata.total_token_count
    assert stream.snapshot.candidates == single.candidates
    assert stream.snapshot.usage_metadata == single.usage_metadata
    assert stream.snapshot.model_version == MODEL
    sent = [{"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}] * 2
    assert bodies(server) == sent


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


async def test_parallel_results_are_sent_in_call_order(client: Client, server: Foreign) -> None:
    rome = asyncio.Event()

    async def get_weather(city: str) -> str:
        """Look up the weather; Rome finishes first."""
        await (rome.wait() if city == "Bath" else asyncio.sleep(0))
        rome.set()
        return f"rain in {city}"

    script(server, reply("Both.", "Bath", "Rome"), reply("Wet."))
    stream = client.run_tools(MODEL, "Umbrella?", tools=[FunctionTool(get_weather, timeout=10)])
    ready = [item async for item in stream if isinstance(item, FunctionResponse)]
    bath = FunctionResponse(name="get_weather", response={"result": "rain in Bath"})
    rome_s = FunctionResponse(name="get_weather", response={"result": "rain in Rome"})
    assert ready == [rome_s, bath]
    assert stream.snapshot.text == "Wet."
    sent = bodies(server)[1]["contents"]
    assert [[*part] for part in sent[1]["parts"]] == [["text"], ["functionCall"], ["functionCall"]]
    assert sent[2]["parts"] == [
        {"functionResponse": {"name": "get_weather", "response": {"result": "rain in Bath"}}},
        {"functionResponse": {"name": "get_weather", "response": {"result": "rain in Rome"}}},
    ]
    assert sent[1:] == wire(stream.turns[:2])


class Forecast(msgspec.Struct):
    city: str
    degrees: Annotated[float, msgspec.Meta(ge=-90)]


FORECASTS = [Forecast("Bath", 4), Forecast("Rome", 9.5)]
FORECAST_TEXT = '[{"city": "Bath", "degrees": 4}, {"city": "Rome", "degrees": 9.5}]'


async def test_a_typed_answer(client: Client, server: Foreign) -> None:
    script(server, *[reply(FORECAST_TEXT)] * 2)
    kind = list[Forecast]
    single = await client.generate_content(MODEL, "Forecasts?", response_type=kind)
    assert single.parsed == FORECASTS
    async with client.stream_generate_content(MODEL, "Forecasts?", response_type=kind) as stream:
        assert await anext(stream.items()) == FORECASTS[0]
        assert stream.partial[0] == {"city": "Bath", "degrees": 4}
        assert [one async for one in stream.items()] == FORECASTS
        assert (await stream.get_final_response()).parsed == FORECASTS
    for body in bodies(server):
        config = body["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert config["responseJsonSchema"]["items"]["required"] == ["city", "degrees"]


async def test_a_wrong_answer_is_asked_for_again(client: Client, server: Foreign) -> None:
    script(
        server, reply('{"city": "Bath", "degrees": -300}'), reply('{"city": "Bath", "degrees": 4}')
    )
    answer = await client.generate_content(MODEL, "Bath?", response_type=Forecast, reasks=1)
    assert answer.parsed == FORECASTS[0]
    turns = bodies(server)[1]["contents"]
    assert [turn["role"] for turn in turns] == ["user", "model", "user"]
    assert "at $.degrees" in turns[2]["parts"][0]["text"]


async def test_the_last_answer_of_tools_has_a_type(client: Client, server: Foreign) -> None:
    script(server, reply("Let me see.", "Bath"), reply(FORECAST_TEXT))
    async with client.run_tools(
        MODEL, "Forecasts?", tools=[get_weather], response_type=list[Forecast]
    ) as stream:
        assert [one async for one in stream.items()] == FORECASTS
        assert (await stream.get_final_response()).parsed == FORECASTS
    assert all("responseJsonSchema" in body["generationConfig"] for body in bodies(server))


async def test_failing_tool_ends_the_conversation(client: Client, server: Foreign) -> None:
    script(server, reply("", "Nowhere"))
    with pytest.raises(ToolError, match="raised ValueError: there is no such city"):
        await client.run_tools(MODEL, "Umbrella?", tools=[get_weather]).get_final_response()
    assert len(requests(server)) == 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("unknown_tool", "unknown tool 'llmock_unknown_tool'; available tools: 'get_weather'"),
        ("malformed_arguments", "arguments for tool 'get_weather' do not match its signature: "),
    ],
)
async def test_a_mistake_of_the_model_is_reported_to_it(
    client: Client, server: Foreign, kind: str, message: str
) -> None:
    script(server, reply("", "Bath"), {"type": "tool_fault", "kind": kind}, reply("I see."))
    stream = client.run_tools(MODEL, "Umbrella?", tools=[get_weather])
    assert (await stream.get_final_response()).text == "I see."
    (answer,) = bodies(server)[1]["contents"][-1]["parts"]
    assert answer["functionResponse"]["response"]["error"].startswith(message)


async def test_failing_tool_is_reported(client: Client, server: Foreign) -> None:
    script(server, reply("", "Nowhere", "Bath"), reply("I see."))
    stream = client.run_tools(MODEL, "Hi", tools=[get_weather], on_tool_error="report")
    assert (await stream.get_final_response()).text == "I see."
    answers = bodies(server)[1]["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in answers] == [
        {"error": "the tool 'get_weather' raised ValueError: there is no such city"},
        {"result": "rain in Bath"},
    ]


async def test_chat_sends_its_history(client: Client, server: Foreign) -> None:
    script(server, reply("", "Bath"), reply("Rain."), reply("Fine."))
    chat = client.chat(MODEL, tools=[get_weather], system_instruction="Be brief.")
    assert (await chat.send("Umbrella?")).text == "Rain."
    async with chat.stream("Thanks") as stream:
        assert [text async for text in stream.text_stream] == ["Fine."]
    sent = bodies(server)
    assert [len(body["contents"]) for body in sent] == [1, 3, 5]
    for body in sent:
        assert body["contents"] == wire(chat.history[: len(body["contents"])])
        assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert wire(chat.history[3:]) == [
        {"role": "model", "parts": [{"text": "Rain."}]},
        {"role": "user", "parts": [{"text": "Thanks"}]},
        {"role": "model", "parts": [{"text": "Fine."}]},
    ]


# Standard and URL-safe base64, padded and not, and a string that is not base64: all are opaque.
SIGNATURES = ["AZ+/09az==", "AZ-_09az", "no base64 \u00e9 \U0001f30d"]


async def test_signatures_in_the_history_are_sent_unchanged(
    client: Client, server: Foreign
) -> None:
    script(server, reply("Both.", "Bath"), reply("Rain."), reply("Dry."), reply("Gladly."))
    chat = client.chat(MODEL, tools=[get_weather])
    await chat.send("Umbrella?")
    said, called = chat.history[1].parts
    said.thought_signature, called.thought_signature, last = SIGNATURES
    chat.history[3].parts.append(Part(text="", thought_signature=last))
    await chat.send("And tomorrow?")
    async with chat.stream("Thanks") as stream:
        await stream.get_final_response()
    for sent in bodies(server)[2:]:
        model, again = sent["contents"][1], sent["contents"][3]
        parts = [*model["parts"], *again["parts"]]
        assert [part.get("thoughtSignature") for part in parts] == [*SIGNATURES[:2], None, last]
        assert parts[3] == {"text": "", "thoughtSignature": last}
        assert sent["contents"] == wire(chat.history[: len(sent["contents"])])


async def test_rate_limit_is_retried_after_the_requested_delay(
    client: Client, server: Foreign
) -> None:
    # Retry-After is in whole seconds: llmock rounds up.
    busy = {"type": "fail", "status": 429, "retry_after": 0.5, "message": "Slow down."}
    script(server, busy, busy, reply("Here I am."))
    with pytest.raises(RateLimitError) as caught:
        await client.generate_content(MODEL, "Hi", retry=ONCE)
    error = caught.value
    assert (error.status, error.code, error.message) == (429, "RESOURCE_EXHAUSTED", "Slow down.")
    assert error.retry_after == 1
    assert (await client.generate_content(MODEL, "Hi")).text == "Here I am."
    _, refused, answered = requests(server)
    assert (refused["status"], answered["status"]) == (429, 200)
    assert answered["started_at"] - refused["started_at"] >= 1


async def test_a_bulk_run_loses_nothing_to_refusals(
    client: Client, server: Foreign, tmp_path: Path
) -> None:
    refusals = [
        {"type": "fail", "status": 429, "message": "Slow down."},
        {"type": "fail", "status": 429, "message": "Slow down.", "retry_after": 1},
    ]
    answers = [reply(f"Answer {number}.") for number in range(30)]
    script(server, *answers[:5], refusals[0], *answers[5:15], *refusals, refusals[0], *answers[15:])
    results = tmp_path / "out.jsonl"
    async with client.map(
        MODEL,
        range(30),
        prompt=lambda row: f"Question {row}",
        limits=Limits(rpm=6000, concurrency=8),
        results=results,
        retry=ONCE,
    ) as run:
        found = [result async for result in run]
    assert sorted(result.row for result in found) == [*range(30)]
    # With a single attempt, a refusal that cost one would be an error.
    assert [(result.error, result.attempts) for result in found] == [(None, 1)] * 30
    texts = {result.response.text for result in found if result.response is not None}
    assert texts == {f"Answer {number}." for number in range(30)}
    assert len(results.read_bytes().splitlines()) == 30
    assert run.progress.refusals == 4
    sent = requests(server)
    assert Counter(request["status"] for request in sent) == {200: 30, 429: 4}
    asked = Counter(
        request["body"]["contents"][0]["parts"][0]["text"]
        for request in sent
        if request["status"] == 200
    )
    assert asked == {f"Question {row}": 1 for row in range(30)}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("disconnect", StreamInterruptedError),
        ("truncate", StreamTruncatedError),
        ("malformed", ResponseDecodeError),
    ],
)
async def test_broken_stream(
    client: Client, server: Foreign, kind: str, error: type[Exception]
) -> None:
    script(server, reply("This is cut in the middle."), fault(kind))
    with pytest.raises(error) as caught:
        await client.stream_generate_content(MODEL, "Hi").get_final_response()
    assert caught.value.partial.text == "This is cut "  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
async def test_stream_broken_before_its_first_chunk_is_retried(
    client: Client, server: Foreign, kind: str
) -> None:
    script(server, fault(kind, after_chunks=0), reply("Never sent."), reply("Here I am."))
    final = await client.stream_generate_content(MODEL, "Hi").get_final_response()
    assert final.text == "Here I am."
    assert len(requests(server)) == 2


async def test_a_stall(client: Client, server: Foreign) -> None:
    script(server, reply("This comes in the middle of time."), fault("stall", stall_seconds=60))
    timeouts = Timeouts(stall=0.5)
    with pytest.raises(APITimeoutError) as caught:
        await client.stream_generate_content(MODEL, "Hi", timeouts=timeouts).get_final_response()
    error = caught.value
    assert (error.phase, error.seconds, error.chunks) == ("stall", 0.5, 3)
    assert error.partial is not None
    assert error.partial.text == "This comes in "


async def test_single_call_times_out(client: Client, server: Foreign) -> None:
    # No longer than that: llmock also finishes the delay before it exits.
    script(server, {"type": "delay", "seconds": 2}, reply("Late."))
    with pytest.raises(APITimeoutError) as caught:
        await client.generate_content(MODEL, "Hi", timeouts=Timeouts(stall=0.5))
    assert (caught.value.phase, caught.value.seconds) == ("stall", 0.5)


async def test_server_sees_a_break_and_the_client_is_usable(
    client: Client, server: Foreign
) -> None:
    stalled = fault("stall", stall_seconds=60)
    script(server, stalled, reply("One two three four."), reply("Hello again."))
    async for chunk in client.stream_generate_content(MODEL, "Hi"):
        assert chunk.text == "One "
        break
    assert (await client.generate_content(MODEL, "Hi")).text == "Hello again."
    async with asyncio.timeout(30):
        while len(requests(server)) < 2:  # lists completed requests only
            await asyncio.sleep(0.05)
    left, answered = requests(server)
    assert (left["stream"], left["completed"]) == (True, False)
    assert (answered["stream"], answered["completed"]) == (False, True)
