"""Functions that raise anything, cancel themselves, or return what is not JSON."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, read

from cometgem import (
    Client,
    CometGemError,
    Content,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    Part,
    ToolError,
)
from cometgem.testing import FakeServer, Reply
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable


class UnprintableError(Exception):
    """An exception without a message."""

    def __str__(self) -> str:
        raise ValueError("no message")


class Fatal(BaseException):
    """Like the exception of pytest.fail()."""


FATAL = [
    Fatal("no"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    BaseExceptionGroup("two", [Fatal("a"), ValueError("b")]),
    pytest.fail.Exception("failed"),
]


def raising(error: BaseException, where: str, tools: Tools) -> dict[str, Any]:
    """Options with a function or a ``confirm`` that raises once another function runs."""

    async def begun() -> None:
        while not tools.begun:
            await asyncio.sleep(0)

    async def raises() -> None:
        await begun()
        raise error

    def raises_in_thread() -> None:
        while not tools.begun:
            threading.Event().wait(0.001)
        raise error

    async def confirm(asked: FunctionCall) -> bool:
        if where == "confirm" and asked.name == "raises":
            await raises()
        return True

    tool = raises_in_thread if where == "thread" else raises
    return {"tools": [tools.wait, FunctionTool(tool, name="raises")], "confirm": confirm}


@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["async", "thread", "confirm"])
@pytest.mark.parametrize("on_tool_error", ["raise", "report"])
@pytest.mark.parametrize("way", ["run_tools", "send"])
async def test_an_exception_that_is_not_an_error_reaches_the_caller(  # noqa: PLR0913, PLR0917
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    error: BaseException,
    where: str,
    on_tool_error: Any,
    way: str,
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"}), call("raises", {})), WARM)
    options = raising(error, where, tools) | {"on_tool_error": on_tool_error}
    async with asyncio.timeout(10):
        with pytest.raises(type(error)) as caught:
            if way == "send":
                await client.chat(MODEL, **options).send("Hi")
            else:
                await read(client.run_tools(MODEL, "Hi", **options))
    assert caught.value is error
    assert tools.ended == ["a cancelled"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def cancels_and_waits() -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0.01)
    return "never"


async def cancels_and_returns() -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return "done"


async def raises_cancelled() -> str:
    raise asyncio.CancelledError


def raises_cancelled_in_thread() -> str:
    raise asyncio.CancelledError


CANCELLING = [cancels_and_waits, cancels_and_returns, raises_cancelled, raises_cancelled_in_thread]


@pytest.mark.parametrize("tool", CANCELLING)
@pytest.mark.parametrize("concurrency", [None, 1])
async def test_a_function_that_cancels_itself_is_reported(
    client: Client, fake_server: FakeServer, tool: Callable[..., Any], concurrency: int | None
) -> None:
    async def other() -> str:
        await asyncio.sleep(0.05)
        return "b"

    fake_server.add(calling(call(tool.__name__, {}, id="1"), call("other", {}, id="2")), WARM)
    async with asyncio.timeout(10):
        stream = client.run_tools(
            MODEL,
            "Hi",
            tools=[tool, other],
            on_tool_error="report",
            concurrency=concurrency,
        )
        await stream.get_final_response()
    parts = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in parts] == [
        {"error": f"the tool {tool.__name__!r} cancelled itself"},
        {"result": "b"},
    ]


@pytest.mark.parametrize("tool", CANCELLING)
async def test_a_function_that_cancels_itself_is_an_error(
    client: Client, fake_server: FakeServer, tools: Tools, tool: Callable[..., Any]
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"}), call(tool.__name__, {})), WARM)
    async with asyncio.timeout(10):
        with pytest.raises(ToolError, match="cancelled itself"):
            await read(client.run_tools(MODEL, "Hi", tools=[tools.wait, tool]))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_function_that_is_cancelled_by_another_before_it_starts(
    client: Client, fake_server: FakeServer
) -> None:
    async def cancels() -> str:
        outer = {asyncio.current_task(), test}
        for task in asyncio.all_tasks() - outer:
            if "_work" in repr(task.get_coro()) or "_work" in task.get_name():
                task.cancel()
        return "a"

    async def other() -> str:
        return "b"

    test = asyncio.current_task()
    fake_server.add(calling(call("cancels", {}), call("other", {})), WARM)
    async with asyncio.timeout(10):
        stream = client.run_tools(
            MODEL, "Hi", tools=[cancels, other], on_tool_error="report", concurrency=1
        )
        await stream.get_final_response()
    parts = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in parts] == [
        {"result": "a"},
        {"error": "the tool 'other' cancelled itself"},
    ]


async def test_an_error_without_a_message_is_reported(
    client: Client, fake_server: FakeServer
) -> None:
    async def fail() -> None:
        raise UnprintableError

    fake_server.add(calling(call("fail", {})))
    with pytest.raises(ToolError, match="raised UnprintableError"):
        await read(client.run_tools(MODEL, "Hi", tools=[fail]))


def nested(depth: int, *, lists: bool = False) -> Any:
    value: Any = "end"
    for _ in range(depth):
        value = [value] if lists else {"a": value}
    return value


BAD_RESULTS = [
    "\ud800",
    {"\udfff": 1},
    {"a": ["\ud800"]},
    float("nan"),
    [float("inf")],
    {"a": {"b": float("-inf")}},
    10**5000,
    nested(500),
    nested(990),
    nested(2000, lists=True),
    nested(100_000),
    FunctionResponse(response={"a": "\ud800"}),
    FunctionResponse(response={"a": float("nan")}),
    FunctionResponse(response=nested(1000)),
    FunctionResponse(response={"a": object()}),
]


@pytest.mark.parametrize("result", BAD_RESULTS, ids=range(len(BAD_RESULTS)))
@pytest.mark.parametrize("way", ["run_tools", "send"])
async def test_a_result_that_is_not_json_is_the_functions_error(
    client: Client, fake_server: FakeServer, result: Any, way: str
) -> None:
    async def get() -> Any:
        return result

    fake_server.add(calling(call("get", {})), calling(call("get", {})), WARM)
    async with asyncio.timeout(20):
        with pytest.raises(ToolError, match=r"the tool 'get' returned a value that .* JSON") as one:
            await read(client.run_tools(MODEL, "Hi", tools=[get]))
        assert len(str(one.value)) < 300
        pickle.dumps(one.value)
        chat = client.chat(MODEL, tools=[get], on_tool_error="report")
        if way == "send":
            final = await chat.send("Hi")
        else:
            final = await chat.stream("Hi").get_final_response()
    assert final.text == "It is warm."
    answer = fake_server.requests[-1].body["contents"][-1]["parts"][0]["functionResponse"]
    assert "returned a value that" in answer["response"]["error"]


async def test_a_deep_result_that_is_allowed_can_be_sent_and_kept(
    client: Client, fake_server: FakeServer
) -> None:
    async def get() -> Any:
        return nested(90)  # the API allows 100 levels in a request

    fake_server.add(calling(call("get", {})), WARM, WARM)
    chat = client.chat(MODEL, tools=[get])
    await chat.send("Hi")
    await client.load_chat(chat.fork().to_json()).send("And?")
    assert len(fake_server.requests) == 3


def test_history_deeper_than_the_api_allows_can_be_kept(client: Client) -> None:
    response = FunctionResponse(name="get", response={"result": nested(250)})
    answered = Content(role="user", parts=[Part(function_response=response)])
    asked = Content(role="model", parts=[Part(function_call=FunctionCall(name="get"))])
    chat = client.chat(
        MODEL, history=[Content(role="user", parts=[Part(text="Hi")]), asked, answered]
    )
    assert client.load_chat(chat.fork().to_json()).history == chat.history


def calling_deeply(name: str, depth: int) -> Reply:
    part = call(name, {"value": nested(depth)})
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    return Reply.raw(b"data: " + encode({"candidates": [candidate]}) + b"\n\n")


@pytest.mark.parametrize("depth", [100, 450, 600, 900])
async def test_deep_arguments_are_kept_or_refused(
    client: Client, fake_server: FakeServer, depth: int
) -> None:
    async def get(value: Any) -> str:
        return "ok" if value else "empty"

    async def fail(value: Any) -> str:
        raise ValueError("no" if value else "empty")

    fake_server.add(calling_deeply("fail", depth), calling_deeply("get", depth), WARM)
    chat = client.chat(MODEL, tools=[get])
    async with asyncio.timeout(20):
        with pytest.raises(CometGemError) as caught:  # from 3.12 on, a ToolError at each depth
            await read(client.run_tools(MODEL, "Hi", tools=[fail]))
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))
        assert type(copy.deepcopy(caught.value)) is type(caught.value)
        if isinstance(again, ToolError):
            assert again.call.name == "fail"
            assert [turn.role for turn in again.turns] == ["model"]
        with suppress(CometGemError):
            await chat.send("Hi")
            assert len(chat.history) == 4
        fork = chat.fork()
        fork.history.append(Content(parts=[Part(text="a")]))
        assert len(fork.history) == len(chat.history) + 1
        with suppress(CometGemError):
            assert client.load_chat(chat.to_json()).to_json() == chat.to_json()
