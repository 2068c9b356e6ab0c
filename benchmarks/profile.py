"""Where the time of a chunk goes: read, split, decode, text, merge, hand-out.

python benchmarks/profile.py [--scenario NAME ...] [--rounds N]
python benchmarks/profile.py --calls

Each layer is the difference between two pipelines, of which the second does one step more. (A
profiler adds a cost to each call, so small functions would look more expensive than they are.)
``--calls`` counts the function calls per chunk.

cProfile does not work in this folder, since it imports a module named ``profile``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients import CLIENTS
from measure import Bench, Result
from pipelines import PIPELINES
from progress import Progress
from report import text_table
from scenarios import SCENARIOS
from workload import Load

if TYPE_CHECKING:
    from types import CodeType, FrameType

ABLE = [name for name, scenario in SCENARIOS.items() if scenario.kind in ("burst", "paced")]
CHUNKS = 2000
SHOWN = 30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scenario", nargs="+", choices=ABLE, default=["burst-50-whole", "paced-200"]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", action="store_true", help="count function calls instead of time")
    options = parser.parse_args()
    with Bench() as bench:
        if options.calls:
            print(calls_table(asyncio.run(count_calls(bench.base_url))))
            return
        progress = Progress(len(options.scenario) * options.rounds * len(PIPELINES))
        for name in options.scenario:
            result = bench.measure(SCENARIOS[name], list(PIPELINES), options.rounds, progress.step)
            progress.clear()
            print(layers_table(result), flush=True)


def layers_table(result: Result) -> str:
    """Return the time that each layer adds: the median of the rounds."""
    if result.errors:
        raise SystemExit(f"a pipeline is wrong: {result.errors}")
    whole = result.figure("hand-out", "cpu").median
    rows = [["", "CPU µs/chunk", "share", "cumulative"]]
    before = ""
    for name in PIPELINES:
        added = result.against(name, before, "over") if before else result.figure(name, "cpu")
        assert added is not None  # noqa: S101  all were measured
        rows.append([
            name,
            f"{added.median:.2f} ({added.least:.2f} to {added.most:.2f})",
            f"{added.median / whole:.0%}",
            f"{result.figure(name, 'cpu').median:.2f}",
        ])  # fmt: skip
        before = name
    return f"{result.scenario.name}: {result.scenario.title}\n{text_table(rows)}\n"


async def count_calls(base_url: str) -> Counter[CodeType | str]:
    """Count function calls for one stream: Python's by their code object, C's by name."""
    counts: Counter[CodeType | str] = Counter()

    def count(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            counts[frame.f_code] += 1
        elif event == "c_call":
            counts[function.__qualname__] += 1

    async with CLIENTS["cometgem"](base_url) as client:
        await client.stream(Load().model, len)
        sys.setprofile(count)
        try:
            await client.stream(Load(chunks=CHUNKS).model, len)
        finally:
            sys.setprofile(None)
    return counts


def calls_table(counts: Counter[CodeType | str]) -> str:
    """Return the functions with the most calls."""
    rows = [["", "calls/chunk", "where"]]
    for function, count in counts.most_common(SHOWN):
        name, where = function, "C"
        if not isinstance(function, str):
            name = function.co_qualname
            where = f"{Path(function.co_filename).name}:{function.co_firstlineno}"
        rows.append([str(name), f"{count / CHUNKS:.2f}", where])
    return text_table(rows)


if __name__ == "__main__":
    main()
