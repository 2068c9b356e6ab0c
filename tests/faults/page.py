"""Renders the table as docs/faults.md. To update it: PYTHONPATH=.:tests python -m faults.page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from faults.callers import ACTIONS
from faults.rows import AtLeast, Final
from faults.table import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from faults.callers import Action
    from faults.rows import Row

__all__ = ["PAGE", "render"]

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

_INTRODUCTION = """\
# What happens when ...

Whatever the server or the network does, a call ends in one of two ways: with the final response,
or with one typed error that carries everything received before it. Each row below is a test over
a real socket, and this page is generated from the table that the tests run.

In every row:

- `error.partial` is the merged response of the chunks handed out before the error, or None;
- using the same stream again raises the same error again;
- the client remains usable;
- once the client is closed, no connection and no task is left.

The columns:

- **operation**: a stream (`stream_generate_content`), a single call (`generate_content`), or both.
- **requests**: how many requests the server receives when three attempts are allowed. Once a
  chunk has been handed out, a request is never repeated.
- **connection**: whether it is kept for the next call or closed at once.

One event, or a body that is not an event stream, has at most `max_event_size` bytes, 100,000
objects and lists and one more for every 32 bytes, and 1,000 candidates; beyond that it is an
`EventTooLargeError`. Arguments nested more than 490 levels deep are a `ResponseDecodeError`.

**k** is the number of valid chunks before the fault: 0, 1 and 7 are tested unless a row says
otherwise.
"""

_CALLER = """\
## When the caller ...

Leaving a stream with `break`, an exception, `del` or `aclose()` closes the connection at once, and
everything received is in `stream.snapshot`. The same is tested with 2,000 streams at once, and
with an `asyncio.run()` that ends while streams are in every state.
"""

_HEADINGS = ("when", "the caller gets", "operation", "requests", "connection")
_ACTION_HEADINGS = ("when", "the caller gets", "the server sees")


def render() -> str:
    """Return the page."""
    lines = [_INTRODUCTION]
    for section in SECTIONS:
        lines.append(f"## {section.title}\n")
        if section.when:
            lines.append(f"{section.when[0].upper()}{section.when[1:]} ...\n")
        lines += [*_table(_HEADINGS, map(_row, section.rows)), ""]
    lines += [_CALLER, *_table(_ACTION_HEADINGS, map(_action, ACTIONS))]
    return "\n".join([*lines, ""])


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _row(row: Row) -> tuple[str, ...]:
    requests = str(row.requests)
    if not isinstance(row.requests, int):
        first, *later = row.requests
        assert row.after[0] == 0
        assert len(set(later)) == 1
        requests = f"{first}; {later[0]} if k > 0"
    return row.when, _gets(row), row.operation, requests, row.connection


def _gets(row: Row) -> str:
    """Say what arrives, in order, and at what cost."""
    chunks = _count(row.texts) if isinstance(row.texts, tuple) else _k_chunks(row)
    if isinstance(row.ends, Final):
        end = ["the final response"]
        fields = {name: value for name, value in row.ends.fields.items() if value != "STOP"}
    else:
        end = [f"`{row.ends.error.__name__}`"]
        fields = dict(row.ends.fields)
    end += [f"`{name}={_value(value)}`" for name, value in fields.items()]
    handed_out = [] if row.operation == "single" else chunks
    words = [", then ".join([*handed_out, " ".join(end)])]
    if not isinstance(row.ends, Final):
        words[0] += f": `{row.ends.says}`"
    if row.operation == "single" and chunks:
        words.append(f"with {chunks[0]} in `error.partial`")
    if row.seconds is not None:
        words.append(f"within {row.seconds:g} s")
    if row.memory is not None:
        words.append(f"using at most {row.memory:g} MiB of memory")
    if row.reads is not None:
        words.append(f"after at most {row.reads:g} MiB have been sent")
    return ", ".join(words)


def _count(texts: tuple[str, ...]) -> list[str]:
    return {0: [], 1: ["1 chunk"]}.get(len(texts), [f"{len(texts)} chunks"])


def _k_chunks(row: Row) -> list[str]:
    if row.after == (0, 1, 7):
        return ["k chunks"]
    return [f"k chunks (k = {' or '.join(map(str, row.after))})"]


def _value(value: Any) -> str:
    if isinstance(value, AtLeast):
        return f"{value.least:g} or more"
    return repr(value).replace("'", '"')


def _action(action: Action) -> tuple[str, ...]:
    error = [f"`{action.error.__name__}`"] if action.error else []
    gets = ", then ".join([*_count(action.texts), *error]) or "nothing"
    sees = "the connection closed early" if action.leaves else "the end of its response"
    return action.when, gets, sees


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
