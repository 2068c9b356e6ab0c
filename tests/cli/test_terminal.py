"""A person at a terminal: prompts, keys and signals."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from cli.speaking import (
    ANSWER,
    ESCAPES,
    MODEL,
    PATIENCE,
    SHOWN,
    Typed,
    child_environment,
    posix,
    said,
)

from cometgem.cli.main import main
from cometgem.testing import FakeServer, Reply
from cometgem.types import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_a_server_cannot_control_the_terminal(
    server: FakeServer, screen: Callable[..., tuple[int, str]]
) -> None:
    server.add(Reply.text(ESCAPES, thought=f"hm {ESCAPES}"), Reply.error(400, message=ESCAPES))
    status, shown = screen(io.StringIO("one\ntwo\n"), "--thinking", "low")
    assert status == 1
    first, second, error, _ = shown.split("\n")
    assert first == f"\x1b[2mthought: hm {SHOWN}\x1b[0m"  # dimmed, by us
    assert second == SHOWN
    assert error.startswith("cometgem: error: 400: ")
    assert error.isprintable()


def test_typed_without_an_extra(
    server: FakeServer,
    screen: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    monkeypatch.setitem(sys.modules, "readline", None)
    monkeypatch.setenv("NO_COLOR", "1")
    status, shown = screen(Typed("Hi\n\n/nope\nGo on\n"))
    assert status == 0  # the error was seen when it happened
    answer = f"thought: A greeting will do.\n{ANSWER}\n\n"
    begin, error, end = shown.partition("cometgem: error: unknown command '/nope'")
    welcome = f"{MODEL}: /help lists the commands, /quit or Ctrl-D leaves\n\n"
    assert begin == f"{welcome}> {answer}> > "
    assert error
    assert end.endswith(f"a slash\n\n> {answer}> \n")
    assert len(said(server, 1)) == 3


def test_prompts_do_not_go_into_a_file(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Typed("Hi\nGo on\n"))
    assert main(["chat"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{ANSWER}\n{ANSWER}\n"
    assert err.endswith("leaves\n\n> \n> \n> \n")
    assert len(said(server, 1)) == 3


def test_ctrl_c_at_a_prompt_beside(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Typed):
        presses = 1

        def readline(self, size: int | None = -1) -> str:
            if self.presses:
                self.presses -= 1
                raise KeyboardInterrupt
            return super().readline(-1 if size is None else size)

    monkeypatch.setattr(sys, "stdin", Interrupted("Hi\n"))
    assert main(["chat"]) == 0
    assert "> \n/quit or Ctrl-D leaves\n\n> " in capsys.readouterr().err
    assert len(server.requests) == 1


@pytest.mark.usefixtures("server")
def test_ctrl_c_stops_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> Part:
        raise KeyboardInterrupt

    monkeypatch.setattr(Part, "from_file", interrupted)
    monkeypatch.setattr(sys, "stdin", Typed("/file x.png\n/model\n"))
    assert main(["chat"]) == 0
    err = capsys.readouterr().err
    assert f"> stopped\n\n> model: {MODEL}\n" in err


# Takes the terminal over, so that Ctrl-C typed there reaches it. A shell may have started the
# tests with SIGINT ignored.
IN_TERMINAL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.stdin.isatty():
    import fcntl, termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
{without}
from cometgem.cli.main import main
sys.exit(main())
"""
UP, CTRL_C, CTRL_D = "\x1b[A", "\x03", "\x04"


