"""mypy checks `tests/typing`: correct uses have exact types, and wrong ones are errors."""

from pathlib import Path

import pytest
from run_mypy import NEEDS_MYPY, mypy

USES = Path(__file__).parent / "typing"


@NEEDS_MYPY
def test_uses_are_typed_exactly(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    assert mypy(USES, pytestconfig).startswith("Success: no issues found in 3 source files")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from typing import assert_type\n"
        "import cometgem\n"
        "assert_type(cometgem.Part().text, str)\n"
        "cometgem.Client('key')  # type: ignore[arg-type]\n"
    )
    found = mypy(wrong, pytestconfig).splitlines()
    assert [line.partition("error: ")[2].split()[0] for line in found[:2]] == [
        "Expression",
        "Unused",
    ]
