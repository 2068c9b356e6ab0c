"""Chromium for tests, or the reason why there is none."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

CHROMIUM = os.environ.get("BROWSER_CHROMIUM", "")
SOON = 20_000  # milliseconds; nothing takes that long unless it hangs


def need_browser() -> None:
    """Skip the module, with a hint, if there is no browser or nothing to drive it."""
    if not CHROMIUM:
        reason = "BROWSER_CHROMIUM is not set: install Debian's chromium-headless-shell"
    elif importlib.util.find_spec("playwright") is None:
        reason = "playwright is not installed: pip install 'cometgem[browser-test]'"
    else:
        return
    pytest.skip(f"{reason}; or run .ci/run browser", allow_module_level=True)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """Run the browser until the end of the block."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  not installed everywhere

    async with async_playwright() as playwright:
        # Its sandbox needs what containers, and root, do not have. It only sees pages of ours.
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class Windows:
    """Opens pages like one person's browser does: tabs share what is stored.

    Attributes:
        context: The browser's profile.
        errors: What pages have reported, such as exceptions and violations of their policy.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.errors: list[str] = []

    async def open(self, url: str) -> Page:
        """Open a page in another tab."""
        page = await self.context.new_page()
        page.set_default_timeout(SOON)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        await page.goto(url)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        # Chromium notes lost connections and refusals, which are what some tests are about.
        if message.type in ("error", "warning") and "Failed to load" not in message.text:
            self.errors.append(message.text)
