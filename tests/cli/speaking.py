"""Who speaks with `cometgem chat` in tests, and what they say."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.testing import FakeServer

    Talk = Callable[..., tuple[int, str, str]]

KEY = "sk-secret-0123456789"
# Long enough for the slowest machine; nothing waits that long unless it hangs.
PATIENCE = 60
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\x9b\x7f"
SHOWN = r"\u001b]0;owned\u0007\u001b[2J\u000d\u009b\u007f"
ANSWER = "Hello from the fake server."

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals, signals and links")


class Typed(io.StringIO):
    """A terminal's stdin."""

    def isatty(self) -> bool:
        return True


class Tty(io.StringIO):
    """One of the two streams of a terminal, which share its screen."""

    def __init__(self, screen: list[str]) -> None:
        super().__init__()
        self._screen = screen

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._screen.append(text)
        return len(text)


def said(server: FakeServer, request: int) -> list[tuple[str, str]]:
    """Return the roles and texts of a request."""
    return [
        (turn["role"], "".join(part.get("text", "<file>") for part in turn["parts"]))
        for turn in server.requests[request].body["contents"]
    ]
