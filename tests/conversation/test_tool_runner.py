"""Running the functions that the model calls: concurrency, confirmation, failures."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, kinds, read

from cometgem import (
    Client,
    ClosedError,
    ConfigurationError,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    ToolError,
    ToolTimeoutError,
    TooManyRoundsError,
)
from cometgem.testing import FakeServer, Reply

FAILURES = [
    pytest.param(
        (call("fail", {"why": "no"}), ToolError, "the tool 'fail' raised KeyError: 'no'"),
        id="raises",
    ),
    pytest.param(
        (
            call("slow", {}),
            ToolTimeoutError,
            (
                "the tool 'slow' did not finish within 0.05 s;"
                " FunctionTool(timeout=...) sets this limit"
            ),
        ),
        id="timeout",
    ),
    pytest.param(
        (
            call("opaque", {}),
            ToolError,
            (
                "the tool 'opaque' returned a value that cannot be encoded as JSON:"
                " Encoding objects of type object is unsupported"
            ),
        ),
        id="not JSON",
    ),
    pytest.param(
        (call("cancelled", {}), ToolError, "the tool 'cancelled' cancelled itself"),
        id="cancelled",
    ),
]

# The model's mistakes.
MISTAKES = [
    pytest.param(
        (
            call("nothing", {}),
            ToolError,
            (
                "unknown tool 'nothing'; available tools: 'fail', 'get_weather', 'slow',"
                " 'opaque', 'cancelled'"
            ),
        ),
        id="unknown",
    ),
    pytest.param(
        (
            call("get_weather", {"town": "Bern"}),
            ToolError,
            (
                "arguments for tool 'get_weather' do not match its signature:"
                " Object contains unknown field `town`"
            ),
        ),
        id="arguments",
    ),
    pytest.param(
        (
            call("get_weather", {}, willContinue=True),
            ToolError,
            "the call of tool 'get_weather' was cut off; the tool was not run",
        ),
        id="incomplete",
    ),
]


def failing(tools: Tools) -> list[FunctionTool]:
    async def slow() -> None:
        await asyncio.sleep(60)

    def opaque() -> object:
        return object()

    async def cancelled() -> None:
        raise asyncio.CancelledError

    return [
        FunctionTool(tools.fail),
        FunctionTool(tools.get_weather),
        FunctionTool(slow, timeout=0.05),
        FunctionTool(opaque),
        FunctionTool(cancelled),
    ]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_reaches_the_caller_with_everything_so_far(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    failure: tuple[dict[str, Any], type[ToolError], str],
) -> None:
    wanted, kind, sentence = failure
    fake_server.add(
        calling(call("get_weather", {"city": "Bern"})),
        Reply.chunks({"text": "And"}, wanted).finish("STOP"),
    )
    stream = client.run_tools(MODEL, "Hi", tools=failing(tools))
    with pytest.raises(ToolError) as caught:
        await read(stream)
    error = caught.value
    assert type(error) is kind
    assert str(error) == sentence
    assert error.call.name == wanted["functionCall"]["name"]
    assert error.partial is not None
    assert error.partial.text == "And"
    assert [turn.role for turn in error.turns] == ["model", "user", "model"]
    assert [turn.role for turn in stream.turns] == ["model", "user"]
    assert tools.begun == ["Bern"]
    assert len(fake_server.requests) == 2
    if kind is ToolError and error.call.name == "fail":
        assert isinstance(error.__cause__, KeyError)
    with pytest.raises(ClosedError, match="closed before its end"):
        await anext(stream)


@pytest.mark.parametrize("failure", [*FAILURES, *MISTAKES])
async def test_a_failure_is_reported_to_the_model(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    failure: tuple[dict[str, Any], type[ToolError], str],
) -> None:
    await report_to_the_model(client, fake_server, tools, failure, on_tool_error="report")


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_of_the_model_is_reported_to_it_by_default(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    mistake: tuple[dict[str, Any], type[ToolError], str],
) -> None:
    await report_to_the_model(client, fake_server, tools, mistake)


async def report_to_the_model(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    failure: tuple[dict[str, Any], type[ToolError], str],
    **options: Any,
) -> None:
    wanted, kind, sentence = failure
    assert issubclass(kind, ToolError)
    fake_server.add(
        Reply.chunks(wanted, call("get_weather", {"city": "Rome"}, id="2")).finish("STOP"), WARM
    )
    stream = client.run_tools(MODEL, "Hi", tools=failing(tools), **options)
    assert (await stream.get_final_response()).text == "It is warm."
    _, model, answers = fake_server.requests[1].body["contents"]
    name = wanted["functionCall"]["name"]
    assert [part["functionResponse"] for part in answers["parts"]] == [
        {"name": name, "response": {"error": sentence}},
        {"name": "get_weather", "id": "2", "response": {"weather": "warm in Rome"}},
    ]
    assert "willContinue" not in model["parts"][0]["functionCall"]
    assert tools.begun == ["Rome"]


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_mistakes_of_the_model_are_an_error_once_the_rounds_run_out(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    mistake: tuple[dict[str, Any], type[ToolError], str],
) -> None:
    fake_server.add(*[Reply.chunks(mistake[0]).finish("STOP")] * 3)
    with pytest.raises(TooManyRoundsError):
        await read(client.run_tools(MODEL, "Hi", tools=failing(tools), max_rounds=2))
    assert len(fake_server.requests) == 2


async def test_one_failure_cancels_the_others(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def fail_later() -> None:
        while tools.begun != ["a"]:
            await asyncio.sleep(0)
        raise ValueError("now")

    fake_server.add(calling(call("wait", {"name": "a"}), call("fail_later", {})))
    with pytest.raises(ToolError, match="raised ValueError: now"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.wait, fail_later]))
    assert tools.ended == ["a cancelled"]


async def test_responses_that_were_ready_are_on_the_error(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_weather", {"city": "a"}), call("wait", {"name": "b"})))
    stream = client.run_tools(
        MODEL, "Hi", tools=[tools.get_weather, FunctionTool(tools.wait, timeout=0.1)]
    )
    with pytest.raises(ToolTimeoutError) as caught:
        await read(stream)
    assert [one.response for one in caught.value.responses] == [{"weather": "warm in a"}]
    assert tools.ended == ["b cancelled"]


async def test_confirm_must_return_a_decision(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def confirm(_: FunctionCall) -> Any:
        return None

    fake_server.add(calling(call("get_weather", {"city": "a"})))
    with pytest.raises(ConfigurationError, match="must return True, False or a reason, got None"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))
    assert tools.begun == []


async def test_errors_of_confirm_reach_the_caller(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def confirm(_: FunctionCall) -> bool:
        raise ZeroDivisionError

    fake_server.add(calling(call("get_weather", {"city": "a"})))
    with pytest.raises(ZeroDivisionError):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))


async def test_a_thread_that_hangs_is_abandoned(client: Client, fake_server: FakeServer) -> None:
    release = threading.Event()

    def hang() -> None:
        """Hang."""
        release.wait(30)

    fake_server.add(calling(call("hang", {})))
    begun = time.monotonic()
    try:
        with pytest.raises(ToolTimeoutError):
            await read(client.run_tools(MODEL, "Hi", tools=[FunctionTool(hang, timeout=0.1)]))
        assert time.monotonic() - begun < 15
    finally:
        release.set()


async def test_parallel_calls_run_concurrently_and_are_answered_in_order(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def first(name: str) -> str:
        """End after the second."""
        return await tools.wait(name)

    async def second(name: str) -> str:
        """Let the first one end."""
        tools.gate.set()
        return name

    fake_server.add(
        calling(
            call("first", {"name": "a"}, id="1") | {"thoughtSignature": "c2ln"},
            call("second", {"name": "b"}, id="2"),
            call("get_time", {"city": "Bern", "hours": "2"}),
        ),
        WARM,
    )
    items = await read(client.run_tools(MODEL, "Hi", tools=[first, second, tools.get_time]))
    answers = [item for item in items if isinstance(item, FunctionResponse)]
    assert {answer.name for answer in answers} == {"first", "second", "get_time"}
    places = [answer.name for answer in answers]
    assert places.index("second") < places.index("first")  # as each is ready
    sent = fake_server.requests[1].body["contents"][-1]
    assert [part["functionResponse"] for part in sent["parts"]] == [
        {"name": "first", "id": "1", "response": {"result": "a"}},
        {"name": "second", "id": "2", "response": {"result": "b"}},
        {"name": "get_time", "response": {"result": "Bern +2"}},
    ]


@pytest.mark.parametrize("concurrency", [1, 2, None])
async def test_concurrency_limits_the_calls_at_a_time(
    client: Client, fake_server: FakeServer, concurrency: int | None
) -> None:
    running = most = 0

    async def work(number: int) -> int:
        """Work."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return number

    fake_server.add(calling(*(call("work", {"number": n}) for n in range(6))), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[work], concurrency=concurrency))
    assert most == (concurrency or 6)
    sent = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"]["result"] for part in sent] == [*range(6)]


