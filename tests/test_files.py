"""`part_from_file`: reads in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from cometgem import Part, part_from_file
from cometgem.types import VideoMetadata

if TYPE_CHECKING:
    from pathlib import Path


async def test_it_returns_what_from_file_returns(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"data")
    video = VideoMetadata(start_offset="2s", fps=2)
    assert await part_from_file(path) == Part.from_file(path)
    part = await part_from_file(str(path), video_metadata=video, media_resolution="low")
    assert part == Part.from_file(path, video_metadata=video, media_resolution="low")


async def test_it_raises_what_from_file_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await part_from_file(tmp_path / "absent.png")
    path = tmp_path / "a.unknown-type"
    path.write_bytes(b"data")
    with pytest.raises(ValueError, match="cannot infer the media type"):
        await part_from_file(path)
    with pytest.raises(OSError, match="expected no more than max_size=3"):
        await part_from_file(path, max_size=3)


async def test_the_loop_runs_on_while_a_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    monkeypatch.setattr("cometgem.types.content.check_file", lambda *_: may_end.wait(30))
    monkeypatch.setattr("cometgem.types.content.read_file", lambda *_: b"")
    reading = asyncio.create_task(part_from_file("a.png"))
    await asyncio.sleep(0.01)
    assert not reading.done()
    reading.cancel()  # does not wait for the thread, which still waits
    with pytest.raises(asyncio.CancelledError):
        await reading
    may_end.set()
