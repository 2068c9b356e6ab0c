"""Every row of the table, over a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.play import expected, play
from faults.table import SECTIONS

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet
    from faults.rows import Row


def rows(calls: str) -> list[ParameterSet]:
    """Return the rows that hold for such calls, once for each k."""
    return [
        pytest.param(row, k, id=" ".join(filter(None, [section.when, row.when, f"k={k}"])))
        for section in SECTIONS
        for row in section.rows
        for k in row.ks
        if row.calls in (calls, "both")
    ]


@pytest.mark.parametrize(("row", "k"), rows("streams"))
async def test_a_stream(row: Row, k: int) -> None:
    outcome = await play(row, k, streamed=True)
    assert outcome == expected(row, k, streamed=True)
    assert row.says in outcome.sentence


@pytest.mark.parametrize(("row", "k"), rows("single"))
async def test_a_single_call(row: Row, k: int) -> None:
    outcome = await play(row, k, streamed=False)
    assert outcome == expected(row, k, streamed=False)
    assert row.says in outcome.sentence
