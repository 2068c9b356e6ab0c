"""What tests of the command line share: fake streams, child processes, and what is said."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cometgem.testing import FakeServer

    Run = Callable[..., tuple[int, str, str]]
    Talk = Callable[..., tuple[int, str, str]]

MODEL = "gemini-3.8-flash"
KEY = "sk-secret-0123456789"
# Long enough for the slowest machine; nothing waits that long unless it hangs.
PATIENCE = 60
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\x9b\x7f\u202e\u2066\u200f\u061c"
SHOWN = r"\u001b]0;owned\u0007\u001b[2J\u000d\u009b\u007f\u202e\u2066\u200f\u061c"
ANSWER = "Hello from the fake server."
USAGE = "usage: 8 prompt, 1 thoughts, 3 answer, 12 total tokens; finish reason STOP\n"

SHORT = "bodies/googleai-streaming-success-basic-reply-short.txt"

# The recorded bodies that are not an answer, and what is said about each.
BODIES = {
    "googleai-streaming-failure-image-rejected.txt": "400 INVALID_ARGUMENT",
    "googleai-streaming-failure-prompt-blocked-safety.txt": "the prompt was blocked: SAFETY",
    "googleai-unary-failure-api-key.json": "400 INVALID_ARGUMENT API_KEY_INVALID",
    "googleai-unary-failure-api-key.txt": "400 INVALID_ARGUMENT API_KEY_INVALID",
    "googleai-unary-failure-generativelanguage-api-not-enabled.json": "403 PERMISSION_DENIED",
    "googleai-unary-failure-only-prompt-feedback.json": "the prompt was blocked: Message",
    "googleai-unary-failure-unknown-model.json": "404 NOT_FOUND",
    "googleai-unary-failure-unknown-model.txt": "404 NOT_FOUND",
    "googleai-unary-failure-with-message-no-content.json": (
        "the model did not answer; finish reason OTHER"
    ),
    "vertexai-streaming-failure-error-mid-stream.txt": "499 CANCELLED",
    "vertexai-unary-failure-quota-exceeded.json": "429 RESOURCE_EXHAUSTED",
}

ROOT = str(Path(__file__).resolve().parents[2])

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals, signals and links")


def odd_files(folder: Path) -> None:
    """Make a FIFO named "pipe" and a sparse file named "large", over the limit for files."""
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe")
    with (folder / "large").open("wb") as file:
        file.truncate(100_000_001)


# A shell may have started the tests with SIGINT ignored, which children inherit.
WITH_SIGINT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from cometgem.cli.main import main; sys.exit(main())"
)


class Typed(io.StringIO):
    """A terminal's stdin."""

    def isatty(self) -> bool:
        return True


class Tty(io.StringIO):
    """One of the two output streams of a terminal, which share its screen."""

    def __init__(self, screen: list[str]) -> None:
        super().__init__()
        self._screen = screen

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._screen.append(text)
        return len(text)


class Broken(io.StringIO):
    """A stdout on which every write fails."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


def said(server: FakeServer, request: int) -> list[tuple[str, str]]:
    """Return the roles and texts of a request."""
    return [
        (turn["role"], "".join(part.get("text", "<file>") for part in turn["parts"]))
        for turn in server.requests[request].body["contents"]
    ]


def child_environment(server: FakeServer | None = None) -> dict[str, str]:
    """Return the environment of a child process that imports this package."""
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, PYTHONPATH=path)
    environment.pop("PYTHONUNBUFFERED", None)  # the program itself must flush in time
    if server is not None:
        environment |= {"COMETAPI_KEY": KEY, "COMETAPI_BASE_URL": server.url}
    return environment


@contextlib.asynccontextmanager
async def child(
    *argv: str,
    server: FakeServer | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Python in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *argv,
        stdin=stdin,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        env=child_environment(server),
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
