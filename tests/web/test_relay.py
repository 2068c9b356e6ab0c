"""The relay: what the reader gets, and when the stream is closed."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from web.reader import Reader, tasks

from cometgem import Client, ClosedError, ConfigurationError, RetryPolicy, StreamError, Timeouts
from cometgem.testing import FakeServer, Reply
from cometgem.web import EventEncoder, NativeEncoder, Relay, TextEncoder, UIMessageEncoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem import GenerateContentStream

MODEL = "gemini-3.8-flash"
STALLED = Reply.text("Hel", "lo").then_stall()
LONG = Reply.text(*["word "] * 2000)


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    before = tasks()
    yield
    assert tasks() <= before


def ask(client: Client, **options: Any) -> GenerateContentStream:
    return client.stream_generate_content(MODEL, "Hi", **options)


# What the model does when the reader leaves, and what has been read by then.
LEAVING = {
    "opening": (Reply.silence(), b""),
    "waiting for the first chunk": (Reply.chunks().then_stall(), b""),
    "waiting for the next chunk": (STALLED, b"lo"),
    "between chunks": (Reply.text(*["x"] * 500, delay=0.01), b"x"),
}


@pytest.mark.parametrize("when", LEAVING)
async def test_the_stream_is_closed_when_the_reader_leaves(
    when: str, client: Client, fake_server: FakeServer
) -> None:
    reply, read = LEAVING[when]
    fake_server.add(reply)
    reader = Reader()
    serving = asyncio.create_task(reader.serve(Relay(ask(client), TextEncoder())))
    request = await fake_server.wait_request()
    await reader.wait_for(read)
    assert not request.gone
    reader.left.set()
    await serving
    await request.wait_gone()
    assert not reader.ended
    assert tasks() == set()


async def test_the_stream_is_closed_when_a_reader_leaves_who_does_not_read(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    reader = Reader()
    reader.stalls = True
    serving = asyncio.create_task(reader.serve(Relay(ask(client), TextEncoder())))
    request = await fake_server.wait_request()
    await asyncio.sleep(0.05)
    reader.left.set()
    await serving
    await request.wait_gone()
    assert reader.messages == []


async def test_the_stream_is_closed_when_the_server_cancels_the_application(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    reader = Reader()
    serving = asyncio.create_task(reader.serve(Relay(ask(client), TextEncoder())))
    await reader.wait_for(b"lo")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await fake_server.requests[0].wait_gone()


@pytest.mark.parametrize("fails", ["send", "receive"])
async def test_a_function_of_the_server_that_fails_means_that_the_reader_has_left(
    fails: str, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)

    async def fail(*_: object) -> Any:
        raise ConnectionResetError

    reader = Reader()
    receive = fail if fails == "receive" else reader.receive
    send = fail if fails == "send" else reader.send
    async with asyncio.timeout(10):
        await Relay(ask(client), TextEncoder())({}, receive, send)
    assert not reader.ended
    assert all(request.body for request in fake_server.requests)


async def test_tools_are_cancelled_when_the_reader_leaves(
    client: Client, fake_server: FakeServer
) -> None:
    events: list[str] = []
    begun = asyncio.Event()

    async def wait(name: str) -> str:
        """Wait."""
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            events.append(f"{name} cancelled")
            raise
        return name

    fake_server.add(Reply.call("wait", {"name": "a"}))
    reader = Reader()
    stream = client.run_tools(MODEL, "Hi", tools=[wait])
    serving = asyncio.create_task(reader.serve(Relay(stream, UIMessageEncoder())))
    await begun.wait()
    reader.left.set()
    await serving
    assert events == ["a cancelled"]
    assert len(fake_server.requests) == 1


async def test_a_conversation_is_relayed_to_its_end(
    client: Client, fake_server: FakeServer
) -> None:
    def weather(city: str) -> str:
        """Look up the weather."""
        return f"rain in {city}"

    fake_server.add(Reply.call("weather", {"city": "Bath"}), Reply.text("Take one."))
    reader = Reader()
    await reader.serve(Relay(client.run_tools(MODEL, "Hi", tools=[weather]), EventEncoder()))
    names = [line[7:] for line in reader.body.decode().splitlines() if line.startswith("event: ")]
    assert names == ["call", "result", "text", "usage", "done"]
    assert (reader.status, reader.ended) == (200, True)


async def test_the_response_is_that_of_the_encoder(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo"))
    reader = Reader()
    await reader.serve(Relay(ask(client), TextEncoder()))
    assert (reader.status, reader.body, reader.ended) == (200, b"Hello", True)
    assert reader.headers == dict(TextEncoder.headers)


@pytest.mark.parametrize(
    ("reply", "status", "retry_after"),
    [
        (Reply.error(429, retry_after=1.5, message="sk-secret"), 429, "2"),
        (Reply.error(429, message="sk-secret"), 429, None),
        (Reply.error(400, message="sk-secret"), 400, None),
        (Reply.error(401, message="sk-secret"), 502, None),
        (Reply.error(403, message="sk-secret"), 502, None),
        (Reply.error(404, message="sk-secret"), 502, None),
        (Reply.error(503, message="sk-secret"), 502, None),
        (Reply.reset(), 502, None),
        (Reply.raw(b"data: {oops\n\n"), 502, None),
        (Reply.chunks().then_end(), 502, None),
        (Reply.silence(), 504, None),
        (Reply.chunks().then_stall(), 504, None),
    ],
)
async def test_an_error_before_the_first_chunk_is_a_status_and_a_safe_sentence(
    reply: Reply, status: int, retry_after: str | None, client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(reply)
    reader = Reader()
    stall = 0.2 if status == 504 else 30  # the other replies come at once
    relay = Relay(ask(client, timeouts=Timeouts(stall=stall)), UIMessageEncoder())
    await reader.serve(relay)
    assert (reader.status, reader.headers.get("retry-after")) == (status, retry_after)
    assert reader.headers["content-type"] == "text/plain; charset=utf-8"
    assert reader.body.endswith(b".")
    for word in (b"secret", b"127.0.0.1", b"{", b"http"):
        assert word not in reader.body
    assert reader.ended


async def test_say_chooses_the_sentence(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.error(429, message="m")] * 2)
    for say, sentence in ((str, "m"), (lambda _: None, "Too many requests")):
        reader = Reader()
        await reader.serve(Relay(ask(client), TextEncoder(), say=say))
        assert sentence in reader.body.decode()


async def test_a_relay_that_was_opened_in_vain_still_refuses(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.error(429))
    relay = Relay(ask(client), UIMessageEncoder())
    for _ in range(2):
        with pytest.raises(Exception, match="429"):
            await relay.open()
    reader = Reader()
    await reader.serve(relay)
    assert reader.status == 429
    assert len(fake_server.requests) == 1


async def test_pings_fill_silences(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel").then_stall().then(Reply.text("lo")))
    reader = Reader()
    relay = Relay(ask(client), UIMessageEncoder(), ping=0.05)
    serving = asyncio.create_task(reader.serve(relay))
    await reader.wait_for(b": ping\n\n: ping\n\n: ping\n\n")
    fake_server.requests[0].resume()
    await serving
    assert reader.ended
    assert reader.body.endswith(b"data: [DONE]\n\n")


async def test_a_response_starts_with_a_ping_while_the_model_thinks(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.silence().then(Reply.text("Hello")))
    reader = Reader()
    relay = Relay(ask(client), UIMessageEncoder(), ping=0.05)
    serving = asyncio.create_task(reader.serve(relay))
    await reader.wait_for(b": ping\n\n: ping\n\n")
    assert reader.status == 200
    fake_server.requests[0].resume()
    await serving
    assert reader.body.replace(b": ping\n\n", b"").startswith(b'data: {"type":"start"')
    assert reader.ended


async def test_an_error_after_the_first_ping_is_told_in_the_format(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.error(429, message="secret").delay(headers=0.3))
    reader = Reader()
    await reader.serve(Relay(ask(client), UIMessageEncoder(), ping=0.05))
    assert (reader.status, reader.ended) == (200, True)
    events = [line[6:] for line in reader.body.decode().splitlines() if line.startswith("data")]
    assert [json.loads(one)["type"] for one in events[:-1]] == ["start", "error"]
    assert events[-1] == "[DONE]"
    assert "secret" not in reader.body.decode()


async def test_text_has_no_pings(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel").then_pause(0.2).then(Reply.text("lo")))
    reader = Reader()
    await reader.serve(Relay(ask(client), TextEncoder(), ping=0.02))
    assert reader.body == b"Hello"


async def test_a_stalled_reader_is_given_up(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(STALLED)
    reader = Reader()
    reader.stalls = True
    await reader.serve(Relay(ask(client), TextEncoder(), send_timeout=0.1))
    await fake_server.requests[0].wait_gone()
    assert not reader.ended


async def test_a_reader_who_does_not_even_take_pings_is_given_up(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    reader = Reader()
    relay = Relay(ask(client), EventEncoder(), ping=0.05, send_timeout=0.1)
    serving = asyncio.create_task(reader.serve(relay))
    await reader.wait_for(b"lo")
    reader.stalls = True
    await serving
    await fake_server.requests[0].wait_gone()


async def test_a_patient_model_is_not_taken_for_a_slow_reader(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hel").then_pause(0.5).then(Reply.text("lo")))
    reader = Reader()
    await reader.serve(Relay(ask(client), TextEncoder(), send_timeout=0.1))
    assert (reader.body, reader.ended) == (b"Hello", True)


async def test_a_slow_reader_gets_the_text_joined(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(LONG)
    reader = Reader()
    reader.stalls = True
    serving = asyncio.create_task(reader.serve(Relay(ask(client), EventEncoder())))
    await reader.blocks.wait()
    await asyncio.sleep(0.3)
    reader.resume()
    await serving
    # What had come by then is joined; on a busy machine the rest may come after the lag.
    assert reader.body.count(b"event: text") < 1900
    texts = [json.loads(line[6:]) for line in reader.body.splitlines() if line.startswith(b"data:")]
    assert "".join(one.get("text", "") for one in texts) == "word " * 2000


async def test_a_slow_reader_of_the_native_format_gets_all_text(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(LONG)
    reader = Reader()
    reader.stalls = True
    serving = asyncio.create_task(reader.serve(Relay(ask(client), NativeEncoder())))
    await reader.blocks.wait()
    await asyncio.sleep(0.3)
    reader.resume()
    await serving
    events = [json.loads(line[6:]) for line in reader.body.splitlines() if line]
    parts = [event["candidates"][0]["content"]["parts"] for event in events]
    assert "".join(part["text"] for some in parts for part in some) == "word " * 2000
    assert len(events) < 1900


async def test_a_piece_is_at_most_about_the_buffer(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(LONG)
    reader = Reader()
    await reader.serve(Relay(ask(client), NativeEncoder(), buffer=2000))
    assert len(reader.pieces) > 20
    assert max(map(len, reader.pieces)) < 4000


async def test_an_error_in_mid_stream_is_told_and_ended_well(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hel", "lo").then_error(503, message="secret"))
    reader = Reader()
    await reader.serve(Relay(ask(client), UIMessageEncoder()))
    assert reader.ended
    assert b'"error"' in reader.body
    assert reader.body.endswith(b"data: [DONE]\n\n")
    assert b"secret" not in reader.body


async def test_an_error_in_mid_stream_of_the_native_format_is_an_error_event(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hel", "lo").then_reset(), Reply.text("never asked"))
    reader = Reader()
    await reader.serve(Relay(ask(client), NativeEncoder()))
    last = json.loads(reader.body.decode().strip().splitlines()[-1].removeprefix("data: "))
    assert last["error"]["status"] == "INTERNAL"
    assert reader.ended


async def test_text_that_is_cut_breaks_the_connection(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hel", "lo").then_end().finish(None))
    reader = Reader()
    with pytest.raises(StreamError):
        await reader.serve(Relay(ask(client), TextEncoder()))
    assert (reader.body, reader.ended) == (b"Hello", False)


async def test_a_timeout_that_the_format_cannot_tell_breaks_the_connection(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    reader = Reader()
    with pytest.raises(TimeoutError, match="stall"):
        await reader.serve(Relay(ask(client, timeouts=Timeouts(stall=0.2)), TextEncoder()))
    assert not reader.ended


@pytest.mark.parametrize("encoder", [TextEncoder, UIMessageEncoder])
@pytest.mark.parametrize("closes", ["client", "relay"])
async def test_closing_breaks_the_connection(
    closes: str, encoder: type[TextEncoder | UIMessageEncoder], fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    client = Client(fake_server.api_key, base_url=fake_server.url)
    relay = Relay(ask(client), encoder())
    reader = Reader()
    serving = asyncio.create_task(reader.serve(relay))
    await reader.wait_for(b"lo")
    await (client if closes == "client" else relay).aclose()
    with pytest.raises(ClosedError):
        await serving
    await fake_server.requests[0].wait_gone()
    assert not reader.ended
    await client.aclose()


async def test_a_client_that_is_closed_while_the_relay_opens_is_a_502(
    fake_server: FakeServer,
) -> None:
    fake_server.add(Reply.silence())
    client = Client(fake_server.api_key, base_url=fake_server.url, retry=RetryPolicy(attempts=1))
    reader = Reader()
    serving = asyncio.create_task(reader.serve(Relay(ask(client), UIMessageEncoder())))
    await fake_server.wait_request()
    await client.aclose()
    await serving
    assert reader.status == 502


async def test_a_relay_serves_once(client: Client) -> None:
    relay = Relay(ask(client), TextEncoder())
    await Reader().serve(relay)
    with pytest.raises(RuntimeError, match="serves one response"):
        await Reader().serve(relay)


async def test_a_chunk_is_not_kept_after_it_was_sent(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(STALLED)
    relay = Relay(ask(client), TextEncoder())
    reader = Reader()
    serving = asyncio.create_task(reader.serve(relay))
    await reader.wait_for(b"lo")
    assert relay._first is None  # noqa: SLF001  a picture may have megabytes
    reader.left.set()
    await serving


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ping": 0}, "ping=0 is not valid"),
        ({"ping": math.nan}, "ping=nan is not valid"),
        ({"send_timeout": -1}, "send_timeout=-1 is not valid"),
        ({"send_timeout": "5"}, "send_timeout='5' is not valid"),
        ({"buffer": 0}, "buffer=0 is not valid"),
        ({"buffer": 1.5}, "buffer=1.5 is not valid"),
    ],
)
async def test_options_are_checked(options: dict[str, Any], message: str, client: Client) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Relay(ask(client), TextEncoder(), **options)


async def test_pings_and_limits_can_be_switched_off(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hello"))
    reader = Reader()
    await reader.serve(Relay(ask(client), EventEncoder(), ping=None, send_timeout=None))
    assert reader.ended
