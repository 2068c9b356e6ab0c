"""How each kind of scenario is run, and what is measured in it."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
import statistics
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from capacity import LATE, TRIES, largest, lateness
from counting import Reads
from machine import memory, peak_memory
from reading import Reader, WrongError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clients import Adapter
    from scenarios import Scenario
    from workload import Load

    Measured = dict[str, float]

__all__ = ["RUNS"]

MB = 1e6
WARM_UP = 50  # chunks or calls
MAX_GROWTH = 10.5  # times the calls for 10 times the chunks


def _collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


class Meter:
    """Measures the time of this process and of the server, from ``start`` to ``stop``."""

    def __init__(self, adapter: Adapter, load: Load) -> None:
        self._adapter = adapter
        self._load = load

    async def prepare(self) -> None:
        """Have the server render the load, and collect garbage."""
        self._server = await self._ask()
        gc.collect()

    def start(self) -> None:
        """Start measuring."""
        self._collected = _collections()
        self._reads = Reads.count
        self.wall = -time.perf_counter()
        self.cpu = -time.process_time()

    def stop(self) -> None:
        """Stop measuring."""
        self.cpu += time.process_time()
        self.wall += time.perf_counter()
        self._collected = _collections() - self._collected
        self._reads = Reads.count - self._reads

    async def per(self, chunks: int) -> Measured:
        """Return the figures for a number of chunks."""
        after = await self._ask()
        server = after["cpu"] - self._server["cpu"]
        counted = {"per_read": chunks / self._reads} if self._reads else {}
        return counted | {
            "cpu": self.cpu / chunks * 1e6,
            "wall": self.wall / chunks * 1e6,
            "rate": chunks / self.wall,
            "peak": peak_memory() / MB,
            "collections": self._collected,
            "busy": self.cpu / self.wall * 100,
            "server": server / chunks * 1e6,
            "server_busy": server / self.wall * 100,
            "late": after["late"],
        }

    async def _ask(self) -> Measured:
        """Ask the server for its statistics, without using the measured client."""
        url = urlsplit(self._adapter.base_url)
        context = ssl.create_default_context() if url.scheme == "https" else None
        reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=context)
        writer.write(
            f"GET /stats/{self._adapter.dialect}/{self._load.model} HTTP/1.1\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.rpartition(b":")[2]))
        writer.close()
        await writer.wait_closed()
        answer: Measured = json.loads(body)
        return answer


async def burst(adapter: Adapter, scenario: Scenario) -> Measured:
    """As fast as the client reads."""
    reader, meter = Reader(adapter, scenario.load), Meter(adapter, scenario.load)
    await _warm_up(adapter, scenario)
    reader.expect()
    await meter.prepare()
    meter.start()
    for _ in range(scenario.repeat):
        await reader.streams(scenario.streams)
    meter.stop()
    return await meter.per(scenario.load.chunks * scenario.streams * scenario.repeat)


async def paced(adapter: Adapter, scenario: Scenario) -> Measured:
    """At the server's pace; measured from the first chunk on, when all streams are open."""
    reader, meter = Reader(adapter, scenario.load), Meter(adapter, scenario.load)
    await _warm_up(adapter, scenario)
    reader.expect()
    await meter.prepare()
    running = asyncio.ensure_future(reader.streams(scenario.streams))
    # Polled, since a callback would be called for each chunk.
    while not any(reader.begun) and not running.done():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    meter.start()
    await running
    meter.stop()
    return await meter.per(scenario.load.chunks * scenario.streams)


async def capacity(adapter: Adapter, scenario: Scenario) -> Measured:
    """Search for the largest number of streams."""
    p99: dict[int, float] = {}
    server: dict[int, float] = {}

    async def holds(streams: int) -> bool:
        for _ in range(TRIES):
            meter = Meter(adapter, replace(scenario.load, gate=streams))
            await meter.prepare()
            meter.start()
            p99[streams] = await lateness(adapter, scenario, streams)
            meter.stop()
            server[streams] = (await meter.per(1))["server_busy"]
            if p99[streams] < LATE:
                return True
        return False

    await _warm_up(adapter, scenario)
    streams = await largest(holds, scenario.streams, scenario.most)
    return {"streams": streams, "p99": p99.get(streams, 0), "server": server.get(streams, 0)}


