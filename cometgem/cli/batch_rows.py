"""The rows of `cometgem batch`: lines of JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cometgem.cli.sentences import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FileRows", "Row", "as_key", "stdin_rows"]

_FORMS = 'a line must be a string, {"id": ..., "prompt": ...} or {"key": ..., "request": {...}}'


@dataclass(slots=True)
class Row:
    """One prompt.

    Attributes:
        key: What its result is known by.
        asked: The contents, or a complete request: a dict with the key "contents".
    """

    key: str | int
    asked: Any


class FileRows:
    """The rows of a file, which is read line by line, each time that it is iterated over.

    Args:
        path: The path of the file.

    Raises:
        UsageError: The file cannot be read, or a line is not valid.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # Read once before anything is sent: all lines are checked, and their number is known.
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        try:
            with Path(self._path).open("rb") as file:
                yield from _rows(file, self._path)
        except OSError as error:
            raise UsageError(
                f"cannot read {self._path!r} ({error.strerror}): give the path of a readable file"
            ) from error


def stdin_rows() -> Iterator[Row]:
    """Yield the rows of stdin, as they arrive."""
    if sys.stdin is None:
        raise UsageError("standard input is closed: give the path of a file")
    return _rows(sys.stdin.buffer, "stdin")


def _rows(lines: BinaryIO, name: str) -> Iterator[Row]:
    index = 0
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            row = _row(json.loads(line), index)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"{name}, line {number}, is not JSON: {error}") from error
        except ValueError as error:
            raise UsageError(f"{name}, line {number}: {error}") from error
        yield row
        index += 1


def _row(value: Any, index: int) -> Row:
    match value:
        case str():
            return Row(index, value)
        case {"prompt": prompt}:
            return Row(as_key(value.get("id", index)), prompt)
        case {"request": {"contents": _} as request}:
            return Row(as_key(value.get("key", index)), request)
    raise ValueError(_FORMS)


def as_key(key: Any) -> str | int:
    """Return a key.

    Raises:
        ValueError: It is not a string or an integer.
    """
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise ValueError(  # noqa: TRY004  of a line
            f"the key {json.dumps(key)} is not a string or an integer"
        )
    return key
