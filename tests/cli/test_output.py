"""Output to terminals, pipes, and streams that fail."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
from cli.speaking import ESCAPES, PATIENCE, SHOWN, USAGE, Broken, child, posix

from cometgem.cli.main import main
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.speaking import Run


def test_text_in_a_pipe_is_unchanged(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("a\tb\n", ESCAPES, thought="unseen"))
    status, out, err = run("generate", "Hi")
    assert (status, out) == (0, "a\tb\n" + ESCAPES)
    assert "unseen" not in err


def test_text_in_a_terminal_cannot_control_it(
    server: FakeServer, terminal: Callable[..., tuple[int, str]]
) -> None:
    server.add(Reply.text("a\tb\r\n", f"{ESCAPES}👨‍👩‍👧", thought=f"hm {ESCAPES}"))
    status, screen = terminal("generate", "Hi")
    assert status == 0
    assert screen == (
        f"\x1b[2mthought: hm {SHOWN}\x1b[0m\n"  # dimmed, by us
        f"a\tb\r\n{SHOWN}👨‍👩‍👧\n" + USAGE.replace("3 answer, 12", "2 answer, 11")
    )


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colour(
    server: FakeServer,
    terminal: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    server.add(
        Reply.chunks(
            {"text": "one ", "thought": True}, {"text": "two\n", "thought": True}, {"text": "yes"}
        )
    )
    status, screen = terminal("generate", "Hi")
    assert status == 0
    assert screen.startswith("thought: one two\nyes\nusage: ")


def test_an_error_begins_a_new_line(
    server: FakeServer, terminal: Callable[..., tuple[int, str]]
) -> None:
    server.add(Reply.text("so far").then_error(500, message="too busy"))
    status, screen = terminal("generate", "Hi")
    assert status == 1
    assert screen.startswith("so far\ncometgem: error: 500")


def test_a_broken_pipe(server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(32, "Broken pipe")))
    server.add(Reply.text("Hello").then_stall())
    assert run("generate", "Hi") == (141, "", "")


def test_a_broken_pipe_at_the_last_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:  # closing it would raise if anything were left to write
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--help"]) == 141


@pytest.mark.parametrize(("is_windows", "status"), [(True, 141), (False, 1)])
def test_a_broken_pipe_is_an_invalid_argument_on_windows(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch, *, is_windows: bool, status: int
) -> None:
    monkeypatch.setattr("cometgem.cli.main._IS_WINDOWS", is_windows)
    monkeypatch.setattr(sys, "stdout", Broken(OSError(22, "Invalid argument")))
    code, _, err = run("generate", "Hi")
    assert code == status
    assert (err == "") == is_windows
    assert len(server.requests) == 1


def test_a_full_disk(server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, "No space left on device")))
    sentence = "cometgem: error: input or output failed: No space left on device\n"
    assert run("generate", "Hi") == (1, "", sentence)
    assert len(server.requests) == 1


def test_closed_streams(server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    status, _, err = run("generate", "Hi")
    assert status == 2
    assert err.startswith("cometgem: error: standard output is closed")
    monkeypatch.setattr(sys, "stderr", None)
    assert run("generate", "Hi") == (2, "", "")
    assert server.requests == []


@posix
async def test_a_closed_pipe_ends_the_command_quietly(fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hello, world").then_stall().then(Reply.text("more", "and more")))
    read, write = os.pipe()
    async with child(
        "-m", "cometgem", "generate", "Hi", server=fake_server, stdout=write
    ) as process:
        os.close(write)
        assert await asyncio.to_thread(os.read, read, 10) == b"Hello, wor"
        os.close(read)
        request = await fake_server.wait_request(0, PATIENCE)
        request.resume()
        _, err = await process.communicate()
        await request.wait_done(PATIENCE)
    assert (process.returncode, err) == (141, b"")


@posix
async def test_a_closed_pipe_ends_the_help_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    async with child("-m", "cometgem", "--help", stdout=write) as process:
        os.close(write)
        _, err = await process.communicate()
    assert (process.returncode, err) == (141, b"")
