"""The page is the table."""

from __future__ import annotations

from faults.page import PAGE, render


def test_the_page_is_what_the_table_says() -> None:
    written = PAGE.read_text("utf-8")
    assert written == render(), "write it anew: PYTHONPATH=.:tests python -m faults.page"
