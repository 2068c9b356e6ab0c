"""Rows of the conformance files, as test parameters."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from conformance import conformance_file


def recorded(name: str, rows: Callable[[Any], Iterable[tuple[str, Any]]]) -> list[Any]:
    """Return the (name, row) pairs of a JSON file, or a skipped one if the file is missing."""
    try:
        path = conformance_file(name)
    except pytest.skip.Exception as skipped:
        return [pytest.param("", {}, marks=pytest.mark.skip(reason=str(skipped.msg)))]
    return [pytest.param(*row, id=row[0]) for row in rows(json.loads(path.read_bytes()))]
