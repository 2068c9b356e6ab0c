"""The chat page in a real browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from browser.chromium import need_browser
from chat_site import backend

from cometgem.testing import Reply

need_browser()

from playwright.async_api import expect  # noqa: E402  not installed everywhere

expect.set_options(timeout=20_000)

if TYPE_CHECKING:
    from browser.chromium import Windows
    from chat_site import Site
    from playwright.async_api import Locator, Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALF = Reply.text("Hel").then_stall().then(Reply.text("lo"))


async def ask(page: Page, text: str = "Hi") -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


def answer(page: Page) -> Locator:
    return page.locator("li.assistant").last


def markdown(page: Page) -> Locator:
    return answer(page).locator(".markdown")


def status(page: Page) -> Locator:
    return page.get_by_role("status")


async def test_text_grows(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    await expect(status(page)).to_have_text("Writing…")
    await expect(page.get_by_role("button", name="Send")).to_be_hidden()
    site.api.requests[0].resume()
    await expect(markdown(page)).to_have_text("Hello")
    await expect(status(page)).to_have_text("The answer is complete.")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()


async def test_keyboard(site: Site, windows: Windows) -> None:
    site.api.add(Reply.text("Hello"))
    page = await windows.open(site.url)
    prompt = page.get_by_label("Your message")
    await expect(prompt).to_be_focused()
    await page.keyboard.type("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.user > div")).to_have_text("one\ntwo")
    await expect(markdown(page)).to_have_text("Hello")
    await expect(prompt).to_be_focused()
    await expect(prompt).to_have_value("")


async def test_thoughts_and_tools_are_folded(site: Site, windows: Windows) -> None:
    site.api.respond = backend()["play_model"]
    page = await windows.open(site.url)
    await page.get_by_role("button", name="What time is it in Tokyo?").click()
    await expect(status(page)).to_have_text("The answer is complete.")
    thoughts, tool = (answer(page).locator("details").nth(at) for at in (0, 1))
    await expect(thoughts.locator(".thought")).to_be_hidden()
    await thoughts.locator("summary").press("Enter")
    await expect(thoughts.locator(".thought")).to_have_text("I need the clock of that city.")
    await expect(tool.locator("summary")).to_have_text("local_time (Asia/Tokyo) done")
    await tool.locator("summary").click()
    await expect(tool.locator("pre").first).to_have_text('{\n  "zone": "Asia/Tokyo"\n}')
    await expect(markdown(page)).to_contain_text("In Tokyo it is")


async def test_history_is_sent_with_signatures(site: Site, windows: Windows) -> None:
    site.api.add(Reply.text("Hello", thought="Hm.", signature="c2ln"), Reply.text("Bye"))
    page = await windows.open(site.url)
    await ask(page, "One")
    await expect(status(page)).to_have_text("The answer is complete.")
    await ask(page, "Two")
    await expect(markdown(page)).to_have_text("Bye")
    contents = site.api.requests[1].body["contents"]
    assert contents == [
        {"role": "user", "parts": [{"text": "One"}]},
        {"role": "model", "parts": [{"text": "Hello", "thoughtSignature": "c2ln"}]},
        {"role": "user", "parts": [{"text": "Two"}]},
    ]


@pytest.mark.parametrize("way", ["button", "Escape"])
async def test_stop(site: Site, windows: Windows, way: str) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    start = time.monotonic()
    if way == "button":
        await page.get_by_role("button", name="Stop").click()
    else:
        await page.keyboard.press(way)
    await site.api.requests[0].wait_gone()
    assert time.monotonic() - start < 2  # 0.2 on a machine that is not busy
    await expect(status(page)).to_have_text("Stopped.")
    await expect(markdown(page)).to_have_text("Hel")
    await expect(answer(page).locator(".end")).to_contain_text("Stopped")


async def test_stop_before_the_backend_has_answered(site: Site, windows: Windows) -> None:
    site.api.add(Reply.silence())
    page = await windows.open(site.url)
    await ask(page)
    await page.keyboard.press("Escape")
    await expect(status(page)).to_have_text("Stopped.")
    request = await site.api.wait_request()
    await request.wait_gone()


async def test_reload_in_mid_answer(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    await page.reload()
    await expect(markdown(page)).to_have_text("Hel")
    site.api.requests[0].resume()
    await expect(markdown(page)).to_have_text("Hello")
    await expect(page.locator("li.assistant")).to_have_count(1)
    assert len(site.api.requests) == 1


async def test_answer_that_ended_while_nobody_looked(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    url = page.url
    await page.goto("about:blank")
    site.api.requests[0].resume()
    await site.api.requests[0].wait_done()
    await page.goto(url)
    await expect(markdown(page)).to_have_text("Hello")
    await page.reload()
    await expect(markdown(page)).to_have_text("Hello")


async def test_lost_network(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    await windows.context.set_offline(True)
    await expect(status(page)).to_contain_text("You are offline.")
    await expect(markdown(page)).to_have_text("Hel")
    site.api.requests[0].resume()
    await site.api.requests[0].wait_done()
    await windows.context.set_offline(False)
    await expect(markdown(page)).to_have_text("Hello")
    await expect(status(page)).to_have_text("The answer is complete.")
    assert len(site.api.requests) == 1


async def test_lost_connection(site: Site, windows: Windows) -> None:
    site.api.add(HALF)
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    for _ in range(2):
        site.cut()
        await expect(status(page)).to_have_text("Connection lost. Reconnecting…")
        await expect(markdown(page)).to_have_text("Hel")
        await expect(status(page)).to_have_text("Writing…")
    site.api.requests[0].resume()
    await expect(markdown(page)).to_have_text("Hello")
    assert len(site.api.requests) == 1


async def test_second_tab(site: Site, windows: Windows) -> None:
    site.api.add(HALF, Reply.text("Bye").then_stall())
    first = await windows.open(site.url)
    await ask(first)
    await expect(markdown(first)).to_have_text("Hel")
    second = await windows.open(first.url)
    await expect(markdown(second)).to_have_text("Hel")
    site.api.requests[0].resume()
    for page in (first, second):
        await expect(markdown(page)).to_have_text("Hello")
        await expect(status(page)).to_have_text("The answer is complete.")
    await ask(second, "More")
    await expect(markdown(first)).to_have_text("Bye")
    await first.get_by_role("button", name="Stop").click()
    await site.api.requests[1].wait_gone()
    for page in (first, second):
        await expect(status(page)).to_have_text("Stopped.")
        await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_other_chat_in_the_meantime(site: Site, windows: Windows) -> None:
    site.api.add(HALF, Reply.text("Other"))
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    await page.get_by_role("button", name="New chat").click()
    await expect(page.locator("li.assistant")).to_have_count(0)
    await ask(page)
    await expect(markdown(page)).to_have_text("Other")
    site.api.requests[0].resume()
    await page.go_back()
    await expect(markdown(page)).to_have_text("Hello")


async def test_failure_in_mid_answer(site: Site, windows: Windows) -> None:
    site.api.add(Reply.text("Hel").then_error(503), Reply.text("Hello"))
    page = await windows.open(site.url)
    await ask(page)
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("The model is not available at the moment.")
    await expect(markdown(page)).to_have_text("Hel")
    await alert.get_by_role("button", name="Try again").click()
    await expect(markdown(page)).to_have_text("Hello")
    await expect(alert).to_be_hidden()
    turns = [turn["role"] for turn in site.api.requests[1].body["contents"]]
    assert turns == ["user"]


async def test_refusal(site: Site, windows: Windows) -> None:
    site.api.add(Reply.error(429))
    page = await windows.open(site.url)
    await ask(page)
    await expect(page.get_by_role("alert")).to_contain_text("Too many requests.")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_backend_that_restarts(site: Site, windows: Windows) -> None:
    site.api.add(HALF, Reply.text("Hello"))
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_have_text("Hel")
    await site.restart()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("The answer was interrupted.")
    await expect(markdown(page)).to_have_text("Hel")
    await alert.get_by_role("button", name="Try again").click()
    await expect(markdown(page)).to_have_text("Hello")


async def test_picture_and_sources(site: Site, windows: Windows) -> None:
    web = {"uri": "https://example.org/comets", "title": "Comets"}
    chunk = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Look."}]},
                "groundingMetadata": {"groundingChunks": [{"web": web}]},
                "finishReason": "STOP",
            }
        ]
    }
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
        "606060000000050001a5f645400000000049454e44ae426082"
    )
    site.api.add(Reply.image(pixel).then(Reply.chunks(chunk)))
    page = await windows.open(site.url)
    await ask(page)
    picture = answer(page).get_by_role("img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    source = answer(page).get_by_role("link", name="Comets")
    await expect(source).to_have_attribute("href", "https://example.org/comets")
    await expect(source).to_have_attribute("rel", "noopener noreferrer")


EVIL = """<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>
[click](javascript:window.hacked=1) <a href="javascript:window.hacked=1">x</a>

