"""Shared fixtures. With TEST_LOOP=uvloop the tests run on uvloop instead of asyncio's own loop."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import TYPE_CHECKING

import pytest
from conversation.calling import Tools

from cometgem import Client, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem.testing import FakeServer

if os.environ.get("TEST_LOOP") == "uvloop":
    import uvloop

    # A policy covers the loops of `asyncio.run()` inside a test, too.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    """A client of the fake server that makes one attempt and must leave no task behind."""
    async with Client(
        fake_server.api_key, base_url=fake_server.url, retry=RetryPolicy(attempts=1)
    ) as client:
        yield client
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def tools() -> Tools:
    return Tools()


def pytest_collection_finish() -> None:
    """Leave what exists by now out of each garbage collection: many tests force one."""
    gc.collect()
    gc.freeze()
