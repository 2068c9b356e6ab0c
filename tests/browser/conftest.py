"""A browser for each module, and a fresh profile and backend for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio
from browser.chromium import Windows, running
from chat_site import Site, make_app, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from cometgem.testing import FakeServer


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with running() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def windows(chromium: Browser) -> AsyncIterator[Windows]:
    context = await chromium.new_context()
    windows = Windows(context)
    yield windows
    await context.close()
    assert windows.errors == []


@pytest_asyncio.fixture(loop_scope="module")
async def site(fake_server: FakeServer) -> AsyncIterator[Site]:
    async with serving(Site("", fake_server, make_app(fake_server))) as site:
        yield site
