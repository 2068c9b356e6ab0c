"""Every Python block of the README runs, against a server that says what the README shows."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiohttp.test_utils import TestClient, TestServer

from cometgem import Client
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    import aiohttp

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
POEM = Reply.text("Far lamps that ", "no one lit,\n", "and still they ", "keep the night.").usage(
    {"promptTokenCount": 12, "candidatesTokenCount": 19, "totalTokenCount": 31}
)
CALL = Reply.call("get_weather", {"city": "Bath"}, id="1", signature="c2ln")
COMETS = json.dumps([{"name": "Halley", "period": 76}, {"name": "Encke", "period": 3.3}])

# What the server says to the blocks that begin to differ from "Hello", by a word in them.
SCRIPTS = {
    "poem": [POEM],
    "responseModalities": [Reply.image(b"\x89PNG")],
    "run_tools": [CALL, Reply.text("Take one.")],
    "tool.parse": [CALL, Reply.text("Take one.")],
    "client.chat": [
        Reply.text("An astronomer.").usage({"totalTokenCount": 20}),
        Reply.text("It comes ", "every 76 years.").usage({"totalTokenCount": 50}),
    ],
    "json.loads": [Reply.text(COMETS)],
    "RateLimitError": [Reply.text("Hel", "lo").then_reset()],
}
SHOWN = {
    "poem": README.split("```text\n")[1].split("```")[0],
    "responseModalities": "image/png 4 bytes\n",
    "run_tools": "asks for get_weather {'city': 'Bath'}\n"
    "is told {'weather': 'rain in Bath'}\nTake one.",
    "tool.parse": "Take one.\n",
    "client.chat": "An astronomer.\nIt comes every 76 years.\n4 turns, 70 tokens\n",
    "RateLimitError": "only this came: Hello\n",
}


def get_weather(city: str) -> dict[str, str]:
    """Look up the weather, as the block before does."""
    return {"weather": f"rain in {city}"}


# What a block may find: the names of the blocks above it.
BEFORE = {"asyncio": asyncio, "get_weather": get_weather}


@pytest.fixture(autouse=True)
def surroundings(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMETAPI_KEY", fake_server.api_key)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    monkeypatch.chdir(tmp_path)


def run(block: str) -> tuple[dict[str, Any], str]:
    """Run a block as the README says: a script of its own, or inside a main with a client."""
    code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {"__name__": "readme", **BEFORE}

    async def main() -> None:
        async with Client() as names["client"]:
            await eval(code, names)  # noqa: S307

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(main())
        else:
            exec(code, names)  # noqa: S102
    return names, printed.getvalue()


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_a_block_runs_and_prints_what_it_says(block: str, fake_server: FakeServer) -> None:
    word = next((word for word in SCRIPTS if word in block), "")
    fake_server.add(*SCRIPTS.get(word, []))
    _, printed = run(block)
    assert printed == SHOWN[word] if word in SHOWN else "Traceback" not in printed


def block_with(word: str) -> dict[str, Any]:
    return run(next(block for block in PYTHON if word in block))[0]


async def test_the_fastapi_handler_streams_and_passes_a_refusal_on(fake_server: FakeServer) -> None:
    app = block_with("FastAPI")["app"]
    fake_server.add(Reply.text("Hel", "lo"), Reply.error(401))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as browser,
    ):
        answer = await browser.get("/ask", params={"question": "Hi"})
        assert (answer.status_code, answer.text) == (200, "Hello")
        assert (await browser.get("/ask", params={"question": "Hi"})).status_code == 401


async def test_the_aiohttp_handler_streams(fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo"))
    async with TestClient(TestServer(block_with("aiohttp import web")["app"])) as browser:
        answer: aiohttp.ClientResponse = await browser.get("/ask", params={"question": "Hi"})
        assert (answer.status, await answer.text()) == (200, "Hello")


async def test_the_test_of_the_readme_passes(fake_server: FakeServer) -> None:
    await block_with("test_a_broken_stream")["test_a_broken_stream"](fake_server)
    assert len(fake_server.requests) == 1


def test_the_example_runs(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_server.add(Reply.text("Be", "cause."), Reply.error(403))
    monkeypatch.setattr(sys, "argv", ["stream.py", "Why?"])
    for code, shown in ((0, "Because.\n"), (1, "")):
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(ROOT / "examples/stream.py"), run_name="__main__")
        assert caught.value.code == code
        assert capsys.readouterr().out == shown


def test_the_example_with_tools_runs(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, right = ({"zone": zone} for zone in ("Nowhere", "UTC"))
    fake_server.add(Reply.call("local_time", wrong), Reply.call("local_time", right))
    fake_server.add(Reply.text("It is ", "noon."))
    monkeypatch.setattr(sys, "argv", ["tools.py"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "examples/tools.py"), run_name="__main__")
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out) == (0, "It is noon.\n")
    assert "there is no time zone 'Nowhere'" in printed.err
    assert "[local_time {'zone': 'UTC'}]" in printed.err
    (part,) = fake_server.requests[2].body["contents"][-1]["parts"]
    assert set(part["functionResponse"]["response"]) == {"result"}


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link
