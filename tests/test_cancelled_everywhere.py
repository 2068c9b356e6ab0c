"""Each operation is cancelled at each of its awaits, one after the other, or its client is closed.

Whatever it was waiting for: the cancellation comes through, no task and no connection is left, the
next request gets a connection, and neither the event loop nor a finalizer complains.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from conversation.calling import call, calling
from stepping import Moment, Stepping

from cometgem import Client, ClosedError, RetryPolicy, StreamTruncatedError, Timeouts
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator

    Operation = Callable[[Client], Coroutine[Any, Any, None]]

MODEL = "gemini-3.8-flash"
CALLS = calling(call("slow", {}), call("plain", {}))
AGAIN = Reply.error(503)
MAX_STEPS = 100  # no operation below has as many
MAX_MISSED = 50  # repetitions of an operation that had fewer awaits than it usually has
PAUSE = 0.002  # seconds that the server lets the client wait
MAX_PAUSE = 0.25  # the same on a busy machine
SECONDS = 30.0  # the limit of each wait; it is reached only by a failure


def short(pause: float) -> Reply:
    return Reply.text("a", "b", "c", delay=pause).delay(headers=pause, first=pause)


def once(pause: float) -> list[Reply]:
    return [short(pause)]


def hops(pause: float) -> list[Reply]:
    """Return two hops, then a cut behind a checkpoint, and the rest."""
    begun = {
        "content": {"parts": [{"text": "a"}]},
        "finishReason": "CONTINUATION",
        "continuationToken": "s",
    }
    more = {"content": {"parts": [{"text": "b"}]}, "continuationToken": "t"}
    return [
        Reply.chunks({"candidates": [begun]}).delay(headers=pause, first=pause),
        Reply.chunks({"candidates": [more]}).delay(headers=pause, first=pause).then_end(),
        short(pause),
    ]


TASK_FACTORIES: dict[str, Any] = {"plain tasks": None}
# uvloop passes an argument that asyncio's factory does not take before Python 3.14, and anyio
# recognizes no other factory.
if sys.version_info >= (3, 12) and os.environ.get("TEST_LOOP") != "uvloop":
    TASK_FACTORIES["eager tasks"] = asyncio.eager_task_factory


async def slow() -> str:
    """Take a moment."""
    await asyncio.sleep(0.002)
    return "done"


def plain() -> str:
    """Take a moment, in a thread."""
    time.sleep(0.002)
    return "done"


async def confirm(_: object) -> bool:
    await asyncio.sleep(0)
    return True


def streamed(client: Client) -> Any:
    return client.stream_generate_content(MODEL, "Hi")


async def single(client: Client) -> None:
    await client.generate_content(MODEL, "Hi")


async def iteration(client: Client) -> None:
    async for _ in streamed(client):
        pass


async def block(client: Client) -> None:
    async with streamed(client) as stream:
        async for _ in stream:
            await asyncio.sleep(0)


async def opening(client: Client) -> None:
    stream = streamed(client)
    await stream.open()
    await stream.aclose()


async def final_response(client: Client) -> None:
    await streamed(client).get_final_response()


async def text(client: Client) -> None:
    async with aclosing(streamed(client).text_stream) as texts:
        async for _ in texts:
            pass


async def heartbeat(client: Client) -> None:
    async with aclosing(streamed(client).heartbeat(0.001)) as beats:
        async for _ in beats:
            pass


async def failing_heartbeat(client: Client) -> None:
    with pytest.raises(StreamTruncatedError):
        await heartbeat(client)


async def left_heartbeat(client: Client) -> None:
    beats = streamed(client).heartbeat(0.001)
    async for chunk in beats:
        if chunk is not None:
            break
    await anext(beats)  # a read is under way
    await beats.aclose()


async def closing(client: Client) -> None:
    stream = streamed(client)
    await anext(stream)
    reader = asyncio.create_task(stream.get_final_response())
    try:
        await asyncio.sleep(0)
        await stream.aclose()
    finally:
        await asyncio.gather(reader, return_exceptions=True)


async def closing_the_client(client: Client) -> None:
    stream = streamed(client)
    await anext(stream)
    await client.aclose()


async def tools(client: Client) -> None:
    async with client.run_tools(MODEL, "Hi", tools=[slow, plain], confirm=confirm) as stream:
        async for _ in stream:
            pass


async def send(client: Client) -> None:
    chat = client.chat(MODEL, tools=[slow, plain])
    try:
        await chat.send("Hi")
    finally:
        chat.stream("Hi")  # raises if the turn is still in progress


async def chat_stream(client: Client) -> None:
    chat = client.chat(MODEL)
    try:
        async with chat.stream("Hi") as stream:
            async for _ in stream:
                pass
    finally:
        chat.stream("Hi")  # raises if the turn is still in progress


async def bounded(client: Client) -> None:
    limits = Timeouts(total=SECONDS)
    await client.stream_generate_content(MODEL, "Hi", timeouts=limits).get_final_response()


async def waiting(client: Client) -> None:
    """Wait for the only connection, which another stream has for a moment."""
    other = streamed(client)
    await other.open()
    asyncio.get_running_loop().call_later(0.01, other.interrupt, "closed")
    await single(client)


class Case(NamedTuple):
    """An operation, the replies to its requests, and the least number of its awaits.

    ``replies`` takes the length of the server's pauses, in seconds.
    """

    operation: Operation
    replies: Callable[[float], list[Reply]]
    least: int


CASES = [
    Case(single, once, 2),
    Case(single, lambda pause: [AGAIN, short(pause)], 4),
    Case(single, hops, 5),
    Case(iteration, once, 4),
    Case(iteration, hops, 6),
    Case(heartbeat, hops, 6),
    Case(block, once, 6),
    Case(opening, once, 1),
    Case(final_response, once, 4),
    Case(final_response, lambda pause: [AGAIN, Reply.reset(), short(pause)], 5),
    Case(text, once, 4),
    Case(heartbeat, once, 6),
    Case(failing_heartbeat, lambda pause: [Reply.text("a").then_pause(pause).then_end()], 2),
    Case(left_heartbeat, once, 4),
    Case(closing, once, 4),
    Case(closing_the_client, once, 2),
    Case(tools, lambda pause: [CALLS, short(pause)], 7),
    Case(send, lambda pause: [CALLS, short(pause)], 4),
    Case(send, lambda pause: [AGAIN, CALLS, AGAIN, short(pause)], 7),
    Case(chat_stream, once, 4),
    Case(bounded, once, 4),
    Case(waiting, lambda pause: [short(pause), short(pause)], 4),
]


class ScriptedServer(FakeServer):
    """Forgets the replies that a cancelled operation has not used."""

    def script(self, *replies: Reply) -> None:
        self._script.clear()
        self.add(*replies)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(default=short(0)) as server:
        yield server


@pytest.fixture
async def complaints(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Collect the complaints of the event loop and of finalizers."""
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(str(context)))
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: complaints.append(str(raised)))
    yield complaints
    loop.set_task_factory(None)


