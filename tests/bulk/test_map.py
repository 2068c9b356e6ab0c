"""Bulk runs against the fake server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cometgem import (
    AuthenticationError,
    BadRequestError,
    Client,
    ClosedError,
    ConfigurationError,
    IncompleteAnswerError,
    NotFoundError,
    OutputValidationError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from cometgem.bulk import Budget, Limits, MemoryLimiter, Progress
from cometgem.testing import FakeServer, RecordedRequest, Reply, ServerLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MODEL = "gemini-3.8-flash"

FAST = Limits(rpm=600_000, concurrency=20)


def asked(request: RecordedRequest) -> str:
    """The prompt of a request."""
    return str(request.body["contents"][-1]["parts"][0]["text"])


def echo(request: RecordedRequest) -> Reply:
    return Reply.text(f"answer to {asked(request)}").finish("STOP")


def identity(row: str) -> str:
    return row


def prompts(server: FakeServer) -> list[str]:
    return [asked(request) for request in server.requests]


async def test_every_row_has_a_result(fake_server: FakeServer, client: Client) -> None:
    fake_server.respond = echo
    rows = [{"id": f"row-{number}", "text": f"prompt {number}"} for number in range(200)]
    async with client.map(
        MODEL, rows, prompt=lambda row: row["text"], key=lambda row: row["id"], limits=FAST
    ) as run:
        results = [result async for result in run]
    assert sorted(result.index for result in results) == list(range(200))
    for result in results:
        assert result.row is rows[result.index]
        assert result.key == f"row-{result.index}"
        assert result.response is not None
        assert result.response.text == f"answer to prompt {result.index}"
        assert (result.error, result.attempts, result.reused) == (None, 1, False)
        assert result.usage.total_tokens > 0
        assert result.seconds > 0
    assert sorted(prompts(fake_server)) == sorted(row["text"] for row in rows)
    progress = run.progress
    assert (progress.total, progress.done, progress.failed, progress.running) == (200, 200, 0, 0)
    assert progress.usage.total_tokens == sum(result.usage.total_tokens for result in results)
    assert progress.stopped is None


async def test_requests_are_those_of_single_calls(fake_server: FakeServer, client: Client) -> None:
    options: Any = {
        "system_instruction": "Be brief.",
        "generation_config": {"temperature": 0.5},
        "thinking": "low",
        "headers": {"x-own": "yes"},
    }
    for contents in ("é ☄", [{"text": "a"}, "b"], {"role": "user", "parts": [{"text": "c"}]}):
        await client.generate_content(MODEL, contents, **options)
        async with client.map(MODEL, [contents], prompt=lambda row: row, **options) as run:
            assert [result.error async for result in run] == [None]
        single, bulk = fake_server.requests[-2:]
        assert bulk.raw_body == single.raw_body
        assert bulk.path == single.path
        assert dict(bulk.headers) == dict(single.headers)


async def test_rows_may_come_from_async_iterables(fake_server: FakeServer, client: Client) -> None:
    fake_server.respond = echo

    async def rows() -> AsyncIterator[str]:
        for number in range(30):
            await asyncio.sleep(0)
            yield f"{number}"

    async with client.map(MODEL, rows(), prompt=identity, limits=FAST) as run:
        seen = [(result.key, result.row) async for result in run]
    assert sorted(seen) == [(number, f"{number}") for number in range(30)]
    assert run.progress.total is None


async def test_no_rows(client: Client) -> None:
    async with client.map(MODEL, [], prompt=identity) as run:
        assert [result async for result in run] == []
    assert run.progress.done == 0


async def test_at_most_so_many_are_in_flight_and_read_ahead(
    fake_server: FakeServer, client: Client
) -> None:
    fake_server.respond = lambda _: Reply.text("late").delay(headers=0.02).finish("STOP")
    read = handed_out = 0
    ahead: list[int] = []

    def rows() -> Iterator[str]:
        nonlocal read
        for number in range(300):
            read += 1
            ahead.append(read - handed_out)
            yield f"{number}"

    limits = Limits(rpm=600_000, concurrency=5)
    async with client.map(MODEL, rows(), prompt=identity, limits=limits) as run:
        async for _ in run:
            handed_out += 1
            assert run.progress.running <= 5
            if handed_out < 3:
                await asyncio.sleep(0.3)  # a slow consumer
    assert handed_out == 300
    assert max(ahead) <= 5 + 64
    assert fake_server.connections <= 5


async def test_ordered(fake_server: FakeServer, client: Client) -> None:
    def respond(request: RecordedRequest) -> Reply:
        number = int(asked(request))
        return Reply.text("x").delay(headers=0.1 if number % 7 == 0 else 0.0).finish("STOP")

    fake_server.respond = respond
    read = handed_out = 0

    def rows() -> Iterator[str]:
        nonlocal read
        for number in range(60):
            read += 1
            assert read - handed_out <= 2 * 4
            yield f"{number}"

    limits = Limits(rpm=600_000, concurrency=4)
    async with client.map(MODEL, rows(), prompt=identity, limits=limits, ordered=True) as run:
        async for result in run:
            assert result.index == handed_out
            handed_out += 1
    assert handed_out == 60


# Errors by kind


async def test_a_bad_row_is_an_error_of_its_own(fake_server: FakeServer, client: Client) -> None:
    def respond(request: RecordedRequest) -> Reply:
        if asked(request) == "bad":
            return Reply.error(400, message="no such thing")
        return echo(request)

    fake_server.respond = respond
    async with client.map(MODEL, ["a", "bad", " ", "b"], prompt=identity, limits=FAST) as run:
        errors = {result.row: result.error async for result in run}
    assert isinstance(errors["bad"], BadRequestError)
    assert isinstance(errors[" "], ConfigurationError)
    assert "contents is blank" in str(errors[" "])
    assert (errors["a"], errors["b"]) == (None, None)
    assert (run.progress.done, run.progress.failed, run.progress.stopped) == (2, 2, None)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.error(401), AuthenticationError),
        (Reply.error(403), PermissionDeniedError),
        (Reply.error(403, message="user quota is not enough"), PermissionDeniedError),
        (Reply.error(429, code="insufficient_quota"), Exception),
        (Reply.error(500, message="user quota is not enough"), ServerError),
    ],
)
async def test_what_no_row_survives_ends_the_run(
    fake_server: FakeServer, client: Client, reply: Reply, kind: type[Exception]
) -> None:
    def respond(request: RecordedRequest) -> Reply:
        number = int(asked(request))
        if number < 10:
            return Reply.text("late").delay(headers=0.3).finish("STOP")
        return reply

    fake_server.respond = respond
    done: list[int] = []
    rows = [f"{number}" for number in range(10_000)]
    async with client.map(MODEL, rows, prompt=identity, limits=FAST) as run:
        with pytest.raises(kind):
            async for result in run:
                assert result.error is None
                done.append(result.index)
        with pytest.raises(StopAsyncIteration):
            await anext(run)
    assert sorted(done) == list(range(10))  # those that were running
    assert len(fake_server.requests) < 200
    assert run.progress.stopped == "error"


async def test_an_unknown_model_ends_the_run_unless_rows_have_succeeded(
    fake_server: FakeServer, client: Client
) -> None:
    async with client.map("palm-2", ["a"] * 1000, prompt=identity, limits=FAST) as run:
        with pytest.raises((NotFoundError, ServerError), match="model"):
            await anext(run)
    assert len(fake_server.requests) < 100
    fake_server.add(Reply.text("fine").finish("STOP"), Reply.error(404), Reply.text("fine"))
    one = Limits(rpm=600_000, concurrency=1)
    async with client.map(MODEL, ["a", "b", "c"], prompt=identity, limits=one) as run:
        kinds = [type(result.error) async for result in run]
    assert kinds == [type(None), NotFoundError, type(None)]


async def test_cut_and_blocked_answers_are_errors(fake_server: FakeServer, client: Client) -> None:
    fake_server.add(
        Reply.text("half an ans").finish("MAX_TOKENS"),
        Reply.text("").finish("SAFETY"),
        Reply.raw(b'{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}'),
    )
    one = Limits(rpm=600_000, concurrency=1)
    async with client.map(MODEL, ["a", "b", "c"], prompt=identity, limits=one) as run:
        errors = [result.error async for result in run]
    assert all(isinstance(error, IncompleteAnswerError) for error in errors)
    assert errors[0] is not None
    assert errors[0].partial is not None
    assert errors[0].partial.text == "half an ans"
    assert "MAX_TOKENS" in str(errors[0])
    assert "PROHIBITED_CONTENT" in str(errors[2])


async def test_a_source_that_raises(fake_server: FakeServer, client: Client) -> None:
    fake_server.respond = lambda _: Reply.text("x").delay(headers=0.05).finish("STOP")

    def rows() -> Iterator[str]:
        yield from ("a", "b", "c")
        raise OSError("the disk is gone")

    count = 0
    async with client.map(MODEL, rows(), prompt=identity, limits=FAST) as run:
        with pytest.raises(OSError, match="the disk is gone"):
            async for result in run:
                assert result.error is None
                count += 1
    assert count == 3


async def test_a_prompt_function_that_raises(fake_server: FakeServer, client: Client) -> None:
    rows = [{"text": "a"}, {}, *[{"text": "b"}] * 500]
    one = Limits(rpm=600_000, concurrency=1)
    async with client.map(MODEL, rows, prompt=lambda row: row["text"], limits=one) as run:
        assert (await anext(run)).error is None
        with pytest.raises(KeyError) as caught:
            await anext(run)
    assert caught.value.__notes__ == ["cometgem: in the row with the index 1"]
    assert len(fake_server.requests) == 1


@pytest.mark.parametrize("key", [None, 1.5, True])
async def test_keys_are_checked(client: Client, key: Any) -> None:
    async with client.map(MODEL, ["a"], prompt=identity, key=lambda _: key) as run:
        with pytest.raises(ConfigurationError, match="return a str or an int"):
            await anext(run)


async def test_transient_errors_are_retried_and_refusals_do_not_count(
    fake_server: FakeServer,
) -> None:
    fake_server.add(
        Reply.error(503), Reply.error(429, retry_after=0), *[Reply.error(429, retry_after=0)] * 3
    )
    retry = RetryPolicy(attempts=2, initial=0.0)
    async with Client(fake_server.api_key, base_url=fake_server.url, retry=retry) as client:
        limits = MemoryLimiter(Limits(concurrency=1))
        async with client.map(
            MODEL, ["a"], prompt=identity, limits=limits, timeouts=Timeouts(total=0.8)
        ) as run:
            result = await anext(run)
    assert result.error is None
    assert result.attempts == 2
    assert len(fake_server.requests) == 6
    assert run.progress.refusals == 4


async def test_no_row_is_lost_at_a_limit_that_is_not_known() -> None:
    limits = ServerLimits(requests=40, seconds=0.5, retry_after=False)
    with FakeServer(limits=limits) as server:
        async with Client(server.api_key, base_url=server.url) as client:
            rows = [f"{number}" for number in range(150)]
            async with client.map(MODEL, rows, prompt=identity) as run:
                results = [result async for result in run]
        assert len(results) == 150
        assert all(result.error is None for result in results)
        assert server.refused == run.progress.refusals
        assert server.admitted == 150


async def test_usage_settles_the_leases(fake_server: FakeServer, client: Client) -> None:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    fake_server.respond = lambda _: Reply.text("x").usage(usage).finish("STOP")
    limiter = MemoryLimiter(Limits(rpm=600_000, tpm=60_000, concurrency=1))
    async with client.map(MODEL, ["a"] * 10, prompt=identity, limits=limiter) as run:
        assert [result.usage.total_tokens async for result in run] == [15] * 10
    assert limiter._law.tokens.used == pytest.approx(150, rel=0.1)  # noqa: SLF001


# Types


class Planet(msgspec.Struct):
    name: str
    moons: int


async def test_typed_answers(fake_server: FakeServer, client: Client) -> None:
    def respond(request: RecordedRequest) -> Reply:
        match asked(request):
            case "wrong":
                return Reply.text('{"name": 1}').finish("STOP")
            case "cut":
                return Reply.text('{"name": "Ju').finish("MAX_TOKENS")
        return Reply.text('{"name": "Mars", "moons": 2}').finish("STOP")

    fake_server.respond = respond
    async with client.map(
        MODEL, ["a", "wrong", "cut"], prompt=identity, response_type=Planet, limits=FAST
    ) as run:
        results = {result.row: result async for result in run}
    assert results["a"].response is not None
    assert results["a"].response.parsed == Planet("Mars", 2)
    for row, problem in (("wrong", "wrong"), ("cut", "cut")):
        error = results[row].error
        assert isinstance(error, OutputValidationError)
        assert error.problem == problem
        assert error.partial is not None
        assert results[row].response is None
        assert results[row].usage.total_tokens > 0


async def test_rows_are_asked_again(fake_server: FakeServer, client: Client) -> None:
    fake_server.add(
        Reply.text('{"name": 1}').finish("STOP"),
        Reply.text('{"name": "Mars", "moons": 2}').finish("STOP"),
    )
    async with client.map(
        MODEL, ["a"], prompt=identity, response_type=Planet, reasks=1, limits=FAST
    ) as run:
        (result,) = [result async for result in run]
    assert result.response is not None
    assert result.response.parsed == Planet("Mars", 2)
    assert result.attempts == 2
    assert len(fake_server.requests[1].body["contents"]) == 3


async def test_complete_requests(fake_server: FakeServer, client: Client) -> None:
    rows: list[dict[str, Any]] = [
        {
            "contents": [{"role": "user", "parts": [{"text": "a"}]}],
            "generation_config": {"temperature": 0.1},
        },
        {"contents": "b"},
    ]
    async with client.map(
        MODEL, rows, prompt=lambda row: row, limits=FAST, generation_config={"seed": 7}
    ) as run:
        assert [result.error async for result in run] == [None, None]
    configs = {asked(one): one.body["generationConfig"] for one in fake_server.requests}
    assert configs == {"a": {"seed": 7, "temperature": 0.1}, "b": {"seed": 7}}


# Stops


async def test_budget_of_rows(fake_server: FakeServer, client: Client) -> None:
    async with client.map(
        MODEL, ["a"] * 100, prompt=identity, budget=Budget(rows=10), limits=FAST
    ) as run:
        results = [result async for result in run]
    assert len(results) == len(fake_server.requests) == 10
    assert run.progress.stopped == "budget"


async def test_budget_of_tokens(fake_server: FakeServer, client: Client) -> None:
    usage = {"promptTokenCount": 60, "candidatesTokenCount": 40, "totalTokenCount": 100}
    fake_server.respond = lambda _: Reply.text("x").usage(usage).finish("STOP")
    async with client.map(
        MODEL, ["a"] * 1000, prompt=identity, budget=Budget(tokens=10_000), limits=FAST
    ) as run:
        tokens = sum([result.usage.total_tokens async for result in run])
    assert 8_000 <= tokens <= 12_000
    assert run.progress.usage.total_tokens == tokens
    assert run.progress.usage.output_tokens == tokens * 0.4


async def test_budget_as_a_function(fake_server: FakeServer, client: Client) -> None:
    del fake_server
    one = Limits(rpm=600_000, concurrency=1)
    async with client.map(
        MODEL,
        ["a"] * 100,
        prompt=identity,
        budget=lambda usage: usage.output_tokens > 0,
        limits=one,
    ) as run:
        assert len([result async for result in run]) == 1


async def test_deadline_ends_the_wait_for_the_rate(fake_server: FakeServer, client: Client) -> None:
    slow = Limits(rpm=60, concurrency=50)
    async with asyncio.timeout(10):
        async with client.map(
            MODEL, ["a"] * 50, prompt=identity, limits=slow, deadline=0.3, ordered=True
        ) as run:
            results = [result async for result in run]
    assert len(results) == len(fake_server.requests) < 5
    assert run.progress.stopped == "deadline"


async def test_stop_lets_running_rows_end(fake_server: FakeServer, client: Client) -> None:
    fake_server.respond = lambda _: Reply.text("x").delay(headers=0.1).finish("STOP")
    async with client.map(MODEL, ["a"] * 1000, prompt=identity, limits=FAST) as run:
        await anext(run)
        run.stop()
        rest = [result async for result in run]
    assert 1 + len(rest) == len(fake_server.requests)
    assert all(result.error is None for result in rest)
    assert run.progress.stopped == "stop"


async def test_leaving_cancels(fake_server: FakeServer, client: Client) -> None:
    fake_server.respond = lambda _: Reply.silence()
    closed = False

    async def rows() -> AsyncIterator[str]:
        nonlocal closed
        try:
            while True:
                yield "a"
        finally:
            closed = True

    async with client.map(MODEL, rows(), prompt=identity, limits=FAST):
        await fake_server.wait_request(5)
    assert closed
    for request in fake_server.requests:
        await request.wait_gone()
    assert len(asyncio.all_tasks()) == 1


async def test_closing_the_client_ends_the_run(fake_server: FakeServer) -> None:
    fake_server.respond = lambda _: Reply.error(429, retry_after=60)
    async with (
        Client(fake_server.api_key, base_url=fake_server.url) as client,
        client.map(MODEL, ["a"] * 10, prompt=identity) as run,
    ):
        await fake_server.wait_request(0)
        await asyncio.sleep(0.1)
        await client.aclose()
        async with asyncio.timeout(5):
            with pytest.raises(ClosedError):
                await anext(run)


async def test_progress_is_reported(fake_server: FakeServer, client: Client) -> None:
    del fake_server
    seen: list[Progress] = []
    async with client.map(MODEL, ["a"] * 3, prompt=identity, on_progress=seen.append) as run:
        async for _ in run:
            pass
    assert seen[-1] == run.progress
    assert str(seen[-1]).startswith("3 of 3 done, ")


async def test_a_run_is_entered_once_and_before_it_is_iterated(client: Client) -> None:
    run = client.map(MODEL, ["a"], prompt=identity)
    with pytest.raises(RuntimeError, match=r"async with client\.map"):
        await anext(run)
    async with run:
        pass
    with pytest.raises(RuntimeError, match="once"):
        async with run:
            pass


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"rows": "one string"}, "rows must be an iterable"),
        ({"prompt": "Translate"}, "prompt='Translate' is not valid: use a function of the row"),
        ({"key": "id"}, "key='id' is not valid"),
        ({"limits": 5}, r"limits=5 is not valid: use Limits\(rpm=..., tpm=...\)"),
        ({"rerun": "some"}, "rerun='some' is not valid: use 'failed', 'none' or 'all'"),
        ({"budget": 500}, r"budget=500 is not valid: use Budget\(tokens=500\)"),
        ({"deadline": -1}, "deadline=-1 is not valid: use a positive number of seconds"),
        ({"results": 5}, "results=5 is not valid: use the path of a file"),
        ({"ordered": 1}, "ordered=1"),
        ({"reasks": 1}, "reasks=... needs response_type=..."),
        ({"generation_config": {"responseSchema": 5}}, "responseSchema"),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    fake_server: FakeServer, client: Client, arguments: dict[str, Any], problem: str
) -> None:
    given: dict[str, Any] = {"rows": ["a"], "prompt": identity, **arguments}
    if "generation_config" in arguments:
        given["response_type"] = Planet
    with pytest.raises(ConfigurationError, match=problem):
        client.map(MODEL, **given)
    with pytest.raises(TypeError, match="unknown option 'temprature'"):
        client.map(MODEL, ["a"], prompt=identity, temprature=1)  # type: ignore[call-overload]
    assert fake_server.requests == []


@pytest.mark.parametrize("given", [{"tokens": 0}, {"rows": -1}, {"tokens": 1.5}, {"rows": True}])
def test_bad_budgets(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="use an integer of at least 1"):
        Budget(**given)
