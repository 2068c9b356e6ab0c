"""Ctrl-C."""

from __future__ import annotations

import signal

import pytest
from cli.speaking import PATIENCE, WITH_SIGINT, child, posix

from cometgem.testing import FakeServer, Reply


@posix
@pytest.mark.parametrize("how", ["--raw", "--json"])
async def test_ctrl_c_closes_the_stream(fake_server: FakeServer, how: str) -> None:
    fake_server.add(Reply.text("Hello").then_stall())
    async with child("-c", WITH_SIGINT, "generate", "Hi", how, server=fake_server) as process:
        request = await fake_server.wait_request(0, PATIENCE)
        assert process.stdout is not None
        assert await process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        await request.wait_gone(PATIENCE)
        _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")


@posix
@pytest.mark.parametrize("how", ["--no-stream", "--raw"])
async def test_ctrl_c_before_the_answer(fake_server: FakeServer, how: str) -> None:
    fake_server.add(Reply.silence())
    async with child("-c", WITH_SIGINT, "generate", "Hi", how, server=fake_server) as process:
        request = await fake_server.wait_request(0, PATIENCE)
        process.send_signal(signal.SIGINT)
        await request.wait_gone(PATIENCE)
        assert await process.communicate() == (b"", b"")
    assert process.returncode == 130
