"""Measures one client in the given scenarios, in this process, and prints the results as JSON.

python benchmarks/worker.py CLIENT BASE_URL [--uvloop] [--small] [--count] SCENARIO ...
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
from typing import Any

from clients import CLIENTS
from counting import Reads
from machine import allow_many_files
from pipelines import PIPELINES
from reading import WrongError
from runs import RUNS
from scenarios import SCENARIOS, Scenario

TIME = 300  # seconds per scenario


async def run(scenario: Scenario, client: str, base_url: str) -> dict[str, float]:
    """Return the measurements."""
    async with asyncio.timeout(TIME), (CLIENTS | PIPELINES)[client](base_url) as adapter:
        return await RUNS[scenario.kind](adapter, scenario)


def outcome(scenario: Scenario, client: str, base_url: str, *, uvloop: bool) -> dict[str, Any]:
    """Return the measurements, or the error."""
    try:
        with asyncio.Runner(loop_factory=loop_factory(uvloop=uvloop)) as runner:
            return {"measured": runner.run(run(scenario, client, base_url))}
    except Exception as error:  # noqa: BLE001  any error goes into the report
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        message = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        return {"error": message, "wrong": isinstance(error, WrongError)}


def loop_factory(*, uvloop: bool) -> Any:
    """Return the event loop factory."""
    if not uvloop:
        return None
    import uvloop as module  # noqa: PLC0415  optional

    return module.new_event_loop


def main() -> None:
    """Run the scenarios and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client")
    parser.add_argument("base_url")
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("scenarios", nargs="+")
    options = parser.parse_args()
    allow_many_files()
    if options.count:
        Reads.begin()
    # Clients log when they are closed during a stream, as in "memory".
    logging.disable()
    for name in options.scenarios:
        scenario = SCENARIOS[name]
        if options.small:
            scenario = scenario.small()
        if not scenario.own_memory:
            # All clients in the state in which cometgem's own session puts its process: see
            # read_from_the_heap() in cometgem/http/memory.py.
            bytes(1 << 20)
        uvloop = scenario.uvloop or options.uvloop
        measured = outcome(scenario, options.client, options.base_url, uvloop=uvloop)
        if Reads.begun:
            measured["reads"] = Reads.count
        print(json.dumps(measured), flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
