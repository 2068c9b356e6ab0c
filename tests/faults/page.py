"""Makes docs/faults.md of the table. To write it anew: PYTHONPATH=.:tests python -m faults.page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from faults.callers import DEEDS
from faults.rows import KS, AtLeast
from faults.table import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from faults.callers import Deed
    from faults.rows import Row

__all__ = ["PAGE", "render"]

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

_INTRODUCTION = """\
# What happens when ...

Whatever the other side does, a caller gets all that arrived, then either the final response or
one typed error that tells what happened. Nothing hangs, nothing leaks, nothing is lost. Each line
below is a test over a real socket; the page is made of the table that the tests run.

In each of them, `error.partial` is what was handed out, merged, or None; whoever asks the same
stream again gets the same error again; the client goes on to work; and once it is closed, no
connection and no task is left.

- **calls**: whether it is so with streams, with single calls (`generate_content`), or with both.
- **requests**: as the server counts them, with three attempts allowed. After the first chunk was
  handed out, no request is sent again.
- **connection**: whether it is kept for the next call, or closed at once.
- **limits**: one event, or a body that is not an event stream, has at most `max_event_size` bytes,
  100,000 objects and lists and one more for every 32 bytes, and 1,000 candidates; beyond that it is
  an `EventTooLargeError`. Arguments nested more than 490 levels deep are a `ResponseDecodeError`.
- **k** is 0, 1 and 7, where nothing else is said.
"""

_CALLER = """\
## When the caller ...

The plain ways of leaving (`break`, an exception, `del`, `aclose()`) are like these: the server
sees the connection go at once, and what came is in `stream.snapshot`. Nor do 2,000 streams at once
change anything, or `asyncio.run()` that ends with streams in every state.
"""

_HEADINGS = ("when", "the caller gets", "calls", "requests", "connection")
_CONNECTIONS = {True: "kept", False: "closed", None: "none"}


def render() -> str:
    """Return the page."""
    lines = [_INTRODUCTION]
    for section in SECTIONS:
        lines += [f"## {section.title}\n", *_table(_HEADINGS, map(_row, section.rows)), ""]
    lines += [_CALLER, *_table(("when", "comes of it", "the server sees"), map(_deed, DEEDS))]
    return "\n".join([*lines, ""])


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _row(row: Row) -> tuple[str, ...]:
    once_later = row.requests > 1 and row.ks[-1] > 0
    requests = f"{row.requests}, with k > 0: 1" if once_later else str(row.requests)
    return row.when, _gets(row), row.calls, requests, _CONNECTIONS[row.reused]


def _gets(row: Row) -> str:
    """Say what comes, in its order, and at what expense."""
    chunks = _chunks(len(row.texts))
    if row.ks == KS:
        chunks = ["k chunks"]
    elif row.ks[-1]:
        chunks = [" or ".join(map(str, row.ks)) + (" chunk" if row.ks == (1,) else " chunks")]
    end = ["the final response" if row.error is None else f"`{row.error.__name__}`"]
    end += [f"`{name}={_value(value)}`" for name, value in row.fields.items()]
    words = [", then ".join([*chunks, " ".join(end)])]
    if row.fields.get("phase") == "first_chunk":
        words.append('of a single call, and with k > 0, `phase="stall"`')
    if row.says:
        words.append(f"which says `{row.says}`")
    if row.within is not None:
        words.append(f"within {row.within:g} s")
    if row.grows is not None:
        words.append(f"for at most {row.grows:g} MiB of memory")
    if row.sends is not None:
        words.append(f"having taken at most {row.sends:g} MiB from the server")
    return ", ".join(words)


def _chunks(count: int) -> list[str]:
    return {0: [], 1: ["1 chunk"]}.get(count, [f"{count} chunks"])


def _value(value: Any) -> str:
    if isinstance(value, AtLeast):
        return f"{value.least:g} or more"
    return repr(value).replace("'", '"')


def _deed(deed: Deed) -> tuple[str, ...]:
    error = [f"`{deed.error.__name__}`"] if deed.error else []
    comes = ", then ".join([*_chunks(len(deed.texts)), *error]) or "nothing"
    return deed.when, comes, "the client leave" if deed.gone else "the reply's end"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
