"""Reads docstrings: a function's description and those of its parameters.

Parameters are recognised in three styles:

- Google: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
- NumPy: https://numpydoc.readthedocs.io/en/latest/format.html#parameters
- Sphinx: https://www.sphinx-doc.org/en/master/usage/domains/python.html#info-field-lists
"""

from __future__ import annotations

import inspect
import re

__all__ = ["read_docstring"]

# Strings, since most programs declare no function: `re` compiles and caches them when needed.
_GOOGLE = r"(Args|Arguments|Params|Parameters|Keyword Args|Keyword Arguments|Other Parameters):\s*"
_GOOGLE_ITEM = r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:(?:\s+(.*)|)"
_NUMPY = r"(Parameters|Other Parameters)\s*"
_NUMPY_ITEM = r"\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*(?:\s*:.*)?"
_UNDERLINE = r"-{3,}\s*"
_SPHINX = (
    r":(param|parameter|arg|argument|key|keyword|kwarg|type)"
    r"\s+(?:[^:]*?\s)?(?:\\?\*){0,2}(\w+)\s*:\s*(.*)"
)


def read_docstring(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return the docstring without its parameters, and the description of each parameter."""
    reader = _Reader(inspect.cleandoc(docstring or "").splitlines())
    reader.read()
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(reader.kept)).strip()
    found = {
        name: " ".join(filter(None, map(str.strip, words))) for name, words in reader.found.items()
    }
    return text, found


class _Reader:
    """Goes through the lines once, and takes each section of parameters out."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = [line.rstrip() for line in lines]
        self._at = 0
        self.kept: list[str] = []
        self.found: dict[str, list[str]] = {}

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            after = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
            if re.fullmatch(_GOOGLE, line):
                self._at += 1
                self._read_google()
            elif re.fullmatch(_NUMPY, line) and re.fullmatch(_UNDERLINE, after):
                self._at += 2
                self._read_numpy()
            elif field := re.fullmatch(_SPHINX, line):
                self._at += 1
                self._read_sphinx(field)
            else:
                self.kept.append(line)
                self._at += 1

    def _read_google(self) -> None:
        """Read the indented lines; those with more indentation continue a description."""
        margin = 0
        words: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            indent = _indent(line)
            if line and not indent:
                return
            self._at += 1
            margin = margin or indent
            item = re.fullmatch(_GOOGLE_ITEM, line.strip()) if indent <= margin else None
            if item is not None:
                words = self.found.setdefault(item[1], [item[2] or ""])
            else:
                words.append(line)

    def _read_numpy(self) -> None:
        """Read names, and the indented lines under each, up to the next underlined heading."""
        words: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            after = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
            if re.fullmatch(_UNDERLINE, after) or re.fullmatch(_GOOGLE, line):
                return
            if line and not _indent(line):
                if not re.fullmatch(_NUMPY_ITEM, line):
                    return
                words = []
                for name in line.partition(":")[0].split(","):
                    self.found.setdefault(name.strip().lstrip("*"), words)
            else:
                words.append(line)
            self._at += 1

    def _read_sphinx(self, field: re.Match[str]) -> None:
        """Read a field, and the indented lines that continue it."""
        kind, name = field[1], field[2]
        words = [] if kind == "type" else self.found.setdefault(name, [])
        words.append(field[3])
        while self._at < len(self._lines) and _indent(self._lines[self._at]):
            words.append(self._lines[self._at])
            self._at += 1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
