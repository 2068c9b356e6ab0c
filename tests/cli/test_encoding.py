"""UTF-8 in pipes, whatever the locale or the code page; the terminal keeps its encoding."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli.speaking import ANSWER, child, said

from cometgem.cli.main import main
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from cli.speaking import Run

BOM = b"\xef\xbb\xbf"
COMET = "café ☄\n"


class Terminal(io.TextIOWrapper):
    """A terminal with an encoding."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_piped_output_is_utf_8(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    server.add(Reply.text(COMET))
    assert run("generate", "Hi")[0] == 0
    assert written.getvalue().decode() == COMET


def test_a_terminal_gets_what_it_can_show(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(written, "cp1252"))
    server.add(Reply.text(COMET))
    assert run("generate", "Hi")[0] == 0
    assert written.getvalue() == b"caf\xe9 \\u2604\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("start", [b"", BOM])
def test_piped_input_is_utf_8(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch, encoding: str, start: bytes
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(start + COMET.encode()), encoding)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("generate", "-")[0] == 0
    assert said(server, 0) == [("user", COMET)]


@pytest.mark.parametrize("start", [b"", BOM])
def test_piped_lines_are_utf_8(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(start + COMET.encode() + b"caf\xe9\n"), "cp1252")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["chat"]) == 1
    assert said(server, 0) == [("user", COMET.rstrip())]
    assert len(server.requests) == 1  # the line in Latin-1 was not sent


def test_stdin_that_something_has_read_from_keeps_its_encoding(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"first\nsecond\n"), "cp1252")
    assert stdin.readline() == "first\n"
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("generate", "-")[0] == 0
    assert said(server, 0) == [("user", "second\n")]


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        (None, "standard input is closed"),
        (
            io.TextIOWrapper(io.BytesIO(b"Hi \xff\xfe"), "cp1252"),
            "standard input is not valid UTF-8: byte 0xff at offset 3 cannot be decoded",
        ),
        (
            io.TextIOWrapper(io.BytesIO(b"Hi \xff"), "utf-8", errors="surrogateescape"),
            "standard input is not valid UTF-8: byte 0xff at offset 3 cannot be decoded",
        ),
        (io.StringIO(" \n"), "the prompt is empty"),
    ],
)
def test_input_without_a_prompt(
    server: FakeServer,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    stdin: io.TextIOBase | None,
    sentence: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    status, out, err = run("generate", "-")
    assert (status, out) == (2, "")
    assert err.startswith(f"cometgem: error: {sentence}")
    assert err.count("\n") == 1
    assert server.requests == []


async def test_a_code_page(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    fake_server.add(Reply.text(COMET))
    how = {"server": fake_server, "stdin": subprocess.PIPE}
    async with child("-m", "cometgem", "generate", "-", **how) as process:
        out, _ = await process.communicate(COMET.encode())
    assert process.returncode == 0
    assert out.decode().splitlines() == COMET.splitlines()
    assert said(fake_server, 0) == [("user", COMET)]
    async with child("-m", "cometgem", "generate", "-", **how) as process:
        out, _ = await process.communicate(b"Hi")
    assert out == ANSWER.encode()
