"""What goes wrong with a function, and who is told: the caller, or the model."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, read

from cometgem import (
    Client,
    ClosedError,
    ConfigurationError,
    FunctionCall,
    FunctionTool,
    StreamTruncatedError,
    ToolArgumentsError,
    ToolError,
    ToolTimeoutError,
    TooManyRoundsError,
    UnfinishedCallError,
    UnknownToolError,
)
from cometgem.testing import FakeServer, Reply

FAILURES = [
    pytest.param(
        (call("fail", {"why": "no"}), ToolError, "the tool 'fail' raised KeyError: 'no'"),
        id="raises",
    ),
    pytest.param(
        (
            call("nothing", {}),
            UnknownToolError,
            (
                "there is no tool 'nothing' to run; there are: 'fail', 'get_weather', 'slow',"
                " 'opaque', 'cancelled'"
            ),
        ),
        id="unknown",
    ),
    pytest.param(
        (
            call("get_weather", {"town": "Bern"}),
            ToolArgumentsError,
            "the tool 'get_weather' got other arguments: Object contains unknown field `town`",
        ),
        id="arguments",
    ),
    pytest.param(
        (
            call("slow", {}),
            ToolTimeoutError,
            "the tool 'slow' was not done within 0.05 s; FunctionTool(timeout=...) sets this limit",
        ),
        id="too slow",
    ),
    pytest.param(
        (
            call("opaque", {}),
            ToolError,
            (
                "the tool 'opaque' returned what is no JSON: Encoding objects of type object is"
                " unsupported"
            ),
        ),
        id="no JSON",
    ),
    pytest.param(
        (call("cancelled", {}), ToolError, "the tool 'cancelled' was cancelled from within"),
        id="cancelled",
    ),
    pytest.param(
        (
            call("get_weather", {}, willContinue=True),
            UnfinishedCallError,
            "the call of 'get_weather' never came to its end: it was not run",
        ),
        id="left open",
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
    with pytest.raises(ClosedError, match="left before its end"):
        await anext(stream)


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_reported_to_the_model(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    failure: tuple[dict[str, Any], type[ToolError], str],
) -> None:
    wanted, kind, sentence = failure
    assert issubclass(kind, ToolError)
    fake_server.add(
        Reply.chunks(wanted, call("get_weather", {"city": "Rome"}, id="2")).finish("STOP"), WARM
    )
    stream = client.run_tools(MODEL, "Hi", tools=failing(tools), on_tool_error="report")
    assert (await stream.get_final_response()).text == "It is warm."
    _, model, answers = fake_server.requests[1].body["contents"]
    name = wanted["functionCall"]["name"]
    assert [part["functionResponse"] for part in answers["parts"]] == [
        {"name": name, "response": {"error": sentence}},
        {"name": "get_weather", "id": "2", "response": {"weather": "warm in Rome"}},
    ]
    assert "willContinue" not in model["parts"][0]["functionCall"]
    assert tools.begun == ["Rome"]


async def test_one_failure_cancels_the_others(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def fail_later() -> None:
        while tools.begun != ["a"]:
            await asyncio.sleep(0)
        raise ValueError("now")

    fake_server.add(
        calling(
            call("get_weather", {"city": "Bern"}),
            call("wait", {"name": "a"}),
            call("fail_later", {}),
        )
    )
    stream = client.run_tools(
        MODEL, "Hi", tools=[tools.wait, fail_later, FunctionTool(tools.fail, name="get_weather2")]
    )
    with pytest.raises(UnknownToolError):
        await read(stream)
    fake_server.add(calling(call("wait", {"name": "a"}), call("fail_later", {})))
    with pytest.raises(ToolError, match="raised ValueError: now"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.wait, fail_later]))
    assert tools.ended == ["a cancelled"]


async def test_answers_that_were_ready_are_on_the_error(
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


PIECES = [{"functionCall": {"name": "get_weather", "willContinue": True}}]


async def test_a_call_left_open_by_a_cut_stream_is_never_run(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(Reply.chunks({"text": "Well"}, *PIECES).then_end())
    with pytest.raises(StreamTruncatedError) as caught:
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather]))
    assert caught.value.partial is not None
    assert caught.value.partial.function_calls[0].will_continue
    assert tools.begun == []


async def test_a_call_left_open_by_a_cut_stream_is_reported_where_that_was_asked_for(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(Reply.chunks({"text": "Well"}, *PIECES).then_end(), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], on_tool_error="report")
    assert (await stream.get_final_response()).text == "It is warm."
    answer = fake_server.requests[1].body["contents"][-1]["parts"][0]["functionResponse"]
    assert "never came to its end" in answer["response"]["error"]
    assert tools.begun == []


async def test_a_cut_stream_without_an_open_call_is_an_error(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_weather", {"city": "a"})).then_end())
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], on_tool_error="report")
    with pytest.raises(StreamTruncatedError):
        await read(stream)
    assert tools.begun == []


async def test_too_many_rounds(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(*[calling(call("get_weather", {"city": str(n)})) for n in range(5)])
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], max_rounds=3)
    with pytest.raises(TooManyRoundsError) as caught:
        await read(stream)
    assert caught.value.rounds == 3
    assert [turn.role for turn in caught.value.turns] == ["model", "user"] * 2 + ["model"]
    assert len(fake_server.requests) == 3
    assert tools.begun == ["0", "1"]


async def test_ten_rounds_unless_said_otherwise(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(*[calling(call("get_weather", {"city": str(n)})) for n in range(20)])
    with pytest.raises(TooManyRoundsError, match="after 10 rounds"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather]))
    assert len(fake_server.requests) == 10


async def test_confirm_must_say_something(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def confirm(_: FunctionCall) -> Any:
        return None

    fake_server.add(calling(call("get_weather", {"city": "a"})))
    with pytest.raises(ConfigurationError, match="must return True, False or a reason, got None"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))
    assert tools.begun == []


async def test_what_confirm_raises_reaches_the_caller(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def confirm(_: FunctionCall) -> bool:
        raise ZeroDivisionError

    fake_server.add(calling(call("get_weather", {"city": "a"})))
    with pytest.raises(ZeroDivisionError):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))


async def test_a_thread_that_hangs_is_left_behind(client: Client, fake_server: FakeServer) -> None:
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


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_rounds": 0}, "max_rounds=0: give 1 or more"),
        ({"max_rounds": "3"}, "max_rounds='3': give 1 or more"),
        ({"concurrency": 0}, "concurrency=0: give 1 or more, or None"),
        ({"concurrency": "3"}, "concurrency='3': give 1 or more, or None"),
        ({"confirm": True}, "confirm=True: give a function, or None"),
        ({"on_tool_error": "ignore"}, "on_tool_error='ignore': give 'raise' or 'report'"),
        ({"tools": 5}, "tools must be a list, got int"),
        ({"contents": ""}, "contents is blank: give it some text"),
        ({"contents": []}, "contents is an empty list: give at least one text or part"),
        ({"model": "a/b"}, "'a/b' is not a valid model name"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer, options: dict[str, Any], sentence: str
) -> None:
    arguments = {"model": MODEL, "contents": "Hi", "tools": []} | options
    with pytest.raises(ConfigurationError) as caught:
        client.run_tools(**arguments)
    assert str(caught.value).startswith(sentence)
    assert fake_server.requests == []


async def test_an_option_that_does_not_exist(client: Client) -> None:
    options: Any = {"temperature": 1}
    with pytest.raises(TypeError, match="generation_config"):
        client.run_tools(MODEL, "Hi", tools=[], **options)
