"""Bulk runs: calls a second, the share of a limit that is used, and the cost of going on.

    python benchmarks/bulk.py [--rows N] [--seconds N] [--limit N]

The server runs in a process of its own. Each line is one run: calls a second, CPU time of the
client for each call, the share of the limit that was used, refusals, and rows that were lost. Peers
that are not installed are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulk_peers import IN_FLIGHT, MODEL, installed

from cometgem import Client, CometGemError
from cometgem.bulk import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LATENCY = 0.1  # seconds

BODY = (
    b'{"candidates":[{"content":{"role":"model","parts":[{"text":"' + b"An answer. " * 20 + b'"}]},'
    b'"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,'
    b'"candidatesTokenCount":40,"totalTokenCount":48},"modelVersion":"gemini-3.8-flash"}'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
REFUSED = b'{"error":{"code":429,"message":"too many","status":"RESOURCE_EXHAUSTED"}}'
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Content-Length: %d\r\n\r\n" % len(REFUSED)
) + REFUSED


class Answering(asyncio.Protocol):
    """One connection of the server, which admits ``limit`` requests a second."""

    limit = 0
    window, count, admitted, refused = 0, 0, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Answer a request when it is complete."""
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not found or len(body) < int(length or 0):
            return
        self._data = b""
        if head.startswith(b"GET"):
            text = b"%d %d" % (Answering.admitted, Answering.refused)
            Answering.admitted = Answering.refused = 0
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text
            )
            return
        admitted = self._admit()
        delay = LATENCY if admitted else 0.02
        answer = ANSWER if admitted else REFUSAL
        asyncio.get_running_loop().call_later(delay, self._transport.write, answer)

    @staticmethod
    def _admit() -> bool:
        window = int(time.monotonic())
        if window != Answering.window:
            Answering.window, Answering.count = window, 0
        if Answering.limit and Answering.count >= Answering.limit:
            Answering.refused += 1
            return False
        Answering.count += 1
        Answering.admitted += 1
        return True


async def serve(limit: int) -> None:
    """Serve until stdin ends."""
    Answering.limit = limit
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@asynccontextmanager
async def serving(limit: int = 0) -> AsyncIterator[tuple[Client, Any, str]]:
    """Start a server.

    Yields a client, a function that returns what was admitted and refused, and the URL.
    """
    with subprocess.Popen(  # noqa: ASYNC220, S603  our own script
        [sys.executable, __file__, "--serve", str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None  # noqa: S101
        assert process.stdin is not None  # noqa: S101
        port = int(process.stdout.readline())

        async def counts() -> tuple[int, int]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            admitted, refused = (await reader.read(100)).split()
            writer.close()
            return int(admitted), int(refused)

        try:
            url = f"http://127.0.0.1:{port}"
            async with Client("sk-benchmark", base_url=url) as client:
                yield client, counts, url
        finally:
            process.stdin.close()


def rows(count: int) -> Iterator[str]:
    """Yield prompts."""
    return (f"Prompt number {number}, of a usual length, about nothing." for number in range(count))


async def plain(client: Client, count: int) -> int:
    """Run 500 workers without anything around them; return how many rows were lost."""
    source, lost = rows(count), 0

    async def work() -> None:
        nonlocal lost
        for row in source:
            try:
                await client.generate_content(MODEL, row)
            except CometGemError:
                lost += 1

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return lost


async def mapped(client: Client, count: int, **options: Any) -> int:
    """Run ``client.map``; return how many rows were lost."""
    done = 0
    async with client.map(MODEL, rows(count), prompt=lambda row: row, **options) as run:
        async for result in run:
            done += result.error is None
    return count - done if "deadline" not in options else 0


async def measure(name: str, limit: int, work: Any) -> tuple[float, float]:
    """Run and print one line; return calls a second and the CPU time of a call in µs."""
    async with serving(limit) as (client, counts, url):
        began, cpu = time.perf_counter(), time.process_time()
        lost = await work(client, url)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        admitted, refused = await counts()
    share = f"{admitted / (limit * took):7.1%}" if limit else "      -"
    each = cpu / max(1, admitted) * 1e6
    print(
        f"{name:42} {admitted / took:8,.0f}/s {each:6.0f} µs {share}"
        f" {refused / max(1, admitted + refused):6.2%} refused {lost:6,} lost",
        flush=True,
    )
    return admitted / took, each


async def resume(count: int) -> None:
    """Write the results of many rows, and run once more."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.jsonl"
        async with serving() as (client, _, _):
            fast = Limits(rpm=1e9, concurrency=IN_FLIGHT)
            await mapped(client, count, results=path, limits=fast)
            began = time.perf_counter()
            await mapped(client, count, results=path, limits=fast)
            took = time.perf_counter() - began
    print(f"{'a run over finished rows':42} {count / took:8,.0f}/s")


async def main(count: int, limit: int, seconds: float) -> None:
    """Run everything."""
    fast, peers = Limits(rpm=1e9, concurrency=IN_FLIGHT), installed()
    print(f"{count:,} rows, {IN_FLIGHT} in flight, {LATENCY * 1000:.0f} ms")
    _, by_hand = await measure("500 plain workers", 0, lambda c, _: plain(c, count))
    _, each = await measure("client.map", 0, lambda c, _: mapped(c, count, limits=fast))
    print(f"{'CPU time, as a multiple':42} {each / by_hand:8.2f}")
    for name, peer in peers.items():
        await measure(name, 0, lambda c, url, peer=peer: peer(c, url, rows(count // 5), seconds))
    print(f"\nlimit of {limit} a second, {seconds:g} s")
    for name, limits in (
        ("client.map, rate known", Limits(rpm=limit * 60)),
        ("client.map, rate unknown", Limits()),
    ):
        await measure(
            name,
            limit,
            lambda c, _, limits=limits: mapped(c, 10**9, limits=limits, deadline=seconds),
        )
    # Rows for the whole time.
    some = int(limit * seconds)
    for name, peer in peers.items():
        await measure(name, limit, lambda c, url, peer=peer: peer(c, url, rows(some), seconds))
    print()
    await resume(count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    asyncio.run(
        serve(given.serve)
        if given.serve is not None
        else main(given.rows, given.limit, given.seconds)
    )
