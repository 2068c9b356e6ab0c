"""In-process wherever it will do; a process of its own for signals and pipes only."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli.speaking import Tty
from conformance import conformance_file

from cometgem import __version__
from cometgem.cli.main import main
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Run = Callable[..., tuple[int, str, str]]

KEY = "sk-secret-0123456789"
# Long enough for the slowest machine; nothing waits that long unless it hangs.
PATIENCE = 60
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\x9b\x7f"
SHOWN = r"\u001b]0;owned\u0007\u001b[2J\u000d\u009b\u007f"
ANSWER = "Hello from the fake server."
USAGE = "usage: 8 prompt, 1 thoughts, 3 answer, 12 total tokens; finish reason STOP\n"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMETAPI_KEY", "COMETAPI_BASE_URL", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


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
def server(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The server that the environment names."""
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    return fake_server


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command in a terminal; returns the exit code and what is on the screen."""

    def run(*argv: str) -> tuple[int, str]:
        screen: list[str] = []
        monkeypatch.setattr(sys, "stdout", Tty(screen))
        monkeypatch.setattr(sys, "stderr", Tty(screen))
        return main(argv), "".join(screen)

    return run


class Broken(io.StringIO):
    """A stdout that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


# The program itself


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"cometgem {__version__}\n", "")


def test_nothing_to_do_shows_the_help(run: Run) -> None:
    status, out, err = run()
    assert (status, out) == (2, "")
    assert err.startswith("usage: cometgem ")
    assert all(command in err for command in ("chat", "demo", "generate", "serve"))


@pytest.mark.parametrize("command", [[], ["chat"], ["demo"], ["generate"], ["serve"]])
def test_help(run: Run, command: list[str]) -> None:
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: {' '.join(['cometgem', *command])} ")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["paint"], "'paint'"),
        (["generate"], "PROMPT; see 'cometgem generate --help'"),
        (
            ["generate", "Hi", "--thinking", "a lot"],
            "'a lot' is none of off, minimal, low, medium, high, dynamic, and no number of tokens",
        ),
        (["generate", "Hi", "--thinking", "-2"], "'-2' is none of"),
        (["generate", "Hi", "--thinking", "9" * 5000], "is none of"),
        (["generate", "Hi", "--thinking", "low", "--thinking", "512"], "--thinking is given twice"),
        (["chat", "--thinking", "low", "--thinking", "low"], "see 'cometgem chat --help'"),
        (["chat", "Hi"], "unrecognized arguments: Hi"),
        (["generate", "Hi", "--no-str"], "--no-str"),
        (["serve", "--port", "65536"], "'65536' is no port"),
        (["serve", "--port", "-1"], "'-1' is no port"),
        (["serve", "--port", "9" * 5000], "is no port"),
        (["generate", "Hi", "--\x1b[2J"], r"--\x1b[2J"),
    ],
)
def test_wrong_usage(run: Run, argv: list[str], sentence: str) -> None:
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_the_package_does_not_import_the_command_line() -> None:
    rooms = ["cometgem.cli.main", "cometgem.cli.demo", "cometgem.cli.terminal", "cometgem.testing"]
    code = f"import sys, cometgem; print([name for name in {rooms} if name in sys.modules])"
    found = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code], capture_output=True, timeout=PATIENCE, check=True
    )
    assert found.stdout.split() == [b"[]"]


def test_the_command_line_does_not_import_what_one_command_needs() -> None:
    rooms = ["cometgem.cli.demo", "cometgem.testing", "prompt_toolkit", "markdown_it", "rich"]
    code = (
        f"import sys, cometgem.cli.main; print([name for name in {rooms} if name in sys.modules])"
    )
    found = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code], capture_output=True, timeout=PATIENCE, check=True
    )
    assert found.stdout.split() == [b"[]"]


# generate


def test_text_goes_to_stdout_and_the_rest_to_stderr(server: FakeServer, run: Run) -> None:
    assert run("generate", "Hi") == (0, ANSWER, USAGE)
    (request,) = server.requests
    assert request.operation == "streamGenerateContent"
    assert request.model == "gemini-2.5-flash"
    assert request.body == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_no_stream(server: FakeServer, run: Run) -> None:
    assert run("generate", "Hi", "--no-stream") == (0, ANSWER, USAGE)
    assert server.requests[0].operation == "generateContent"


