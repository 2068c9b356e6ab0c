"""Plays a row: a client against what the row serves, and all that came of it."""

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
from faults.rows import ONCE, TEXTS

from cometgem import APIStatusError, APITimeoutError, Client, CometGemError, StreamError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.rows import Row

    from cometgem import GenerateContentStream
    from cometgem.types import GenerateContentResponse

__all__ = ["MODEL", "Outcome", "all_gone", "expected", "failed", "play", "quiet"]

MODEL = "gemini-2.5-flash"
_MIB = 1 << 20

# All that tells one error from another; sizes and sentences are for people.
_FIELDS = (
    *("status", "code", "reason", "request_id", "retry_after"),
    *("phase", "chunks", "path", "limit"),
)

# Only for a machine that stands still: no test waits for it otherwise.
_MOST_SECONDS = 20.0


@dataclass
class Outcome:
    """What the caller got, and what the server saw."""

    texts: list[str]
    error: type[BaseException] | None
    fields: dict[str, Any]
    text: str | None
    requests: int = 0
    reused: bool | None = None
    sentence: str = field(default="", compare=False)


def expected(row: Row, k: int, *, streamed: bool) -> Outcome:
    """Return what the row promises."""
    texts = [*TEXTS[:k], *row.texts]
    requests = row.requests if k == 0 else 1
    fields = dict(row.fields)
    if row.error is None:
        fields = {"finish_reason": "STOP"} | fields
    elif issubclass(row.error, (APIStatusError, StreamError)) and _is_fake(row, k):
        fields = {"request_id": f"fake-request-{requests - 1}"} | fields
    if fields.get("phase") == "first_chunk" and (k or not streamed):
        fields["phase"] = "stall"
    if row.error is not None and issubclass(row.error, (StreamError, APITimeoutError)):
        fields["chunks"] = len(texts) if streamed else 0
    text = "".join(texts) if texts or row.error is None else None
    return Outcome(texts if streamed else [], row.error, fields, text, requests, row.reused)


async def play(row: Row, k: int, *, streamed: bool) -> Outcome:
    """Play a row, and check what holds for all: the client goes on, and nothing is left."""
    with quiet(), _place(row, k) as place:
        async with Client("sk-key-of-a-test", base_url=place.url, **row.options(k)) as client:
            if row.after_a_call:
                await _works(client)
            before = place.requests
            call = _stream(client, row, place, k) if streamed else _call(client, row)
            with _memory(row.grows):
                outcome = await asyncio.wait_for(call, row.within)
            outcome.requests = place.requests - before
            if row.sends is not None and isinstance(place.server, RawServer):
                assert place.server.bytes_sent <= row.sends * _MIB
            if row.reused is not None and place.server is not None:
                connections = place.server.connections
                await _works(client)
                outcome.reused = place.server.connections == connections
        await all_gone(place.server)
    return outcome


async def all_gone(server: FakeServer | RawServer | None) -> None:
    """Wait until no connection and no task is left; fail if that takes long."""
    async with asyncio.timeout(_MOST_SECONDS):
        while server is not None and server.open_connections:
            await asyncio.sleep(0.002)
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await asyncio.sleep(0.002)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Fail if the event loop had anything to complain of."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    loop.set_exception_handler(None)
    assert complaints == []


def failed(error: BaseException, texts: list[str]) -> Outcome:
    """Return what an error says."""
    values = {name: getattr(error, name, None) for name in _FIELDS}
    fields = {name: value for name, value in values.items() if value not in (None, "")}
    partial = getattr(error, "partial", None)
    text = None if partial is None else partial.text
    return Outcome(texts, type(error), fields, text, sentence=str(error))


async def _stream(client: Client, row: Row, place: Place, k: int) -> Outcome:
    stream = client.stream_generate_content(MODEL, row.contents)
    texts: list[str] = []
    try:
        async for chunk in stream:
            texts.append(chunk.text)
            if len(texts) == k and isinstance(place.server, RawServer):
                place.server.resume()
        final = await stream.get_final_response()
    except CometGemError as error:
        outcome = failed(error, texts)
        await _fails_again(stream, error)
        assert (outcome.text or "") == stream.snapshot.text
        return outcome
    assert [chunk async for chunk in stream] == []
    return _succeeded(final, texts, row)


async def _call(client: Client, row: Row) -> Outcome:
    try:
        return _succeeded(await client.generate_content(MODEL, row.contents), [], row)
    except CometGemError as error:
        return failed(error, [])


async def _fails_again(stream: GenerateContentStream, error: CometGemError) -> None:
    for again in (stream.open, stream.get_final_response, stream.__anext__):
        with pytest.raises(type(error)) as caught:
            await again()
        assert str(caught.value) == str(error)
        await stream.aclose()


def _succeeded(final: GenerateContentResponse, texts: list[str], row: Row) -> Outcome:
    fields = {name: attrgetter(name)(final) for name in ("finish_reason", *row.fields)}
    return Outcome(texts, None, fields, final.text)


async def _works(client: Client) -> None:
    response = await client.generate_content(MODEL, "Hi", retry=ONCE)
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
