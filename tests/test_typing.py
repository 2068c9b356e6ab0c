"""mypy checks `tests/typing`: correct uses have exact types, and wrong ones are errors."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import cometgem

pytestmark = pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")

USES = Path(__file__).parent / "typing"
ROOT = Path(cometgem.__file__).parents[1]


def mypy(path: Path, cache: Path) -> str:
    options = ["--strict", "--config-file=", f"--cache-dir={cache}"]
    # mypy finds an installed package by itself, and rejects site-packages in MYPYPATH.
    where = {} if ROOT.name == "site-packages" else {"MYPYPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mypy", *options, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, **where},
        check=False,
    )
    assert not done.stderr
    return done.stdout


def test_uses_are_typed_exactly(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    pytest_cache = getattr(pytestconfig, "cache", None)  # not there with -p no:cacheprovider
    cache = pytest_cache.mkdir("mypy") if pytest_cache else tmp_path / "mypy"
    assert mypy(USES, cache).startswith("Success: no issues found in 2 source files")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from typing import assert_type\n"
        "import cometgem\n"
        "assert_type(cometgem.Part().text, str)\n"
        "cometgem.Client('key')  # type: ignore[arg-type]\n"
    )
    found = mypy(wrong, cache).splitlines()
    assert [line.partition("error: ")[2].split()[0] for line in found[:2]] == [
        "Expression",
        "Unused",
    ]
