"""What it costs to pass streams on to browsers.

python benchmarks/web_relay.py [--seconds 5] [--rounds 3] [--backend native ui ...] [--quick]

The wire server, the backend and the viewers are a process each. A backend serves 40 viewers at 40
chunks/s: CPU time for each relayed chunk. At half of that load: how much later than at the wire
server itself a chunk arrives. Then 1,000 viewers, of which 100 stall: what the others notice, and
the memory for each viewer who stalls.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from machine import allow_many_files
from workload import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
READING = "reading"
PATHS = {
    READING: "reading",
    "native": "relay/native",
    "text": "relay/text",
    "events": "relay/events",
    "ui": "relay/ui",
    "StreamingResponse by hand": "by-hand",
    "sse-starlette": "sse-starlette",
    "FastAPI EventSourceResponse": "fastapi",
    "google-genai, EventSourceResponse": "google-genai",
}
OURS = ("native", "text", "events", "ui")
VIEWERS = 40
EVERY = 25  # milliseconds
CROWD = 1000
STALLED = 100
STAMP = re.compile(rb"\d{20}")


class Viewer:
    """Reads one response and notes how late each chunk was, in milliseconds."""

    def __init__(self, url: str, path: str, body: bytes = b"") -> None:
        self.late: list[float] = []
        self.size = 0
        self._url = urlsplit(url)
        self._path = path
        self._body = body

    async def open(self, buffer: int | None = None) -> asyncio.StreamReader:
        """Send the request; ``buffer`` limits what the system receives for it, in bytes."""
        connection = socket.socket()
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.setblocking(False)  # noqa: FBT003
        address = (self._url.hostname, self._url.port)
        await asyncio.get_running_loop().sock_connect(connection, address)
        reader, self._writer = await asyncio.open_connection(sock=connection)
        method = "POST" if self._body else "GET"
        head = f"{method} /{self._path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        self._writer.write(f"{head}Content-Length: {len(self._body)}\r\n\r\n".encode() + self._body)
        return reader

    async def watch(self) -> None:
        """Read to the end."""
        reader = await self.open()
        rest = b""
        while data := await reader.read(65_536):
            now = time.monotonic_ns()
            self.size += len(data)
            data = rest + data
            end = 0
            for found in STAMP.finditer(data):
                self.late.append((now - int(found[0])) / 1e6)
                end = found.end()
            rest = data[max(end, len(data) - 19) :]
            if data.endswith(b"0\r\n\r\n"):
                break
        self._writer.close()

    def leave(self) -> None:
        """Close the connection."""
        self._writer.close()


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """Start one of our scripts, and yield its URL."""
    with subprocess.Popen(  # noqa: S603  our own scripts
        [sys.executable, *arguments],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101  for the type
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def state(backend: str) -> dict[str, float]:
    """Return the CPU time and the memory of a backend."""
    viewer = Viewer(backend, "state")
    reader = await viewer.open()
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    viewer.leave()
    found: dict[str, float] = json.loads(body)
    return found


async def crowd(url: str, path: str, load: Load) -> list[Viewer]:
    """Let as many viewers watch as the load waits for."""
    query = f"{path}?model={load.model}"
    viewers = [Viewer(url, query) for _ in range(load.gate)]
    await asyncio.gather(*(viewer.watch() for viewer in viewers))
    return viewers


async def cpu(backend: str, path: str, seconds: float) -> float:
    """Return the CPU time of one relayed chunk, in microseconds."""
    chunks = int(seconds * 1000 / EVERY)
    await crowd(backend, path, Load(chunks=4, every=EVERY, gate=4))  # warm
    before = await state(backend)
    viewers = await crowd(backend, path, Load(chunks=chunks, every=EVERY, gate=VIEWERS))
    after = await state(backend)
    assert all(viewer.size for viewer in viewers)  # noqa: S101  a refused request costs nothing
    return 1e6 * (after["cpu"] - before["cpu"]) / (VIEWERS * chunks)


def quantiles(late: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    ordered = sorted(late)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


async def direct(api: str, load: Load) -> tuple[float, float]:
    """Return the delays of viewers who read the wire server themselves."""
    path = f"v1beta/models/{load.model}:streamGenerateContent"
    viewers = [Viewer(api, path, b"{}") for _ in range(load.gate)]
    await asyncio.gather(*(viewer.watch() for viewer in viewers))
    return quantiles([late for viewer in viewers for late in viewer.late])


async def latency(api: str, backend: str, path: str, seconds: float) -> tuple[float, float]:
    """Return by how much a backend delays chunks at half load, in ms: median and p99."""
    load = Load(chunks=int(seconds * 1000 / EVERY), every=EVERY, gate=VIEWERS // 2, stamped=1)
    base = await direct(api, load)
    viewers = await crowd(backend, path, load)
    late = [late for viewer in viewers for late in viewer.late]
    assert late  # noqa: S101
    found = quantiles(late)
    return found[0] - base[0], found[1] - base[1]


async def stalled(backend: str, path: str, seconds: float, size: int) -> dict[str, float]:
    """Return what stalled viewers cost, and what the others notice, with a tenth who stall."""
    stalls, rest = size * STALLED // CROWD, size - size * STALLED // CROWD
    load = Load(chunks=max(2, int(seconds)), every=1000, gate=rest, stamped=1)
    await crowd(backend, path, Load(chunks=2, every=10, gate=rest, stamped=1))  # warm
    calm = quantiles([x for one in await crowd(backend, path, load) for x in one.late])
    before = await state(backend)
    endless = Load(chunks=20_000, flushed=1).model
    sleepers = [Viewer(backend, f"{path}?model={endless}") for _ in range(stalls)]
    readers = [await sleeper.open(16_384) for sleeper in sleepers]  # whose buffers fill up
    await asyncio.sleep(3)
    after = await state(backend)
    late = quantiles([x for one in await crowd(backend, path, load) for x in one.late])
    for sleeper in sleepers:
        sleeper.leave()
    del readers
    return {
        "KB for each who stalls": (after["memory"] - before["memory"]) / stalls / 1000,
        "p99 ms of the others": late[1],
        "p99 ms before": calm[1],
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return all measurements."""
    results: dict[str, Any] = {}
    with running("server.py") as api, running("web_backends.py", api) as backend:
        for _ in range(200):
            with contextlib.suppress(OSError, ValueError):
                await state(backend)
                break
            await asyncio.sleep(0.1)
        names = list(dict.fromkeys([READING, *options.backend]))
        costs: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                costs[name].append(await cpu(backend, PATHS[name], options.seconds))
        for name in names:
            ratios = [a / b for a, b in zip(costs[name], costs[READING], strict=True)]
            results[name] = {
                "CPU us": statistics.median(costs[name]),
                "times reading": statistics.median(ratios),
            }
            if name != READING:
                added = await latency(api, backend, PATHS[name], options.seconds)
                results[name] |= dict(zip(("added p50 ms", "added p99 ms"), added, strict=True))
        if "native" in names:
            size = 50 if options.quick else CROWD
            found = await stalled(backend, PATHS["native"], options.seconds, size)
            results[f"native, {size} viewers"] = found
    return results


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--quick", action="store_true", help="only check that everything works")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds = 0.5, 1
    allow_many_files()
    for name, figures in asyncio.run(measure(options)).items():
        print(f"{name:35}", *(f"{key} {value:.1f}  " for key, value in figures.items()))


if __name__ == "__main__":
    main()