| <svg onload="window.hacked = 1"> |
|---|

```
</code></pre><script>window.hacked = 1</script>
```
- **<b onmouseover=alert(1)>** https://example.org/"onclick=x
"""


async def test_text_is_never_html(site: Site, windows: Windows) -> None:
    evil_call = {"name": "<img src=x onerror=alert(1)>", "args": {"x": "<script>alert(1)</script>"}}
    site.api.add(Reply.text(EVIL, thought=EVIL).then(Reply.chunks({"functionCall": evil_call})))
    site.api.add(Reply.text(EVIL))
    page = await windows.open(site.url)
    await ask(page, EVIL)
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(answer(page)).to_contain_text('<img src=x onerror="window.hacked = 1">')
    await page.reload()
    await expect(answer(page)).to_contain_text('<img src=x onerror="window.hacked = 1">')
    made = "#messages :is(img, script, svg, iframe, b[onmouseover], [onclick], [onerror])"
    assert await page.locator(made).count() == 0
    links = await page.locator("#messages a").evaluate_all("links => links.map(one => one.href)")
    assert set(links) == {"https://example.org/"}
    assert await page.evaluate("window.hacked") is None


LINK = 'target="_blank" rel="noopener noreferrer"'
FOCUS = 'tabindex="0"'
BODY = "<tbody><tr><td>c</td><td>d</td></tr></tbody></table></div>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one\ntwo</p><p>three</p>"),
        ("# A #\n## B\ntext", "<h2>A</h2><h3>B</h3><p>text</p>"),
        ("a **b *c* d** `**e**`", "<p>a <strong>b <em>c</em> d</strong> <code>**e**</code></p>"),
        ("2 * 3 * 4 and snake_case_name", "<p>2 * 3 * 4 and snake_case_name</p>"),
        ("**open", "<p>**open</p>"),
        ("a\n- b\n- c", "<p>a</p><ul><li>b</li><li>c</li></ul>"),
        (
            "1. a\n   - b\n     more\n   - c\n2. d",
            '<ol start="1"><li>a<ul><li>b\nmore</li><li>c</li></ul></li><li>d</li></ol>',
        ),
        ("3) a\n\n4) b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("> a\n> b", "<blockquote>a\nb</blockquote>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        (
            "```py\n# a\n\n- b\n```\nc",
            '<pre tabindex="0"><code># a\n\n- b</code></pre><p>c</p>',
        ),
        ("```\nopen", '<pre tabindex="0"><code>open</code></pre>'),
        (
            "| a | b |\n|---|:-:|\n| c | d |",
            f'<div class="wide" {FOCUS}><table><thead><tr><th>a</th><th>b</th></tr></thead>{BODY}',
        ),
        (
            "see https://a.b/c.",
            f'<p>see <a href="https://a.b/c" {LINK}>https://a.b/c</a>.</p>',
        ),
        (
            "[x](https://a.b)",
            f'<p><a href="https://a.b" {LINK}>x</a></p>',
        ),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
    ],
)
async def test_markdown(site: Site, windows: Windows, text: str, html: str) -> None:
    page = await windows.open(site.url)
    made = await page.evaluate(
        "text => blocks(text).map((one) => blockElement(one).outerHTML).join('')", text
    )
    assert made == html


@pytest.mark.parametrize("text", ["`" * 50_000, "**a " * 20_000, "[" * 50_000, "- a\n" * 20_000])
async def test_markdown_is_fast(site: Site, windows: Windows, text: str) -> None:
    page = await windows.open(site.url)
    script = """text => { const start = performance.now();
        blocks(text).map(blockElement); return performance.now() - start; }"""
    assert await page.evaluate(script, text) < 3000  # milliseconds


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_contrast(site: Site, windows: Windows, scheme: Any) -> None:
    page = await windows.open(site.url)
    await page.emulate_media(color_scheme=scheme)
    worst: dict[str, float] = await page.evaluate(
        """() => {
            const style = getComputedStyle(document.documentElement);
            const light = (name) => {
                const channels = style.getPropertyValue(name).match(/[0-9a-f]{2}/g)
                    .map((hex) => parseInt(hex, 16) / 255)
                    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
                return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
            };
            const pairs = [["--text", "--page"], ["--text", "--said"], ["--text", "--raised"],
                ["--soft", "--page"], ["--soft", "--raised"], ["--soft", "--sunken"],
                ["--accent", "--page"], ["--on-accent", "--accent"], ["--wrong", "--wrong-bg"]];
            return Object.fromEntries(pairs.map(([a, b]) => {
                const [x, y] = [light(a), light(b)].sort((one, two) => two - one);
                return [`${a} on ${b}`, (x + 0.05) / (y + 0.05)];
            }));
        }"""
    )
    assert {pair: ratio for pair, ratio in worst.items() if ratio < 4.5} == {}  # WCAG 1.4.3


async def test_narrow_screen(site: Site, windows: Windows) -> None:
    site.api.respond = backend()["play_model"]
    page = await windows.open(site.url)
    await page.set_viewport_size({"width": 320, "height": 560})
    await ask(page, "x" * 200)
    await expect(status(page)).to_have_text("The answer is complete.")
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    box = await page.get_by_role("button", name="Send").bounding_box()
    assert box is not None
    left, right = box["x"], box["x"] + box["width"]
    assert 0 < left < right < 320


async def test_reader_who_scrolls_up_is_left_there(site: Site, windows: Windows) -> None:
    long = "\n\n".join(map(str, range(100)))
    site.api.add(Reply.text(long).then_stall().then(Reply.text("\n\nmore")))
    page = await windows.open(site.url)
    await ask(page)
    await expect(markdown(page)).to_contain_text("99")
    end = page.get_by_role("button", name="Jump to the end")
    await expect(end).to_be_hidden()
    await page.mouse.move(300, 300)
    await page.mouse.wheel(0, -5000)
    await expect(end).to_be_visible()
    site.api.requests[0].resume()
    await expect(markdown(page)).to_contain_text("more")
    assert await page.evaluate("$('scroller').scrollTop") < 100
    await end.click()
    await expect(end).to_be_hidden()
