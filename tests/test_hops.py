"""Long answers: hops, checkpoints, and cuts that do not end them."""

from __future__ import annotations

import asyncio
import json
import pickle
import tracemalloc
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from leaving import ENDLESS, WAYS

from cometgem import (
    APITimeoutError,
    BadRequestError,
    Checkpoint,
    Client,
    ClosedError,
    CometGemError,
    ConfigurationError,
    ContinuationUnsupportedError,
    RateLimitError,
    RetryPolicy,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from cometgem import GenerateContentResponse, GenerateContentStream

MODEL = "gemini-4-argon"
IMPATIENT = Timeouts(first_chunk=20, stall=0.3)
BIG = {"maxOutputTokens": 100_000}


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    retry = RetryPolicy(attempts=3, initial=0.0)
    async with Client(fake_server.api_key, base_url=fake_server.url, retry=retry) as client:
        yield client
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def credulous() -> Iterator[FakeServer]:
    """A server that takes any token."""
    with FakeServer(validate=False) as server:
        yield server


def ask(client: Client, **options: Any) -> GenerateContentStream:
    return client.stream_generate_content(MODEL, "Hi", **options)


async def texts_of(stream: GenerateContentStream, into: list[str] | None = None) -> list[str]:
    texts = [] if into is None else into
    async for chunk in stream:
        texts.append(chunk.text)
    return texts


def totals(response: GenerateContentResponse) -> list[int | None]:
    return [usage.total_token_count for usage in response.usage_metadata_per_hop]


def tokens(server: FakeServer) -> list[str | None]:
    return [request.body.get("continuationToken") for request in server.requests]


def piece(text: str = "", **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, **candidate}]}


def hop(text: str, token: str | None, **usage: int) -> Reply:
    """One hop that is to be continued, without the checks of ``Reply.hops``."""
    end = {"finishReason": "CONTINUATION"} | ({} if token is None else {"continuationToken": token})
    return Reply.chunks({**piece(text, **end), **({"usageMetadata": usage} if usage else {})})


async def test_hops_are_one_stream(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a", "b"], ["c"], [""], ["d"]))
    stream = ask(client, generation_config={"temperature": 0.5})
    chunks = [chunk async for chunk in stream]
    final = await stream.get_final_response()
    assert [chunk.text for chunk in chunks] == ["a", "b", "c", "", "d"]
    assert [chunk.finish_reason for chunk in chunks] == [None, None, None, None, "STOP"]
    assert sum(b"CONTINUATION" in chunk.raw for chunk in chunks) == 3
    assert (final.text, final.finish_reason, len(final.parts)) == ("abcd", "STOP", 1)
    assert final.candidates[0].continuation_token is None
    assert totals(final) == [10, 11, 12, 13]
    assert final.usage_metadata is not None
    assert final.usage_metadata.total_token_count == 46
    assert len(set(tokens(fake_server))) == 4
    bodies = [{**request.body, "continuationToken": 0} for request in fake_server.requests]
    assert all(body == bodies[0] for body in bodies)


async def test_a_hop_is_requested_when_its_first_chunk_is_wanted(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]))
    stream = ask(client)
    assert (await anext(stream)).text == "a"
    first = stream.request_id
    await asyncio.sleep(0.1)
    assert len(fake_server.requests) == 1
    assert (await anext(stream)).text == "b"
    assert stream.request_id != first


async def test_max_hops_hands_out_the_token(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a"], ["b"], ["c"]))
    stream = ask(client, max_hops=2)
    chunks = [chunk async for chunk in stream]
    assert [chunk.finish_reason for chunk in chunks] == [None, "CONTINUATION"]
    final = stream.snapshot
    assert (final.text, final.finish_reason) == ("ab", "CONTINUATION")
    assert final.candidates[0].continuation_token
    assert stream.checkpoint is not None
    again = ask(client, continuation=stream.checkpoint)
    assert await texts_of(again) == ["c"]
    assert again.snapshot.text == "abc"
    assert totals(again.snapshot) == [9, 10, 11]


async def test_off_hands_out_the_token(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]), Reply.hops(["a"], ["b"]))
    streamed = await ask(client, continuation="off").get_final_response()
    single = await client.generate_content(MODEL, "Hi", continuation="off")
    for response in (streamed, single):
        assert (response.text, response.finish_reason) == ("a", "CONTINUATION")
        assert response.candidates[0].continuation_token
    assert len(fake_server.requests) == 2


