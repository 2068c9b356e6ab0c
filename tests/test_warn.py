"""Warnings: at the caller's line, once for a call and once for a turn."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import Client, CometGemWarning, ConversationOptions
from cometgem.testing import FakeServer, Reply
from cometgem.warn import no_warnings, warn_caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MODEL = "gemini-2.5-flash"
OPTIONS: ConversationOptions = {
    "generation_config": {"thinkingConfig": {"thinkingBudget": 99999}},
}


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        yield client


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def three_rounds() -> list[Reply]:
    return [*[Reply.call("add", {"a": 1, "b": 2})] * 2, Reply.text("3")]


@contextmanager
def warned_here(*lines: int) -> Iterator[None]:
    """Check that there is one warning at each line, counted from that of the caller."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    assert frame.f_back.f_back is not None
    start = frame.f_back.f_back.f_lineno
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert {one.filename for one in caught} <= {__file__}
    assert [one.lineno - start for one in caught] == list(lines)
    assert all(one.category is CometGemWarning for one in caught)


async def test_a_single_call_and_a_stream(client: Client) -> None:
    with warned_here(1, 2):
        await client.generate_content(MODEL, "Hi", **OPTIONS)
        client.stream_generate_content(MODEL, "Hi", **OPTIONS)


async def test_run_tools_warns_once(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(*three_rounds())
    with warned_here(1):
        async for _ in client.run_tools(MODEL, "Hi", tools=[add], **OPTIONS):
            pass
    assert len(fake_server.requests) == 3


async def test_a_chat_warns_when_it_is_created_and_once_a_turn(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(*three_rounds() * 3)
    with warned_here(1, 2, 3, 5):
        chat = client.chat(MODEL, tools=[add], **OPTIONS)
        await chat.send("Hi")
        async for _ in chat.stream("Hi"):
            pass
        await chat.stream("Hi").get_final_response()
    assert len(fake_server.requests) == 9
    with warned_here(1):
        client.load_chat(chat.to_json(), **OPTIONS)
    with warned_here():
        chat.fork()
    with warned_here(1):
        await chat.fork().send("Hi")


async def test_a_call_in_a_task_warns_outside_asyncio(client: Client) -> None:
    with pytest.warns(CometGemWarning) as caught:
        await asyncio.gather(client.generate_content(MODEL, "Hi", **OPTIONS))
    assert Path(caught[0].filename).parent.name not in ("asyncio", "cometgem")


async def test_the_same_line_warns_once_by_default(client: Client) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            await client.generate_content(MODEL, "Hi", **OPTIONS)
    assert len(caught) == 1


async def test_a_warning_may_be_an_error(client: Client, fake_server: FakeServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CometGemWarning):
            await client.generate_content(MODEL, "Hi", **OPTIONS)
    assert fake_server.requests == []


def test_silence_ends_and_nothing_is_not_a_warning() -> None:
    with warned_here(3):
        with no_warnings():
            warn_caller("not shown")
        warn_caller("shown")
        warn_caller(None)


def test_code_without_a_module_name_can_be_warned() -> None:
    names: dict[str, Any] = {"warn_caller": warn_caller}
    with pytest.warns(CometGemWarning, match="shown"):
        exec("warn_caller('shown')", names)  # noqa: S102
