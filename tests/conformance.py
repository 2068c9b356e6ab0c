"""The conformance files, which are kept beside the repository."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "conformance"


def conformance_file(name: str) -> Path:
    """Return the path of a conformance file, or skip the test if the folder is missing."""
    if not _FOLDER.is_dir():
        pytest.skip("the folder ../shared/conformance is missing")
    return _FOLDER / name
