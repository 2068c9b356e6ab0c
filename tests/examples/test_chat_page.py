"""The backend of the chat page, without a browser."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from chat_site import FOLDER, Site, backend, make_app, serving

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = (FOLDER / "page.html").read_text("utf-8")


@pytest.fixture
async def site(fake_server: FakeServer) -> AsyncIterator[Site]:
    async with serving(Site("", fake_server, make_app(fake_server))) as site:
        yield site


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def body(text: str = "Hi", chat_id: str = "c1") -> dict[str, Any]:
    parts = [{"type": "text", "text": text}]
    return {"id": chat_id, "messages": [{"id": "m", "role": "user", "parts": parts}]}


def events(data: bytes) -> list[dict[str, Any]]:
    lines = data.decode().splitlines()
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line[6:]) for line in lines[:-2] if line.startswith("data: ")]


def text_of(data: bytes) -> str:
    return "".join(one["delta"] for one in events(data) if one["type"] == "text-delta")


async def test_answer(site: Site, http: aiohttp.ClientSession) -> None:
    site.api.add(Reply.text("Hel", "lo"))
    async with http.post(f"{site.url}api/chat", json=body()) as response:
        assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
        assert text_of(await response.read()) == "Hello"


async def test_reader_who_comes_back_sees_the_whole_answer(
    site: Site, http: aiohttp.ClientSession
) -> None:
    site.api.add(Reply.text("Hel").then_stall().then(Reply.text("lo")))
    async with http.post(f"{site.url}api/chat", json=body()) as response:
        await response.content.readuntil(b"Hel")
    async with http.get(f"{site.url}api/chat/c1/stream") as response:
        await response.content.readuntil(b"Hel")
        (request,) = site.api.requests
        request.resume()
        assert b"lo" in await response.read()
    await request.wait_done()
    assert request.finished


async def test_ended_answer_is_shown_only_on_request(
    site: Site, http: aiohttp.ClientSession
) -> None:
    site.api.add(Reply.text("Hello"))
    async with http.post(f"{site.url}api/chat", json=body()) as response:
        await response.read()
    async with http.get(f"{site.url}api/chat/c1/stream") as response:
        assert response.status == 204
    async with http.get(f"{site.url}api/chat/c1/stream?ended") as response:
        assert text_of(await response.read()) == "Hello"


async def test_nothing_to_resume(site: Site, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{site.url}api/chat/c1/stream?ended") as response:
        assert response.status == 204


async def test_stop(site: Site, http: aiohttp.ClientSession) -> None:
    site.api.add(Reply.text("Hel").then_stall())
    async with http.post(f"{site.url}api/chat", json=body()) as response:
        await response.content.readuntil(b"Hel")
        async with http.post(f"{site.url}api/chat/c1/stop") as stopped:
            assert stopped.status == 204
        (request,) = site.api.requests
        await request.wait_gone()
        assert b'{"type":"abort"' in await response.read()


async def test_refusal_has_a_status(site: Site, http: aiohttp.ClientSession) -> None:
    site.api.add(Reply.error(429, retry_after=7))
    async with http.post(f"{site.url}api/chat", json=body()) as response:
        assert (response.status, response.headers["retry-after"]) == (429, "7")
        assert await response.text() == "Too many requests. Please try again later."


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"id": "c1"}', b"null"])
async def test_request_that_is_not_valid(
    site: Site, http: aiohttp.ClientSession, data: bytes
) -> None:
    async with http.post(f"{site.url}api/chat", data=data) as response:
        assert (response.status, await response.text()) == (400, "The request is not valid.")
    assert site.api.requests == []


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"origin": "null"}]
)
async def test_request_from_another_site(
    site: Site, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with http.post(f"{site.url}api/chat", json=body(), headers=headers) as response:
        assert response.status == 403
    assert site.api.requests == []


async def test_page_may_run_only_its_own_script(site: Site, http: aiohttp.ClientSession) -> None:
    async with http.get(site.url) as response:
        assert await response.text() == PAGE
        policy = response.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    for tag in ("script", "style"):
        (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_page_makes_no_html_of_text() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", PAGE)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Why do comets have two tails?", "two tails"),
        ("What time is it in Tokyo?", "In Tokyo it is **"),
        ("Anything", "this answer is part of the demonstration"),
    ],
)
async def test_answers_without_a_key(
    site: Site,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    question: str,
    expected: str,
) -> None:
    monkeypatch.setitem(backend()["said"].__globals__, "PACE", 0.0)
    site.api.respond = backend()["play_model"]
    async with http.post(f"{site.url}api/chat", json=body(question)) as response:
        assert expected in text_of(await response.read())


async def test_serve_until_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMETAPI_KEY", raising=False)
    started: asyncio.Future[tuple[str, str | None]] = asyncio.get_running_loop().create_future()

    def note(url: str, api: str | None) -> None:
        started.set_result((url, api))

    task = asyncio.create_task(backend()["serve"](0, note))
    url, api = await started
    assert api is None
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_message_that_a_browser_may_not_send(site: Site, http: aiohttp.ClientSession) -> None:
    posted = body() | {"messages": [{"id": "m", "role": "system", "parts": []}]}
    async with http.post(f"{site.url}api/chat", json=posted) as response:
        assert response.status == 400
    assert site.api.requests == []
