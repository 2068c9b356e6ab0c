"""What is measured, and cometgem's goals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from workload import Load

__all__ = ["COLUMNS", "FLOOR", "GENAI", "SCENARIOS", "Column", "Limit", "Scenario"]

Kind = Literal[
    "burst",
    "paced",
    "capacity",
    "picture",
    "growth",
    "calls",
    "first",
    "memory",
    "single",
    "import",
]

OURS = "cometgem"
FLOOR = "aiohttp-drain"
BY_HAND = "aiohttp-msgspec"
GENAI = "google-genai"


@dataclass(frozen=True)
class Column:
    """One measured number.

    Attributes:
        key: Its name in the results.
        title: The column title, with the unit.
        digits: The number of decimals.
        more_is_better: Whether a larger number is better.
    """

    key: str
    title: str
    digits: int = 2
    more_is_better: bool = False


@dataclass(frozen=True)
class Limit:
    """A goal for cometgem.

    Attributes:
        how: What is compared with ``value``. ``value``: the figure is at most that.
            ``ratio``: divided by the other client's, it is at most that. ``over``: it exceeds the
            other client's by at most that. ``better``: it is at least that many times better.
        value: The limit.
        than: The other client.
        key: The column; defaults to the first.
    """

    how: Literal["value", "ratio", "over", "better"]
    value: float
    than: str = FLOOR
    key: str = ""


@dataclass(frozen=True)
class Scenario:
    """One row of the results.

    Attributes:
        name: The name on the command line.
        title: A description.
        kind: How it is run and what is measured; see ``COLUMNS``.
        load: What each stream is.
        streams: At the same time; for ``capacity`` the number to start from.
        most: Of ``capacity``, the number to stop at.
        repeat: How often within one process, for longer and so steadier times.
        limits: What cometgem must reach.
        floor: The client to compare with; "" if there is none.
        rounds: The maximum number of rounds, for a scenario that takes long.
        uvloop: Run on uvloop.
        own_memory: Leave malloc in the state in which the client's imports leave it. In other
            scenarios, no client's reads take blocks from ``mmap``.
        fails: Clients that are expected to fail; this does not fail the run.
    """

    name: str
    title: str
    kind: Kind
    load: Load = field(default_factory=Load)
    streams: int = 1
    most: int = 6400
    repeat: int = 1
    limits: tuple[Limit, ...] = ()
    floor: str = FLOOR
    rounds: int = 100
    uvloop: bool = False
    own_memory: bool = False
    fails: tuple[str, ...] = ()

    def small(self) -> Scenario:
        """Return a version so small that it only shows whether the scenario works."""
        if self.kind == "growth":
            return replace(self, kind="calls", load=replace(self.load, chunks=1000))
        load = self.load
        streams = min(self.streams, 4)
        small = replace(
            load,
            chunks=min(load.chunks, 12),
            every=min(load.every, 10),
            gate=min(load.gate, streams),
            picture=min(load.picture, 1),
        )
        return replace(self, load=small, streams=streams, most=streams, repeat=min(self.repeat, 3))


CPU = (
    Column("cpu", "CPU µs/chunk"),
    Column("per_read", "chunks/read", 1),
    Column("mremap", "mremap/read"),
    Column("wall", "wall µs/chunk"),
    Column("rate", "chunks/s", 0, more_is_better=True),
    Column("peak", "peak MB", 1),
    Column("collections", "garbage collections", 0),
    Column("server", "server µs/chunk"),
)

COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "burst": CPU,
    "paced": (*CPU, Column("busy", "busy %", 0), Column("late", "server late p99 ms", 1)),
    "capacity": (
        Column("streams", "streams", 0, more_is_better=True),
        Column("p99", "p99 lateness ms", 1),
        Column("server", "server busy %", 0),
    ),
    "picture": (
        Column("wall", "wall ms", 1),
        Column("cpu", "CPU ms", 1),
        Column("memory", "peak memory / body"),
    ),
    "growth": (
        Column("growth", "10 times costs"),
        Column("cpu", "CPU µs/chunk"),
        Column("peak", "peak MB", 1),
    ),
    "calls": (Column("growth", "10 times costs"),),
    "first": (
        Column("p50", "p50 µs", 0),
        Column("p99", "p99 µs", 0),
        Column("cpu", "CPU µs/stream", 0),
    ),
    "memory": (Column("memory", "kB/stream", 1), Column("peak", "peak MB", 1)),
    "single": (
        Column("cpu", "CPU µs/call", 0),
        Column("wall", "wall µs/call", 0),
        Column("peak", "peak MB", 1),
    ),
    "import": (Column("wall", "ms", 0), Column("cpu", "CPU ms", 0)),
}


def ratio(floor: float, genai: float | None = None) -> tuple[Limit, ...]:
    """Return the usual one or two limits."""
    limits = (Limit("ratio", floor),)
    return limits if genai is None else (*limits, Limit("better", genai, GENAI))


def variant(of: Scenario, name: str, title: str, *, uvloop: bool = False, **load: int) -> Scenario:
    """Return a scenario with another load and without limits."""
    return replace(
        of,
        name=f"{of.name}-{name}",
        title=f"{of.title}, {title}",
        load=replace(of.load, **load),
        limits=(),
        uvloop=uvloop,
    )


BURST_1 = Scenario(
    "burst-1",
    "burst: 1 stream of 2,000 chunks",
    "burst",
    Load(chunks=2000, flushed=1),
    repeat=10,
    limits=ratio(1.25, 28),
)
BURST = Scenario(
    "burst-50",
    "burst: 50 streams of 500 chunks",
    "burst",
    Load(chunks=500, flushed=1),
    streams=50,
    limits=ratio(1.25, 28),
)
PACED = Scenario(
    "paced-200",
    "paced: 200 streams, a chunk each 20 ms",
    "paced",
    Load(chunks=150, every=20, gate=200),
    streams=200,
    limits=(
        Limit("ratio", 1.40),
        Limit("better", 6, GENAI),
        Limit("value", 0, key="collections"),
    ),
)

_SCENARIOS = [
    BURST_1,
    BURST,
    PACED,
    Scenario(
        "paced-1000",
        "paced: 1,000 streams, a chunk each 100 ms",
        "paced",
        Load(chunks=40, every=100, gate=1000),
        streams=1000,
        limits=ratio(1.40),
    ),
    Scenario(
        "capacity",
        "streams of 50 chunks/s that one core carries, 99 % of the chunks less than 20 ms late",
        "capacity",
        Load(chunks=75, every=20, stamped=1),
        streams=25,
        limits=(Limit("better", 6, GENAI),),
        rounds=3,
    ),
    Scenario(
        "picture",
        "a picture of 32 MiB in one line",
        "picture",
        Load(chunks=1, picture=32),
        repeat=3,
        limits=(Limit("ratio", 4), Limit("value", 3, key="memory")),
        fails=("aiohttp-lines", "openai"),
    ),
    Scenario(
        "growth",
        "1 stream of 100,000 chunks, beside one of 10,000",
        "growth",
        Load(chunks=10_000),
        repeat=3,
        limits=(Limit("value", 11),),
        floor="",
        rounds=3,
    ),
    Scenario(
        "first-chunk",
        "time to the first chunk, 1 stream",
        "first",
        Load(chunks=3),
        repeat=500,
        limits=(Limit("over", 150),),
    ),
    Scenario(
        "memory",
        "memory of an open stream that waits, 2,000 open",
        "memory",
        Load(chunks=2, hold=1),
        streams=2000,
        limits=ratio(1.2),
    ),
    Scenario(
        "single",
        "2,000 single calls, 50 at a time",
        "single",
        Load(chunks=2000),
        streams=50,
        limits=(Limit("ratio", 1.20, BY_HAND), Limit("better", 6, GENAI)),
        floor=BY_HAND,
    ),
    Scenario(
        "import",
        "import, beside that of aiohttp, msgspec and anyio",
        "import",
        repeat=5,
        limits=(Limit("ratio", 1.15, BY_HAND), Limit("better", 2.5, GENAI)),
        floor=BY_HAND,
    ),
    variant(BURST_1, "whole", "written in large slices", flushed=0),
    replace(variant(BURST, "whole", "written in large slices", flushed=0), limits=ratio(2.8, 28)),
    replace(
        variant(BURST, "pings", "a ping before each chunk", pings=1),
        fails=("google-genai",),
    ),
    variant(BURST, "small", "chunks of 120 bytes", size=120),
    variant(BURST, "large", "chunks of 16 KiB", size=16 * 1024, chunks=100),
    variant(BURST, "uvloop", "on uvloop", uvloop=True),
    variant(PACED, "uvloop", "on uvloop", uvloop=True),
    replace(
        PACED,
        name="paced-200-own",
        title=f"{PACED.title}, each client with its own state of malloc",
        own_memory=True,
        limits=(Limit("ratio", 0.90),),
    ),
]

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _SCENARIOS}
