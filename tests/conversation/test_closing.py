"""Closing a client or a conversation ends it at once, in each phase and from any thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, read

from cometgem import (
    Approve,
    BadRequestError,
    Client,
    ClosedError,
    FunctionCall,
    FunctionResponse,
    Round,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem import ConversationItem, ConversationStream

ENDLESS = Reply.text(*["x"] * 500, delay=0.02)


class Phase:
    """A conversation that waits: for the server, for a function or for the user's consent."""

    def __init__(self, client: Client, server: FakeServer, name: str) -> None:
        self.waits = threading.Event()
        self.release = threading.Event()
        self.ended: list[str] = []
        wanted = name if name == "hang" else "wait"
        resumed = name == "a resumed call"
        if not resumed:
            server.add(ENDLESS if name == "a round" else calling(call(wanted, {})))
        server.add(WARM)
        options: Any = {
            "confirm": self.confirm if name == "confirm" else None,
            "prepare_round": self.prepare if name == "prepare_round" else None,
        }
        contents: Any = ["Hi", {"role": "model", "parts": [call(wanted, {})]}]
        self.stream: ConversationStream[ConversationItem] = client.run_tools(
            MODEL,
            contents if resumed else "Hi",
            tools=[self.wait, self.hang],
            answers={0: Approve()} if resumed else None,
            **options,
        )
        if name == "a round":
            self.waits.set()

    async def wait(self) -> None:
        self.waits.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.ended.append("wait")

    def hang(self) -> None:
        self.waits.set()
        self.release.wait(30)

    async def confirm(self, _: FunctionCall) -> bool:
        await self.wait()
        return True

    async def prepare(self, _: Round) -> None:
        await self.wait()


async def by_client(client: Client, _: ConversationStream[Any]) -> None:
    await client.aclose()


async def by_client_in_a_thread(client: Client, _: ConversationStream[Any]) -> None:
    await asyncio.to_thread(asyncio.run, client.aclose())


async def by_stream(_: Client, stream: ConversationStream[Any]) -> None:
    await stream.aclose()


async def by_stream_in_a_thread(_: Client, stream: ConversationStream[Any]) -> None:
    await asyncio.to_thread(asyncio.run, stream.aclose())


@pytest.mark.parametrize(
    "phase", ["a round", "wait", "hang", "confirm", "prepare_round", "a resumed call"]
)
@pytest.mark.parametrize(
    "close", [by_client, by_client_in_a_thread, by_stream, by_stream_in_a_thread]
)
async def test_closing_ends_a_conversation(
    client: Client, fake_server: FakeServer, close: Callable[..., Any], phase: str
) -> None:
    case = Phase(client, fake_server, phase)
    task = asyncio.create_task(read(case.stream))
    try:
        async with asyncio.timeout(10):
            while not case.waits.is_set():
                await asyncio.sleep(0.001)
            if phase == "a round":
                await fake_server.wait_request()
            await close(client, case.stream)
            with pytest.raises(ClosedError, match="closed"):
                await task
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)
    finally:
        case.release.set()
    assert case.ended == ([] if phase in ("a round", "hang") else ["wait"])
    for step in (case.stream.__anext__, case.stream.open):
        with pytest.raises(ClosedError):
            await step()
    with pytest.raises(ClosedError):
        case.stream.take()


async def test_closing_the_client_says_so_while_functions_run(
    client: Client, fake_server: FakeServer
) -> None:
    case = Phase(client, fake_server, "wait")
    task = asyncio.create_task(read(case.stream))
    async with asyncio.timeout(10):
        while not case.waits.is_set():
            await asyncio.sleep(0.001)
        await client.aclose()
        with pytest.raises(ClosedError, match="the client is closed") as caught:
            await task
    assert caught.value.partial is not None
    with pytest.raises(ClosedError, match="the client is closed"):
        await anext(case.stream)