async def settled(what: Callable[[], bool], *about: object) -> None:
    """Wait until something holds, which it does within a few steps of the event loop."""
    give_up_at = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < give_up_at, about
        await asyncio.sleep(0.0005)


def client_of(server: ScriptedServer, replies: list[Reply]) -> Client:
    server.script(*replies)
    return Client(
        server.api_key,
        base_url=server.url,
        max_connections=1,
        retry=RetryPolicy(attempts=3, initial=0.002),
    )


async def nothing_is_left(server: ScriptedServer, where: str) -> None:
    this = {asyncio.current_task()}
    await settled(lambda: asyncio.all_tasks() == this, where)
    await settled(lambda: server.open_connections == 0, f"a connection is open after {where}")


async def cancel_at(
    step: int, moment: Moment, case: Case, server: ScriptedServer, pause: float
) -> bool:
    """Cancel the operation at an await, and return whether it came so far."""
    where = f"await {step}, {moment.value}"
    client = client_of(server, case.replies(pause))
    stepping = Stepping(step, moment)
    task = stepping.start(lambda: case.operation(client))
    await asyncio.wait([task], timeout=SECONDS)
    assert task.done(), f"hangs at {where}"
    if not stepping.reached:
        task.result()
    else:
        assert task.cancelled(), f"{task} at {where}"
    del task
    this = {asyncio.current_task()}
    await settled(lambda: asyncio.all_tasks() == this, where)

    server.script()
    async with asyncio.timeout(SECONDS):
        if case.operation is closing_the_client and repr(client).endswith("closed>"):
            with pytest.raises(ClosedError):
                await single(client)
        else:
            assert (await client.generate_content(MODEL, "Hi")).text == "abc", where
        await client.aclose()
    await nothing_is_left(server, where)
    return stepping.reached


