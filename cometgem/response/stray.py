"""Finds the JSON documents in the lines of a body that are not part of the event stream.

A proxy may write a bare error between or after the events, in one line or many, indented or not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StrayDocuments"]

# What a line begins with if it can be the first line of an object or a list.
_OPENING = re.compile(rb'[ \t]*(?=\{\s*(?:["}]|$)|\[\s*(?:[\[{"\]\d-]|$))')

# Where the nesting or the meaning of what follows changes.
_TOKEN = re.compile(rb'[{}\[\]"]|\\.?', re.DOTALL)

# How often the search begins again behind a line that opened a document which never ended.
_MAX_SEARCHES = 16


class StrayDocuments:
    """Collects lines, and returns each document once its last bracket has come.

    Every byte is scanned once, however the lines arrive.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []  # of the unfinished document
        self._depth = 0
        self._in_string = False

    def add(self, line: bytes) -> Iterator[bytes]:
        """Take the next line and yield the documents that end in it."""
        at = 0
        while at < len(line):
            if not self._lines:
                if (opening := _OPENING.match(line, at)) is None:
                    return
                at = opening.end()
            end = self._scan(line, at)
            self._lines.append(line[at:end])
            if self._depth:
                return
            yield self._take()
            at = end

    def close(self) -> Iterator[bytes]:
        """Yield the documents behind a line that only looked like the beginning of one."""
        for _ in range(_MAX_SEARCHES):
            if not self._lines:
                return
            lines = self._lines[1:]
            self._take()
            for line in lines:
                yield from self.add(line)

    def _take(self) -> bytes:
        document = b"\n".join(self._lines)
        self._lines, self._depth, self._in_string = [], 0, False
        return document

    def _scan(self, line: bytes, at: int) -> int:
        """Return the end of the document in the line, or the end of the line."""
        for token in _TOKEN.finditer(line, at):
            match token[0]:
                case b'"':
                    self._in_string = not self._in_string
                case b"{" | b"[" if not self._in_string:
                    self._depth += 1
                case b"}" | b"]" if not self._in_string:
                    self._depth -= 1
                    if self._depth == 0:
                        return token.end()
        return len(line)
