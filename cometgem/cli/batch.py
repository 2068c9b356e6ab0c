"""`cometgem batch`: many prompts from a file, their results to another one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cometgem.bulk import Budget, Limits
from cometgem.bulk.lines import line_of, write_line
from cometgem.cli.batch_progress import ProgressView
from cometgem.cli.batch_rows import FileRows, Row, stdin_rows
from cometgem.cli.client import make_client
from cometgem.cli.parquet import ParquetRows, is_parquet, lines_beside, write_parquet
from cometgem.cli.sentences import UsageError

if TYPE_CHECKING:
    import argparse

    from cometgem.bulk import Progress
    from cometgem.cli.terminal import Terminal
    from cometgem.client import Client

__all__ = ["ask", "run_batch"]

_SOME = 5  # errors that are shown; the others are in the results


def run_batch(terminal: Terminal, args: argparse.Namespace) -> int:
    """Answer the prompts.

    Returns:
        The exit code: 1 if a prompt has no answer, 130 after Ctrl-C.

    Raises:
        CometGemError: There is no key, an option or a line is not valid, or all prompts would fail.
    """
    options: dict[str, Any] = dict(args.thinking or {})
    options["system_instruction"] = args.system
    if args.schema is not None:
        options["generation_config"] = {
            "responseMimeType": "application/json",
            "responseJsonSchema": _schema(args.schema),
        }
    client = make_client()
    lines = lines_beside(args.output) if is_parquet(args.output) else None
    results = None if args.output == "-" else lines or args.output
    rows = _rows(args.input)
    if args.limit_tokens is not None:
        options["budget"] = Budget(tokens=args.limit_tokens)
    options |= {
        "limits": Limits(rpm=args.rpm, tpm=args.tpm, concurrency=args.concurrency),
        "rerun": args.rerun,
        "results": results,
    }
    try:
        progress = asyncio.run(ask(terminal, client, args.model, rows, options))
    except KeyboardInterrupt:
        if results is not None:
            terminal.note(f"stopped: the same command goes on; what is done is in {results}")
        raise
    if lines is not None:
        write_parquet(lines, args.output)
    if progress.stopped == "budget":
        terminal.note("stopped: the tokens of --limit-tokens are used")
    return int(bool(progress.failed))


async def ask(
    terminal: Terminal, client: Client, model: str, rows: Any, options: dict[str, Any]
) -> Progress:
    """Run the rows, show how far it is, and return how far it came.

    Args:
        terminal: Where to show it. Without ``results``, the results go to stdout.
        client: The client.
        model: The model to ask.
        rows: The rows, each a ``Row``.
        options: Those of ``Client.map``.
    """
    failed = 0
    view = ProgressView(terminal)
    try:
        async with (
            client,
            client.map(
                model, rows, prompt=_asked, key=_key, on_progress=view.show, **options
            ) as run,
        ):
            async for result in run:
                if options.get("results") is None:
                    terminal.json_line(write_line(line_of(result)))
                if result.error is not None and not result.reused:
                    failed += 1
                    if failed <= _SOME:
                        view.note(f"{result.key}: {result.error}")
    finally:
        view.close()
    progress = run.progress
    if failed > _SOME:
        terminal.note(f"and {failed - _SOME:,} more errors, which are in the results")
    terminal.note(f"{progress} in {progress.seconds:,.1f} s")
    return progress


def _rows(path: str) -> Any:
    if path == "-":
        return stdin_rows()
    return ParquetRows(path) if is_parquet(path) else FileRows(path)


def _asked(row: Row) -> Any:
    return row.asked


def _key(row: Row) -> str | int:
    return row.key


def _schema(path: str) -> Any:
    try:
        schema = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(
            f"cannot read {path!r} ({error.strerror}): give the path of a readable file"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"--schema: {path!r} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise UsageError(f"--schema: {path!r} is not a JSON Schema: give a JSON object")
    return schema
