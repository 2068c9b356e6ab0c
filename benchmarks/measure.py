"""Runs clients in turn, each in a fresh process, and collects their figures."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from machine import cpus, pin
from scenarios import COLUMNS, Limit, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Bench", "Figure", "Result"]

HERE = Path(__file__).parent
TIME = 330  # seconds for a process; the worker itself gives up earlier

IMPORTS = {
    "aiohttp-drain": "import aiohttp",
    "aiohttp-msgspec": "import aiohttp, msgspec, anyio",
    "cometgem": "import cometgem",
    "aiohttp-lines": "import aiohttp, json",
    "httpx-sse": "import httpx, httpx_sse",
    "openai": "import openai",
    "google-genai": "from google import genai",
}
IMPORT = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print('{{"measured": {{"wall": %f, "cpu": %f}}}}' % (wall * 1e3, cpu * 1e3))
"""


@dataclass(frozen=True)
class Figure:
    """The median of all rounds, and their spread."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Self:
        """Summarize the rounds."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Result:
    """All rounds of one scenario.

    Attributes:
        scenario: The scenario.
        rounds: For each client, the measurements of each round; fewer if a round failed.
        errors: For each client that failed, the reason.
        wrong: Whether the run has failed: a client read something other than what was sent, or
            failed in a scenario that it should support.
    """

    scenario: Scenario
    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    wrong: bool = False

    def add(self, client: str, outcome: dict[str, Any]) -> None:
        """Add the outcome that a worker printed."""
        if "measured" in outcome:
            self.rounds.setdefault(client, []).append(outcome["measured"])
            return
        self.errors[client] = outcome["error"]
        self.wrong |= outcome.get("wrong", False) or client not in self.scenario.fails

    @property
    def clients(self) -> list[str]:
        """The clients that were measured."""
        return [client for client in self.rounds if client not in self.errors]

    def figure(self, client: str, key: str) -> Figure:
        """Return one number of one client."""
        return Figure.of([measured.get(key, math.nan) for measured in self.rounds[client]])

    def against(self, client: str, other: str, how: str = "ratio", key: str = "") -> Figure | None:
        """Compare two clients round by round; None unless both were measured."""
        if not {client, other} <= set(self.clients):
            return None
        column = COLUMNS[self.scenario.kind][0]
        key = key or column.key
        pairs = [
            (ours[key], theirs[key])
            for ours, theirs in zip(self.rounds[client], self.rounds[other], strict=True)
        ]
        if how == "over":
            return Figure.of([ours - theirs for ours, theirs in pairs])
        if (how == "better") != column.more_is_better:
            pairs = [(theirs, ours) for ours, theirs in pairs]
        return Figure.of([a / b if b else float("nan") for a, b in pairs])

    def reached(self, client: str, limit: Limit) -> tuple[Figure, bool] | None:
        """Return the figure that the limit applies to, and whether it is met."""
        if limit.how == "value":
            key = limit.key or COLUMNS[self.scenario.kind][0].key
            figure = self.figure(client, key) if client in self.clients else None
        else:
            figure = self.against(client, limit.than, limit.how, limit.key)
        if figure is None:
            return None
        if limit.how == "better":
            return figure, figure.median >= limit.value
        return figure, figure.median <= limit.value