def test_the_options_reach_the_wire(server: FakeServer, run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG")
    note = tmp_path / "note.txt"
    note.write_text("words")
    options = "--model=models/gemini-3-flash-preview --system Shout. --thinking low --search --json"
    files = ["--file", str(picture), "--file", str(note)]
    assert run("generate", *options.split(), *files, "Hi")[0] == 0
    (request,) = server.requests
    assert request.model == "gemini-3-flash-preview"
    assert request.body == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}},
                    {"inlineData": {"data": "d29yZHM=", "mimeType": "text/plain"}},
                    {"text": "Hi"},
                ],
            }
        ],
        "systemInstruction": {"parts": [{"text": "Shout."}]},
        "tools": [{"googleSearch": {}}],
        "generationConfig": {
            "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
            "responseMimeType": "application/json",
        },
    }


@pytest.mark.parametrize(
    ("given", "model", "config"),
    [
        ("HIGH", "gemini-2.5-flash", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("512", "gemini-2.5-flash", {"thinkingBudget": 512, "includeThoughts": True}),
        ("-1", "gemini-2.5-flash", {"thinkingBudget": -1, "includeThoughts": True}),
        ("dynamic", "gemini-2.5-flash", {"thinkingBudget": -1, "includeThoughts": True}),
        ("0", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("off", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("HIGH", "gemini-3-flash-preview", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        (
            "minimal",
            "gemini-3-flash-preview",
            {"thinkingLevel": "MINIMAL", "includeThoughts": True},
        ),
        ("dynamic", "gemini-3-flash-preview", {"includeThoughts": True}),
    ],
)
def test_thinking(
    server: FakeServer, run: Run, given: str, model: str, config: dict[str, object]
) -> None:
    assert run("generate", "Hi", "--model", model, "--thinking", given)[0] == 0
    assert server.requests[0].body["generationConfig"] == {"thinkingConfig": config}


def test_the_prompt_from_stdin(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines\n"))
    assert run("generate", "-")[0] == 0
    assert server.requests[0].body["contents"][0]["parts"] == [{"text": "two\nlines\n"}]


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        (None, "standard input is closed"),
        (io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8"), "standard input is no text"),
        (io.StringIO(" \n"), "the prompt is empty"),
    ],
)
def test_no_prompt_from_stdin(
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
    assert server.requests == []


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([""], "the prompt is empty"),
        ([" \n"], "the prompt is empty"),
        (["Hi", "--model", "../files"], "'../files' is not a valid model name"),
        (["Hi", "--model", "a/b"], "'a/b' is not a valid model name"),
        (["Hi", "--model", ""], "'' is not a valid model name"),
        (["Hi", "--no-stream", "--model", "a/b"], "'a/b' is not a valid model name"),
        (["Hi", "--system", ""], "system_instruction is blank"),
        (["Hi", "--thinking", "512", "--model", "gemini-3-pro"], "does not support thinking=512"),
        (["Hi", "--thinking", "off", "--model", "gemini-3-pro"], "does not support thinking='off'"),
        (["Hi", "--file", "no-such-file.png"], "cannot read 'no-such-file.png'"),
        (["Hi", "--file", __file__ + "/.."], "cannot read"),
        (["Hi\udc80"], "surrogates not allowed"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    server: FakeServer, run: Run, argv: list[str], sentence: str
) -> None:
    status, out, err = run("generate", *argv)
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert server.requests == []


def test_a_file_of_unknown_type(server: FakeServer, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "thing.unknown-type"
    path.touch()
    status, _, err = run("generate", "Hi", "--file", str(path))
    assert status == 2
    assert "cannot infer the media type" in err
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"COMETAPI_KEY": ""}, "COMETAPI_KEY is empty"),
        ({"COMETAPI_KEY": KEY + "\n"}, "COMETAPI_KEY has a space, a line break"),
        (
            {"COMETAPI_BASE_URL": "ftp://example.com"},
            "base_url 'ftp://example.com' is not an http(s)",
        ),
        ({"COMETAPI_BASE_URL": "http://example.com"}, "would send the key unencrypted"),
    ],
)
def test_a_bad_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], sentence: str
) -> None:
    for name, value in {"COMETAPI_KEY": KEY, **change}.items():
        monkeypatch.setenv(name, value)
    status, out, err = run("generate", "Hi")
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: ")
    assert sentence in err


