"""What a Google-style docstring says of a function and of its parameters.

https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
"""

from __future__ import annotations

import inspect
import re

__all__ = ["read_docstring"]

# Compiled when the first function is declared.
_SECTION = r"(Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?|Notes?):\s*"
_ARGS = ("Args", "Arguments", "Parameters")
_ARGUMENT = r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)"


def read_docstring(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return the first paragraph in one line, and what is said of each parameter."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip() or re.fullmatch(_SECTION, line):
            break
        summary.append(line.strip())
    return " ".join(summary), _arguments(lines)


def _arguments(lines: list[str]) -> dict[str, str]:
    said: dict[str, list[str]] = {}
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
                words = said.setdefault(argument[1], [argument[2]])
            else:
                words.append(line.strip())
    return {name: " ".join(filter(None, words)) for name, words in said.items()}
