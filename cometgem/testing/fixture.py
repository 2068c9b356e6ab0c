"""The pytest plugin. Imported in every pytest run of every user: nothing heavy up here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.testing.server import FakeServer

__all__ = ["fake_server"]


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """A running `cometgem.testing.FakeServer`, new for each test."""
    # aiohttp takes 100 ms to import: only the tests that use the fixture pay for it.
    from cometgem.testing.server import FakeServer  # noqa: PLC0415

    with FakeServer() as server:
        yield server
