"""Streams: opening, iterating, merging, timing out, retrying. Leaving is in test_leaving."""

from __future__ import annotations

import asyncio
import pickle
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from cometgem import (
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    Client,
    ClosedError,
    CometGemError,
    EventTooLargeError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-flash"
AT_ONCE = RetryPolicy(attempts=3, initial=0.0)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(fake_server.api_key, base_url=fake_server.url, retry=AT_ONCE) as client:
        yield client


async def test_chunks_arrive_one_by_one_and_merge(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo", thought="Hm"))
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        chunks = [chunk async for chunk in stream]
        final = await stream.get_final_response()
    assert [chunk.text for chunk in chunks] == ["", "Hel", "lo"]
    assert [chunk.thoughts for chunk in chunks] == ["Hm", "", ""]
    assert (final.text, final.thoughts, final.finish_reason) == ("Hello", "Hm", "STOP")
    assert final.usage_metadata == chunks[-1].usage_metadata
    assert all(chunk.raw.startswith(b"{") for chunk in chunks)


async def test_a_chunk_is_handed_out_before_the_next_is_sent(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("one").then_stall())
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        assert (await anext(stream)).text == "one"


async def test_nothing_is_sent_before_the_stream_is_opened(
    client: Client, fake_server: FakeServer
) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await asyncio.sleep(0.05)
    assert fake_server.requests == []
    assert "not sent" in repr(stream)
    with pytest.raises(RuntimeError, match=r"await stream.open\(\) first"):
        _ = stream.status


async def test_open_has_status_and_headers_before_the_first_chunk(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("x").delay(first=0.05).with_headers({"x-cometapi-request-id": "r1"}))
    stream = client.stream_generate_content(MODEL, "Hi")
    await stream.open()
    await stream.open()
    assert (stream.status, stream.request_id) == (200, "r1")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert (await stream.get_final_response()).text == "x"
    assert len(fake_server.requests) == 1


async def test_open_raises_the_error_of_the_api(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(401, message="bad key"))
    stream = client.stream_generate_content(MODEL, "Hi")
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="bad key") as caught:
            await stream.open()
    assert caught.value.partial is None
    with pytest.raises(AuthenticationError):
        await anext(stream)


async def test_await_opens_the_stream_and_returns_it(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a", "b"))
    stream = client.stream_generate_content(MODEL, "Hi")
    assert await stream is stream
    assert await stream is stream
    assert (stream.status, len(fake_server.requests)) == (200, 1)
    assert [chunk.text async for chunk in stream] == ["a", "b"]
    async for chunk in await client.stream_generate_content(MODEL, "Hi"):
        assert chunk.candidates
    async with await client.stream_generate_content(MODEL, "Hi") as stream:
        assert (await stream.get_final_response()).text
    assert len(fake_server.requests) == 3


async def test_await_raises_what_the_api_refused(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(401, message="bad key"))
    stream = client.stream_generate_content(MODEL, "Hi")
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="bad key"):
            await stream
    assert len(fake_server.requests) == 1


async def test_break_out_of_an_awaited_stream_closes_the_connection(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("one").then_stall())
    async for chunk in await client.stream_generate_content(MODEL, "Hi"):
        assert chunk.text == "one"
        break
    await fake_server.requests[0].wait_gone()


async def test_text_stream_leaves_out_thoughts_and_empty_chunks(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a", "b", thought="Hm"))
    stream = client.stream_generate_content(MODEL, "Hi")
    assert [text async for text in stream.text_stream] == ["a", "b"]


async def test_snapshot_grows_and_stays(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a", "b"))
    stream = client.stream_generate_content(MODEL, "Hi")
    assert stream.snapshot.candidates == []
    await anext(stream)
    first = stream.snapshot
    await anext(stream)
    assert (first.text, stream.snapshot.text) == ("a", "ab")


async def test_the_final_response_can_be_requested_at_any_time(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a", "b"), Reply.text("a", "b"))
    assert (await client.stream_generate_content(MODEL, "Hi").get_final_response()).text == "ab"
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    assert (await stream.get_final_response()).text == "ab"
    assert (await stream.get_final_response()).text == "ab"
    assert [chunk async for chunk in stream] == []
    assert "ended, chunks=2" in repr(stream)


async def test_a_finished_stream_returns_its_connection(
    client: Client, fake_server: FakeServer
) -> None:
    for _ in range(3):
        await client.stream_generate_content(MODEL, "Hi").get_final_response()
    assert fake_server.connections == 1


BAD_ENDS = [
    (Reply.text("a", "b").then_reset(), StreamInterruptedError),
    (Reply.text("a", "b").then_end(), StreamTruncatedError),
    (
        Reply.text("a", "b").then_raw(b'data: {"candidates": [{"con').then_end(),
        StreamTruncatedError,
    ),
    (Reply.text("a", "b").then_raw(b"data: oops\n\n"), ResponseDecodeError),
    (Reply.text("a", "b").then_raw(b'data: {"candidates": 7}\n\n'), ResponseDecodeError),
    (Reply.text("a", "b").then_error(429), RateLimitError),
    (Reply.text("a", "b").then_error(503, bare=True, dialect="google"), ServerError),
    (Reply.text("a", "b").then_stall(), APITimeoutError),
    (Reply.text("a", "b").then_stall().pings(every=0.02), APITimeoutError),
]


@pytest.mark.parametrize(("reply", "kind"), BAD_ENDS)
async def test_errors_after_the_first_chunk_hold_everything_that_arrived(
    reply: Reply, kind: type[CometGemError], client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply)
    stream = client.stream_generate_content(MODEL, "Hi", timeouts=Timeouts(stall=0.2))
    texts = []
    with pytest.raises(kind) as caught:
        async for chunk in stream:
            texts.append(chunk.text)  # noqa: PERF401  the loop ends by the error
    assert texts == ["a", "b"]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "ab"
    assert getattr(caught.value, "chunks", 2) == 2
    assert len(fake_server.requests) == 1
    with pytest.raises(kind) as again:
        await stream.get_final_response()
    assert again.value is not caught.value
    assert pickle.loads(pickle.dumps(again.value)).partial == caught.value.partial  # noqa: S301


async def test_a_complete_event_is_not_lost_to_a_reset(
    client: Client, fake_server: FakeServer
) -> None:
    last = b'data: {"candidates": [{"content": {"parts": [{"text": "!"}]}}]}\n'
    fake_server.add(Reply.text("a").then_raw(last).then_reset())
    stream = client.stream_generate_content(MODEL, "Hi")
    with pytest.raises(StreamInterruptedError, match="after 2 chunks") as caught:
        await stream.get_final_response()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a!"


BEFORE_THE_FIRST = [
    Reply.reset(),
    Reply.error(408),
    Reply.error(429, retry_after=0),
    Reply.error(500),
    Reply.error(503, dialect="google", retry_delay=0.01),
    Reply.error(524),
    Reply.error(529),
    Reply.html(502),
    Reply.raw(b""),
    Reply.raw(b": ping\n\n"),
    Reply.raw(b"").then_reset(),
    Reply.raw(b"").then_error(500),
    Reply.raw(b"").then_error(429, dialect="google"),
]


@pytest.mark.parametrize("reply", BEFORE_THE_FIRST)
async def test_transient_errors_are_retried_before_the_first_chunk(
    reply: Reply, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply, reply, Reply.text("ok"))
    assert (await client.stream_generate_content(MODEL, "Hi").get_final_response()).text == "ok"
    assert len(fake_server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.error(400), BadRequestError),
        (Reply.error(401), AuthenticationError),
        (Reply.error(500, code="invalid_request"), ServerError),
        (Reply.error(503, code="model_not_found"), ServerError),
        (Reply.error(429, retry_after=3600), RateLimitError),
        (Reply.raw(b"").then_error(400, dialect="google"), BadRequestError),
        (Reply.html(200), ResponseDecodeError),
    ],
)
async def test_permanent_errors_are_not_retried(
    reply: Reply, kind: type[CometGemError], client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply)
    with pytest.raises(kind) as caught:
        await client.stream_generate_content(MODEL, "Hi").get_final_response()
    assert caught.value.partial is None
    assert len(fake_server.requests) == 1


async def test_the_last_attempt_raises(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.raw(b"")] * 3)
    with pytest.raises(StreamTruncatedError, match="after 0 chunks"):
        await client.stream_generate_content(MODEL, "Hi").get_final_response()
    assert len(fake_server.requests) == 3


TIMEOUTS = [
    (Reply.silence(), Timeouts(first_chunk=0.2), "first_chunk"),
    (Reply.raw(b"").then_stall().pings(every=0.02), Timeouts(first_chunk=0.2), "first_chunk"),
    (Reply.text("a").then_stall(), Timeouts(first_chunk=9, stall=0.2), "stall"),
    (Reply.text(*"abcdefgh", delay=0.1), Timeouts(total=0.3), "total"),
    (Reply.silence(), Timeouts(total=0.2), "total"),
]


async def test_a_first_chunk_that_stall_limits_is_reported_with_that_option(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.silence())
    stream = client.stream_generate_content(MODEL, "Hi", timeouts=Timeouts(stall=0.2))
    with pytest.raises(APITimeoutError) as caught:
        await stream.get_final_response()
    assert str(caught.value) == ("no first chunk within 0.2 s; Timeouts(stall=...) sets this limit")
    assert (caught.value.phase, caught.value.option) == ("first_chunk", "stall")
    assert caught.value.seconds == 0.2
    await fake_server.requests[0].wait_gone()
    assert len(fake_server.requests) == 1


@pytest.mark.parametrize(("reply", "timeouts", "phase"), TIMEOUTS)
async def test_each_limit_ends_the_wait_and_the_connection(
    reply: Reply, timeouts: Timeouts, phase: str, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply)
    stream = client.stream_generate_content(MODEL, "Hi", timeouts=timeouts)
    with pytest.raises(APITimeoutError, match=rf"Timeouts\({phase}=") as caught:
        await stream.get_final_response()
    assert (caught.value.phase, caught.value.seconds) == (phase, getattr(timeouts, phase) or 0.2)
    assert isinstance(caught.value, TimeoutError)
    await fake_server.requests[0].wait_gone()
    assert len(fake_server.requests) == 1


async def test_a_slow_caller_is_not_a_stall(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a", "b", delay=0.05))
    stream = client.stream_generate_content(MODEL, "Hi", timeouts=Timeouts(stall=0.3))
    async for _ in stream:
        await asyncio.sleep(0.5)
    assert stream.snapshot.text == "ab"


async def test_total_covers_the_waits_between_retries(fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.error(429, retry_after=5)] * 2)
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        with pytest.raises(RateLimitError):
            await client.stream_generate_content(
                MODEL, "Hi", timeouts=Timeouts(total=2.0)
            ).get_final_response()
    assert len(fake_server.requests) == 1


async def test_an_event_over_the_limit(fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a", "b" * 2000))
    async with Client(fake_server.api_key, base_url=fake_server.url, max_event_size=1000) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        with pytest.raises(EventTooLargeError, match="no more than 1,000") as caught:
            await stream.get_final_response()
    assert caught.value.limit == 1000
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a"


async def test_two_tasks_on_one_stream(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("a").then_stall())
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    first = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    for wrong in (anext(stream), stream.open()):
        with pytest.raises(RuntimeError, match="already being read"):
            await wrong
    await stream.aclose()
    with pytest.raises(ClosedError):
        await first


async def test_the_snapshot_stays_available_after_aclose(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("a", "b", delay=0.2))
    stream = client.stream_generate_content(MODEL, "Hi")
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert stream.snapshot.text == "a"
    for call in (stream.get_final_response, stream.open):
        with pytest.raises(ClosedError) as caught:
            await call()
        assert caught.value.partial is not None
        assert caught.value.partial.text == "a"


async def test_a_stream_closed_before_it_was_sent(client: Client, fake_server: FakeServer) -> None:
    stream = client.stream_generate_content(MODEL, "Hi")
    await stream.aclose()
    with pytest.raises(ClosedError):
        await anext(stream)
    assert fake_server.requests == []


async def test_a_json_array_or_one_response_in_place_of_events(
    client: Client, fake_server: FakeServer
) -> None:
    one = b'{"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}'
    for body in (one, b"[" + one + b",\r\n" + one + b"]"):
        fake_server.add(Reply.raw(body, content_type="application/json"))
        response = await client.stream_generate_content(MODEL, "Hi").get_final_response()
        assert response.text == "x" * body.count(b"text")


async def test_a_large_request_is_released_with_the_first_chunk(
    client: Client, fake_server: FakeServer
) -> None:
    def held() -> int:
        mine = tracemalloc.Filter(inclusive=True, filename_pattern="*cometgem/types/wire.py")
        traces = tracemalloc.take_snapshot().filter_traces([mine]).traces
        return sum(trace.size for trace in traces)

    fake_server.add(Reply.text("a", "b").then_stall())
    tracemalloc.start()
    try:
        asked = client.stream_generate_content(MODEL, "x" * 4_000_000, continuation="off")
        async with asked as stream:
            assert held() > 4_000_000  # it may have to be sent again
            await anext(stream)
            assert held() < 1_000_000
    finally:
        tracemalloc.stop()


async def test_empty_chunks_are_held_back_up_to_a_limit(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.raw(b"data: {}\n\n" * 1500).then_stall())
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        chunks = [await anext(stream) for _ in range(1001)]
    assert {chunk.raw for chunk in chunks} == {b"{}"}


@pytest.mark.parametrize(("empty", "requests"), [(1000, 2), (1001, 1)])
async def test_an_error_behind_more_empty_chunks_than_the_limit_is_not_retried(
    empty: int, requests: int, client: Client, fake_server: FakeServer
) -> None:
    error = b'data: {"error": {"code": 503, "message": "m"}}\n\n'
    fake_server.add(*[Reply.raw(b"data: {}\n\n" * empty + error)] * 2)
    retry = RetryPolicy(attempts=2, initial=0.0)
    stream = client.stream_generate_content(MODEL, "Hi", retry=retry)
    with pytest.raises(ServerError):
        await stream.get_final_response()
    assert len(fake_server.requests) == requests


async def test_an_error_behind_an_empty_chunk_is_retried(
    client: Client, fake_server: FakeServer
) -> None:
    error = b'data: {"error": {"code": 503, "message": "m"}}\n\n'
    fake_server.add(Reply.raw(b"data: {}\n\n" + error), Reply.text("ok"))
    retry = RetryPolicy(attempts=2, initial=0.0)
    stream = client.stream_generate_content(MODEL, "Hi", retry=retry)
    assert (await stream.get_final_response()).text == "ok"
    assert len(fake_server.requests) == 2


@pytest.mark.parametrize("end", ["", "\n"])
async def test_chunks_behind_an_empty_one_in_the_same_read_are_handed_out(
    end: str, client: Client, fake_server: FakeServer
) -> None:
    one = '{"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}'
    body = f"data: {{}}\n\ndata: {{}}\n\ndata: {one}\n\ndata: {{}}\n\ndata: {one}\n{end}"
    fake_server.add(Reply.raw(body.encode()))
    async with client.stream_generate_content(MODEL, "Hi") as stream:
        assert [chunk.text async for chunk in stream] == ["", "", "x", "", "x"]


@pytest.mark.parametrize("blank", [b"", b"\n"])
async def test_a_stream_of_nothing_but_empty_chunks_is_not_an_answer(
    blank: bytes, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.raw(b"data: {}\n\ndata: {}\n" + blank))
    with pytest.raises(ResponseDecodeError, match="not a generateContent response"):
        await anext(client.stream_generate_content(MODEL, "Hi"))
    assert len(fake_server.requests) == 1
