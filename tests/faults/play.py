"""Plays a row: a client calls what the row serves, and the outcome is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
from faults.places import Place
from faults.raw_server import RawServer
from faults.rows import ONE_ATTEMPT, Final

from cometgem import APIStatusError, APITimeoutError, Client, CometGemError, StreamError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.rows import Connection, Operation, Row

    from cometgem import GenerateContentStream
    from cometgem.types import GenerateContentResponse

__all__ = ["MODEL", "Outcome", "all_gone", "expected", "play", "quiet"]

MODEL = "gemini-3.8-flash"
_MIB = 1 << 20

# The attributes that tell one error from another. `_check_error` checks the others.
_FIELDS = ("status", "code", "reason", "request_id", "retry_after", "phase", "path", "limit")

# How long leftovers may take to disappear. Only a failing test waits that long.
_MOST_SECONDS = 20.0


@dataclass
class Outcome:
    """What the caller got and what the server saw.

    Attributes:
        handed_out: The texts of the chunks that a stream yielded.
        text: Of the final response, or of `error.partial`; "" without one.
        error: The type of the error; None for the final response.
        fields: Of the error or of the final response.
        requests: How many requests arrived.
        connection: Whether the next call found it usable.
        message: Of the error.
    """

    handed_out: list[str]
    text: str
    error: type[BaseException] | None
    fields: dict[str, Any]
    requests: int = 0
    connection: Connection = "none"
    message: str = field(default="", compare=False)


def expected(row: Row, k: int, operation: Operation) -> Outcome:
    """Return what the row states."""
    texts = row.texts_after(k)
    return Outcome(
        handed_out=texts if operation == "stream" else [],
        text="".join(texts),
        error=None if isinstance(row.ends, Final) else row.ends.error,
        fields=dict(row.ends.fields),
        requests=row.requests_after(k),
        connection=row.connection,
    )


async def play(row: Row, k: int, operation: Operation) -> Outcome:
    """Play a row, and check what every row has in common.

    The client can be used afterwards, and no connection and no task is left behind.
    """
    with quiet(), _place(row, k) as place:
        async with Client("sk-key-of-a-test", base_url=place.url, **row.options()) as client:
            if row.after_a_call:
                await _succeed(client)
            before = place.requests
            call = _stream(client, row, place, k) if operation == "stream" else _call(client, row)
            with _memory(row.memory):
                outcome, error = await asyncio.wait_for(call, row.seconds)
            outcome.requests = place.requests - before
            if error is not None:
                assert (getattr(error, "partial", None) is None) == (not row.texts_after(k))
                _check_error(error, outcome, place)
            if row.reads is not None:
                assert isinstance(place.server, RawServer)
                assert place.server.bytes_sent <= row.reads * _MIB
            if row.connection != "none":
                assert place.server is not None
                connections = place.server.connections
                await _succeed(client)
                kept = place.server.connections == connections
                outcome.connection = "kept" if kept else "closed"
        await all_gone(place.server)
    return outcome


async def all_gone(server: FakeServer | RawServer | None) -> None:
    """Wait until no connection and no task is left, and fail if that takes too long."""
    async with asyncio.timeout(_MOST_SECONDS):
        while server is not None and server.open_connections:
            await asyncio.sleep(0.002)
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await asyncio.sleep(0.002)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Fail if the event loop reported an unhandled exception."""
    reports: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context))
    yield
    loop.set_exception_handler(None)
    assert reports == []


def _failed(error: CometGemError, handed_out: list[str]) -> Outcome:
    values = {name: getattr(error, name, None) for name in _FIELDS}
    fields = {name: value for name, value in values.items() if value not in (None, "")}
    partial = getattr(error, "partial", None)
    text = "" if partial is None else partial.text
    return Outcome(handed_out, text, type(error), fields, message=str(error))


def _check_error(error: CometGemError, outcome: Outcome, place: Place) -> None:
    """Check what every row has in common, and leave it out of the outcome's fields."""
    if isinstance(error, (StreamError, APITimeoutError)):
        assert error.chunks == len(outcome.handed_out)
    else:
        assert not hasattr(error, "chunks")
    if isinstance(error, (APIStatusError, StreamError)) and isinstance(place.server, FakeServer):
        last = place.server.requests[-1].request_id
        if outcome.fields["request_id"] == last:
            del outcome.fields["request_id"]


async def _stream(
    client: Client, row: Row, place: Place, k: int
) -> tuple[Outcome, CometGemError | None]:
    stream = client.stream_generate_content(MODEL, row.contents)
    texts: list[str] = []
    try:
        async for chunk in stream:
            texts.append(chunk.text)
            if len(texts) == k and isinstance(place.server, RawServer):
                place.server.resume()
        response = await stream.get_final_response()
    except CometGemError as error:
        await _fails_again(stream, error)
        outcome = _failed(error, texts)
        assert outcome.text == stream.snapshot.text
        return outcome, error
    assert [chunk async for chunk in stream] == []
    return _succeeded(response, texts, row), None


async def _call(client: Client, row: Row) -> tuple[Outcome, CometGemError | None]:
    try:
        response = await client.generate_content(MODEL, row.contents)
    except CometGemError as error:
        return _failed(error, []), error
    return _succeeded(response, [], row), None


async def _fails_again(stream: GenerateContentStream, error: CometGemError) -> None:
    for again in (stream.open, stream.get_final_response, stream.__anext__):
        with pytest.raises(type(error)) as caught:
            await again()
        assert str(caught.value) == str(error)
        await stream.aclose()


def _succeeded(response: GenerateContentResponse, handed_out: list[str], row: Row) -> Outcome:
    names = row.ends.fields if isinstance(row.ends, Final) else ("finish_reason",)
    fields = {name: attrgetter(name)(response) for name in names}
    return Outcome(handed_out, response.text, None, fields)


async def _succeed(client: Client) -> None:
    response = await client.generate_content(MODEL, "Hi", retry=ONE_ATTEMPT)
    assert response.finish_reason == "STOP"


@contextlib.contextmanager
def _place(row: Row, k: int) -> Iterator[Place]:
    if row.at is not None:
        with row.at() as place:
            yield place
    elif _is_fake(row, k):
        with FakeServer() as fake:
            fake.add(*row.script(k))  # type: ignore[arg-type]
            yield Place(fake.url, fake)
    else:
        with RawServer(*row.script(k)) as raw:  # type: ignore[arg-type]
            yield Place(raw.url, raw)


def _is_fake(row: Row, k: int) -> bool:
    return row.at is None and isinstance(row.script(k)[0], Reply)


@contextlib.contextmanager
def _memory(most: float | None) -> Iterator[None]:
    if most is None:
        yield
        return
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (peak - before) / _MIB <= most
