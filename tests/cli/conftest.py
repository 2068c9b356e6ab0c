"""`cometgem` in this process: at a pipe, and at a screen in memory."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from cli.speaking import KEY, Tty

from cometgem.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.speaking import Run, Talk

    from cometgem.testing import FakeServer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("COMETAPI_KEY", "COMETAPI_BASE_URL", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The server that the environment names."""
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    return fake_server


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; returns the exit code, stdout and stderr."""

    def run(*argv: str) -> tuple[int, str, str]:
        status = main(argv)
        out, err = capsys.readouterr()
        assert KEY not in out + err
        return status, out, err

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command in a terminal; returns the exit code and what is on the screen."""

    def run(*argv: str) -> tuple[int, str]:
        screen: list[str] = []
        monkeypatch.setattr(sys, "stdout", Tty(screen))
        monkeypatch.setattr(sys, "stderr", Tty(screen))
        return main(argv), "".join(screen)

    return run


@pytest.fixture
def talk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Send lines to a chat through a pipe; returns the exit code, stdout and stderr."""

    def talk(*lines: str, argv: tuple[str, ...] = ()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        status = main(["chat", *argv])
        out, err = capsys.readouterr()
        assert KEY not in out + err
        return status, out, err

    return talk


@pytest.fixture
def screen(
    monkeypatch: pytest.MonkeyPatch, terminal: Callable[..., tuple[int, str]]
) -> Callable[..., tuple[int, str]]:
    """Chat at a terminal; returns the exit code and what is on its screen."""

    def screen(stdin: io.StringIO, *argv: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", stdin)
        return terminal("chat", *argv)

    return screen