class Person:
    """Types keys, and reads the screen."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int, editor: str) -> None:
        self.process = process
        self.editor = editor
        self._terminal = terminal
        self._seen = b""

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def see(self, words: str, *, press: str = "") -> None:
        """Wait until words appear on the screen; press keys from time to time until then."""
        expected = words.replace("\n", "\r\n").encode()
        deadline = time.monotonic() + PATIENCE
        while expected not in self._seen:
            assert time.monotonic() < deadline, f"{words!r} did not come: {self._seen!r}"
            if select.select([self._terminal], [], [], 2)[0]:
                self._seen += os.read(self._terminal, 65536)
            else:
                self.type(press)
        self._seen = self._seen.partition(expected)[2]

    def leaves(self) -> int:
        """Return the exit code; read on until then, since a full terminal blocks the program."""
        with contextlib.suppress(OSError):  # on Linux: the other end is closed
            while os.read(self._terminal, 65536):
                pass
        return self.process.wait(PATIENCE)


@pytest.fixture(params=["prompt_toolkit", "readline"])
def person(server: FakeServer, request: pytest.FixtureRequest) -> Iterator[Person]:
    """A person at a terminal, with the extra and without."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    pytest.importorskip(request.param)

    without = "" if request.param == "prompt_toolkit" else "sys.modules['prompt_toolkit'] = None"
    ours, theirs = pty.openpty()
    environment = child_environment(server) | {"PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(  # noqa: S603  our own code
        [sys.executable, "-c", IN_TERMINAL.format(without=without), "chat"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=environment,
    )
    os.close(theirs)
    try:
        one = Person(process, ours, request.param)
        one.see("Ctrl-D leaves\n\n")
        one.see(">")
        yield one
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@posix
def test_ctrl_c_stops_the_answer_only(server: FakeServer, person: Person) -> None:
    server.add(Reply.text("so far").then_stall(), Reply.text("again"))
    person.type("Hi\r")
    person.see("so far")
    person.type(CTRL_C)
    person.see("\nstopped; the partial answer is kept\n")
    server.requests[0].join(PATIENCE)
    assert server.requests[0].gone
    person.see(">")
    person.type("Go on\r")
    person.see("again\n")
    assert said(server, 1) == [("user", "Hi"), ("model", "so far"), ("user", "Go on")]
    person.see(">")
    person.type("/quit\r")
    assert person.leaves() == 0


@posix
@pytest.mark.parametrize("reply", [Reply.silence(), Reply.text(thought="Hm").then_stall()])
def test_ctrl_c_before_the_answer(server: FakeServer, person: Person, reply: Reply) -> None:
    server.add(reply, Reply.text("again"))
    person.type("Hi\r")
    deadline = time.monotonic() + PATIENCE
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    if reply.steps:
        person.see("thought: Hm")
    person.type(CTRL_C)
    person.see("stopped before the answer began; the message is not kept\n")
    server.requests[0].join(PATIENCE)
    assert server.requests[0].gone
    person.see(">")
    person.type("Anew\r")
    person.see("again\n")
    assert said(server, 1) == [("user", "Anew")]


@posix
def test_ctrl_c_many_times(server: FakeServer, person: Person) -> None:
    server.add(Reply.text("so far").then_stall())
    person.type("Hi\r")
    person.see("so far")
    person.type(CTRL_C * 3)
    server.requests[0].join(PATIENCE)
    assert server.requests[0].gone
    person.see(">")
    person.type("\rGo on\r")
    person.see(ANSWER)
    assert said(server, 1)[-1] == ("user", "Go on")


@posix
def test_ctrl_c_at_the_prompt(server: FakeServer, person: Person) -> None:
    # input() does not notice a signal that arrives just before it waits, until the next one.
    person.type(CTRL_C)
    person.see("/quit or Ctrl-D leaves\n", press=CTRL_C)
    person.see(">")
    person.type("half typed")
    person.see("d")
    person.type(CTRL_C)
    if person.editor == "readline":  # which begins a new line
        person.see(">", press=CTRL_C)
    person.type("Hi\r")
    person.see(ANSWER)
    assert said(server, 0) == [("user", "Hi")]
    person.see(">")
    person.type(CTRL_D)
    assert person.leaves() == 0


@posix
def test_arrow_up_brings_back_what_was_typed(
    server: FakeServer, person: Person, tmp_path: Path
) -> None:
    person.type("One\r")
    person.see(ANSWER)
    person.see(">")
    person.type("Two\r")
    person.see(ANSWER)
    person.see(">")
    person.type(f"{UP}{UP}\r")
    person.see(ANSWER)
    assert [turn for turn in said(server, 2) if turn[0] == "user"] == [
        ("user", "One"),
        ("user", "Two"),
        ("user", "One"),
    ]
    person.see(">")
    person.type(CTRL_D)
    assert person.leaves() == 0
    assert list(tmp_path.iterdir()) == []  # the home directory: no history file


@posix
@pytest.mark.parametrize("person", ["prompt_toolkit"], indirect=True)
def test_alt_enter_begins_a_line(server: FakeServer, person: Person) -> None:
    person.type("one\x1b\rtwo\r")
    person.see(ANSWER)
    assert said(server, 0) == [("user", "one\ntwo")]


@posix
def test_ctrl_c_ends_a_script(server: FakeServer) -> None:
    server.add(Reply.text("so far").then_stall())
    with subprocess.Popen(  # noqa: S603  our own code
        [sys.executable, "-c", IN_TERMINAL.format(without=""), "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(server),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"Hi\nGo on\n")
        process.stdin.flush()
        assert process.stdout.read(6) == b"so far"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE) == (b"\n", b"")
    assert process.returncode == 130
    (request,) = server.requests
    request.join(PATIENCE)
    assert request.gone