async def picture(adapter: Adapter, scenario: Scenario) -> Measured:
    """One large line: memory is measured in the first run, time in the others."""
    meter = Meter(adapter, scenario.load)
    await adapter.picture(replace(scenario.load, picture=1).model)
    await meter.prepare()
    before = memory()
    pictures = [await adapter.picture(scenario.load.model)]
    growth = peak_memory() - before
    times = []
    for _ in range(scenario.repeat):
        pictures.clear()
        await meter.prepare()
        meter.start()
        pictures.append(await adapter.picture(scenario.load.model))
        meter.stop()
        times.append((meter.wall, meter.cpu))
    if adapter.decodes and pictures != [scenario.load.picture_data()]:
        raise WrongError("the picture is not the one that was sent")
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    body = scenario.load.picture << 20
    return {"wall": wall * 1e3, "cpu": cpu * 1e3, "memory": growth / body}


async def growth(adapter: Adapter, scenario: Scenario) -> Measured:
    """Compare ten times the chunks with the small stream."""
    small = await burst(adapter, scenario)
    large = await burst(adapter, replace(scenario, load=_ten_times(scenario.load), repeat=1))
    return {"growth": 10 * large["cpu"] / small["cpu"], "cpu": large["cpu"], "peak": large["peak"]}


async def growth_of_calls(adapter: Adapter, scenario: Scenario) -> Measured:
    """The same in function calls, whose number does not depend on the machine."""
    await _warm_up(adapter, scenario)
    small = await _calls(adapter, scenario.load)
    large = await _calls(adapter, _ten_times(scenario.load))
    if large > MAX_GROWTH * small:
        raise WrongError(f"{large} calls for 10 times the chunks of {small} calls")
    return {"growth": large / small}


async def first(adapter: Adapter, scenario: Scenario) -> Measured:
    """The time from the request to the first text, one stream after the other."""
    reader, meter = Reader(adapter, scenario.load), Meter(adapter, scenario.load)
    for _ in range(min(WARM_UP, scenario.repeat)):
        await reader.stream()
    await meter.prepare()
    meter.start()
    times: list[float] = []
    waits = []
    for _ in range(scenario.repeat):
        begun = time.perf_counter()
        times.clear()
        await reader.stream(lambda _: times.append(time.perf_counter()))
        waits.append((times[0] - begun) * 1e6)
    meter.stop()
    waits.sort()
    p50, p99 = (waits[len(waits) * percent // 100] for percent in (50, 99))
    return {"p50": p50, "p99": p99, "cpu": meter.cpu / scenario.repeat * 1e6}


async def waiting(adapter: Adapter, scenario: Scenario) -> Measured:
    """Streams that have received their first chunk and wait for the next."""
    reader = Reader(adapter, scenario.load)
    await _warm_up(adapter, replace(scenario, load=replace(scenario.load, hold=0), streams=1))
    gc.collect()
    before = memory()
    streams = [asyncio.ensure_future(reader.stream()) for _ in range(scenario.streams)]
    while not (len(reader.begun) == scenario.streams and all(reader.begun)):
        await asyncio.wait(streams, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for stream in streams:
            if stream.done():
                await stream
                raise WrongError("a stream ended that should be waiting")
    gc.collect()
    grown = memory() - before
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return {"memory": grown / scenario.streams / 1e3, "peak": peak_memory() / MB}


async def single(adapter: Adapter, scenario: Scenario) -> Measured:
    """Single calls."""
    reader, meter = Reader(adapter, scenario.load), Meter(adapter, scenario.load)
    reader.expect()
    await reader.calls(scenario.streams, scenario.streams)
    await meter.prepare()
    meter.start()
    await reader.calls(scenario.load.chunks, scenario.streams)
    meter.stop()
    return await meter.per(scenario.load.chunks)


async def _warm_up(adapter: Adapter, scenario: Scenario) -> None:
    """Open the connections and exercise the client a few times."""
    load = scenario.load
    few = replace(load, chunks=min(load.chunks, WARM_UP), every=0, gate=0)
    await Reader(adapter, few).streams(scenario.streams)


async def _calls(adapter: Adapter, load: Load) -> int:
    reader, meter = Reader(adapter, load), Meter(adapter, load)
    reader.expect()
    await meter.prepare()
    count = 0

    def profile(_: Any, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        await reader.stream()
    finally:
        sys.setprofile(None)
    return count


def _ten_times(load: Load) -> Load:
    return replace(load, chunks=10 * load.chunks)


RUNS: dict[str, Callable[[Adapter, Scenario], Awaitable[Measured]]] = {
    "burst": burst,
    "paced": paced,
    "capacity": capacity,
    "picture": picture,
    "growth": growth,
    "calls": growth_of_calls,
    "first": first,
    "memory": waiting,
    "single": single,
}
