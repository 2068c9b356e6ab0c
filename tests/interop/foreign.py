"""Third-party servers, each in its own process on a free loopback port."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 30.0  # seconds

_URL = re.compile(r"(?:listening|running) on (http://127\.0\.0\.1:\d+)")


class Foreign:
    """A running server.

    Attributes:
        url: Where it listens.
        base_url: The base URL for a client.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.base_url = url + prefix

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310  loopback
            return json.load(answer)

    def post(self, path: str, body: object) -> None:
        """Send JSON to a path."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310  loopback
            self.url + path, json.dumps(body).encode(), headers
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def program(variable: str, install: str) -> str:
    """Return the path of a server, or skip the module with a hint how to install it."""
    if variable not in os.environ:
        reason = f"{variable} is not set: {install}; or run .ci/run interop"
        pytest.skip(reason, allow_module_level=True)
    return os.environ[variable]


@contextlib.contextmanager
def running(command: list[str], ready: str, prefix: str = "") -> Iterator[Foreign]:
    """Start a server and wait until it answers; stop it at the end of the block."""
    with (
        tempfile.TemporaryDirectory() as folder,
        (Path(folder) / "log").open("w+") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,  # noqa: S603
    ):
        try:
            yield Foreign(_wait(process, Path(log.name), ready), prefix)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], log: Path, ready: str) -> str:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        if found := _URL.search(log.read_text()):
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(found[1] + ready, timeout=5).close()  # noqa: S310
                return found[1]
        time.sleep(0.05)
    pytest.fail(f"the server did not start: {log.read_text()}")
