"""A redis-server in a process of its own, on a free port of the loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from contextlib import suppress

import pytest

START = 30.0  # seconds


def redis_server() -> str:
    """Return the path of redis-server, or skip the module with a hint how to install it."""
    if "BULK_REDIS_SERVER" not in os.environ:
        reason = (
            "BULK_REDIS_SERVER is not set: install Debian's package redis-server, and set it to"
            " /usr/bin/redis-server; or run .ci/run bulk"
        )
        pytest.skip(reason, allow_module_level=True)
    return os.environ["BULK_REDIS_SERVER"]


class RedisProcess:
    """A server that keeps nothing when it is killed, and that listens on the same port again."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._process = subprocess.Popen(  # noqa: S603  the tests' own server
            [self._program, *options, tempfile.gettempdir()], stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + START
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                peer.sendall(b"PING\r\n")
                if peer.recv(5) == b"+PONG":
                    return
            time.sleep(0.02)
        raise TimeoutError(f"redis-server did not answer within {START:g} s")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
