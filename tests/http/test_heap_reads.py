"""Small reads, as asyncio makes them, take no block from mmap once a session has been made."""

from __future__ import annotations

import inspect
import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cometgem import Client
from cometgem.http import transport
from cometgem.http.memory import read_from_the_heap

if TYPE_CHECKING:
    from pathlib import Path

    from cometgem.testing import FakeServer

READS = 500
READING = f"""
import socket
here, there = socket.socketpair()
for _ in range({READS}):
    there.send(b"x" * 450)
    here.recv(256 * 1024)  # what asyncio asks for
"""


def mremaps(program: str, count: Path) -> int:
    """Count the calls of mremap() in a Python process that has imported next to nothing."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: it is Debian's package strace")
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc's malloc has this limit")
    python = [sys.executable, "-I", "-S", "-c", program]
    traced = [strace, "-c", "-e", "trace=mremap", "-o", str(count), *python]
    if subprocess.run(traced, check=False, timeout=60).returncode:  # noqa: S603
        pytest.skip("strace may not trace here")
    lines = [line.split() for line in count.read_text().splitlines()]
    return next((int(words[3]) for words in lines if words[-1:] == ["mremap"]), 0)


def test_a_read_takes_no_block_from_mmap(tmp_path: Path) -> None:
    if mremaps(READING, tmp_path / "without") < READS:
        pytest.skip("this process frees a larger block at its start")
    before = f"{inspect.getsource(read_from_the_heap)}\n{read_from_the_heap.__name__}()\n"
    assert mremaps(before + READING, tmp_path / "with") < READS // 50


async def test_a_session_sees_to_that(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(transport, "read_from_the_heap", lambda: calls.append("called"))
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        assert calls == []
        for _ in range(2):
            await client.generate_content("gemini-3.8-flash", "Hi")
    assert calls == ["called"]
