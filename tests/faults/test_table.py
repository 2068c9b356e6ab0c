"""Every row of the table, over a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.play import expected, play
from faults.rows import Raises
from faults.table import SECTIONS

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet
    from faults.rows import Operation, Row


def rows(operation: Operation) -> list[ParameterSet]:
    """Return the rows of an operation, once for each k."""
    return [
        pytest.param(row, k, id=" ".join(filter(None, [section.when, row.when, f"k={k}"])))
        for section in SECTIONS
        for row in section.rows
        for k in row.after
        if row.operation in (operation, "both")
    ]


@pytest.mark.parametrize(("row", "k"), rows("stream"))
async def test_stream(row: Row, k: int) -> None:
    await check(row, k, "stream")


@pytest.mark.parametrize(("row", "k"), rows("single"))
async def test_single_call(row: Row, k: int) -> None:
    await check(row, k, "single")


async def check(row: Row, k: int, operation: Operation) -> None:
    outcome = await play(row, k, operation)
    assert outcome == expected(row, k, operation)
    if isinstance(row.ends, Raises):
        assert row.ends.says in outcome.message


def test_no_row_stands_twice() -> None:
    names = [(section.when, row.when) for section in SECTIONS for row in section.rows]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", [row for section in SECTIONS for row in section.rows])
def test_row_is_complete(row: Row) -> None:
    assert row.when
    assert not isinstance(row.ends, Raises) or row.ends.says
    if not isinstance(row.requests, int):
        assert len(row.requests) == len(row.after)