def test_no_key(run: Run) -> None:
    status, out, err = run("generate", "Hi", "--file", "no-such-file")
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: no API key: set the environment variable COMETAPI_KEY")


@pytest.mark.parametrize("how", [[], ["--no-stream"]])
def test_an_error_of_the_api(server: FakeServer, run: Run, how: list[str]) -> None:
    server.add(Reply.error(401, message=f"wrong key {KEY} \x1b[2J"))
    status, out, err = run("generate", "Hi", *how)
    assert (status, out) == (1, "")
    assert err.startswith("cometgem: error: 401 ")
    assert r"wrong key *** \x1b[2J" in err


def test_a_failure_in_mid_stream_keeps_what_came(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("so far").then_error(500, message="too busy"))
    status, out, err = run("generate", "Hi")
    assert (status, out) == (1, "so far")
    assert err.startswith("cometgem: error: 500")
    assert err.count("\n") == 1


def test_every_recorded_answer(server: FakeServer, run: Run) -> None:
    expected = json.loads(conformance_file("bodies/EXPECT.json").read_bytes())["files"]
    for name, facts in expected.items():
        if facts.get("error") is None and "only-prompt-feedback" not in name:
            server.add(Reply.recorded(conformance_file(f"bodies/{name}")))
            status, out, err = run("generate", "Hi")
            assert (name, status) == (name, int(name in BODIES))
            assert out == facts["merged"]["text"]
            assert f"; finish reason {facts['merged']['finish_reason'] or 'none'}" in err


def test_no_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound but not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("COMETAPI_KEY", KEY)
        monkeypatch.setenv("COMETAPI_BASE_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setattr("cometgem.http.retry.RetryPolicy.delay", lambda *_: None)
        status, out, err = run("generate", "Hi")
    assert (status, out) == (1, "")
    assert err.startswith("cometgem: error: no response from http://127.0.0.1:")


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            Reply.chunks({"promptFeedback": {"blockReason": "SAFETY"}}),
            "the prompt was blocked: SAFETY",
        ),
        (
            Reply.chunks({"promptFeedback": {"blockReason": "X", "blockReasonMessage": "no"}}),
            "the prompt was blocked: X: no",
        ),
        (
            Reply.chunks(
                {"candidates": [{"finishReason": "OTHER", "finishMessage": "broke\n\x1b[2J"}]}
            ),
            r"no answer came; finish reason OTHER: broke\u000a\u001b[2J",
        ),
        (
            Reply.chunks({"text": "hm", "thought": True}).finish("MAX_TOKENS"),
            "no answer came; finish reason MAX_TOKENS",
        ),
    ],
)
def test_no_answer_is_no_success(server: FakeServer, run: Run, reply: Reply, sentence: str) -> None:
    server.add(reply)
    status, out, err = run("generate", "Hi")
    assert (status, out) == (1, "")
    assert err.endswith(f"\ncometgem: error: {sentence}\n")


def test_an_answer_without_words_is_an_answer(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("").usage(None))
    note = "usage: no token counts came; finish reason STOP\n"
    assert run("generate", "Hi") == (0, "", note)


