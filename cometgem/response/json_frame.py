"""What may surround the JSON of an answer: blanks, and one Markdown fence.

Models that are asked for JSON sometimes wrap it as in a chat, even when a schema was sent. Any
other text around the JSON is an error, since nothing tells whether the answer is meant by it.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ANY_OF", "JSONFrame", "JSONPathError", "JSONSyntaxError", "matcher", "unwrap"]

# Before CPython 3.11.5, possessive repeats of a group miss matches (python/cpython#106052). Greedy
# ones find the same here, but keep a state for each repetition.
ANY_OF = "*+" if sys.version_info >= (3, 11, 5) else "*"
"""The quantifier that repeats a group in a regular expression."""

_BLANKS = " \t\r\n"
_FENCE = "```"
_OPENING = "```json"


class JSONSyntaxError(ValueError):
    """The text is not JSON.

    Attributes:
        message: What is wrong.
        position: Where, in characters from the beginning of the text.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position

    def __str__(self) -> str:
        return f"{self.message} at character {self.position:,}"


class JSONPathError(ValueError):
    """There is something else where a list was looked for.

    Attributes:
        path: Where, as a JSON path such as ``$.planets``.
        message: What is there instead.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{self.path} {self.message}"


class JSONFrame:
    """Finds where the JSON begins, and checks what comes after its end."""

    def __init__(self) -> None:
        self._fenced = False
        self._tail = ""

    def skip(self, text: str) -> int:
        """Return how many characters come before the JSON; all but the last few if unclear.

        To be called again, with the rest and what has come since, while ``text[result:]`` is
        empty or begins with a backtick.
        """
        at = len(text) - len(text.lstrip(_BLANKS))
        if self._fenced or not text.startswith("`", at):
            return at
        start = text[at : at + len(_OPENING)].lower()
        if start == _OPENING:
            at += len(_OPENING)
        elif _OPENING.startswith(start):
            return at
        elif start.startswith(_FENCE):
            at += len(_FENCE)
        else:
            return at
        self._fenced = True
        return at + self.skip(text[at:])

    def is_unclear(self, text: str) -> bool:
        """Whether the text, from which ``skip`` has taken off what it can, may begin a fence."""
        return not self._fenced and bool(text) and _OPENING.startswith(text.lower())

    def check_tail(self, text: str, position: int) -> None:
        """Check text that comes after the end of the JSON.

        Args:
            text: The next piece of it.
            position: Where it begins, for the error.

        Raises:
            JSONSyntaxError: It is more than blanks and the end of the fence.
        """
        tail = self._tail + text
        if not self._tail:
            tail = tail.lstrip(_BLANKS)
        if self._fenced and tail.startswith(_FENCE):
            self._tail, tail = _FENCE, tail[len(_FENCE) :].lstrip(_BLANKS)
        elif self._fenced and _FENCE.startswith(tail):
            self._tail = tail
            return
        if tail:
            start = position + len(text) - len(tail)
            raise JSONSyntaxError("unexpected text after the end of the JSON", max(start, 0))

    def close(self, position: int) -> None:
        """Check that the fence, if it has begun to end, has ended; the text ends at ``position``.

        Raises:
            JSONSyntaxError: It has not.
        """
        if self._tail not in ("", _FENCE):
            raise JSONSyntaxError("the end of the fence is cut off", position)

    def strip(self, text: str) -> str:
        """Return the rest of a complete text without blanks and the end of the fence."""
        text = text.rstrip(_BLANKS)
        return text.removesuffix(_FENCE).rstrip(_BLANKS) if self._fenced else text


def matcher(pattern: str) -> Callable[[str, int], re.Match[str]]:
    """Return ``match`` of a pattern that matches the empty string, too, so that it never fails."""
    match = re.compile(pattern, re.DOTALL).match
    return cast("Callable[[str, int], re.Match[str]]", match)


def unwrap(text: str) -> str:
    """Return a complete text without the blanks and the fence around its JSON."""
    frame = JSONFrame()
    return frame.strip(text[frame.skip(text) :])
