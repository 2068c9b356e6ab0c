"""What a streamed chunk costs the client, beside reading the bytes and throwing them away.

python benchmarks/stream_throughput.py --chunks 20000 --rounds 7
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING

import aiohttp

from cometgem import Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection

MODEL = "gemini-2.5-flash"
WORDS = "Far lamps that no one lit, and still they keep the night. "


def render(chunks: int) -> bytes:
    """Return the body of one stream, 450 bytes a chunk, each in an HTTP chunk of its own."""
    chunk = {
        "candidates": [{"content": {"parts": [{"text": WORDS}], "role": "model"}, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 34,
            "totalTokenCount": 46,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
        },
        "modelVersion": MODEL,
        "responseId": "kLewaKa5ONqI-8YP-c_NuAQ",
    }
    middle = http_chunk(chunk)
    chunk["candidates"][0]["finishReason"] = "STOP"  # type: ignore[index]
    return middle * (chunks - 1) + http_chunk(chunk) + b"0\r\n\r\n"


def http_chunk(chunk: object) -> bytes:
    """Frame one event as a gateway sends it."""
    event = f"data: {json.dumps(chunk)}\r\n\r\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


def serve(pipe: Connection, chunks: int) -> None:
    """Answer every POST with the same stream, until the process is ended."""
    body = render(chunks)
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def drain(url: str, _: str) -> None:
    """Read the bytes and throw them away: nobody can be faster on aiohttp."""
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{}") as response:
        while await response.content.readany():
            pass


async def stream(url: str, expected: str) -> None:
    """Decode every chunk, read its text, and merge them all."""
    async with Client("benchmark-key", base_url=url) as client:
        stream = client.stream_generate_content(MODEL, "Hi")
        texts = [chunk.text async for chunk in stream]
        final = await stream.get_final_response()
    if not "".join(texts) == final.text == expected:
        raise SystemExit("cometgem returned another text than was sent")


def cpu_seconds(run: Callable[[str, str], Awaitable[None]], url: str, expected: str) -> float:
    """Return the CPU seconds of this process for one run."""

    async def main() -> float:
        start = time.process_time()
        await run(url, expected)
        return time.process_time() - start

    return asyncio.run(main())


def main() -> None:
    """Run both in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=20_000, help="chunks of a stream")
    parser.add_argument("--rounds", type=int, default=5, help="how often each client runs")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, options.chunks), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    expected = WORDS * options.chunks
    seconds: dict[str, list[float]] = {"drain": [], "cometgem": []}
    for _ in range(options.rounds):
        seconds["drain"].append(cpu_seconds(drain, url, expected))
        seconds["cometgem"].append(cpu_seconds(stream, url, expected))
    server.terminate()
    for name, runs in seconds.items():
        print(f"{name:10} {statistics.median(runs) / options.chunks * 1e6:7.2f} µs CPU a chunk")
    ratio = statistics.median(
        ours / floor for ours, floor in zip(seconds["cometgem"], seconds["drain"], strict=True)
    )
    print(f"{'ratio':10} {ratio:7.2f}")


if __name__ == "__main__":
    main()