async def test_synchronous_functions_run_concurrently_in_threads(
    client: Client, fake_server: FakeServer
) -> None:
    meeting = threading.Barrier(3)

    def meet(name: str) -> str:
        """Wait for the others."""
        meeting.wait(10)
        return name

    fake_server.add(calling(*(call("meet", {"name": name}) for name in "abc")), WARM)
    items = await read(client.run_tools(MODEL, "Hi", tools=[meet]))
    assert kinds(items)[-2:] == ["It is ", "warm."]


async def test_confirm_allows_or_refuses_calls(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    asked: list[str] = []

    async def confirm(call: FunctionCall) -> bool | str:
        asked.append(call.args["city"])
        return {"a": True, "b": False, "c": "not on Sundays"}[call.args["city"]]

    fake_server.add(calling(*(call("get_weather", {"city": city}) for city in "abc")), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))
    answers = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in answers] == [
        {"weather": "warm in a"},
        {"error": "the user refused this call"},
        {"error": "not on Sundays"},
    ]
    assert asked == ["a", "b", "c"]
    assert tools.begun == ["a"]


async def test_a_synchronous_confirm_does_not_block(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    def confirm(call: FunctionCall) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        return call.name == "get_weather"

    fake_server.add(calling(call("get_weather", {"city": "a"})), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))
    assert tools.begun == ["a"]
