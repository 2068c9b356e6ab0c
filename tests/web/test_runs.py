"""Runs in memory: what viewers get, who may leave, and what ends a run."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, cast

import pytest
from web.reader import Reader, tasks
from web.watching import MODEL, SLOW, STALLED, WORDS, Watching, eventually, relay, text_of

from cometgem import ClosedError, ConfigurationError, RunError
from cometgem.testing import FakeServer, Reply
from cometgem.web import (
    BadMessagesError,
    EventEncoder,
    MemoryLog,
    NativeEncoder,
    Relay,
    Runs,
    TextEncoder,
    UIMessageEncoder,
    respond,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem import Client

REFUSED = Reply.error(429, retry_after=7)
SAID = "".join(WORDS)


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    before = tasks()
    yield
    assert tasks() <= before


@pytest.fixture
async def runs() -> AsyncIterator[Runs]:
    async with Runs() as runs:
        yield runs


async def test_the_first_viewer_gets_what_a_relay_would_send(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW, SLOW)
    direct = Watching(relay(client, UIMessageEncoder()))
    watching = Watching(await runs.start("a", relay(client, UIMessageEncoder())))
    assert await watching.end() == await direct.end()
    assert watching.reader.headers == direct.reader.headers
    assert watching.reader.ended


async def test_a_run_goes_on_without_viewers_and_is_replayed_with_joined_texts(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    first = Watching(await runs.start("a", relay(client)))
    await first.wait_for(b"word20 ")
    await first.leave()
    assert not first.reader.ended
    await asyncio.sleep(0.05)
    second = Watching(await runs.resume("a"))
    body = await second.end()
    assert text_of(body) == SAID
    assert body.count(b"event: text") < 50
    assert body.endswith(b'event: done\ndata: {"finishReason":"STOP"}\n\n')
    (request,) = fake_server.requests
    assert not request.gone


async def test_many_viewers_watch_one_run(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    viewers = [Watching(await runs.start("a", relay(client)))]
    for word in (5, 10, 20, 30):
        await viewers[0].wait_for(b"word%d " % word)
        viewers.append(Watching(await runs.resume("a")))
    for viewer in viewers:
        assert text_of(await viewer.end()) == SAID
    assert len(fake_server.requests) == 1


async def test_a_viewer_that_stalls_holds_up_neither_the_run_nor_others(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    stalled = Reader()
    stalled.stalls = True
    serving = asyncio.create_task(stalled.serve(await runs.start("a", relay(client))))
    assert text_of(await Watching(await runs.resume("a")).end()) == SAID
    stalled.resume()
    await serving
    assert text_of(stalled.body) == SAID
    assert len(stalled.pieces) <= 3  # the log is the buffer, and texts are joined


async def test_a_viewer_that_stalls_for_too_long_is_left_behind(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    stalled = Reader()
    stalled.stalls = True
    await stalled.serve(await runs.start("a", relay(client, send_timeout=0.05)))
    assert not stalled.ended
    assert await runs.stop("a")


async def test_viewers_are_pinged_and_pings_are_not_replayed(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    first = Watching(await runs.start("a", relay(client, ping=0.05)))
    await first.wait_for(b": ping\n\n: ping\n\n")
    second = Watching(await runs.resume("a"))
    await second.wait_for(b"lo")
    assert not second.reader.body.startswith(b": ping")
    await second.wait_for(b": ping")
    assert await runs.stop("a")
    assert (await first.end()).replace(b": ping\n\n", b"") != b""


@pytest.mark.parametrize("after", [0, 3, "30", "49"])
async def test_an_event_source_resumes_after_its_last_event(
    after: int | str, runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    watching = Watching(await runs.start("a", relay(client)))
    await watching.wait_for(b"word10 ")
    early = Watching(await runs.resume("a", after))
    await watching.end()
    late = Watching(await runs.resume("a", after))  # also after the end, since it has not all
    for viewer in (early, late):
        assert text_of(await viewer.end()) == "".join(WORDS[int(after) :])
        assert viewer.reader.body.endswith(b"}\n\n")


async def test_nothing_is_resumed_when_the_run_has_ended_or_never_was(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hi"))
    assert await runs.resume("a") is None
    await Watching(await runs.start("a", relay(client))).end()
    assert await runs.resume("a") is None
    assert await runs.resume("a", "not an id") is None
    assert await runs.resume("a", 99) is None  # it has all
    assert await runs.resume("b", 0) is None
    kept = Watching(await runs.resume("a", ended=True))
    assert text_of(await kept.end()) == "Hi"
    reader = Reader()
    await reader.serve(await respond(None))
    assert (reader.status, reader.body) == (204, b"")
    assert "content-type" not in reader.headers


async def test_an_id_of_an_event_means_nothing_in_a_format_without_ids(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    first = Watching(await runs.start("a", relay(client, TextEncoder())))
    await first.wait_for(b"word5")
    second = Watching(await runs.resume("a", "7"))
    assert await second.end() == SAID.encode()
    assert await runs.resume("a", "7") is None


STOPPED = {
    "ui": (UIMessageEncoder, b'data: {"type":"abort"}\n\ndata: [DONE]\n\n'),
    "events": (EventEncoder, b'event: error\ndata: {"message":"The answer was stopped."}\n\n'),
    "native": (NativeEncoder, b'"message":"The answer was stopped.","status":"INTERNAL"}}\n\n'),
    "text": (TextEncoder, b"Hello"),
}


@pytest.mark.parametrize("name", STOPPED)
async def test_stopping_closes_the_models_connection_and_ends_all_responses_well(
    name: str, runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    encoder, end = STOPPED[name]
    fake_server.add(STALLED)
    first = Watching(await runs.start("a", relay(client, encoder())))
    await first.wait_for(b"lo")
    second = Watching(await runs.resume("a"))
    request = await fake_server.wait_request()
    assert await runs.stop("a")
    await request.wait_gone()
    for viewer in (first, second):
        assert (await viewer.end()).endswith(end)
        assert viewer.reader.ended
    assert not await runs.stop("a")
    assert not await runs.stop("b")
    assert await runs.resume("a") is None


async def test_a_run_can_be_stopped_before_its_first_chunk(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.silence())
    watching = Watching(await runs.start("a", relay(client, UIMessageEncoder())))
    request = await fake_server.wait_request()
    assert await runs.stop("a")
    await request.wait_gone()
    body = await watching.end()
    assert body == b'data: {"type":"start"}\n\ndata: {"type":"abort"}\n\ndata: [DONE]\n\n'
    viewer = await runs.start("b", relay(client, UIMessageEncoder()))
    assert await runs.stop("b")  # before its task has done anything
    assert await Watching(viewer).end() == body
    assert len(fake_server.requests) == 1


async def test_a_second_start_stops_the_first(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED, Reply.text("Second"))
    first = Watching(await runs.start("a", relay(client)))
    await first.wait_for(b"lo")
    (request,) = fake_server.requests
    second = Watching(await runs.start("a", relay(client)))
    await request.wait_gone()
    assert text_of(await first.end()) == "Hello"
    assert first.reader.ended
    assert text_of(await second.end()) == "Second"
    assert text_of(await Watching(await runs.resume("a", ended=True)).end()) == "Second"


async def test_a_run_that_is_stopped_with_its_last_viewer(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    async with Runs(on_leave="stop") as runs:
        first = Watching(await runs.start("a", relay(client)))
        second = Watching(await runs.resume("a"))
        await second.wait_for(b"lo")
        (request,) = fake_server.requests
        await first.leave()
        await asyncio.sleep(0.05)
        assert not request.gone
        await second.leave()
        await request.wait_gone()
        assert await runs.resume("a") is None


async def test_a_viewer_that_is_never_served_counts_as_one_that_left(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    async with Runs(on_leave="stop") as runs:
        viewer = await runs.start("a", relay(client))
        request = await fake_server.wait_request()
        gc.disable()
        try:
            del viewer
            await request.wait_gone()
        finally:
            gc.enable()


async def test_a_refusal_is_a_status_for_those_whose_response_has_not_begun(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(REFUSED.delay(headers=0.3))
    early = Watching(await runs.start("a", relay(client, UIMessageEncoder(), ping=0.05)))
    await early.wait_for(b": ping")
    reader = Reader()
    await reader.serve(cast("Relay", await runs.resume("a")))
    assert reader.status == 200 or reader.headers["retry-after"] == "7"
    body = await early.end()
    assert early.reader.status == 200
    assert b'"errorText":"Too many requests. Please try again later."' in body
    assert body.endswith(b"data: [DONE]\n\n")
    assert await runs.resume("a") is None
    assert await runs.resume("a", ended=True) is None


async def test_a_refusal_without_a_ping(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(REFUSED)
    watching = Watching(await runs.start("a", relay(client)))
    assert await watching.end() == b"Too many requests. Please try again later."
    assert watching.reader.status == 429
    assert watching.reader.headers["retry-after"] == "7"


async def test_a_failure_is_told_to_everyone(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*WORDS[:10], delay=0.01).then_reset())
    first = Watching(await runs.start("a", relay(client)))
    await first.wait_for(b"word1 ")
    second = Watching(await runs.resume("a"))
    for viewer in (first, second):
        assert b"event: error" in await viewer.end()
        assert viewer.reader.ended


async def test_a_failure_that_the_format_cannot_tell_breaks_the_connection(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text(*WORDS[:10], delay=0.01).then_reset())
    watching = Watching(await runs.start("a", relay(client, TextEncoder())))
    with pytest.raises(RunError, match="broken off"):
        await watching.end()
    assert not watching.reader.ended


async def test_closing_breaks_off_runs_and_connections(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    runs = Runs()
    watching = Watching(await runs.start("a", relay(client, UIMessageEncoder())))
    await watching.wait_for(b"lo")
    (request,) = fake_server.requests
    await runs.aclose()
    await request.wait_gone()
    with pytest.raises(RunError, match="broken off"):
        await watching.end()
    assert not watching.reader.ended
    assert b"DONE" not in watching.reader.body
    with pytest.raises(ClosedError):
        await runs.start("a", relay(client))
    await runs.aclose()


async def test_closing_the_client_breaks_off_its_runs(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    watching = Watching(await runs.start("a", relay(client, UIMessageEncoder())))
    await watching.wait_for(b"lo")
    await client.aclose()
    with pytest.raises(RunError, match="broken off"):
        await watching.end()
    assert await runs.resume("a") is None


async def test_closing_a_viewer_breaks_off_its_response_alone(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    viewer = await runs.start("a", relay(client))
    watching = Watching(viewer)
    await watching.wait_for(b"lo")
    other = Watching(await runs.resume("a"))
    await viewer.aclose()
    with pytest.raises(ClosedError):
        await watching.end()
    with pytest.raises(RuntimeError, match="serves one response"):
        await Watching(viewer).end()
    closed = await runs.resume("a")
    assert closed is not None
    await closed.aclose()
    with pytest.raises(ClosedError):
        await Watching(closed).end()
    assert await runs.stop("a")
    assert text_of(await other.end()) == "Hello"


async def test_a_viewer_is_an_async_iterator(
    runs: Runs, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW, STALLED)
    viewer = await runs.start("a", relay(client))
    assert text_of(b"".join([piece async for piece in viewer])) == SAID
    pieces = aiter(await runs.start("b", relay(client)))
    await anext(pieces)
    await pieces.aclose()
    assert await runs.stop("b")


async def test_a_run_that_is_too_large_fails_and_says_so(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(SLOW)
    async with Runs(MemoryLog(max_bytes=1000)) as runs:
        watching = Watching(await runs.start("a", relay(client)))
        body = await watching.end()
        assert body.endswith(b'{"message":"The answer was interrupted. Please try again."}\n\n')
        assert len(body) < 1200
        await fake_server.requests[0].wait_gone()


async def test_a_run_is_forgotten_some_time_after_its_end(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hi"), STALLED)
    log = MemoryLog(ttl=0.1)
    async with Runs(log) as runs:
        await Watching(await runs.start("a", relay(client))).end()
        other = Watching(await runs.start("b", relay(client)))
        assert await runs.resume("a", ended=True) is not None
        assert repr(runs) == "<Runs <MemoryLog runs=2> running=1>"
        await eventually(lambda: repr(log) == "<MemoryLog runs=1>")
        assert await runs.resume("a", ended=True) is None
        await runs.stop("b")
        await other.end()


async def test_a_picture_is_stored_once_for_all_viewers(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("A picture:").then_stall())
    log = MemoryLog()
    async with Runs(log) as runs:
        viewers = [Watching(await runs.start("a", relay(client)))]
        found = await log.find("a")
        assert found is not None
        await viewers[0].wait_for(b"picture")
        picture = b'data: {"type":"file","url":"data:image/png;base64,' + b"A" * 3_000_000 + b"\n\n"
        found.append(picture)
        viewers += [Watching(await runs.resume("a")) for _ in range(3)]
        await viewers[0].wait_for(b"AAA")
        assert viewers[0].reader.pieces[-1] is picture
        for viewer in viewers[1:]:
            await viewer.wait_for(b"AAA")
        assert await runs.stop("a")
        for viewer in viewers:
            await viewer.end()


@pytest.mark.parametrize(
    ("run_id", "says"),
    [
        ("", "must be a string of 1 to 256 characters, not ''"),
        (None, "must be a string of 1 to 256 characters, not None"),
        (["a"], "must be a string of 1 to 256 characters"),
        ("x" * 257, "must be a string of 1 to 256 characters"),
    ],
)
async def test_ids_that_are_refused(run_id: Any, says: str, runs: Runs, client: Client) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    for call in (runs.start(run_id, Relay(stream, TextEncoder())), runs.resume(run_id)):
        with pytest.raises(BadMessagesError, match=says):
            await call
    with pytest.raises(BadMessagesError, match=says):
        await runs.stop(run_id)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Runs(on_leave="go"), "on_leave='go' is not valid; use 'detach' or 'stop'"),
        (lambda: MemoryLog(ttl=0), "ttl=0 is not valid; use a number of seconds above 0"),
        (lambda: MemoryLog(max_bytes=0), "max_bytes=0 is not valid; use an integer of at least 1"),
    ],
)
async def test_options_that_are_refused(make: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()
