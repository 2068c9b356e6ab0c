"""The pytest plugin. pytest imports it in every run, so slow imports are inside the fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.testing.server import FakeServer

__all__ = ["fake_server"]


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """A running `cometgem.testing.FakeServer`, a new one for each test."""
    # Importing aiohttp takes 100 ms.
    from cometgem.testing.server import FakeServer  # noqa: PLC0415

    with FakeServer() as server:
        yield server
