"""Files that are sent with a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli.speaking import odd_files

if TYPE_CHECKING:
    from pathlib import Path

    from cli.speaking import Run

    from cometgem.testing import FakeServer


def test_files_come_before_the_prompt(server: FakeServer, run: Run, tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(b"\x89PNG")
    (tmp_path / "note.txt").write_text("words")
    assert run("generate", "--file", "dot.png", "--file", "note.txt", "Hi")[0] == 0
    assert server.requests[0].body["contents"][0]["parts"] == [
        {"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}},
        {"inlineData": {"data": "d29yZHM=", "mimeType": "text/plain"}},
        {"text": "Hi"},
    ]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("thing.unknown-type", "cannot infer the media type of 'thing.unknown-type' from its ext"),
        ("no-such-file.png", "cannot read 'no-such-file.png' (No such file or directory)"),
        (".", "cannot read '.' (Is a directory)"),
        ("pipe", "cannot read 'pipe' (Not a regular file)"),
        ("large", "cannot read 'large' (larger than 100,000,000 bytes)"),
        ("a\0b.png", r"'a\x00b.png' is not a valid path"),
        ("a\ud800.png", r"'a\ud800.png' is not a valid path"),
    ],
)
def test_files_that_cannot_be_sent(
    server: FakeServer, run: Run, tmp_path: Path, path: str, sentence: str
) -> None:
    odd_files(tmp_path)
    (tmp_path / "thing.unknown-type").touch()
    status, out, err = run("generate", "Hi", "--file", path)
    assert (status, out) == (2, "")
    assert err.startswith(f"cometgem: error: {sentence}")
    assert err.count("\n") == 1
    assert server.requests == []