def started(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a coroutine in a task, whose first step is done now where Python can do that."""
    if sys.version_info >= (3, 12):
        return asyncio.eager_task_factory(asyncio.get_running_loop(), coroutine)
    return asyncio.create_task(coroutine)


async def close_at(
    step: int, moment: Moment, case: Case, server: ScriptedServer, pause: float
) -> bool:
    """Close the client at an await of the operation, and return whether it came so far."""
    where = f"await {step}, {moment.value}"
    client = client_of(server, case.replies(pause))
    closing: list[asyncio.Task[None]] = []
    stepping = Stepping(step, moment, lambda: closing.append(started(client.aclose())))
    task = stepping.start(lambda: case.operation(client))
    await asyncio.wait([task], timeout=SECONDS)
    assert task.done(), f"hangs at {where}"
    if stepping.reached:
        # On Python 3.11, closing begins one step later, and a heartbeat reads in another task:
        # what was being awaited may have been the end.
        may_end = sys.version_info < (3, 12) or case.operation is heartbeat
        error = task.exception()
        assert isinstance(error, ClosedError) or (may_end and error is None), f"{task} at {where}"
        await asyncio.gather(*closing)
    else:
        task.result()
        await client.aclose()
    del task
    await nothing_is_left(server, where)
    return stepping.reached


async def at_each_await(
    act: Callable[[int, Moment, Case, ScriptedServer, float], Awaitable[bool]],
    case: Case,
    moment: Moment,
    server: ScriptedServer,
) -> None:
    """Run the operation once for each of its awaits."""
    step = missed = 0
    pause = PAUSE
    while step < MAX_STEPS:
        if await act(step, moment, case, server, pause):
            step += 1
            pause = PAUSE
        elif step >= case.least:
            return
        else:  # on a busy machine, what it waits for may have come already
            missed += 1
            assert missed < MAX_MISSED, step
            pause = min(2 * pause, MAX_PAUSE)
    raise AssertionError(f"the operation has more than {MAX_STEPS} awaits")


def name(value: object) -> str:
    if isinstance(value, Moment):
        return value.name.lower()
    return value.operation.__name__ if isinstance(value, Case) else str(value)


@pytest.mark.parametrize("moment", Moment, ids=name)
@pytest.mark.parametrize("tasks", TASK_FACTORIES)
@pytest.mark.parametrize("case", CASES, ids=name)
async def test_an_operation_is_cancelled_at_each_await(
    case: Case, tasks: str, moment: Moment, server: ScriptedServer, complaints: list[str]
) -> None:
    asyncio.get_running_loop().set_task_factory(TASK_FACTORIES[tasks])
    await at_each_await(cancel_at, case, moment, server)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


# These close the stream or the client themselves, or expect another error.
CLOSING = (opening, closing, closing_the_client, left_heartbeat, failing_heartbeat)


@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.ARRIVED], ids=name)
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.operation not in CLOSING], ids=name
)
async def test_a_client_is_closed_at_each_await_of_an_operation(
    case: Case, moment: Moment, server: ScriptedServer, complaints: list[str]
) -> None:
    await at_each_await(close_at, case, moment, server)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
