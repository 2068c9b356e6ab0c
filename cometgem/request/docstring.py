"""Reads Google-style docstrings: a function's summary and its parameters' descriptions.

https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
"""

from __future__ import annotations

import inspect
import re

__all__ = ["read_docstring"]

# Strings, since most programs declare no function: `re` compiles and caches them when needed.
_SECTION = r"(Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?|Notes?):\s*"
_ARGS = ("Args", "Arguments", "Parameters")
_ARGUMENT = r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)"


def read_docstring(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return the first paragraph as one line, and the description of each parameter."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip() or re.fullmatch(_SECTION, line):
            break
        summary.append(line.strip())
    return " ".join(summary), _arguments(lines)


def _arguments(lines: list[str]) -> dict[str, str]:
    descriptions: dict[str, list[str]] = {}
    words: list[str] = []
    inside, margin = False, 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if indent == 0 and line:
            section = re.fullmatch(_SECTION, line)
            inside, margin = section is not None and section[1] in _ARGS, 0
        elif inside and line:
            margin = margin or indent
            argument = re.fullmatch(_ARGUMENT, line.strip()) if indent <= margin else None
            if argument is not None:
                words = descriptions.setdefault(argument[1], [argument[2]])
            else:
                words.append(line.strip())
    return {name: " ".join(filter(None, words)) for name, words in descriptions.items()}
