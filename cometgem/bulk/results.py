"""A results file: JSON lines that are appended as rows end, so that a run can go on.

A line is written by one call to the operating system. When the process is killed, at most the last
line is incomplete; it is cut off when the file is opened again. Nothing else of a file is changed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cometgem.bulk.file_lock import lock
from cometgem.bulk.key_table import KeyTable
from cometgem.bulk.lines import START, Line, read_key, read_line, write_line
from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from typing import BinaryIO

    from cometgem.bulk.result import Key

__all__ = ["Results", "last_results"]

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)

_BUFFER = 1 << 16  # bytes

# About how long a line is, in bytes; a wrong guess costs a little time or memory.
_LINE = 600


class Results:
    """The results of a run and of those before it.

    Args:
        path: The file. It is made if there is none, and locked until ``close``.

    Raises:
        ConfigurationError: It is in use by another run, has other lines than results, or cannot be
            opened.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = os.fspath(path)
        # Twice the offset behind the line end before the last line of each key; odd if a row of
        # this run has the key.
        self._table = KeyTable()
        self._reader: BinaryIO | None = None
        try:
            self._descriptor = os.open(self._path, _FLAGS, 0o666)
        except OSError as error:
            raise ConfigurationError(
                f"results={self._path!r} cannot be opened: {error.strerror or error}"
            ) from error
        try:
            self._lock()
            # Another open file, since writing moves the position of the first.
            reader = self._reader = Path(self._path).open("rb", buffering=_BUFFER)  # noqa: SIM115
            self._read(reader)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Return how many keys have a result or a row of this run."""
        return len(self._table)

    def close(self) -> None:
        """Close the file, which unlocks it."""
        descriptor, self._descriptor = self._descriptor, -1
        if self._reader is not None:
            self._reader.close()
        if descriptor >= 0:
            os.close(descriptor)

    def claim(self, key: Key) -> int | None:
        """Note that a row of this run has the key.

        Returns:
            Where ``find`` looks for its last result; None if another row of this run has the key.
        """
        at = self._table.mark(key)
        return None if at & 1 else at >> 1

    def find(self, at: int, key: Key, fingerprint: str) -> Line | None:
        """Return the last result of a key before this run, if it is that of the same request."""
        if not at or self._reader is None:
            return None
        self._reader.seek(at - 1)
        line = _result(self._reader.readline())
        if line is None or line.key != key or line.fingerprint != fingerprint:
            return None  # another request, or damaged behind its key
        return line

    def add(self, line: Line) -> None:
        """Append a result.

        Raises:
            OSError: It cannot be written, for example because the disk is full.
        """
        self._write(write_line(line))

    def _lock(self) -> None:
        if not lock(self._descriptor):
            raise ConfigurationError(
                f"results={self._path!r} is in use by another run: wait until that has ended,"
                " or give each run a file of its own"
            )

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            # The next line would be joined to a part of this one.
            if written := len(line) - len(rest):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise

    def _read(self, reader: BinaryIO) -> None:
        """Note where each key has its last result, and end or cut off an incomplete last line."""
        self._table = KeyTable(os.fstat(self._descriptor).st_size // _LINE)
        note = self._table.set
        at, line = 0, b"\n"
        for number, line in enumerate(reader, 1):
            try:
                key = read_key(line)
            except _NOT_JSON as error:
                if _is_cut(line):
                    os.ftruncate(self._descriptor, at)
                    return
                if not line.isspace():
                    raise self._foreign(number) from error
            else:
                note(key, (at + 1) << 1)
            at += len(line)
        if not line.endswith(b"\n"):
            self._write(b"\n")

    def _foreign(self, number: int) -> ConfigurationError:
        return ConfigurationError(
            f"results={self._path!r}, line {number}, is not a result of a bulk run: give the name"
            " of another file; nothing in this one was changed"
        )


def last_results(path: str | PathLike[str]) -> Iterator[Line]:
    """Yield the last result of each key in a file."""
    last = KeyTable()
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if (result := _result(line)) is not None:
                last.set(result.key, number)
        file.seek(0)
        for number, line in enumerate(file, 1):
            result = _result(line)
            if result is not None and last.get(result.key) == number:
                yield result


def _result(line: bytes) -> Line | None:
    try:
        return read_line(line)
    except _NOT_JSON:
        return None


def _is_cut(line: bytes) -> bool:
    """Return whether this is the beginning of a line."""
    # A line that was cut may be a part of the start.
    is_result = line.startswith(START) or START.startswith(line)
    return is_result and not line.endswith(b"\n")
