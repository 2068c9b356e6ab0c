"""A server that sends exactly the given bytes; FakeServer always speaks valid HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Self, TypeAlias

from cometgem.testing.connections import HOST, listen, reset

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Sequence
    from concurrent.futures import Future

__all__ = ["Act", "Drip", "Flood", "Pause", "RawServer", "Script", "Step"]

MOST_SECONDS = 30.0


class Act(Enum):
    """Steps that send no bytes. A script without an ending step keeps the connection open."""

    UNREAD = auto()  # as the first step: do not wait for a request
    SILENCE = auto()
    CLOSE = auto()
    RESET = auto()
    HOLD = auto()  # until `resume()`
    DRAIN = auto()  # read the rest, then close, so that no reset overtakes the response


@dataclass(frozen=True)
class Drip:
    """Bytes sent one by one, with a delay in seconds after each."""

    data: bytes
    seconds: float = 0.0


@dataclass(frozen=True)
class Flood:
    """The same bytes, sent a number of times."""

    data: bytes
    times: int


@dataclass(frozen=True)
class Pause:
    """A delay in seconds."""

    seconds: float


Step: TypeAlias = bytes | Drip | Flood | Pause | Act
Script: TypeAlias = tuple[Step, ...]

_JSON = b'{"candidates":[{"content":{"parts":[{"text":"Hello"}]},"finishReason":"STOP"}]}'
GOOD: Script = (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_JSON), _JSON),)


class RawServer:
    """Answers each request with the next script, and with a valid response after the last.

    Attributes:
        requests: How many complete requests arrived.
        connections: How many connections were accepted.
        open_connections: How many of them are open.
        bytes_sent: Bytes passed to the socket, including a few still buffered.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests = 0
        self.connections = 0
        self.open_connections = 0
        self.bytes_sent = 0
        self.api_key = "sk-raw-key"
        self._scripts = list(scripts)
        self._tls = tls
        self._listener: socket.socket
        self._loop: asyncio.AbstractEventLoop
        self._started = threading.Event()
        self._resumed = asyncio.Event()
        self._stopped = asyncio.Event()
        self._doomed: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._listener = listen(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(MOST_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(MOST_SECONDS)

    def resume(self) -> None:
        """Let the script continue after its `HOLD`."""
        self._loop.call_soon_threadsafe(self._resumed.set)

    def hang_up(self, *, by_reset: bool) -> None:
        """Close all connections, and return once they are closed."""

        async def close() -> None:
            for writer in list(self._writers):
                if by_reset:
                    reset(writer.transport)  # type: ignore[arg-type]
                else:
                    writer.close()
            while self.open_connections:
                await asyncio.sleep(0.001)

        closing: Future[None] = asyncio.run_coroutine_threadsafe(close(), self._loop)
        closing.result(MOST_SECONDS)

    def say(self, data: bytes) -> None:
        """Send bytes on all connections now, asked or not; return when they are under way."""

        async def write() -> None:
            for writer in list(self._writers):
                await self._write(writer, data)

        asyncio.run_coroutine_threadsafe(write(), self._loop).result(MOST_SECONDS)

    def doom(self) -> None:
        """Close each of the present connections at its next request, without an answer."""
        self._doomed = set(self._writers)

    def _run(self) -> None:
        # The plain loop, whatever the policy of the test: see the end of `_serve`.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._handle, sock=self._listener, ssl=self._tls)
        self._started.set()
        await self._stopped.wait()
        # A connection that is being accepted must be complete before it can be closed; its socket
        # would otherwise stay open, and the ResourceWarning would hit whichever test runs next.
        self._loop.remove_reader(self._listener)
        await _few_iterations()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # handlers, and TLS handshakes, whose transports close with them
        await _few_iterations()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            async with asyncio.timeout(MOST_SECONDS):
                while await self._answer(reader, writer):
                    pass
        writer.transport.abort()
        self._writers.discard(writer)
        self.open_connections -= 1

    async def _answer(  # noqa: C901, PLR0912  a branch for each step of a script
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Perform one script; return whether the connection stays open."""
        script: Sequence[Step] = self._scripts[0] if self._scripts else GOOD
        if script[0] is not Act.UNREAD:
            await _read_request(reader)
            self.requests += 1
            if writer in self._doomed:
                return False
            script = self._scripts[0] if self._scripts else GOOD
        del self._scripts[:1]
        for step in script:
            match step:
                case Act.SILENCE:
                    await reader.read()
                    return False
                case Act.HOLD:
                    await self._resumed.wait()
                case Act.DRAIN:
                    writer.write_eof()
                    await reader.read()
                    return False
                case Act.CLOSE:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
                    return False
                case Act.RESET:
                    reset(writer.transport)  # type: ignore[arg-type]
                    return False
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Drip(data, seconds):
                    for at in range(len(data)):
                        await self._write(writer, data[at : at + 1])
                        await asyncio.sleep(seconds)
                case Flood(data, times):
                    for _ in range(times):
                        await self._write(writer, data)
                case bytes():
                    await self._write(writer, step)
        return True

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.bytes_sent += len(data)
        writer.write(data)
        await writer.drain()


async def _few_iterations() -> None:
    """Let the event loop finish what it has begun: accepting or closing takes a few iterations."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    await reader.readexactly(int(length))
