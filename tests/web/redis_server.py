"""A real redis-server on a port of its own, which can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIABLE = "REDIS_SERVER"


def program() -> str:
    """Return the path of redis-server, or skip the module with a hint how to get it."""
    if VARIABLE not in os.environ:
        reason = f"{VARIABLE} is not set: the path of redis-server; or run .ci/run web"
        pytest.skip(reason, allow_module_level=True)
    return os.environ[VARIABLE]


class RedisServer:
    """A server that may be killed and started again on the same port.

    Attributes:
        port: Where it listens, on loopback.
        url: The same as a URL.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, keeps: bool = False) -> None:
        """Start it, and wait until it answers.

        Args:
            keeps: Whether it writes every change to disk, and so still has it after a restart.
        """
        command = [self._program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        command += ["--dir", str(self._folder), "--appendonly", "yes" if keeps else "no"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1) as connection,
            ):
                connection.sendall(b"PING\r\n")
                if connection.recv(100).startswith(b"+PONG"):
                    return
            time.sleep(0.02)
        pytest.fail((self._folder / "log").read_text())

    def kill(self) -> None:
        """End it without any notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@contextlib.contextmanager
def running(folder: Path, *, keeps: bool = False) -> Iterator[RedisServer]:
    """Run a server for the length of a block."""
    server = RedisServer(program(), folder)
    server.start(keeps=keeps)
    try:
        yield server
    finally:
        server.kill()
