"""`cometgem batch --demo`: a bulk run against a test server with a hidden limit and faults."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.bulk import Limits
from cometgem.cli.arguments import MODEL
from cometgem.cli.batch import ask
from cometgem.cli.batch_rows import Row
from cometgem.cli.terminal import BOLD
from cometgem.client import Client
from cometgem.http.retry import RetryPolicy
from cometgem.testing import FakeServer, RecordedRequest, Reply, ServerLimits

if TYPE_CHECKING:
    from cometgem.cli.terminal import Terminal

__all__ = ["run_batch_demo"]

_ROWS = 2000

_LIMIT = 150  # requests a second

_INTRODUCTION = """\
A local test server answers {rows:,} prompts. It admits {limit} requests a second, which the run
does not know, and refuses the others with 429. Some answers are errors or break off.
"""


def run_batch_demo(terminal: Terminal, rows: int = _ROWS) -> int:
    """Show a run, and that a second one reuses its results.

    Args:
        terminal: Where to show it.
        rows: The number of prompts.

    Returns:
        The exit code.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cometgem-demo-") as folder,
        FakeServer(limits=ServerLimits(requests=_LIMIT, seconds=1)) as server,
    ):
        server.respond = _faulty
        results = Path(folder) / "out.jsonl"

        def run() -> None:
            client = Client(
                server.api_key, base_url=server.url, retry=RetryPolicy(attempts=5, initial=0.1)
            )
            given = [Row(number, f"prompt {number}") for number in range(rows)]
            options = {"results": results, "limits": Limits()}
            asyncio.run(ask(terminal, client, MODEL, given, options))

        terminal.line(_INTRODUCTION.format(rows=rows, limit=_LIMIT))
        run()
        terminal.line(
            f"\nThe server has admitted {server.admitted:,} requests and refused"
            f" {server.refused:,}; {len(results.read_bytes().splitlines()):,} results are in the"
            " file."
        )
        sent = server.admitted
        terminal.line()
        terminal.line(terminal.paint("The same once more: only rows that failed are sent.", BOLD))
        run()
        terminal.line(f"\n{server.admitted - sent:,} requests were sent.")
    return 0


def _faulty(request: RecordedRequest) -> Reply:
    # The same faults in each demonstration.
    chance = random.Random(request.raw_body + request.request_id.encode()).random()  # noqa: S311
    if b'"prompt 13"' in request.raw_body:
        return Reply.error(400, message="unlucky")
    if chance < 0.02:  # noqa: PLR2004
        return Reply.error(503)
    if chance < 0.03:  # noqa: PLR2004
        return Reply.reset()
    return Reply.text("A short answer.").finish("STOP").delay(headers=0.05 + chance / 10)
