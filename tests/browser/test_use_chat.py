"""`useChat` of the npm package `ai`, in a real page, with the backend of the chat page."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from aiohttp import web
from browser.chromium import need_browser
from chat_site import Site, backend, make_app, serving

from cometgem.testing import Reply

need_browser()

from playwright.async_api import expect  # noqa: E402  not installed everywhere

expect.set_options(timeout=20_000)

BUNDLES = os.environ.get("BROWSER_USE_CHAT", "")
if not BUNDLES:
    pytest.skip(
        "BROWSER_USE_CHAT is not set: bundle tests/browser/use_chat/page.jsx with esbuild as 6.js"
        " and 7.js in a folder; or run .ci/run browser",
        allow_module_level=True,
    )

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from browser.chromium import Windows
    from playwright.async_api import Locator, Page

    from cometgem.testing import FakeServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALF = Reply.text("Hel").then_stall().then(Reply.text("lo"))
HTML = '<!doctype html><meta charset="utf-8"><title>useChat</title><div id="root"></div>'


@pytest_asyncio.fixture(loop_scope="module", params=[6, 7])
async def site(request: pytest.FixtureRequest, fake_server: FakeServer) -> AsyncIterator[Site]:
    """The backend, and at ``/use_chat`` a page with one version of the package."""
    script = (Path(BUNDLES) / f"{request.param}.js").read_text("utf-8")

    async def page(_: web.Request) -> web.Response:
        return web.Response(
            text=f"{HTML}<script src=use_chat.js></script>", content_type="text/html"
        )

    async def bundle(_: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript", charset="utf-8")

    app = make_app(fake_server)
    app.router.add_get("/use_chat", page)
    app.router.add_get("/use_chat.js", bundle)
    async with serving(Site("", fake_server, app)) as site:
        site.url += "use_chat#c1"
        yield site


async def ask(page: Page, text: str = "Hi") -> None:
    await page.locator("input").fill(text)
    await page.keyboard.press("Enter")


def text(page: Page) -> Locator:
    return page.locator("p.assistant").last.locator(".text")


def status(page: Page) -> Locator:
    return page.locator("#status")


async def test_text_grows(site: Site, windows: Windows) -> None:
    site.api.add(HALF, Reply.text("Bye"))
    page = await windows.open(site.url)
    await ask(page)
    await expect(text(page)).to_have_text("Hel")
    await expect(status(page)).to_have_text("streaming")
    site.api.requests[0].resume()
    await expect(text(page)).to_have_text("Hello")
    await expect(status(page)).to_have_text("ready")
    await ask(page, "More")
    await expect(text(page)).to_have_text("Bye")
    turns = [
        (one["role"], one["parts"][0]["text"]) for one in site.api.requests[1].body["contents"]
    ]
    assert turns == [("user", "Hi"), ("model", "Hello"), ("user", "More")]


async def test_thoughts_and_tools(site: Site, windows: Windows) -> None:
    site.api.respond = backend()["play_model"]
    page = await windows.open(site.url)
    await ask(page, "What time is it in Tokyo?")
    await expect(status(page)).to_have_text("ready")
    await expect(page.locator(".reasoning")).to_have_text("I need the clock of that city.")
    await expect(page.locator(".tool")).to_have_text("local_time output-available")
    await expect(text(page)).to_contain_text("In Tokyo it is")


async def test_stop(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(text(page)).to_have_text("Hel")
    start = time.monotonic()
    await page.get_by_role("button", name="Stop").click()
    await site.api.requests[0].wait_gone()
    assert time.monotonic() - start < 2  # 0.2 on a machine that is not busy
    await expect(status(page)).to_have_text("ready")
    await expect(text(page)).to_have_text("Hel")


async def test_reload_in_mid_answer(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(text(page)).to_have_text("Hel")
    await page.reload()
    await expect(text(page)).to_have_text("Hel")
    site.api.requests[0].resume()
    await expect(text(page)).to_have_text("Hello")
    await expect(page.locator("p.assistant")).to_have_count(1)
    await expect(status(page)).to_have_text("ready")
    await page.reload()
    await expect(text(page)).to_have_text("Hello")
    assert len(site.api.requests) == 1


async def test_lost_network(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(text(page)).to_have_text("Hel")
    await windows.context.set_offline(True)  # for new connections
    site.cut()
    await expect(status(page)).to_have_text("error")
    assert not site.api.requests[0].gone
    await windows.context.set_offline(False)
    await expect(status(page)).to_have_text("streaming")
    site.api.requests[0].resume()
    await expect(text(page)).to_have_text("Hello")
    await expect(status(page)).to_have_text("ready")
    await expect(page.locator("p.assistant")).to_have_count(1)


async def test_second_tab(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    first = await windows.open(site.url)
    await ask(first)
    await expect(text(first)).to_have_text("Hel")
    second = await windows.open(site.url)
    await expect(text(second)).to_have_text("Hel")
    site.api.requests[0].resume()
    for page in (first, second):
        await expect(text(page)).to_have_text("Hello")
        await expect(status(page)).to_have_text("ready")
    assert len(site.api.requests) == 1


async def test_failure_in_mid_answer(site: Site, windows: Windows) -> None:
    site.api.add(Reply.text("Hel").then_error(503))
    page = await windows.open(site.url)
    await ask(page)
    await expect(status(page)).to_have_text("error")
    await expect(page.locator("#error")).to_contain_text("The model is not available")
    await expect(text(page)).to_have_text("Hel")


async def test_refusal(site: Site, windows: Windows) -> None:
    site.api.add(Reply.error(429))
    page = await windows.open(site.url)
    await ask(page)
    await expect(page.locator("#error")).to_have_text("Too many requests. Please try again later.")
