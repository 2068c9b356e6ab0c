"""`examples/bulk.py` runs, and goes on."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cometgem.testing import FakeServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "bulk.py"

pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason="an installed package")


async def test_the_example_goes_on(
    fake_server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COMETAPI_KEY", fake_server.api_key)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    example = runpy.run_path(str(EXAMPLE))
    results = str(tmp_path / "out.jsonl")
    await example["main"](results, ["a", "b"])
    await example["main"](results, ["a", "b", "c"])
    assert len(fake_server.requests) == 3
    out = capsys.readouterr().out
    assert out.count(": complaint\n") == 5
    assert "3 of 3 done, 2 reused" in out
