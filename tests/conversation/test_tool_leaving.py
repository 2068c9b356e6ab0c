"""Leaving a conversation: in each phase, in each way, nothing keeps running."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING

import anyio
import pytest
from conversation.calling import MODEL, Tools, call, calling, read

from cometgem import (
    Client,
    ClosedError,
    CometGemError,
    ConversationStream,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    GenerateContentResponse,
    Round,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cometgem import ConversationItem


async def leave_by_cancel(stream: ConversationStream[ConversationItem]) -> None:
    with anyio.move_on_after(0.3) as scope:
        await read(stream)
    assert scope.cancelled_caught


async def leave_by_timeout(stream: ConversationStream[ConversationItem]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await read(stream)


async def leave_by_task(stream: ConversationStream[ConversationItem]) -> None:
    task = asyncio.create_task(read(stream))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_by_aclose_from_another_task(stream: ConversationStream[ConversationItem]) -> None:
    task = asyncio.create_task(read(stream))
    await asyncio.sleep(0.3)
    await stream.aclose()
    with pytest.raises(ClosedError):
        await task


WAYS = [leave_by_cancel, leave_by_timeout, leave_by_task, leave_by_aclose_from_another_task]
ENDLESS = Reply.text(*["x"] * 200, delay=0.02)

PHASES = {
    "before the headers": [Reply.silence()],
    "in the first answer": [ENDLESS],
    "while a function runs": [calling(call("wait", {"name": "a"}))],
    "before the second answer": [calling(call("get_weather", {"city": "a"})), Reply.silence()],
    "in the second answer": [calling(call("get_weather", {"city": "a"})), ENDLESS],
}


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("phase", PHASES)
async def test_leaving_in_each_phase_leaves_nothing_running(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    phase: str,
    leave: Callable[[ConversationStream[ConversationItem]], Awaitable[None]],
) -> None:
    fake_server.add(*PHASES[phase])
    stream = client.run_tools(MODEL, "Hi", tools=[tools.wait, tools.get_weather])
    await leave(stream)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not stream.complete
    if phase == "while a function runs":
        assert tools.ended == ["a cancelled"]
    else:
        await fake_server.requests[-1].wait_gone()


async def test_dropping_a_conversation_cancels_its_functions(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"}), call("get_weather", {"city": "b"})))
    async for item in client.run_tools(MODEL, "Hi", tools=[tools.wait, tools.get_weather]):
        if isinstance(item, FunctionResponse):
            break
    assert tools.begun == ["a", "b"]
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0)
    assert tools.ended == ["a cancelled"]


async def test_two_tasks_on_one_conversation(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    stream = client.run_tools(MODEL, "Hi", tools=[])
    task = asyncio.create_task(read(stream))
    await fake_server.wait_request()
    with pytest.raises(RuntimeError, match="by another task"):
        await anext(stream)
    await stream.aclose()
    with pytest.raises(ClosedError):
        await task


async def test_a_function_can_close_its_own_conversation(
    client: Client, fake_server: FakeServer
) -> None:
    async def hang_up() -> None:
        """Close the conversation."""
        await stream.aclose()
        await asyncio.sleep(60)

    fake_server.add(calling(call("hang_up", {})))
    stream = client.run_tools(MODEL, "Hi", tools=[hang_up])
    with pytest.raises(ClosedError, match="closed while its tools were running"):
        await read(stream)


async def test_closing_before_the_functions_have_started(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"})))
    stream = client.run_tools(MODEL, "Hi", tools=[tools.wait])
    async for item in stream:
        if isinstance(item, FunctionCall):
            break
    waiting = asyncio.create_task(stream.get_final_response())
    while len(asyncio.all_tasks()) < 3:
        await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(ClosedError):
        await asyncio.wait_for(waiting, 10)
    assert tools.begun == []


async def test_cancelling_while_confirm_runs(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    asked = asyncio.Event()

    async def confirm(_: FunctionCall) -> bool:
        asked.set()
        await asyncio.sleep(60)
        return True

    fake_server.add(calling(call("get_weather", {"city": "a"})))
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm)
    task = asyncio.create_task(read(stream))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert tools.begun == []


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("leave", WAYS)
async def test_leaving_while_a_round_is_prepared(
    client: Client,
    fake_server: FakeServer,
    leave: Callable[[ConversationStream[ConversationItem]], Awaitable[None]],
    *,
    plain: bool,
) -> None:
    begun = threading.Event()
    release = threading.Event()

    async def prepare(_: Round) -> None:
        begun.set()
        await asyncio.sleep(60)

    def prepare_in_thread(_: Round) -> None:
        begun.set()
        release.wait(30)

    try:
        stream = client.run_tools(
            MODEL, "Hi", tools=[], prepare_round=prepare_in_thread if plain else prepare
        )
        await leave(stream)
        assert begun.is_set()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert stream.state == "closed"
        assert fake_server.requests == []
    finally:
        release.set()


async def test_a_conversation_continues_after_a_function_was_cancelled(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"})), Reply.text("Hi"))
    with anyio.move_on_after(0.2):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.wait]))
    assert tools.ended == ["a cancelled"]
    assert (await client.generate_content(MODEL, "Hi")).text == "Hi"


async def by_error(stream: ConversationStream[ConversationItem]) -> None:
    with pytest.raises(CometGemError):
        await read(stream)


async def by_break(stream: ConversationStream[ConversationItem]) -> None:
    async for item in stream:
        if not isinstance(item, GenerateContentResponse):
            break


async def to_the_end(stream: ConversationStream[ConversationItem]) -> None:
    await stream.get_final_response()


@pytest.mark.parametrize(
    ("replies", "leave"),
    [
        ([calling(call("fail", {"why": "no"}))], by_error),
        ([calling(call("nothing", {}))], to_the_end),
        ([calling(call("get_weather", {}))], to_the_end),
        ([calling(call("get_weather", {"city": "a"})), Reply.error(400)], by_error),
        ([calling(call("get_weather", {"city": "a"})), Reply.text("a").then_reset()], by_error),
        ([calling(call("ask", {}))], to_the_end),  # waits for an answer
        ([calling(call("wait", {"name": "a"}))], leave_by_cancel),
        ([calling(call("wait", {"name": "a"}))], by_break),
        ([calling(call("get_weather", {"city": "a"}))], to_the_end),
    ],
)
async def test_no_garbage_collection_is_needed(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    replies: list[Reply],
    leave: Callable[[ConversationStream[ConversationItem]], Awaitable[None]],
) -> None:
    fake_server.add(*replies)
    gc.collect()
    gc.disable()
    try:
        stream = client.run_tools(
            MODEL,
            "Hi",
            tools=[
                tools.wait,
                tools.get_weather,
                FunctionTool(tools.fail),
                FunctionTool(None, name="ask"),
            ],
        )
        live = weakref.ref(stream)
        await leave(stream)
        del stream
        await asyncio.sleep(0)
        assert live() is None
    finally:
        gc.enable()
