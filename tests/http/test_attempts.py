"""The attempts of one call, with a transport that fails on demand."""

from __future__ import annotations

import asyncio
import math
import random
import weakref
from typing import TYPE_CHECKING, Any, cast

import pytest

from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    CometGemError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from cometgem.http.attempts import Attempts
from cometgem.http.retry import RetryPolicy
from cometgem.http.timeouts import Timeouts
from cometgem.response.merge import ResponseMerger
from cometgem.types import Candidate, Content, GenerateContentResponse, Part

if TYPE_CHECKING:
    from cometgem.http.response import HTTPResponse
    from cometgem.http.transport import Transport
    from cometgem.request.build import Request

KEY = "sk-the-key-of-this-test"


class FakeResponse:
    request_id = "id-1"


class FakeRequest:
    """Something that can be weakly referenced."""


class FakeTransport:
    """Raises the given errors, one per request, then responds."""

    def __init__(self, *errors: CometGemError) -> None:
        self.errors = list(errors)
        self.sent: list[tuple[Any, Any, Any, bool]] = []
        self.slept: list[float] = []

    async def send(
        self, request: Any, timeouts: Any, total_at: float, interrupt: Any, *, streamed: bool
    ) -> FakeResponse:
        interrupt.check()
        self.sent.append((request, timeouts, total_at, streamed))
        if self.errors:
            raise self.errors.pop(0)
        return FakeResponse()

    async def sleep(self, seconds: float, interrupt: Any) -> None:
        interrupt.check()
        self.slept.append(seconds)

    def redact_key(self, error: CometGemError) -> None:
        error.message = error.message.replace(KEY, "***")


def build(
    transport: FakeTransport,
    retry: RetryPolicy = RetryPolicy(initial=0.0),  # noqa: B008  frozen
    timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
    *,
    streamed: bool = True,
    request: Any = None,
) -> Attempts:
    return Attempts(
        cast("Transport", transport),
        cast("Request", request or FakeRequest()),
        timeouts,
        retry,
        streamed=streamed,
    )


@pytest.fixture(autouse=True)
def half_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)


@pytest.mark.parametrize("failures", range(5))
async def test_requests_are_sent_up_to_the_policys_attempts(failures: int) -> None:
    transport = FakeTransport(*[APIConnectionError(str(n)) for n in range(failures)])
    attempts = build(transport, RetryPolicy(attempts=3, initial=1.0))
    if failures < 3:
        assert isinstance(await attempts.run(attempts.send), FakeResponse)
    else:
        with pytest.raises(APIConnectionError, match="2"):  # the last one
            await attempts.run(attempts.send)
    assert len(transport.sent) == min(failures + 1, 3)
    assert transport.slept == [0.5, 1.0][: min(failures, 2)]


@pytest.mark.parametrize(
    "error", [BadRequestError(400, "no"), ResponseDecodeError("no"), APITimeoutError("stall", 1)]
)
async def test_permanent_errors_are_raised_at_once(error: CometGemError) -> None:
    transport = FakeTransport(error)
    attempts = build(transport)
    with pytest.raises(type(error)) as caught:
        await attempts.run(attempts.send)
    assert caught.value is error
    assert (len(transport.sent), transport.slept) == (1, [])


async def test_foreign_errors_are_not_retried() -> None:
    transport = FakeTransport()
    attempts = build(transport)

    async def fail() -> None:
        await attempts.send()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempts.run(fail)
    assert transport.slept == []


async def test_failures_after_the_headers_are_retried_too() -> None:
    transport = FakeTransport()
    attempts = build(transport)

    async def read() -> str:
        await attempts.send()
        if len(transport.sent) < 3:
            raise StreamInterruptedError("cut")
        return "done"

    assert await attempts.run(read) == "done"
    assert transport.slept == [0.0, 0.0]


async def test_the_delay_the_server_asks_for_is_kept() -> None:
    transport = FakeTransport(APIStatusError(429, "m", retry_after=7.0))
    attempts = build(transport, RetryPolicy())
    await attempts.run(attempts.send)
    assert transport.slept == [pytest.approx(7.35)]


@pytest.mark.parametrize(("total", "sent"), [(8.0, 2), (6.9, 1), (None, 2)])
async def test_a_delay_beyond_the_total_time_is_not_begun(total: float | None, sent: int) -> None:
    transport = FakeTransport(APIStatusError(429, "m", retry_after=7.0))
    attempts = build(transport, timeouts=Timeouts(total=total))
    try:
        await attempts.run(attempts.send)
    except APIStatusError:
        assert transport.slept == []
    assert len(transport.sent) == sent


async def test_the_total_time_starts_with_the_first_attempt() -> None:
    transport = FakeTransport(APIConnectionError("m"))
    timeouts = Timeouts(total=60)
    request = FakeRequest()
    attempts = build(transport, timeouts=timeouts, streamed=False, request=request)
    before = asyncio.get_running_loop().time()
    await attempts.run(attempts.send)
    first, second = transport.sent
    assert first == second
    assert first[:2] == (request, timeouts)
    assert before + 60 <= first[2] <= asyncio.get_running_loop().time() + 60
    assert first[3] is False
    assert len(transport.slept) == 1


async def test_without_a_total_there_is_no_deadline() -> None:
    transport = FakeTransport()
    await build(transport).send()
    assert transport.sent[0][2:] == (math.inf, True)


async def test_a_forgotten_request_is_released_and_never_sent() -> None:
    request = FakeRequest()
    alive = weakref.ref(request)
    attempts = build(FakeTransport(), request=request)
    del request
    attempts.forget_request()
    assert alive() is None
    with pytest.raises(RuntimeError, match="cannot be sent again after the first chunk"):
        await attempts.send()


def merged(*texts: str) -> ResponseMerger:
    merger = ResponseMerger()
    for text in texts:
        candidate = Candidate(content=Content(parts=[Part(text=text)]))
        merger.add(GenerateContentResponse(candidates=[candidate]))
    return merger


RESPONSE = cast("HTTPResponse", FakeResponse())


def test_a_stream_error_gets_what_had_arrived() -> None:
    error = StreamInterruptedError("m")
    build(FakeTransport()).describe(error, merged("a", "b"), RESPONSE, handed_out=2)
    assert error.partial is not None
    assert error.partial.text == "ab"
    assert (error.chunks, error.request_id) == (2, "id-1")


def test_a_timeout_gets_its_chunks() -> None:
    error = APITimeoutError("stall", 1.0)
    build(FakeTransport()).describe(error, merged("a"), RESPONSE, handed_out=1)
    assert (error.chunks, error.partial is not None) == (1, True)


def test_a_status_error_keeps_its_own_request_id() -> None:
    error = APIStatusError(500, "m", request_id="own")
    build(FakeTransport()).describe(error, merged(), RESPONSE)
    assert (error.request_id, error.partial) == ("own", None)


def test_without_a_response_there_is_no_request_id() -> None:
    error = StreamInterruptedError("m")
    build(FakeTransport()).describe(error, merged(), None)
    assert (error.request_id, error.chunks, error.partial) == (None, 0, None)


def test_the_key_is_redacted() -> None:
    error = APIStatusError(401, f"bad key {KEY}")
    build(FakeTransport()).describe(error, merged(), RESPONSE)
    assert error.message == "bad key ***"
