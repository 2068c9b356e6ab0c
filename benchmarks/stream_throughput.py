"""Compares the cost of clients with a local wire server, or measures a real endpoint.

python benchmarks/stream_throughput.py [--scenario NAME ...] [--client NAME ...] [--rounds N]
python benchmarks/stream_throughput.py --base-url URL --model NAME --key-env VARIABLE

The exit status is 1 if a client did not read what was sent; speed does not affect it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import signal
import sys
from pathlib import Path
from typing import Any

from clients import CLIENTS, missing
from machine import describe
from measure import Bench, Result
from progress import Progress
from report import as_json, summary, table
from scenarios import SCENARIOS, Scenario


def main() -> None:
    """Measure, print the results, and write the requested files."""
    options = arguments()
    # So that SIGTERM, too, ends the child processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        document = endpoint(options) if options.base_url else compare(options)
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
    if options.json:
        text = json.dumps({"machine": describe(), **document}, indent=1)
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    if document.get("wrong"):
        sys.exit("a client gave wrong results: see above")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scenario", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME",
        help=f"one or more of {', '.join(SCENARIOS)}")  # fmt: skip
    add("--client", nargs="+", action="extend", choices=CLIENTS, metavar="NAME",
        help=f"one or more of {', '.join(CLIENTS)}")  # fmt: skip
    add("--rounds", type=int, default=5, help="how often each client runs, in turn")
    add("--quick", action="store_true", help="only check that everything works")
    add("--json", metavar="FILE", help="write all figures to a file")
    add("--plot", metavar="FILE", help="draw CPU time per chunk, as .svg or .png")
    add("--uvloop", action="store_true", help="run all clients on uvloop")
    add("--tls", action="store_true", help="use TLS with the wire server")
    real = parser.add_argument_group("a real endpoint, with cometgem")
    real.add_argument("--base-url", metavar="URL")
    real.add_argument("--model", default="gemini-3.8-flash", metavar="NAME")
    real.add_argument("--key-env", default="COMETAPI_KEY", metavar="VARIABLE")
    options = parser.parse_args()
    for option, module in (("plot", "matplotlib"), ("tls", "trustme")):
        if getattr(options, option) and importlib.util.find_spec(module) is None:
            parser.error(f"--{option} needs {module}, which is not installed")
    return options


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run the clients side by side against the wire server."""
    clients, scenarios = available(options)
    with Bench(tls=options.tls, uvloop=options.uvloop, small=options.quick) as bench:
        if options.quick:
            progress = Progress(len(clients))
            results = bench.try_out(scenarios, clients, progress.step)
        else:
            results = run(bench, scenarios, clients, options.rounds)
    if options.quick:
        progress.clear()
        for result in results:
            print(result.scenario.name, "wrong" if result.wrong else "ok", result.errors or "")
    else:
        print(summary(results))
    if options.plot:
        from plot import plot  # noqa: PLC0415  matplotlib is optional

        plot(results, options.plot)
    return {
        "wrong": any(result.wrong for result in results),
        "scenarios": {result.scenario.name: as_json(result) for result in results},
    }


def available(options: argparse.Namespace) -> tuple[list[str], list[Scenario]]:
    """Return the requested clients and scenarios that can run here, and print which cannot."""
    clients = []
    for client in [name for name in CLIENTS if name in (options.client or CLIENTS)]:
        if packages := missing(client):
            print(f"{client} is left out: {', '.join(packages)} is not installed")
        else:
            clients.append(client)
    scenarios = [SCENARIOS[name] for name in options.scenario]
    if importlib.util.find_spec("uvloop") is None:
        if options.uvloop or any(scenario.uvloop for scenario in scenarios):
            print("uvloop is not installed: scenarios that need it are left out")
        scenarios = [s for s in scenarios if not (s.uvloop or options.uvloop)]
    return clients, scenarios


def run(bench: Bench, scenarios: list[Scenario], clients: list[str], rounds: int) -> list[Result]:
    """Measure all scenarios, and print each table when it is ready."""
    turns = {scenario.name: min(rounds, scenario.rounds) for scenario in scenarios}
    progress = Progress(sum(turns.values()) * len(clients))
    results = []
    for scenario in scenarios:
        result = bench.measure(scenario, clients, rounds, progress.step)
        progress.clear()
        print(table(result), flush=True)
        results.append(result)
    return results


def endpoint(options: argparse.Namespace) -> dict[str, Any]:
    """Run cometgem against a real endpoint."""
    from real_endpoint import endpoint_table, measure_endpoint  # noqa: PLC0415  imports cometgem

    progress = Progress(2 * options.rounds)
    measured = asyncio.run(
        measure_endpoint(
            options.base_url, options.model, options.key_env, options.rounds, progress.step
        )
    )
    progress.clear()
    print(endpoint_table(measured))
    return {"model": options.model, "endpoint": measured}


if __name__ == "__main__":
    main()
