"""Memory and cost of many rows, with a client that answers at once.

`BULK_ROWS=1000000` sets how many.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cometgem import Client
from cometgem.bulk import Limits
from cometgem.response.codec import decode_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.http.attempts import Gate
    from cometgem.options import GenerateOptions
    from cometgem.request.build import Request
    from cometgem.types.response import GenerateContentResponse

ROWS = int(os.environ.get("BULK_ROWS", "50000"))
MEGABYTES = 50 * ROWS / 1_000_000 + 10

ANSWER = (
    b'{"candidates":[{"content":{"role":"model","parts":[{"text":"' + b"An answer. " * 20 + b'"}]},'
    b'"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,'
    b'"candidatesTokenCount":40,"totalTokenCount":48},"modelVersion":"gemini-3.8-flash"}'
)


async def answer(request: Request, options: GenerateOptions, gate: Gate) -> GenerateContentResponse:
    """Take the place of the transport."""
    del request, options
    if not gate.admit_now():
        await gate.admit()
    await asyncio.sleep(0)
    return decode_chunk(ANSWER)


def rss() -> float:
    """The memory of this process, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def rows() -> Iterator[str]:
    for number in range(ROWS):
        yield f"Prompt number {number}, of a usual length, about nothing."


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_does_not_grow_with_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    async with Client("sk-fake", base_url="http://127.0.0.1:9") as client:
        monkeypatch.setattr(client, "_send", answer)

        async def go() -> tuple[int, float, float]:
            before, began, reused, highest = rss(), time.perf_counter(), 0, 0.0
            async with client.map(
                "gemini-3.8-flash",
                rows(),
                prompt=lambda row: row,
                key=lambda row: row[:24],
                results=path,
                limits=Limits(rpm=1e9, concurrency=50),
            ) as run:
                async for result in run:
                    assert result.error is None
                    reused += result.reused
                    if not result.index % 10_000:
                        highest = max(highest, rss())
            assert run.progress.done == ROWS
            return reused, max(highest, rss()) - before, time.perf_counter() - began

        reused, grown, seconds = await go()
        print(f"{ROWS:,} rows: {grown:.0f} MB, {seconds:.1f} s")  # noqa: T201
        assert reused == 0
        assert grown < MEGABYTES
        reused, grown, seconds = await go()
        print(f"{ROWS:,} reused: {grown:.0f} MB, {seconds:.1f} s")  # noqa: T201
        assert reused == ROWS
        assert grown < MEGABYTES
