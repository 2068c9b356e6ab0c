"""`cometgem chat`: in-process wherever it will do; a terminal of its own for keys and signals."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cometgem.cli import main
from cometgem.display import Terminal
from cometgem.testing import FakeServer, Reply
from cometgem.types import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Talk = Callable[..., tuple[int, str, str]]

KEY = "sk-secret-0123456789"
# Long enough for the slowest machine; nothing waits that long unless it hangs.
PATIENCE = 60
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\x9b\x7f"
SHOWN = r"\u001b]0;owned\u0007\u001b[2J\u000d\u009b\u007f"
ANSWER = "Hello from the fake server."

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals, signals and links")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("COMETAPI_KEY", "COMETAPI_BASE_URL", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The server that the environment names."""
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    return fake_server


@pytest.fixture
def talk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Send lines through a pipe; returns the exit code, stdout and stderr."""

    def talk(*lines: str, argv: tuple[str, ...] = ()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        status = main(["chat", *argv])
        out, err = capsys.readouterr()
        assert KEY not in out + err
        return status, out, err

    return talk


class Typed(io.StringIO):
    """A terminal's stdin."""

    def isatty(self) -> bool:
        return True


class Tty(io.StringIO):
    """One of the two streams of a terminal, which share its screen."""

    def __init__(self, screen: list[str]) -> None:
        super().__init__()
        self._screen = screen

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._screen.append(text)
        return len(text)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Converse at a terminal; returns the exit code and what is on its screen."""

    def screen(stdin: io.StringIO, *argv: str) -> tuple[int, str]:
        screen: list[str] = []
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", Tty(screen))
        monkeypatch.setattr(sys, "stderr", Tty(screen))
        return main(["chat", *argv]), "".join(screen)

    return screen


def said(server: FakeServer, request: int) -> list[tuple[str, str]]:
    """Return the roles and texts of a request."""
    return [
        (turn["role"], "".join(part.get("text", "<file>") for part in turn["parts"]))
        for turn in server.requests[request].body["contents"]
    ]


# Conversing


def test_the_second_turn_carries_the_first(server: FakeServer, talk: Talk) -> None:
    server.add(Reply.text("One ", "two"), Reply.text("three\n"))
    assert talk("Hi", "", "  ", "Go on ") == (0, "One two\nthree\n", "")
    assert said(server, 0) == [("user", "Hi")]
    assert said(server, 1) == [("user", "Hi"), ("model", "One two"), ("user", "Go on ")]
    assert {request.operation for request in server.requests} == {"streamGenerateContent"}
    assert {request.model for request in server.requests} == {"gemini-2.5-flash"}
    assert server.connections == 1


@pytest.mark.usefixtures("server")
def test_a_script(talk: Talk) -> None:
    usage = "usage: 8 prompt, 1 thoughts, 3 answer, 12 total tokens\n"
    assert talk("Hi", "/usage") == (0, f"{ANSWER}\n", usage)


def test_nothing_to_say_sends_nothing(server: FakeServer, talk: Talk) -> None:
    assert talk() == (0, "", "")
    assert talk("", " ", "/quit", "never said") == (0, "", "")
    assert server.requests == []
    assert server.connections == 0


def test_the_options_reach_the_wire(server: FakeServer, talk: Talk) -> None:
    options = "--model gemini-3-flash-preview --system Shout. --thinking low"
    assert talk("Hi", argv=tuple(options.split()))[0] == 0
    (request,) = server.requests
    assert request.model == "gemini-3-flash-preview"
    assert request.body["systemInstruction"] == {"parts": [{"text": "Shout."}]}
    thinking = {"thinkingLevel": "LOW", "includeThoughts": True}
    assert request.body["generationConfig"] == {"thinkingConfig": thinking}


def test_a_text_that_begins_with_a_slash(server: FakeServer, talk: Talk) -> None:
    assert talk("//etc/hosts is what?")[0] == 0
    assert said(server, 0) == [("user", "/etc/hosts is what?")]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--model", "a/b"], "'a/b' is no model name"),
        (["--model", ""], "'' is no model name"),
        (["--system", ""], "system_instruction is an empty text"),
        (["--model", "gemini-3-pro", "--thinking", "off"], "cannot do thinking='off'"),
        (["--load", "none.json"], "cannot load 'none.json': No such file or directory"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(
    server: FakeServer, talk: Talk, argv: list[str], sentence: str
) -> None:
    status, out, err = talk("Hi", argv=tuple(argv))
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert server.requests == []


def test_no_key(talk: Talk) -> None:
    status, out, err = talk("Hi", argv=("--load", "none.json"))
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: no API key: set the environment variable COMETAPI_KEY")


@pytest.mark.usefixtures("server")
def test_no_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["chat"]) == 2
    assert capsys.readouterr().err.startswith("cometgem: error: standard input is closed")


# What fails, and what goes on


def test_an_error_ends_the_turn_only(server: FakeServer, talk: Talk) -> None:
    server.add(
        Reply.text("one"),
        Reply.error(400, message=f"no {KEY} \x1b[2J"),
        Reply.text("so ", "far").then_error(500, message="too busy"),
        Reply.text("cut ").then_end(),
        Reply.text("four"),
    )
    status, out, err = talk("1", "2", "3", "cut", "4")
    assert (status, out) == (1, "one\nso far\ncut \nfour\n")
    errors = err.splitlines()
    assert len(errors) == 3
    assert errors[0].startswith(r"cometgem: error: 400: no *** \x1b[2J")
    assert errors[1].startswith("cometgem: error: 500: too busy")
    assert all(line.startswith("cometgem: error: ") for line in errors)
    assert said(server, 4) == [("user", "1"), ("model", "one"), ("user", "4")]


def test_no_answer_is_an_error(server: FakeServer, talk: Talk) -> None:
    server.add(Reply.chunks({"promptFeedback": {"blockReason": "SAFETY"}}), Reply.text("yes"))
    sentence = "cometgem: error: the prompt was blocked: SAFETY\n"
    assert talk("bad", "good") == (1, "yes\n", sentence)
    assert said(server, 1) == [("user", "good")]


def test_what_else_came_is_told(server: FakeServer, talk: Talk) -> None:
    server.add(Reply.text("one").then(Reply.image(b"x" * 12345)).finish("MAX_TOKENS"))
    notes = "image: 12,345 bytes of image/png\nfinish reason MAX_TOKENS\n"
    assert talk("Hi") == (0, "one\n", notes)


def test_a_line_that_is_no_text(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"one\r\n\xff\xfe\nlast"), "utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["chat"]) == 1
    out, err = capsys.readouterr()
    assert out == f"{ANSWER}\n{ANSWER}\n"
    assert "surrogates not allowed" in err
    assert err.count("\n") == 1
    assert [turn for turn in said(server, 1) if turn[0] == "user"] == [
        ("user", "one"),
        ("user", "last"),
    ]


def test_a_reader_that_went_away(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    monkeypatch.setattr(sys, "stdout", Broken())
    server.add(Reply.text("Hello").then_stall())
    assert main(["chat"]) == 141
    (request,) = server.requests
    request.join(PATIENCE)
    assert request.gone


# Commands


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/nope", "'/nope' is no command: there are /system, /file, /model, /thinking, /save,"),
        ("/", "'/' is no command"),
        ("/Quit", "and // begins a text with a slash"),
        ("/\x1b[2J", r"'/\x1b[2J' is no command"),
        ("/quit now", "/quit takes nothing"),
        ("/usage all", "/usage takes nothing"),
        ("/save", "/save takes PATH"),
        ("/load ", "/load takes PATH"),
        ("/file", "/file takes PATH"),
        ("/file none.png", "cannot read 'none.png' (No such file or directory)"),
        ("/file .", "cannot read '.'"),
        ("/file a\0b", r"'a\x00b' is no path"),
        ("/file ~no-such-user-here/x.png", "cannot read '~no-such-user-here/x.png'"),
        ("/model a/b", "'a/b' is no model name"),
        ("/thinking a lot", "'a lot' is none of off, minimal, low, medium, high, dynamic, and"),
        ("/thinking 99999", "'gemini-2.5-flash' cannot do thinking=99999"),
        ("/load .", "cannot load '.': "),
    ],
)
def test_a_wrong_command_is_one_sentence(
    server: FakeServer, talk: Talk, line: str, sentence: str
) -> None:
    status, out, err = talk(line, "Hi")
    assert (status, out) == (1, f"{ANSWER}\n")
    assert err.startswith("cometgem: error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert said(server, 0) == [("user", "Hi")]


def test_help(talk: Talk, server: FakeServer) -> None:
    status, out, err = talk("/help")
    assert (status, out) == (0, "")
    listed = [line.split()[0] for line in err.splitlines()]
    commands = "/system /file /model /thinking /save /load /usage /help /quit"
    assert listed == [*commands.split(), "//TEXT", "Ctrl-C"]
    assert max(map(len, err.splitlines())) < 80
    assert server.requests == []


def test_the_system_instruction(server: FakeServer, talk: Talk) -> None:
    status, _, err = talk("/system", "Hi", "/system  Be brief. ", "/system", "Go on")
    assert (status, err) == (0, "system: none\nsystem: Be brief.\nsystem: Be brief.\n")
    assert "systemInstruction" not in server.requests[0].body
    assert server.requests[1].body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert len(said(server, 1)) == 3


def test_files_go_with_the_next_message(server: FakeServer, talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "dot 1.png").write_bytes(b"\x89PNG")
    (tmp_path / "note.txt").write_text("words")
    status, _, err = talk("/file ~/dot 1.png", "/file note.txt", "/file none", "What?", "And?")
    assert status == 1
    assert err.splitlines()[:2] == [
        "attached to the next message: dot 1.png, 4 bytes of image/png",
        "attached to the next message: note.txt, 5 bytes of text/plain",
    ]
    first, _, second = server.requests[1].body["contents"]
    assert first["parts"] == [
        {"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}},
        {"inlineData": {"data": "d29yZHM=", "mimeType": "text/plain"}},
        {"text": "What?"},
    ]
    assert second["parts"] == [{"text": "And?"}]


def test_files_of_a_message_that_failed(server: FakeServer, talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("words")
    server.add(Reply.error(400, message="too large"))
    status, _, err = talk("/file note.txt", "What?", "And?")
    assert status == 1
    _, note, error = err.splitlines()
    assert note == "the message is not kept: attach its files again"
    assert error.startswith("cometgem: error: 400: too large")
    assert said(server, 1) == [("user", "And?")]


def test_the_model(server: FakeServer, talk: Talk) -> None:
    status, _, err = talk("/model", "/model gemini-3-flash-preview", "Hi")
    assert (status, err) == (0, "model: gemini-2.5-flash\nmodel: gemini-3-flash-preview\n")
    assert server.requests[0].model == "gemini-3-flash-preview"


def test_a_model_that_cannot_think_so(server: FakeServer, talk: Talk) -> None:
    status, _, err = talk("/model gemini-3-pro", "/model", "Hi", argv=("--thinking", "512"))
    assert status == 1
    error, model = err.splitlines()
    assert error.startswith("cometgem: error: 'gemini-3-pro' cannot do thinking=512: it takes ")
    assert model == "model: gemini-2.5-flash"
    assert server.requests[0].model == "gemini-2.5-flash"


@pytest.mark.parametrize(
    ("given", "shown", "config"),
    [
        ("LOW", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("minimal", "minimal", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("medium", "medium", {"thinkingBudget": 8192, "includeThoughts": True}),
        ("high", "high", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("dynamic", "dynamic", {"thinkingBudget": -1, "includeThoughts": True}),
        ("512", "512", {"thinkingBudget": 512, "includeThoughts": True}),
        ("off", "off", {"thinkingBudget": 0}),
        ("0", "0", {"thinkingBudget": 0}),
    ],
)
def test_thinking(
    server: FakeServer, talk: Talk, given: str, shown: str, config: dict[str, object]
) -> None:
    lines = ("/thinking", "Hi", "/thinking 256", f"/thinking {given}", "Hi", "/thinking")
    status, _, err = talk(*lines)
    assert status == 0
    assert err.splitlines() == [
        "thinking: as the model likes",
        "thinking: 256",
        f"thinking: {shown}",
        f"thinking: {shown}",
    ]
    assert "generationConfig" not in server.requests[0].body
    assert server.requests[1].body["generationConfig"] == {"thinkingConfig": config}


def test_usage(server: FakeServer, talk: Talk) -> None:
    usage = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 900,
        "thoughtsTokenCount": 20,
        "candidatesTokenCount": 5,
        "totalTokenCount": 1025,
    }
    server.add(*[Reply.text("x").usage(usage)] * 2)
    status, _, err = talk("/usage", "1", "2", "/usage")
    assert status == 0
    before, after = err.splitlines()
    assert before == "usage: no token counts came"
    spent = "usage: 2,000 prompt, 40 thoughts, 10 answer, 2,050 total tokens"
    assert after == f"{spent}; 1,800 of the prompt's were cached"


# Chats in files


def test_saved_and_loaded(server: FakeServer, talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    options = ("--system", "Two\nlines", "--model", "gemini-3-flash-preview")
    status, _, err = talk("Hi", "/save ~/chat.json", argv=options)
    assert (status, err) == (0, "saved 2 turns to ~/chat.json\n")
    assert KEY not in path.read_text("utf-8")

    lines = ("/load chat.json", "/system", "/usage", "Go on")
    status, _, err = talk(*lines, argv=("--system", "Other"))
    assert status == 0
    assert err.splitlines() == [
        "loaded 2 turns with gemini-3-flash-preview from chat.json",
        "system: Two",
        "system: lines",
        "usage: 8 prompt, 1 thoughts, 3 answer, 12 total tokens",
    ]
    assert server.requests[1].model == "gemini-3-flash-preview"
    assert said(server, 1) == [
        ("user", "Hi"),
        ("model", f"A greeting will do.{ANSWER}"),
        ("user", "Go on"),
    ]
    assert server.requests[1].body["systemInstruction"] == {"parts": [{"text": "Two\nlines"}]}


def test_load_from_the_start(server: FakeServer, talk: Talk) -> None:
    assert talk("Hi", "/save c.json", argv=("--system", "Be brief."))[0] == 0
    assert talk("Go on", argv=("--load", "c.json"))[0] == 0
    assert len(said(server, 1)) == 3
    assert server.requests[1].body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    options = ("--load", "c.json", "--system", "Shout.", "--model", "gemini-3-flash-preview")
    assert talk("Go on", argv=options)[0] == 0
    assert len(said(server, 2)) == 3
    assert server.requests[2].model == "gemini-3-flash-preview"
    assert server.requests[2].body["systemInstruction"] == {"parts": [{"text": "Shout."}]}


def test_thinking_outlives_a_load(server: FakeServer, talk: Talk) -> None:
    lines = ("Hi", "/save c.json", "/load c.json", "Go on")
    assert talk(*lines, argv=("--thinking", "512"))[0] == 0
    thinking = {"thinkingBudget": 512, "includeThoughts": True}
    assert server.requests[1].body["generationConfig"] == {"thinkingConfig": thinking}


@pytest.mark.parametrize("written", [b"# Title", b"{}", b"[]", b'{"model": 1}', b"\xff", b""])
def test_a_file_that_is_no_chat(
    server: FakeServer, talk: Talk, tmp_path: Path, written: bytes
) -> None:
    (tmp_path / "x.json").write_bytes(written)
    status, _, err = talk("Hi", "/load x.json", "Go on")
    assert status == 1
    assert err.startswith("cometgem: error: cannot load 'x.json': this is no chat's JSON: ")
    assert err.count("\n") == 1
    assert len(said(server, 1)) == 3  # the chat is as it was


@posix
def test_a_save_replaces_what_was_there(server: FakeServer, talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("older")
    (tmp_path / "link.json").symlink_to(path)
    assert talk("Hi", "/save link.json") == (0, f"{ANSWER}\n", "saved 2 turns to link.json\n")
    assert (tmp_path / "link.json").is_symlink()
    assert len(json.loads(path.read_bytes())["history"]) == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c.json", "link.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(server.requests) == 1


@pytest.mark.usefixtures("server")
def test_a_save_that_fails_leaves_what_was_there(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "c.json").write_text("older")
    status, _, err = talk("/save c.json", "/save new.json")
    assert status == 1
    assert err.splitlines() == [
        "cometgem: error: cannot save to 'c.json': No space left on device",
        "cometgem: error: cannot save to 'new.json': No space left on device",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["c.json"]
    assert (tmp_path / "c.json").read_text() == "older"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".", "there is something that is no file"),
        ("none/c.json", "No such file or directory"),
        (os.devnull, "there is something that is no file"),
    ],
)
def test_where_no_file_can_be(talk: Talk, path: str, reason: str) -> None:
    status, _, err = talk(f"/save {path}")
    assert (status, err) == (1, f"cometgem: error: cannot save to {path!r}: {reason}\n")
    assert Path(os.devnull).exists()


# A screen


def test_a_server_cannot_steer_the_terminal(
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
    assert status == 0  # the person has seen what failed
    answer = f"thought: A greeting will do.\n{ANSWER}\n\n"
    begin, error, end = shown.partition("cometgem: error: '/nope' is no command")
    welcome = "gemini-2.5-flash: /help lists the commands, /quit or Ctrl-D leaves\n\n"
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
    assert "> stopped\n\n> model: gemini-2.5-flash\n" in err


# Markdown

MARKDOWN = """\
## Comets

