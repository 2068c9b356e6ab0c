"""Conversations in files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.speaking import ANSWER, KEY, posix, said

if TYPE_CHECKING:
    from cli.speaking import Talk

    from cometgem.testing import FakeServer


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


def test_thinking_is_translated_for_the_given_model(server: FakeServer, talk: Talk) -> None:
    """Not against the default model or the one the chat was saved with."""
    large = ("--model", "gemini-2.5-pro", "--thinking", "30000")
    assert talk("Hi", "/save c.json", argv=large)[0] == 0
    off = ("--load", "c.json", "--model", "gemini-2.5-flash", "--thinking", "off")
    assert talk("Go on", argv=off)[0] == 0
    assert [request.body["generationConfig"]["thinkingConfig"] for request in server.requests] == [
        {"thinkingBudget": 30000, "includeThoughts": True},
        {"thinkingBudget": 0},
    ]
    status, _, err = talk("Go on", argv=("--load", "c.json", "--thinking", "off"))
    assert (status, len(server.requests)) == (0, 3)
    assert err.startswith("cometgem: warning: 'gemini-2.5-pro' does not take thinking 'off': ")
    assert server.requests[2].body["generationConfig"] == {
        "thinkingConfig": {"thinkingBudget": 128}
    }


def test_thinking_is_kept_over_a_load(server: FakeServer, talk: Talk) -> None:
    lines = ("Hi", "/save c.json", "/load c.json", "Go on")
    assert talk(*lines, argv=("--model", "gemini-2.5-flash", "--thinking", "512"))[0] == 0
    thinking = {"thinkingBudget": 512, "includeThoughts": True}
    assert server.requests[1].body["generationConfig"] == {"thinkingConfig": thinking}


@pytest.mark.parametrize("written", [b"# Title", b"{}", b"[]", b'{"model": 1}', b"\xff", b""])
def test_a_file_that_is_not_a_chat(
    server: FakeServer, talk: Talk, tmp_path: Path, written: bytes
) -> None:
    (tmp_path / "x.json").write_bytes(written)
    status, _, err = talk("Hi", "/load x.json", "Go on")
    assert status == 1
    assert err.startswith("cometgem: error: cannot load 'x.json': not the JSON of a chat: ")
    assert err.count("\n") == 1
    assert len(said(server, 1)) == 3  # the chat is unchanged


@posix
def test_a_save_replaces_an_existing_file(server: FakeServer, talk: Talk, tmp_path: Path) -> None:
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
def test_a_failed_save_leaves_an_existing_file_unchanged(
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
        (".", "not a regular file"),
        ("none/c.json", "No such file or directory"),
        (os.devnull, "not a regular file"),
    ],
)
def test_paths_that_cannot_be_saved_to(talk: Talk, path: str, reason: str) -> None:
    status, _, err = talk(f"/save {path}")
    assert (status, err) == (1, f"cometgem: error: cannot save to {path!r}: {reason}\n")
    assert Path(os.devnull).exists()
