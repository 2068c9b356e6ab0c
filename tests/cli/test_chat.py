"""What is said in a conversation, and what follows a slash."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from cli.speaking import ANSWER, KEY, MODEL, PATIENCE, Broken, odd_files, said

from cometgem.cli.main import main
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from cli.speaking import Talk

FLASH_2_5 = ("--model", "gemini-2.5-flash")  # takes any number of tokens for thinking


def test_the_second_turn_carries_the_first(server: FakeServer, talk: Talk) -> None:
    server.add(Reply.text("One ", "two"), Reply.text("three\n"))
    assert talk("Hi", "", "  ", "Go on ") == (0, "One two\nthree\n", "")
    assert said(server, 0) == [("user", "Hi")]
    assert said(server, 1) == [("user", "Hi"), ("model", "One two"), ("user", "Go on ")]
    assert {request.operation for request in server.requests} == {"streamGenerateContent"}
    assert {request.model for request in server.requests} == {MODEL}
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
        (["--model", "a/b"], "'a/b' is not a valid model name"),
        (["--model", ""], "'' is not a valid model name"),
        (["--system", ""], "--system is "),
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


@pytest.mark.usefixtures("server")
def test_no_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["chat"]) == 2
    assert capsys.readouterr().err.startswith("cometgem: error: standard input is closed")


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


def test_other_parts_are_noted(server: FakeServer, talk: Talk) -> None:
    server.add(Reply.text("one").then(Reply.image(b"x" * 12345)).finish("MAX_TOKENS"))
    notes = "image: 12,345 bytes of image/png\nfinish reason MAX_TOKENS\n"
    assert talk("Hi") == (0, "one\n", notes)


def test_a_line_that_is_not_utf_8(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"one\r\n\xff\xfe\nlast"), "utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["chat"]) == 1
    out, err = capsys.readouterr()
    assert out == f"{ANSWER}\n{ANSWER}\n"
    assert err == "cometgem: error: the line is not valid UTF-8, and was not sent\n"
    assert [turn for turn in said(server, 1) if turn[0] == "user"] == [
        ("user", "one"),
        ("user", "last"),
    ]


def test_a_broken_pipe(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(32, "Broken pipe")))
    server.add(Reply.text("Hello").then_stall())
    assert main(["chat"]) == 141
    (request,) = server.requests
    request.join(PATIENCE)
    assert request.gone


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "/nope",
            "unknown command '/nope'; commands are /system, /file, /model, /thinking, /save,",
        ),
        ("/", "unknown command '/'"),
        ("/Quit", "start a message with // if it begins with a slash"),
        ("/\x1b[2J", r"unknown command '/\x1b[2J'"),
        ("/quit now", "/quit takes no argument"),
        ("/usage all", "/usage takes no argument"),
        ("/save", "/save needs PATH"),
        ("/load ", "/load needs PATH"),
        ("/file", "/file needs PATH"),
        ("/file none.png", "cannot read 'none.png' (No such file or directory)"),
        ("/file .", "cannot read '.'"),
        ("/file a\0b", r"'a\x00b' is not a valid path"),
        ("/file ~no-such-user-here/x.png", "cannot read '~no-such-user-here/x.png'"),
        ("/model a/b", "'a/b' is not a valid model name"),
        (
            "/thinking a lot",
            "'a lot' is not a thinking level: give off, minimal, low, medium, high, xhigh,",
        ),
        (f"/thinking {2**31}", f"thinking {2**31} must be 'off', "),
        ("/load .", "cannot load '.': Is a directory"),
        ("/load a\0b", r"'a\x00b' is not a valid path"),
        ("/load pipe", "cannot load 'pipe': Not a regular file"),
        ("/load large", "cannot load 'large': larger than 100,000,000 bytes"),
        ("/file pipe", "cannot read 'pipe' (Not a regular file)"),
        ("/file large", "cannot read 'large' (larger than 100,000,000 bytes)"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    server: FakeServer, talk: Talk, tmp_path: Path, line: str, sentence: str
) -> None:
    odd_files(tmp_path)
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
    assert note == "the message was not kept; attach its files again"
    assert error.startswith("cometgem: error: 400: too large")
    assert said(server, 1) == [("user", "And?")]


def test_the_model(server: FakeServer, talk: Talk) -> None:
    status, _, err = talk("/model", "/model gemini-3-flash-preview", "Hi")
    assert (status, err) == (0, f"model: {MODEL}\nmodel: gemini-3-flash-preview\n")
    assert server.requests[0].model == "gemini-3-flash-preview"


def test_a_model_without_the_chosen_thinking_gets_the_nearest_and_warns_once(
    server: FakeServer, talk: Talk
) -> None:
    status, _, err = talk(
        "/model gemini-2.5-pro", "Hi", "Go on", argv=(*FLASH_2_5, "--thinking", "100")
    )
    assert status == 0
    assert err.splitlines() == [
        "model: gemini-2.5-pro",
        (
            "cometgem: warning: 'gemini-2.5-pro' does not take thinking 100: sent as 128 tokens,"
            " the nearest it takes"
        ),
    ]
    thinking = {"thinkingBudget": 128, "includeThoughts": True}
    assert [request.body["generationConfig"] for request in server.requests] == [
        {"thinkingConfig": thinking}
    ] * 2


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
    status, _, err = talk(*lines, argv=FLASH_2_5)
    assert status == 0
    assert err.splitlines() == [
        "thinking: default of the model",
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
    assert before == "usage: no token counts"
    spent = "usage: 2,000 prompt, 40 thoughts, 10 answer, 2,050 total tokens"
    assert after == f"{spent}; 1,800 prompt tokens were cached"