async def test_a_spent_budget_is_an_end_with_a_token(
    client: Client, fake_server: FakeServer
) -> None:
    end = piece("b", finishReason="MAX_TOKENS", continuationToken="t")
    fake_server.add(Reply.chunks(piece("a", continuationToken="s"), end))
    final = await ask(client).get_final_response()
    assert (final.text, final.finish_reason) == ("ab", "MAX_TOKENS")
    assert final.candidates[0].continuation_token == "t"
    fake_server.add(
        Reply.chunks(piece("a", continuationToken="s"), piece("b", finishReason="STOP"))
    )
    final = await ask(client).get_final_response()
    assert final.candidates[0].continuation_token is None  # a checkpoint before the end


async def test_a_cut_behind_a_checkpoint_does_not_end_the_answer(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a", "b", "c"], ["d"], checkpoints=[1], cuts=[1]))
    stream = ask(client)
    assert await texts_of(stream) == ["a", "b", "c", "d"]
    assert stream.snapshot.text == "abcd"
    assert len(fake_server.requests) == 3


async def test_a_stall_behind_a_checkpoint_does_not_end_the_answer(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a", "b", "c"], checkpoints=[1], stalls=[1]))
    assert await texts_of(ask(client, timeouts=IMPATIENT)) == ["a", "b", "c"]
    await fake_server.requests[0].wait_gone()


async def test_a_clean_end_or_a_transient_error_behind_a_checkpoint_does_not_end_the_answer(
    client: Client, fake_server: FakeServer
) -> None:
    begun = Reply.chunks(piece("a", continuationToken="s"))
    for end in (begun.then_end(), begun.then_error(503), begun.then_error(429, bare=True)):
        fake_server.add(end, Reply.text("b"))
        assert await texts_of(ask(client)) == ["a", "b"]


async def test_a_permanent_error_ends_the_answer_and_has_the_checkpoint(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.chunks(piece("a", continuationToken="s")).then_error(400))
    with pytest.raises(BadRequestError) as caught:
        await ask(client).get_final_response()
    assert caught.value.checkpoint == Checkpoint(token="s", response=caught.value.partial or ...)  # type: ignore[arg-type]


async def test_what_came_after_the_checkpoint_is_not_repeated(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a", "b", "c", "d"], ["e"], checkpoints=[1], cuts=[2]))
    texts: list[str] = []
    stream = ask(client)
    with pytest.raises(StreamInterruptedError, match="after 3 chunks") as caught:
        await texts_of(stream, texts)
    assert texts == ["a", "b", "c"]
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert error.partial.text == "abc"
    assert error.checkpoint == stream.checkpoint
    assert error.checkpoint.response.text == "ab"
    assert len(fake_server.requests) == 1

    saved = Checkpoint.from_json(error.checkpoint.to_json())
    again = ask(client, continuation=saved)
    assert again.snapshot.text == "ab"
    assert await texts_of(again) == ["c", "d", "e"]
    assert again.snapshot.text == "abcde"
    assert totals(again.snapshot) == [10, 12, 13]
    assert tokens(fake_server)[1] == saved.token


async def test_each_kind_of_error_has_the_checkpoint(
    client: Client, fake_server: FakeServer
) -> None:
    begun = Reply.chunks(piece("a", continuationToken="s"), piece("b"))
    for reply, kind in (
        (begun.then_end(), StreamTruncatedError),
        (begun.then_reset(), StreamInterruptedError),
        (begun.then_error(429), RateLimitError),
        (begun.then_raw(b"data: {oops}\n\n"), CometGemError),
        (begun.then_stall(), APITimeoutError),
    ):
        fake_server.add(reply)
        with pytest.raises(kind) as caught:
            await ask(client, timeouts=IMPATIENT).get_final_response()
        assert caught.value.partial is not None
        assert caught.value.checkpoint is not None
        assert (caught.value.partial.text, caught.value.checkpoint.response.text) == ("ab", "a")


async def test_a_closed_stream_has_its_checkpoint(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a", "b"], ["c"], checkpoints=[0]))
    async with ask(client) as stream:
        await anext(stream)
    with pytest.raises(ClosedError) as caught:
        await anext(stream)
    assert caught.value.checkpoint is not None
    assert caught.value.checkpoint.response.text == "a"


async def test_a_hop_that_is_cut_before_its_first_chunk_is_repeated(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"], resets=[1, 1, 1]))
    assert await texts_of(ask(client)) == ["a", "b"]
    first, *others = tokens(fake_server)
    assert (first, len(others), len(set(others))) == (None, 4, 1)


@pytest.mark.parametrize("attempts", [1, 3, 5])
async def test_more_cuts_than_three_in_a_row_end_the_answer(
    attempts: int, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"], resets=[1] * 9))
    with pytest.raises(StreamInterruptedError) as caught:
        await ask(client, retry=RetryPolicy(attempts, initial=0)).get_final_response()
    assert caught.value.checkpoint is not None
    assert caught.value.checkpoint.response.text == "a"
    assert len(fake_server.requests) == 5


async def test_cuts_with_progress_in_between_are_not_counted(
    client: Client, fake_server: FakeServer
) -> None:
    letters = list("abcdefgh")
    fake_server.add(Reply.hops(letters, checkpoints=range(7), cuts=range(7)))
    assert await texts_of(ask(client)) == letters
    assert len(fake_server.requests) == 8


async def test_a_rejected_hop_is_retried_as_the_policy_says(
    client: Client, fake_server: FakeServer
) -> None:
    busy = Reply.error(503)
    fake_server.add(hop("a", "s"), busy, busy, Reply.text("b"), hop("a", "s"), busy, busy, busy)
    assert await texts_of(ask(client)) == ["a", "b"]
    assert tokens(fake_server) == [None, "s", "s", "s"]
    with pytest.raises(CometGemError) as caught:
        await ask(client).get_final_response()
    assert caught.value.checkpoint is not None
    assert len(fake_server.requests) == 8


async def test_the_policys_wait_is_kept_before_going_on(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.chunks(piece("a", continuationToken="s")).then_error(429, retry_delay=60))
    with pytest.raises(RateLimitError) as caught:
        await ask(client).get_final_response()
    assert caught.value.checkpoint is not None


async def test_a_usage_chunk_after_the_checkpoint_would_repeat_nothing(
    client: Client, fake_server: FakeServer
) -> None:
    usage = {"usageMetadata": {"totalTokenCount": 7}}
    fake_server.add(
        Reply.chunks(piece("a", continuationToken="s"), usage).then_reset(), Reply.text("b")
    )
    stream = ask(client)
    assert await texts_of(stream) == ["a", "", "b"]
    assert totals(stream.snapshot)[0] == 7


async def test_a_chunk_that_the_cut_completes_is_generated_again(
    client: Client, fake_server: FakeServer
) -> None:
    last = json.dumps(piece("b") | {"usageMetadata": {"totalTokenCount": 7}}).encode()
    begun = Reply.chunks(piece("a", continuationToken="s"))
    fake_server.add(begun.then_raw(b"data: %b\n" % last).then_reset(), Reply.text("b", "c"))
    stream = ask(client)
    assert await texts_of(stream) == ["a", "b", "c"]
    assert totals(stream.snapshot)[0] == 7  # it is billed nevertheless


async def test_total_covers_all_hops(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(*[["x"]] * 60).delay(headers=0.05))
    stream = ask(client, timeouts=Timeouts(total=0.5))
    with pytest.raises(APITimeoutError) as caught:
        await stream.get_final_response()
    assert caught.value.phase == "total"
    assert 1 < len(fake_server.requests) < 15
    assert caught.value.checkpoint is not None


BAD_ENDS = {
    "no token": ([hop("a", None)], "without a continuationToken"),
    "the same token": ([hop("a", "s"), hop("b", "s")], "only the one that its hop began with"),
    "no second token": ([hop("a", "s"), hop("b", None)], "continuationToken"),
    "a token that is too old": (
        [Reply.chunks(piece("a", continuationToken="s"), piece("b", finishReason="CONTINUATION"))],
        "without a continuationToken",
    ),
}


@pytest.mark.parametrize("name", BAD_ENDS)
@pytest.mark.parametrize("single", [False, True])
async def test_an_end_that_is_none(
    name: str,
    client: Client,
    fake_server: FakeServer,
    *,
    single: bool,
) -> None:
    replies, message = BAD_ENDS[name]
    if single and len(replies[0].steps) > 1:
        pytest.skip("chunks of a single response are merged")
    fake_server.add(*replies)
    with pytest.raises(StreamTruncatedError, match=message) as caught:
        if single:
            await client.generate_content(MODEL, "Hi")
        else:
            await ask(client).get_final_response()
    assert caught.value.partial is not None
    assert caught.value.partial.text == ("a" if name == "no token" else "ab")
    assert len(fake_server.requests) == len(replies)


LONG = (
    "The planets of the solar system, from the sun outwards, are these: Mercury, Venus, Earth,"
    " Mars, Jupiter, and more"
)
USAGE = {"promptTokenCount": 8, "candidatesTokenCount": 30}
ANEW = {
    "usage": [hop("Hello", "s", **USAGE), hop("Hi there", "t", **USAGE)],
    "text": [hop(LONG, "s"), Reply.text(LONG[:40], LONG[40:80], LONG[80:], "and so on")],
}


@pytest.mark.parametrize("name", ANEW)
async def test_a_hop_that_begins_anew_is_closed_before_anything_is_handed_out(
    name: str, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(*ANEW[name])
    texts: list[str] = []
    with pytest.raises(ContinuationUnsupportedError, match="dropped the continuationToken") as got:
        await texts_of(ask(client), texts)
    error = got.value
    assert len(texts) == error.chunks == 1
    assert error.partial is not None
    assert error.checkpoint is not None
    assert error.partial.text == error.checkpoint.response.text == texts[0]
    assert (error.token, error.checkpoint.token, error.retryable) == ("s", "s", False)
    assert len(fake_server.requests) == 2
    with pytest.raises(ContinuationUnsupportedError):
        fake_server.add(*ANEW[name])
        await client.generate_content(MODEL, "Hi")


async def test_a_gateway_that_drops_the_token() -> None:
    with FakeServer(gateway="new-api") as gateway:
        gateway.add(Reply.hops([LONG, "b"], ["c"]))
        async with Client("k" * 20, base_url=gateway.url) as client:
            with pytest.raises(ContinuationUnsupportedError) as caught:
                await ask(client).get_final_response()
    assert caught.value.partial is not None
    assert caught.value.partial.text == f"{LONG}b"


async def test_a_late_sign_of_a_new_beginning(client: Client, fake_server: FakeServer) -> None:
    again = Reply.text("Other", " words").usage(USAGE)
    fake_server.add(hop("Hello", "s", **USAGE), again)
    texts: list[str] = []
    with pytest.raises(ContinuationUnsupportedError, match="after 2 chunks") as caught:
        await texts_of(ask(client), texts)
    assert texts == ["Hello", "Other"]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hello"


async def test_text_that_only_looks_like_the_beginning_is_handed_out(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(hop(LONG, "s"), Reply.text(LONG[:30], LONG[30:50], "else"))
    assert await texts_of(ask(client)) == [LONG, LONG[:30], LONG[30:50], "else"]
    fake_server.add(hop(LONG, "s"), Reply.text(LONG[:30]))
    assert await texts_of(ask(client)) == [LONG, LONG[:30]]
    fake_server.add(hop("", "s", **USAGE), hop("a", None, **USAGE).finish(None))
    with pytest.raises(StreamTruncatedError):  # an empty first hop says nothing about prompts
        await texts_of(ask(client))


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_leaving_closes_whichever_hop_is_open(
    at: int, leave: Callable[..., Awaitable[None]], client: Client, fake_server: FakeServer
) -> None:
    """Each way of leaving, on a stream of which so many hops have been read."""
    fake_server.add(*[hop("a", f"token {n}") for n in range(at)], ENDLESS)
    streams = [ask(client)]
    for _ in range(at):
        await anext(streams[0])

    class Reading:
        """A client with a stream that has been read so far."""

        def stream_generate_content(self, _model: str, _said: str) -> GenerateContentStream:
            return streams.pop()

    await leave(Reading())
    await fake_server.requests[at].wait_gone()


async def test_closing_between_hops_and_while_waiting(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]))
    stream = ask(client)
    await anext(stream)
    await stream.aclose()
    with pytest.raises(ClosedError):
        await anext(stream)
    assert len(fake_server.requests) == 1

    begun = Reply.chunks(piece("a", continuationToken="s"))
    fake_server.add(begun.then_reset())
    stream = ask(client, retry=RetryPolicy(initial=1000, maximum=1000))
    await anext(stream)
    reader = asyncio.create_task(stream.get_final_response())
    await fake_server.requests[1].wait_done()
    await asyncio.sleep(0.1)
    await stream.aclose()
    with pytest.raises(ClosedError):
        await reader


async def test_heartbeats_and_texts_go_over_hops(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a", "b"], ["c"], checkpoints=[0], cuts=[0]))
    async with aclosing(ask(client).heartbeat(10)) as beats:
        assert [chunk.text async for chunk in beats if chunk] == ["a", "b", "c"]
    fake_server.add(Reply.hops(["a", "b"], ["c"]))
    assert [text async for text in ask(client).text_stream] == ["a", "b", "c"]


async def test_single_calls_follow_hops(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a", "b"], ["c"], ["d"], cuts=[2]))
    response = await client.generate_content(MODEL, "Hi")
    assert (response.text, response.finish_reason) == ("abcd", "STOP")
    assert totals(response) == [10, 11, 12]
    assert {request.operation for request in fake_server.requests} == {"generateContent"}
    assert len(fake_server.requests) == 4


async def test_a_single_call_above_the_cap_is_a_stream(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a", "b", "x"], ["c"], checkpoints=[1], cuts=[2, 3]))
    response = await client.generate_content(MODEL, "Hi", generation_config=BIG)
    assert (response.text, response.finish_reason) == ("abxc", "STOP")
    assert {request.operation for request in fake_server.requests} == {"streamGenerateContent"}
    fake_server.add(Reply.text("a", "b", "c", "d", delay=0.2))
    timeouts = Timeouts(stall=0.5)  # of each chunk, not of all
    response = await client.generate_content(MODEL, "Hi", generation_config=BIG, timeouts=timeouts)
    assert response.text == "abcd"


async def test_an_error_of_a_single_call_has_the_checkpoint(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(hop("a", "s"), Reply.error(400))
    with pytest.raises(BadRequestError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a"
    assert caught.value.checkpoint is not None
    fake_server.add(Reply.text("b"))
    response = await client.generate_content(MODEL, "Hi", continuation=caught.value.checkpoint)
    assert response.text == "ab"


async def test_conversations_follow_hops(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]), Reply.hops(["c"], ["d"], checkpoints=[], cuts=[]))
    chat = client.chat(MODEL)
    assert (await chat.send("Hi")).text == "ab"
    assert (await chat.send("Hi")).text == "cd"
    assert chat.usage.total_token_count == 2 * (9 + 10)
    assert [part.text for part in chat.history[1].parts] == ["ab"]


async def test_a_conversation_goes_on_from_a_checkpoint_in_its_first_round_only(
    credulous: FakeServer,
) -> None:
    def now() -> str:
        """Say the time."""
        return "noon"

    credulous.add(Reply.call("now"), Reply.text("It is noon."))
    checkpoint = Checkpoint(token="s")
    async with Client("k" * 20, base_url=credulous.url) as client:
        stream = client.run_tools(MODEL, "Hi", tools=[now], continuation=checkpoint)
        assert (await stream.get_final_response()).text == "It is noon."
    assert tokens(credulous) == ["s", None]


async def test_the_request_is_kept_while_the_answer_may_go_on(
    client: Client, fake_server: FakeServer
) -> None:
    def held() -> int:
        mine = tracemalloc.Filter(inclusive=True, filename_pattern="*cometgem/types/wire.py")
        traces = tracemalloc.take_snapshot().filter_traces([mine]).traces
        return sum(trace.size for trace in traces)

    fake_server.add(Reply.hops(["a"], ["b"]))
    tracemalloc.start()
    try:
        async with client.stream_generate_content(MODEL, "x" * 4_000_000) as stream:
            for _ in range(2):
                await anext(stream)
                assert 4_000_000 < held() < 9_000_000
            await stream.get_final_response()
            assert held() < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"continuation": "on"}, "use 'auto', 'off' or a Checkpoint"),
        ({"continuation": Checkpoint()}, "has no token"),
        ({"max_hops": 0}, "integer of at least 1, or None"),
        ({"max_hops": True}, "integer of at least 1, or None"),
        (
            {"continuation": Checkpoint(token="s"), "extra_body": {"continuationToken": "t"}},
            "give one of them",
        ),
    ],
)
async def test_wrong_options_are_refused(
    options: dict[str, Any], message: str, client: Client, fake_server: FakeServer
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ask(client, **options)
    with pytest.raises(ConfigurationError, match=message):
        await client.generate_content(MODEL, "Hi", **options)
    assert fake_server.requests == []


async def test_a_token_of_the_caller_is_the_first(credulous: FakeServer) -> None:
    credulous.add(hop("b", "t"), Reply.text("c"))
    async with Client("k" * 20, base_url=credulous.url) as client:
        stream = ask(client, extra_body={"continuationToken": "s"})
        assert await texts_of(stream) == ["b", "c"]
    assert tokens(credulous) == ["s", "t"]
