"""Where the modules that only POSIX has are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli.speaking import PATIENCE, child_environment

HIDING = str(Path(__file__).parent / "without_posix")
IMPORT_ALL = """
import importlib, pkgutil, sys
try:
    import termios
except ModuleNotFoundError:
    pass
else:
    sys.exit("termios is not hidden")
import cometgem
for module in pkgutil.walk_packages(cometgem.__path__, "cometgem."):
    if module.name != "cometgem.__main__":
        importlib.import_module(module.name)
        print(module.name)
"""


def python(*argv: str) -> str:
    environment = child_environment()
    environment["PYTHONPATH"] = os.pathsep.join([HIDING, environment["PYTHONPATH"]])
    done = subprocess.run(  # noqa: S603  our own code
        [sys.executable, *argv],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_module_can_be_imported() -> None:
    imported = python("-c", IMPORT_ALL).split()
    assert {"cometgem.cli.main", "cometgem.testing.server", "cometgem.stream"} <= set(imported)


def test_the_demo() -> None:
    assert "  finish reason  STOP" in python("-m", "cometgem", "demo").splitlines()
