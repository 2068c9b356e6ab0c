"""docs/faults.md matches the table."""

from __future__ import annotations

from faults.page import PAGE, render


def test_page_is_up_to_date() -> None:
    written = PAGE.read_text("utf-8")
    assert written == render(), "to update it: PYTHONPATH=.:tests python -m faults.page"
