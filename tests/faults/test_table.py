"""Every row of the table, over a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.play import expected, play
from faults.table import SECTIONS

if TYPE_CHECKING:
    from faults.rows import Row

ROWS = [
    pytest.param(row, k, id=" ".join(filter(None, [section.when, row.when, f"k={k}"])))
    for section in SECTIONS
    for row in section.rows
    for k in row.ks
]


@pytest.mark.parametrize(("row", "k"), [one for one in ROWS if one.values[0].calls != "single"])
async def test_a_stream(row: Row, k: int) -> None:
    outcome = await play(row, k, streamed=True)
    assert outcome == expected(row, k, streamed=True)
    assert row.says in outcome.sentence


@pytest.mark.parametrize(("row", "k"), [one for one in ROWS if one.values[0].calls != "streams"])
async def test_a_single_call(row: Row, k: int) -> None:
    outcome = await play(row, k, streamed=False)
    assert outcome == expected(row, k, streamed=False)
    assert row.says in outcome.sentence