def test_parts_that_are_no_text_are_told(server: FakeServer, run: Run) -> None:
    server.add(
        Reply.call("f", {"a": "\x1b", "b": [1, None]})
        .then(Reply.image(b"x" * 12345))
        .then(
            Reply.chunks(
                {"inlineData": {"data": "eA=="}},
                {"executableCode": {"code": "print(1)\n", "language": "PYTHON"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_FAILED"}},
                {"fileData": {"fileUri": "https://example.com/a.mp4"}},
            )
        )
        .finish("MAX_TOKENS")
    )
    status, out, err = run("generate", "Hi")
    assert (status, out) == (0, "")
    assert err.splitlines()[:-1] == [
        r'call: f(a="\u001b", b=[1, null])',
        "image: 12,345 bytes of image/png",
        "media: 1 bytes of unknown type",
        r'code: "print(1)\n"',
        r'result: OUTCOME_OK "1\n"',
        'result: OUTCOME_FAILED ""',
        'part: {"fileData":{"fileUri":"https://example.com/a.mp4"}}',
    ]


def test_text_in_a_pipe_is_as_it_came(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("a\tb\n", ESCAPES, thought="unseen"))
    status, out, err = run("generate", "Hi")
    assert (status, out) == (0, "a\tb\n" + ESCAPES)
    assert "unseen" not in err


def test_text_in_a_terminal_cannot_steer_it(
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


def test_an_error_stands_in_a_line_of_its_own(
    server: FakeServer, terminal: Callable[..., tuple[int, str]]
) -> None:
    server.add(Reply.text("so far").then_error(500, message="too busy"))
    status, screen = terminal("generate", "Hi")
    assert status == 1
    assert screen.startswith("so far\ncometgem: error: 500")


# --raw


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_raw_is_the_json_of_each_chunk(server: FakeServer, run: Run) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text":"\xc3\xa9\xe2\x80\xa8"}]}}], "new": 1}'
    last = b'{"candidates":[{"finishReason":"STOP"}]}'
    server.add(Reply.raw(b"data: " + chunk + b"\n\ndata: " + last + b"\n\n"))
    status, out, err = run("generate", "Hi", "--raw")
    assert status == 0
    assert out.encode() == chunk + b"\n" + last + b"\n"
    assert err == "usage: no token counts came; finish reason STOP\n"


@pytest.mark.parametrize("how", [[], ["--no-stream"]])
def test_raw_folds_lines(server: FakeServer, run: Run, how: list[str]) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a b"}]}, "finishReason": "STOP"}]}
    server.add(Reply.raw(json.dumps(body, indent=2).replace("\n", "\r\n").encode()))
    status, out, _ = run("generate", "Hi", "--raw", *how)
    assert status == 0
    assert lines(out) == [body]
    assert "  " not in out


def test_raw_of_a_stream_in_place_of_one_response(server: FakeServer, run: Run) -> None:
    server.add(Reply.raw(conformance_file(SHORT).read_bytes()))
    status, out, _ = run("generate", "Hi", "--raw", "--no-stream")
    assert status == 0
    (merged,) = lines(out)
    text = "The capital of Wyoming is **Cheyenne**.\n"
    assert merged["candidates"][0]["content"]["parts"] == [{"text": text}]


def test_raw_in_a_terminal_is_still_json(
    server: FakeServer, terminal: Callable[..., tuple[int, str]]
) -> None:
    server.add(Reply.text("\x7f\x9b\x1b"))
    status, screen = terminal("generate", "Hi", "--raw")
    assert status == 0
    assert screen.isprintable() or "\x9b" not in screen.replace("\n", "")
    body = json.loads(screen.splitlines()[0])
    assert body["candidates"][0]["content"]["parts"] == [{"text": "\x7f\x9b\x1b"}]


# stdout that fails


def test_a_reader_that_went_away(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(32, "Broken pipe")))
    server.add(Reply.text("Hello").then_stall())
    assert run("generate", "Hi") == (141, "", "")


def test_what_is_left_for_a_reader_that_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:  # closing it would raise, were it not discarded
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--help"]) == 141


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


def test_a_stdout_that_is_not_utf_8(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    server.add(Reply.text("café ☄"))
    assert run("generate", "Hi")[0] == 0
    assert written.getvalue() == b"caf\\xe9 \\u2604"


# demo

SHORT = "bodies/googleai-streaming-success-basic-reply-short.txt"


def test_demo_without_a_key(run: Run) -> None:
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    rows = out.splitlines()
    assert rows[0] == "No COMETAPI_KEY is set: a local test server plays the model."
    assert [row.split()[:1] for row in rows[4:15]] == [[str(count)] for count in range(1, 12)]
    assert {row.split()[3] for row in rows[4:15]} == {"thought", "text", "call"}
    assert all(len(row) <= 80 for row in rows)
    assert "final response, merged from 11 chunks" in rows
    assert "  function call  set_reminder" in rows
    assert "                   hour      int   21" in rows
    assert "                   repeat    bool  False" in rows
    assert "  usage          74 prompt, 27 thoughts, 58 answer, 159 total tokens" in rows
    assert "  finish reason  STOP" in rows
    assert rows[-2].startswith("  first chunk    after ")
    assert rows[-1].endswith(" chunks/s")


def test_demo_with_a_key(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("Soon.", thought="Hm."))
    status, out, err = run("demo", "--model", "gemini-3-flash-preview")
    assert (status, err) == (0, "")
    assert out.startswith(f"Asking gemini-3-flash-preview at {server.url}.\n")
    assert "  thoughts       Hm.\n  text           Soon.\n" in out
    (request,) = server.requests
    assert request.model == "gemini-3-flash-preview"
    assert request.body["tools"][0]["functionDeclarations"][0]["name"] == "set_reminder"


def test_demo_in_a_terminal(tmp_path: Path, terminal: Callable[..., tuple[int, str]]) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": ESCAPES}]}, "finishReason": "STOP"}]}
    path = tmp_path / "\x1b[2J.txt"
    path.write_bytes(b"data: " + json.dumps(body).encode() + b"\n\n")
    status, screen = terminal("demo", "--replay", str(path))
    assert status == 0
    for ours in ("\x1b[1m", "\x1b[2m", "\x1b[0m", "\n"):
        screen = screen.replace(ours, "")
    assert "\x1b" not in screen
    assert "\x07" not in screen
    assert r"\u001b[2J" in screen


def test_demo_tells_what_else_came(tmp_path: Path, run: Run) -> None:
    chunks = [
        {"usageMetadata": {"promptTokenCount": 7}},
        {"candidates": [{"content": {"parts": [{"text": "x"}, {"functionCall": {"name": "f"}}]}}]},
        {
            "candidates": [
                {
                    "content": {
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "eA=="}}]
                    },
                    "finishReason": "STOP",
                    "groundingMetadata": {"groundingChunks": [{"web": {"title": "a page"}}, {}]},
                    "citationMetadata": {"citationSources": [{"uri": "https://example.com"}, {}]},
                    "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "https://read"}, {}]},
                }
            ]
        },
    ]
    path = tmp_path / "body.txt"
    path.write_bytes(b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks))
    status, out, err = run("demo", "--replay", str(path))
    assert (status, err) == (0, "")
    rows = [line.partition(" ms  ")[2] or line.strip() for line in out.splitlines()]
    assert rows[3:7] == [
        "-        7 prompt tokens",
        'text     "x"',
        "call     f()",
        "image    1 bytes of image/png",
    ]
    assert "  function call  f\n  image          1 bytes of image/png\n" in out
    assert "  sources        https://example.com, a page, https://read\n" in out