class Bench:
    """The wire server, and one client at a time; a context manager.

    Args:
        tls: Speak TLS.
        uvloop: Run the clients on uvloop.
        small: Run each scenario at a size that only shows whether it works.
    """

    def __init__(self, *, tls: bool = False, uvloop: bool = False, small: bool = False) -> None:
        self._tls = tls
        self._uvloop = uvloop
        self._small = small
        self._cpus = cpus() or (None, None)
        self._running: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="cometgem-bench-")
        certificate = Path(self._folder, "authority.pem")
        # Without cached bytecode, every import would include compiling.
        forbidden = "PYTHONDONTWRITEBYTECODE"
        self._environment = {k: v for k, v in os.environ.items() if k != forbidden}
        if self._tls:
            self._environment["SSL_CERT_FILE"] = str(certificate)
        tls = ["--tls", str(certificate)] if self._tls else []
        self._server = self._spawn(["server.py", *tls], self._cpus[0])
        assert self._server.stdout is not None  # noqa: S101  for the type
        port = self._server.stdout.readline().strip()
        if not port:
            self.__exit__()
            raise SystemExit("the wire server did not start")
        self.base_url = f"http{'s' if self._tls else ''}://127.0.0.1:{port}"
        return self

    def __exit__(self, *error: object) -> None:
        for process in (self._running, self._server):
            if process is not None:
                process.kill()
                process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def measure(
        self,
        scenario: Scenario,
        clients: list[str],
        rounds: int,
        step: Callable[[str], object],
    ) -> Result:
        """Run each client once a round, in turn.

        Args:
            scenario: The scenario to run.
            clients: The clients to run.
            rounds: The number of rounds; the scenario may set a lower limit.
            step: Called with a description of what runs next.
        """
        result = Result(scenario)
        for _ in range(min(rounds, scenario.rounds)):
            for client in clients:
                if client in result.errors:
                    continue
                step(f"{scenario.name}: {client}")
                if scenario.kind == "import":
                    result.add(client, self.import_times(client, scenario.repeat))
                else:
                    result.add(client, next(self.work(client, [scenario.name])))
        if scenario.kind in ("burst", "paced"):
            for client in result.clients:
                step(f"{scenario.name}: {client}, counted")
                counted = self.count(client, scenario.name)
                for measured in result.rounds[client]:
                    measured.update(counted)
        return result

    def count(self, client: str, scenario: str) -> dict[str, float]:
        """Return the chunks and the calls of ``mremap`` per read, from a run that is not timed."""
        calls = Path(self._folder, "strace")
        strace = shutil.which("strace")
        traced = [strace, "-f", "-c", "-e", "trace=mremap", "-o", str(calls)] if strace else []
        outcome = next(self.work(client, [scenario], counted=traced))
        reads = outcome.get("reads", 0)
        if not reads or "measured" not in outcome:
            return {}
        counted = {"per_read": outcome["measured"]["per_read"]}
        if calls.exists():
            words = [line.split() for line in calls.read_text().splitlines()]
            counted["mremap"] = sum(int(w[3]) for w in words if w[-1:] == ["mremap"]) / reads
        return counted

    def try_out(
        self, scenarios: list[Scenario], clients: list[str], step: Callable[[str], object]
    ) -> list[Result]:
        """Run all scenarios once, each client in one process."""
        results = [Result(scenario.small()) for scenario in scenarios]
        for client in clients:
            step(client)
            names = [scenario.name for scenario in scenarios if scenario.kind != "import"]
            outcomes = self.work(client, names)
            for result in results:
                imports = result.scenario.kind == "import"
                result.add(client, self.import_times(client, 1) if imports else next(outcomes))
        return results

    def work(
        self, client: str, scenarios: list[str], counted: list[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Run scenarios in one process and yield the outcome of each.

        Args:
            client: The client.
            scenarios: Their names.
            counted: Count reads, in a process that is started with this command.
        """
        flags = ["--uvloop"] * self._uvloop + ["--small"] * self._small
        flags += ["--count"] * (counted is not None)
        arguments = ["worker.py", client, self.base_url, *flags, *scenarios]
        output = self._run(arguments, counted or [])
        lines = output.splitlines()
        for at in range(len(scenarios)):
            yield json.loads(lines[at]) if at < len(lines) else {"error": "the process ended"}

    def import_times(self, client: str, repeat: int) -> dict[str, Any]:
        """Return the fastest import of several processes, after a first one that compiles."""
        code = IMPORT.format(IMPORTS[client])
        outcomes = [json.loads(self._run(["-c", code])) for _ in range(repeat + 1)]
        return min(outcomes[1:], key=lambda outcome: outcome["measured"]["wall"])

    def _run(self, arguments: list[str], command: list[str] | None = None) -> str:
        self._running = self._spawn(arguments, self._cpus[1], command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            output, _ = self._running.communicate(timeout=TIME)
            return output
        self._running.kill()
        return self._running.communicate()[0]

    def _spawn(
        self, arguments: list[str], cpu: int | None, command: list[str] | None = None
    ) -> subprocess.Popen[str]:
        """Start Python in a session that Ctrl-C does not reach; the caller ends it."""
        process = subprocess.Popen(  # noqa: S603  our own scripts
            [*(command or []), sys.executable, *arguments],
            cwd=HERE,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        pin(process.pid, cpu)
        return process
