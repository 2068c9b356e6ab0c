"""Where the conformance files are: beside the repository, not in it."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "conformance"


def conformance_file(name: str) -> Path:
    """The path of a conformance file; skips the test where there is no such folder."""
    if not _FOLDER.is_dir():
        pytest.skip("skipped: …/shared/conformance is not there")
    return _FOLDER / name
