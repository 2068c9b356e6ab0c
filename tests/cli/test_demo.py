"""`cometgem demo`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.speaking import BODIES, ESCAPES, KEY
from conformance import conformance_file

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from cli.speaking import Run


def test_demo_without_a_key(run: Run) -> None:
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    rows = out.splitlines()
    assert rows[0] == "COMETAPI_KEY is not set: a local test server answers in place of a model."
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


def test_demo_shows_every_kind_of_part(tmp_path: Path, run: Run) -> None:
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


def test_demo_replays_every_recorded_body(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMETAPI_KEY", KEY)  # a replay does not use it
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
        heading = "response, not streamed"
        if facts["shape"] == "stream":
            heading = f"final response, merged from {merged['responses']} chunks"
        assert heading in out.splitlines()


def test_replay_of_a_missing_file(run: Run) -> None:
    for command in ("demo", "serve"):
        status, out, err = run(command, "--replay", "no-such-file")
        assert (status, out) == (2, "")
        assert err.startswith("cometgem: error: cannot read 'no-such-file' (No such file")
