"""How many streams of 50 chunks/s one core can handle without falling behind."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any

from reading import Reader
from workload import STAMP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clients import Adapter
    from scenarios import Scenario

__all__ = ["largest", "lateness"]

LATE = 20.0  # milliseconds
TRIES = 2  # since other processes on the machine can delay a chunk
PATIENCE = 10.0  # seconds per step
STAMPS = re.compile(rb'"text": "(\d{%d})' % STAMP)


async def largest(holds: Callable[[int], Awaitable[bool]], start: int, most: int) -> int:
    """Return the largest number that holds, within 1/16: double it, then bisect."""
    low, high = 0, start
    while await holds(high):
        if high >= most:
            return high
        low, high = high, high * 2
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        if await holds(middle):
            low = middle
        else:
            high = middle
    return low


async def lateness(adapter: Adapter, scenario: Scenario, streams: int) -> float:
    """Return the p99 of the milliseconds from a chunk's due time until the client hands it out.

    The first third of each stream is left out, since all streams start at once.
    """
    reader = Reader(adapter, replace(scenario.load, gate=streams))
    reader.expect()
    late: list[list[int]] = []
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for _ in range(streams):
                group.create_task(reader.stream(_watch(late, decodes=adapter.decodes)))
    except TimeoutError:
        return inf
    every = sorted(chain.from_iterable(stream[len(stream) // 3 :] for stream in late))
    return every[len(every) * 99 // 100] / 1e6


def _watch(late: list[list[int]], *, decodes: bool) -> Callable[[Any], None]:
    mine: list[int] = []
    late.append(mine)

    def watch_text(text: str) -> None:
        mine.append(time.monotonic_ns() - int(text[:STAMP]))

    def watch_bytes(data: bytes) -> None:
        now = time.monotonic_ns()
        mine.extend(now - int(stamp) for stamp in STAMPS.findall(data))

    return watch_text if decodes else watch_bytes