BODIES = {
    "googleai-streaming-failure-image-rejected.txt": "400 INVALID_ARGUMENT",
    "googleai-streaming-failure-prompt-blocked-safety.txt": "the prompt was blocked: SAFETY",
    "googleai-unary-failure-api-key.json": "400 INVALID_ARGUMENT API_KEY_INVALID",
    "googleai-unary-failure-api-key.txt": "400 INVALID_ARGUMENT API_KEY_INVALID",
    "googleai-unary-failure-generativelanguage-api-not-enabled.json": "403 PERMISSION_DENIED",
    "googleai-unary-failure-only-prompt-feedback.json": "the prompt was blocked: Message",
    "googleai-unary-failure-unknown-model.json": "404 NOT_FOUND",
    "googleai-unary-failure-unknown-model.txt": "404 NOT_FOUND",
    "googleai-unary-failure-with-message-no-content.json": "no answer came; finish reason OTHER",
    "vertexai-streaming-failure-error-mid-stream.txt": "499 CANCELLED",
    "vertexai-unary-failure-quota-exceeded.json": "429 RESOURCE_EXHAUSTED",
}


def test_demo_replays_every_recorded_body(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMETAPI_KEY", KEY)  # not for a replay
    monkeypatch.setattr("cometgem.cli.demo._PAUSE", 0.0)
    expected = json.loads(conformance_file("bodies/EXPECT.json").read_bytes())["files"]
    for name, facts in expected.items():
        status, out, err = run("demo", "--replay", str(conformance_file(f"bodies/{name}")))
        assert out.startswith(f"A local test server replays {name}.\n")
        if name in BODIES:
            assert (name, status) == (name, 1)
            assert err.startswith(f"cometgem: error: {BODIES[name]}")
            assert err.count("\n") == 1
            continue
        assert (name, status, err) == (name, 0, "")
        merged = facts["merged"]
        assert f"  finish reason  {merged['finish_reason']}" in out
        heading = "response, in one piece"
        if facts["shape"] == "stream":
            heading = f"final response, merged from {merged['responses']} chunks"
        assert heading in out.splitlines()


def test_replay_of_no_file(run: Run) -> None:
    for command in ("demo", "serve"):
        status, out, err = run(command, "--replay", "no-such-file")
        assert (status, out) == (2, "")
        assert err.startswith("cometgem: error: cannot read 'no-such-file' (No such file")


# serve


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Press Ctrl-C as soon as the server has answered what it told us to send."""
    answers: list[bytes] = []

    def wait(server: FakeServer) -> None:
        asyncio.run(talk(server))
        raise KeyboardInterrupt

    async def talk(server: FakeServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2]))
        body = b'{"contents": [{"parts": [{"text": "Hi"}]}]}'
        writer.write(
            b"POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1\r\n"
            b"Host: x\r\nx-goog-api-key: k\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        answers.append(await reader.read())
        writer.close()
        await writer.wait_closed()

    monkeypatch.setattr(FakeServer, "wait", wait)
    return answers


def test_serve(run: Run, interrupted: list[bytes]) -> None:
    status, out, err = run("serve")
    assert (status, err) == (130, "")
    url = out.split()[1]
    assert f"curl -sN '{url}/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse'" in out
    assert f"COMETAPI_BASE_URL={url} COMETAPI_KEY=sk-fake-key cometgem generate Hi" in out
    assert b"set_reminder" in interrupted[0]


def test_serve_a_recorded_body(run: Run, interrupted: list[bytes]) -> None:
    path = conformance_file(SHORT)
    assert run("serve", "--replay", str(path))[0] == 130
    assert b"Cheyenne" in interrupted[0]


def test_serve_until_the_server_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeServer, "wait", FakeServer.stop)
    assert run("serve", "--port", "0")[0] == 0


def test_serve_on_a_port_that_is_taken(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run("serve", "--port", str(port))
    assert (status, out) == (2, "")
    assert err.startswith(f"cometgem: error: cannot listen on 127.0.0.1:{port}")


# Processes of their own: signals and pipes

ROOT = str(Path(__file__).resolve().parents[1])

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")

# A shell may have started the tests with SIGINT ignored, which children inherit.
WITH_SIGINT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from cometgem.cli.main import main; sys.exit(main())"
)


@contextlib.asynccontextmanager
async def child(
    *argv: str, server: FakeServer | None = None, stdout: int = subprocess.PIPE
) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = dict(os.environ, PYTHONPATH=ROOT)
    environment.pop("PYTHONUNBUFFERED", None)  # what is flushed in time is for us to show
    if server is not None:
        environment |= {"COMETAPI_KEY": KEY, "COMETAPI_BASE_URL": server.url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *argv, stdout=stdout, stderr=subprocess.PIPE, env=environment
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_as_a_module() -> None:
    async with child("-m", "cometgem", "--version") as process:
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, f"cometgem {__version__}\n".encode(), b"")


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


def command_line(process: asyncio.subprocess.Process) -> str:
    return Path(f"/proc/{process.pid}/cmdline").read_text("utf-8")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc")
async def test_a_list_of_processes_does_not_show_the_key(fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    async with child("-m", "cometgem", "generate", "Hi", server=fake_server) as process:
        request = await fake_server.wait_request(0, PATIENCE)
        shown = command_line(process)
    assert request.headers["x-goog-api-key"] != KEY
    assert "generate" in shown
    assert KEY not in shown


@posix
async def test_ctrl_c_ends_the_server() -> None:
    async with child("-c", WITH_SIGINT, "serve") as process:
        assert process.stdout is not None
        await process.stdout.readuntil(b"generate Hi\n")
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")


@posix
async def test_a_closed_pipe_ends_it_quietly(fake_server: FakeServer) -> None:
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
async def test_a_pipe_that_closes_on_the_help() -> None:
    read, write = os.pipe()
    os.close(read)
    async with child("-m", "cometgem", "--help", stdout=write) as process:
        os.close(write)
        _, err = await process.communicate()
    assert (process.returncode, err) == (141, b"")
