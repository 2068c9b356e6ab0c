"""mypy reads every Python block of the README, in the context that the README gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from readme_blocks import README, write_blocks
from run_mypy import NEEDS_MYPY, mypy

if TYPE_CHECKING:
    from pathlib import Path

TEXT = README.read_text("utf-8")


@NEEDS_MYPY
def test_the_blocks_are_exactly_typed(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    blocks = write_blocks(TEXT, tmp_path)
    assert blocks == TEXT.count("```python\n") > 10
    assert mypy(tmp_path, pytestconfig) == f"Success: no issues found in {blocks} source files\n"


@NEEDS_MYPY
def test_a_wrong_block_is_found_at_its_line(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    blocks = [
        "def double(number: int) -> int:\n    return 2 * number\n",
        "print(double(2))\nawait client.generate_content('m', 'Hi', temperature=double(0))\n",
    ]
    write_blocks("\n\n".join(f"# Title\n```python\n{block}```" for block in blocks), tmp_path)
    found = [line for line in mypy(tmp_path, pytestconfig).splitlines() if "error: " in line]
    assert len({line.partition(" error: ")[0] for line in found}) == 1
    assert 'block_1.py:10: error: Unexpected keyword argument "temperature"' in found[0]


def test_a_block_keeps_its_line_numbers(tmp_path: Path) -> None:
    blocks = write_blocks(TEXT, tmp_path)
    lines = TEXT.splitlines()
    for number in range(blocks):
        written = (tmp_path / f"block_{number}.py").read_text("utf-8").splitlines()
        assert written[-1].strip() == lines[len(written) - 1].strip()
        assert lines[len(written)] == "```"


@pytest.mark.parametrize("name", ["client", "get_weather"])
def test_a_block_that_needs_nothing_stands_alone(name: str, tmp_path: Path) -> None:
    write_blocks(f"\n\n\n```python\nprint('{name}')\n```\n", tmp_path)
    assert (tmp_path / "block_0.py").read_text("utf-8") == f"\n\n\n\nprint('{name}')\n"