async def test_closing_the_client_ends_a_chat_whose_functions_run(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"})))
    chat = client.chat(MODEL, tools=[tools.wait])
    task = asyncio.create_task(chat.send("Hi"))
    async with asyncio.timeout(10):
        while not tools.begun:
            await asyncio.sleep(0.001)
        await client.aclose()
        with pytest.raises(ClosedError, match="the client is closed"):
            await task
    assert tools.ended == ["a cancelled"]
    assert chat.history == []


@pytest.mark.parametrize("close", [by_client, by_stream])
async def test_nothing_is_handed_out_between_rounds_after_closing(
    client: Client, fake_server: FakeServer, tools: Tools, close: Callable[..., Any]
) -> None:
    fake_server.add(calling(call("get_weather", {"city": "a"})), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    async with asyncio.timeout(10):
        async for item in stream:
            if isinstance(item, FunctionResponse):
                break
        await close(client, stream)
        for _ in range(2):
            with pytest.raises(ClosedError):
                await anext(stream)
    assert len(fake_server.requests) == 1


async def test_a_response_that_is_ready_is_not_handed_out_after_closing(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("wait", {"name": "a"})), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.wait])
    async with asyncio.timeout(10):
        for _ in range(2):
            await anext(stream)
        task = asyncio.create_task(read(stream))
        while not tools.begun:
            await asyncio.sleep(0)
        tools.gate.set()
        while not tools.ended:
            await asyncio.sleep(0)
        await stream.aclose()
        with pytest.raises(ClosedError):
            await task


@pytest.mark.parametrize("phase", ["a round", "wait"])
async def test_dropping_a_conversation_in_another_thread(
    client: Client, fake_server: FakeServer, phase: str
) -> None:
    case = Phase(client, fake_server, phase)
    held: list[Any] = [case.stream]
    del case.stream
    async with asyncio.timeout(10):
        await anext(held[0])
        if phase == "wait":
            await anext(held[0])
            beats = held[0].heartbeat(0.01)
            while not case.waits.is_set():
                assert await anext(beats) is None
            held.append(beats)
            del beats
        thread = threading.Thread(target=held.clear)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)
        if phase == "a round":
            await fake_server.requests[0].wait_gone()
    assert case.ended == (["wait"] if phase == "wait" else [])


async def test_a_chat_can_go_on_after_its_stream_was_dropped_in_another_thread(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(ENDLESS, WARM)
    chat = client.chat(MODEL)
    async with asyncio.timeout(10):
        held = [chat.stream("Hi")]
        await anext(held[0])
        thread = threading.Thread(target=held.clear)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)
        assert (await chat.send("Hi")).text == "It is warm."


async def test_opening_after_closing_raises(client: Client, fake_server: FakeServer) -> None:
    stream = client.run_tools(MODEL, "Hi", tools=[])
    await stream.aclose()
    with pytest.raises(ClosedError, match="the conversation was closed before its end"):
        await stream.open()
    assert fake_server.requests == []


async def test_an_api_error_is_raised_again(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"})),
        Reply.text("It").then_error(400, message="no"),
    )
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    errors = []
    for step in (lambda: read(stream), stream.__anext__, stream.open, stream.get_final_response):
        with pytest.raises(BadRequestError, match="no") as caught:
            await step()
        errors.append(caught.value)
    with pytest.raises(BadRequestError, match="no") as caught:
        stream.take()
    errors.append(caught.value)
    assert len({id(error) for error in errors}) == len(errors)
    assert [error.partial and error.partial.text for error in errors] == ["It"] * len(errors)


async def test_status_and_headers_are_those_of_the_current_round(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"})).with_headers({"X-Round": "1"}),
        WARM.with_headers({"X-Round": "2"}),
    )
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    for name in ("status", "headers", "request_id"):
        with pytest.raises(RuntimeError, match="not open yet"):
            getattr(stream, name)
    await stream.open()
    assert (stream.status, stream.headers["x-round"]) == (200, "1")
    await stream.get_final_response()
    assert (stream.status, stream.headers["x-round"]) == (200, "2")
    assert stream.request_id is None or stream.request_id


async def test_the_text_of_a_conversation_can_be_closed(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(ENDLESS)
    async with asyncio.timeout(10):
        async with aclosing(client.run_tools(MODEL, "Hi", tools=[]).text_stream) as texts:
            held = texts  # so that only aclose() can close it
            await anext(texts)
        await fake_server.requests[0].wait_gone()
        with pytest.raises(ClosedError):
            await anext(held)
