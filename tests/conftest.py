"""The event loop of all tests, asyncio's own or with TEST_LOOP=uvloop that of uvloop; a client."""

from __future__ import annotations

import asyncio
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

    # Not only pytest's own loops: also those of `asyncio.run()` in a test and of FakeServer.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    """A client of the fake server that tries once, and leaves no task behind."""
    async with Client(
        fake_server.api_key, base_url=fake_server.url, retry=RetryPolicy(attempts=1)
    ) as client:
        yield client
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def tools() -> Tools:
    return Tools()
