"""mypy as the type tests run it: strict, whatever the project's configuration, in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import cometgem

NEEDS_MYPY = pytest.mark.skipif(
    find_spec("mypy") is None, reason="mypy is not installed; CI runs this"
)

ROOT = Path(cometgem.__file__).parents[1]


def mypy(path: Path, config: pytest.Config) -> str:
    """Return what mypy prints about a file or a folder."""
    cache = config.cache.mkdir("mypy") if config.cache else os.devnull
    options = ["--strict", "--config-file=", f"--cache-dir={cache}"]
    # mypy refuses a MYPYPATH within site-packages, where it finds the package anyway.
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
