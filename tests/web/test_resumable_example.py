"""The example of a page that is reloaded in the middle of an answer."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from web.reader import Reader

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem.web.asgi import Message

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
BODY = {
    "id": "chat-1",
    "trigger": "submit-message",
    "messages": [{"id": "a", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}],
}


class Browser(Reader):
    """Asks an application, and reads its response."""

    def __init__(self, app: Any, method: str, path: str, body: object = None) -> None:
        super().__init__()
        self._data = b"" if body is None else json.dumps(body).encode()
        self._asked = False
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        self._serving = asyncio.create_task(app(scope, self.receive, self.send))

    async def receive(self) -> Message:
        if self._asked:
            return await super().receive()
        self._asked = True
        return {"type": "http.request", "body": self._data, "more_body": False}

    async def end(self) -> bytes:
        async with asyncio.timeout(10):
            await self._serving
        return self.body

    async def leave(self) -> None:
        self.left.set()
        await self.end()


@pytest.fixture
async def app(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setenv("COMETAPI_KEY", fake_server.api_key)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "resumable_chat", raising=False)
    app = importlib.import_module("resumable_chat").app
    async with app.router.lifespan_context(app):
        yield app


async def test_a_page_is_reloaded_in_the_middle_of_an_answer(
    app: Any, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.text("Hel", "lo").then_pause(0.5).then(Reply.text(" again")))
    page = Browser(app, "POST", "/api/chat", BODY)
    await page.wait_for(b"lo")
    await page.leave()
    reloaded = Browser(app, "GET", "/api/chat/chat-1/stream")
    await reloaded.wait_for(b'"delta":"Hello"')
    body = await reloaded.end()
    assert b'"delta":" again"' in body
    assert body.endswith(b"data: [DONE]\n\n")
    assert reloaded.headers["x-vercel-ai-ui-message-stream"] == "v1"
    later = Browser(app, "GET", "/api/chat/chat-1/stream")
    assert (await later.end(), later.status) == (b"", 204)
    assert len(fake_server.requests) == 1


async def test_an_answer_is_stopped(app: Any, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo").then_stall())
    page = Browser(app, "POST", "/api/chat", BODY)
    await page.wait_for(b"lo")
    assert await Browser(app, "DELETE", "/api/chat/chat-1/stream").end() == b"true"
    await fake_server.requests[0].wait_gone()
    assert (await page.end()).endswith(b'{"type":"abort"}\n\ndata: [DONE]\n\n')
    assert await Browser(app, "DELETE", "/api/chat/chat-1/stream").end() == b"false"


@pytest.mark.parametrize(
    "body", [{"messages": []}, {**BODY, "id": None}, {**BODY, "id": "x" * 300}]
)
async def test_bad_input_is_refused(body: object, app: Any, fake_server: FakeServer) -> None:
    page = Browser(app, "POST", "/api/chat", body)
    await page.end()
    assert page.status == 400
    assert fake_server.requests == []
