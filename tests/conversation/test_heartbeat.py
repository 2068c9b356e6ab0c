"""`conversation.heartbeat()`: None during silences, while the read and the functions go on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, kinds

from cometgem import BadRequestError, Client, ClosedError, ToolError
from cometgem.testing import FakeServer, Reply


async def test_silences_are_none_and_no_item_is_lost(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"})).delay(first=0.2), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.wait])
    items = []
    silences = 0
    async with asyncio.timeout(10):
        async for item in stream.heartbeat(0.02):
            if item is None:
                silences += 1
                if tools.begun and not tools.gate.is_set():
                    tools.gate.set()
            else:
                items.append(item)
    assert silences >= 2
    assert kinds(items) == ["-", "call wait", "answer {'result': 'a'}", "It is ", "warm."]
    assert tools.ended == ["a"]
    assert stream.complete


async def test_items_at_hand_need_no_task(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text(*"abcdef"))
    stream = client.run_tools(MODEL, "Hi", tools=[])
    await stream.open()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        beats = stream.heartbeat(10)
        assert await anext(beats)
        for _ in range(4):
            with pytest.raises(StopIteration) as caught:
                beats.__anext__().send(None)
            assert caught.value.value.text in "bcde"


async def test_a_chat_has_a_heartbeat(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(WARM.delay(first=0.2))
    chat = client.chat(MODEL)
    async with asyncio.timeout(10):
        said = [chunk and chunk.text async for chunk in chat.stream("Hi").heartbeat(0.02)]
    assert said[0] is None
    assert [text for text in said if text] == ["It is ", "warm."]
    assert len(chat.history) == 2


async def test_an_incomplete_call_is_reported(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    piece = {"functionCall": {"name": "get_weather", "willContinue": True}}
    fake_server.add(Reply.chunks({"text": "Well"}, piece).then_reset(), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], on_tool_error="report")
    async with asyncio.timeout(10):
        await anext(stream)
        items = [item async for item in stream.heartbeat(10)]
    assert kinds(items)[-2:] == ["It is ", "warm."]  # type: ignore[arg-type]


async def test_errors_come_through(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(Reply.error(400).delay(headers=0.1), calling(call("fail", {"why": "no"})))
    async with asyncio.timeout(10):
        with pytest.raises(BadRequestError):
            [None async for _ in client.run_tools(MODEL, "Hi", tools=[]).heartbeat(0.02)]
        stream = client.run_tools(MODEL, "Hi", tools=[tools.fail])
        with pytest.raises(ToolError, match="no"):
            [None async for _ in stream.heartbeat(0.02)]


async def test_leaving_cancels_the_functions(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"})))
    stream = client.run_tools(MODEL, "Hi", tools=[tools.wait])
    async with asyncio.timeout(10), aclosing(stream.heartbeat(0.01)) as beats:
        while not tools.begun:
            await anext(beats)
    assert tools.ended == ["a cancelled"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_read_says_what_closed_the_conversation(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a").then_stall())
    stream = client.run_tools(MODEL, "Hi", tools=[])
    await anext(stream)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.1)
    message = r"the conversation was closed because .*wait_for\(\).*heartbeat\(seconds\)"
    with pytest.raises(ClosedError, match=message):
        await anext(stream)
