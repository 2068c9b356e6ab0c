"""The wire server, run in a separate process: it sends bytes rendered in advance.

python benchmarks/server.py [--tls FILE]

Prints its port on the loopback interface and serves until its standard input ends. The model name
says what to send: see ``Load``. The server knows Gemini's and OpenAI's API, streams and single
calls. ``GET /stats/{dialect}/{model}`` renders that load and returns statistics.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import ssl
import sys
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from machine import allow_many_files
from workload import UNSTAMPED, Dialect, Load

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
SLICE = 256 * 1024  # bytes per write: as much as a client's event loop reads at once
CACHED = 4  # loads kept; the longest has 45 MB
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
END = b"0\r\n\r\n"

lags: list[int] = []  # nanoseconds by which paced chunks were written late, since last asked


@lru_cache(CACHED)
def pieces(load: Load, dialect: Dialect) -> list[bytes]:
    """Return the pieces to write one at a time: events, or slices of the whole body."""
    events = load.events(dialect)
    events[-1] += END
    if load.every or load.hold or load.flushed:
        return events
    body = b"".join(events)
    return [body[at : at + SLICE] for at in range(0, len(body), SLICE)]


@lru_cache(CACHED)
def single(load: Load, dialect: Dialect) -> bytes:
    """Return the answer to a single call."""
    body = load.single(dialect)
    return JSON % (len(body), body)


class Pace:
    """Streams that get a chunk every few milliseconds, spread evenly over that interval."""

    running: dict[Load, Pace] = {}  # noqa: RUF012  one for all connections

    def __init__(self, load: Load) -> None:
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._turns: list[set[Callable[[int], None]]] = [set() for _ in range(load.every)]
        self._joined = 0
        self._left = 0
        self._tick = 0

    def join(self, write: Callable[[int], None]) -> None:
        """Call ``write`` with the due time of each chunk, in nanoseconds, until it leaves."""
        self._turns[self._joined % len(self._turns)].add(write)
        self._joined += 1
        if self._joined == max(1, self._load.gate):
            self._start = time.monotonic_ns()
            self._run()

    def leave(self, write: Callable[[int], None]) -> None:
        """Stop calling ``write``."""
        for turn in self._turns:
            turn.discard(write)
        self._left += 1
        if self._left == self._joined:
            self.running.pop(self._load, None)

    def _run(self) -> None:
        """Write what is due, and schedule the rest."""
        while (due := self._start + self._tick * 1_000_000) <= time.monotonic_ns():
            for write in tuple(self._turns[self._tick % len(self._turns)]):
                write(due)
                lags.append(time.monotonic_ns() - due)
            self._tick += 1
        if self._left < self._joined:
            wait = (due - time.monotonic_ns()) / 1e9
            self._loop.call_later(max(0.0, wait), self._run)


class Wire(asyncio.Protocol):
    """One connection: requests in, rendered bytes out."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Initialize the connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._pieces: list[bytes] = []
        self._at = 0
        self._paused = False
        self._pace: Pace | None = None
        self._stamped = False

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is complete; these clients do not pipeline."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._received = b""
            self._answer(head.split()[1].decode("ascii"), body)

    def _answer(self, path: str, body: bytes) -> None:
        if path.startswith("/stats/"):
            self._transport.write(stats(path))
        elif path.endswith("/chat/completions"):
            request = json.loads(body)
            load = Load.parse(request["model"])
            self._send(load, "openai", streamed=bool(request.get("stream")))
        else:
            model, _, operation = path.rpartition("/")[2].partition(":")
            streamed = operation.startswith("streamGenerateContent")
            self._send(Load.parse(model), "gemini", streamed=streamed)

    def _send(self, load: Load, dialect: Dialect, *, streamed: bool) -> None:
        if not streamed:
            self._transport.write(single(load, dialect))
            return
        self._pieces, self._at = pieces(load, dialect), 0
        self._transport.write(STREAM)
        if load.hold:
            self._transport.write(self._pieces[0])
        elif load.every:
            self._stamped = bool(load.stamped)
            self._pace = Pace.running.setdefault(load, Pace(load))
            self._pace.join(self._write_due)
        else:
            self._write_more = self._write_next if load.flushed else self._write_all
            self._write_more()

    def _write_next(self) -> None:
        """Write one event; the next one follows in the next iteration of the event loop."""
        if self._at < len(self._pieces) and not self._paused:
            self._transport.write(self._pieces[self._at])
            self._at += 1
            self._loop.call_soon(self._write_next)

    def _write_all(self) -> None:
        while self._at < len(self._pieces) and not self._paused:
            self._transport.write(self._pieces[self._at])
            self._at += 1

    def _write_due(self, due: int) -> None:
        event = self._pieces[self._at]
        if self._stamped:
            event = event.replace(UNSTAMPED, b"%020d" % due, 1)
        self._transport.write(event)
        self._at += 1
        if self._at == len(self._pieces):
            self._leave()

    def pause_writing(self) -> None:
        """Pause: the client reads more slowly than the server writes."""
        self._paused = True

    def resume_writing(self) -> None:
        """Continue."""
        self._paused = False
        if self._pace is None:
            self._write_more()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's
        """Clean up."""
        self._pieces = []
        self._leave()

    def _leave(self) -> None:
        if self._pace is not None:
            self._pace.leave(self._write_due)
            self._pace = None


def stats(path: str) -> bytes:
    """Render a load; return the CPU seconds so far and how late paced chunks were, in ms."""
    _, _, dialect, model = path.split("/")
    load = Load.parse(model)
    known: Dialect = "openai" if dialect == "openai" else "gemini"
    pieces(load, known)
    single(load, known)
    late = sorted(lags)
    lags.clear()
    p99 = late[len(late) * 99 // 100] / 1e6 if late else 0.0
    body = json.dumps({"cpu": time.process_time(), "late": p99}).encode()
    return JSON % (len(body), body)


def certificate(path: str) -> ssl.SSLContext:
    """Create a CA, write its certificate to the path, and return the server's SSL context."""
    import trustme  # noqa: PLC0415  only TLS needs it

    authority = trustme.CA()
    authority.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


async def serve(tls: str | None) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    context = certificate(tls) if tls else None
    server = await loop.create_server(Wire, HOST, 0, ssl=context, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.disable()  # nothing here creates reference cycles
    ended = asyncio.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tls", metavar="FILE", help="use TLS, and write the CA certificate to this file"
    )
    allow_many_files()
    asyncio.run(serve(parser.parse_args().tls))