A *comet* is `ice` and
dust: [more](https://example.com/a), <https://example.com/%1b%5b2J>, Vec<String>.\r

1. Halley

   in 2061

2. Encke
   - often

| name | years |
|------|-------|
| Halley | 76 |

```python
def period(a):

    return a ** 1.5 # \x1b[2J
```

> Look up.

[unseen]: https://example.com

<b>bold</b>
---
The end"""

RENDERED = """\
Comets

A comet is ice and dust: more (https://example.com/a),
https://example.com/\\u001b[2J (https://example.com/%1b%5b2J), Vec<String>.

1 Halley
in 2061
2 Encke
• often

name years
Halley 76

def period(a):

return a ** 1.5 # \\u001b[2J

▌ Look up.

<b>bold</b>

The end
"""


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Render pieces of Markdown; returns what is on the screen."""
    pytest.importorskip("rich")
    from cometgem.markdown import MarkdownText  # noqa: PLC0415  wants the extra

    monkeypatch.setenv("NO_COLOR", "1")

    def rendered(pieces: list[str]) -> str:
        screen: list[str] = []
        terminal = Terminal()
        terminal.out = Tty(screen)
        text = MarkdownText(terminal)
        for piece in pieces:
            text.add(piece)
        text.end()
        return "".join(screen)

    return rendered


def plain(screen: str) -> list[str]:
    """Return the words on the screen, without colours, frames and indentation."""
    words = re.sub(r"\x1b\[[\d;]*m", "", screen)
    assert "\x1b" not in words
    lines = [" ".join(line.split()) for line in words.splitlines()]
    return [line for line in lines if not line or line.strip("━─")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_markdown_in_pieces(rendered: Callable[..., str], size: int) -> None:
    pieces = [MARKDOWN[at : at + size] for at in range(0, len(MARKDOWN), size)]
    assert plain(rendered(pieces)) == RENDERED.splitlines()


def test_markdown_of_nothing(rendered: Callable[..., str]) -> None:
    assert rendered([]) == rendered(["", "\n", "\n\n"]) == ""
    assert rendered(["Hi"]) == "Hi\n"


def test_markdown_of_an_answer_that_was_cut(
    server: FakeServer,
    screen: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("NO_COLOR", "1")
    server.add(Reply.text("one *two*\n", "\nthr").then_end())
    status, shown = screen(io.StringIO("Hi\n"), "--markdown")
    assert status == 1
    *answer, error = plain(shown)
    assert answer == ["one two", "", "thr"]
    assert error.startswith("cometgem: error: ")


def test_markdown_in_a_pipe_is_as_it_came(server: FakeServer, talk: Talk) -> None:
    pytest.importorskip("rich")
    server.add(Reply.text(MARKDOWN))
    assert talk("Hi", argv=("--markdown",)) == (0, f"{MARKDOWN}\n", "")


@pytest.mark.usefixtures("server")
def test_markdown_without_the_extra(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cometgem.markdown", None)
    sentence = "--markdown wants the package rich: pip install 'cometgem[cli]'"
    assert talk("Hi", argv=("--markdown",)) == (2, "", f"cometgem: error: {sentence}\n")


# A terminal of its own

ROOT = str(Path(__file__).resolve().parents[1])

# Whose Ctrl-C is meant for it. A shell may have started the tests with SIGINT ignored.
IN_TERMINAL = """
import fcntl, signal, sys, termios
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
{without}
from cometgem.cli import main
sys.exit(main())
"""
UP, CTRL_C, CTRL_D = "\x1b[A", "\x03", "\x04"


class Person:
    """Who types, and sees what is on the screen."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int, editor: str) -> None:
        self.process = process
        self.editor = editor
        self._terminal = terminal
        self._seen = b""

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def see(self, words: str, *, press: str = "") -> None:
        """Wait for words that have not been seen yet; press keys again and again meanwhile."""
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
        """Return the exit code; reads on, since a full terminal would block the program."""
        with contextlib.suppress(OSError):  # Linux' way of saying that the other end is closed
            while os.read(self._terminal, 65536):
                pass
        return self.process.wait(PATIENCE)


@pytest.fixture(params=["prompt_toolkit", "readline"])
def person(server: FakeServer, request: pytest.FixtureRequest) -> Iterator[Person]:
    """A person at a terminal, with the extra and without."""
    pytest.importorskip(request.param)
    import pty  # noqa: PLC0415  POSIX only

    without = "" if request.param == "prompt_toolkit" else "sys.modules['prompt_toolkit'] = None"
    ours, theirs = pty.openpty()
    environment = dict(os.environ, PYTHONPATH=ROOT, PROMPT_TOOLKIT_NO_CPR="1")
    process = subprocess.Popen(  # noqa: S603  our own code
        [sys.executable, "-c", IN_TERMINAL.format(without=without), "chat"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=environment | {"COMETAPI_KEY": KEY, "COMETAPI_BASE_URL": server.url},
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
    person.see("\nstopped: the answer is kept as far as it came\n")
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
    person.see("stopped before an answer came: the message is not kept\n")
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
    # Python's input() notices a signal with the next one, if it came just before it waits.
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
    assert list(tmp_path.iterdir()) == []  # which is the home: nothing is written down


@posix
@pytest.mark.parametrize("person", ["prompt_toolkit"], indirect=True)
def test_alt_enter_begins_a_line(server: FakeServer, person: Person) -> None:
    person.type("one\x1b\rtwo\r")
    person.see(ANSWER)
    assert said(server, 0) == [("user", "one\ntwo")]


@posix
def test_ctrl_c_ends_a_script(server: FakeServer) -> None:
    server.add(Reply.text("so far").then_stall())
    environment = dict(os.environ, PYTHONPATH=ROOT)
    with subprocess.Popen(  # noqa: S603  our own code
        [sys.executable, "-c", IN_TERMINAL.format(without=""), "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"COMETAPI_KEY": KEY, "COMETAPI_BASE_URL": server.url},
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
