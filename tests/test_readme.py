"""Every Python block of the README and of docs/ runs, and prints what the page shows."""

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
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from cometgem import Client, RateLimitError, RetryPolicy, errors, types
from cometgem.request.thinking import Thinking, translate
from cometgem.request.thinking_families import FAMILIES, Family
from cometgem.testing import FakeServer, RecordedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = [
    block
    for page in PAGES
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
]
POEM = Reply.text("Far lamps that ", "no one lit,\n", "and still they ", "keep the night.").usage(
    {"promptTokenCount": 12, "candidatesTokenCount": 19, "totalTokenCount": 31}
)
CALL = Reply.call("get_weather", {"city": "Bath"}, id="1", signature="c2ln")
PLANETS = '[{"name":"Jupiter","radius_km":69911},{"name":"Mars","radius_km":3389.5}]'
PAGES_FOUND = {
    "groundingChunks": [
        {"web": {"uri": "https://example.com/ben-nevis", "title": "Ben Nevis"}},
        {"web": {"uri": "https://example.com/munros", "title": "Munros"}},
    ],
    "groundingSupports": [
        {"segment": {"endIndex": 26}, "groundingChunkIndices": [0, 1]},
        {"segment": {"startIndex": 27, "endIndex": 63}, "groundingChunkIndices": [1]},
    ],
}
HIGH = "Ben Nevis is 1,345 m high. It is Scotland\u2019s highest mountain."
GROUNDED = {
    "candidates": [{
        "content": {"parts": [{"text": HIGH}]},
        "groundingMetadata": PAGES_FOUND,
        "finishReason": "STOP",
    }]
}  # fmt: skip
SECOND = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAAA" * 16000}}
GIF = b"GIF89a\x02\x00\x01\x00"
COMETS = json.dumps(["Halley", "Encke", "Borrelly"])

# The replies to a block, by a word that occurs in it. All others get the default reply.
SCRIPTS = {
    "limiter.refused": [],  # it has an "except RateLimitError", too
    "poem": [POEM],
    "Two comets": [Reply.image(GIF, "image/gif").then(Reply.image(GIF, "image/gif"))],
    '"AUDIO"': [Reply.chunks(SECOND)],
    "responseModalities": [Reply.image(b"\x89PNG")],
    "answers_from_ui_messages": [Reply.call("pay", {"to": "Ada", "euros": 5}, id="1")],
    "chat.resume": [
        Reply.call("pay", {"to": "Ada", "euros": 5}, id="1"),
        Reply.text("Ada has the money."),
    ],
    "stop_after": [Reply.call("final_answer", {"text": "Ice and dust."})],
    "response.sources": [Reply.chunks(GROUNDED)],
    "Count to a million": [
        Reply.text("1").usage({"promptTokenCount": 5, "thoughtsTokenCount": 9}).finish("MAX_TOKENS")
    ],
    "Bath and Rome": [
        Reply.call("measure", {"city": "Bath"}),
        Reply.text('[{"name": "Bath", "degrees": 4}', ', {"name": "Rome", "degrees": 9}]'),
    ],
    "run_tools": [CALL, Reply.text("Take one.")],
    "tool.parse": [CALL, Reply.text("Take one.")],
    "client.chat": [
        Reply.text("An astronomer.").usage({"totalTokenCount": 20}),
        Reply.text("It comes ", "every 76 years.").usage({"totalTokenCount": 50}),
    ],
    "json.loads": [Reply.text(COMETS)],
    "radius_km: float": [Reply.text(PLANETS[:30], PLANETS[30:])],
    "The largest planet": [
        Reply.text(PLANETS[1 : PLANETS.index("}") + 1]),
        Reply.text(PLANETS[:30], PLANETS[30:]),
    ],
    "reasks=1": [Reply.text('{"number": "A7"}'), Reply.text('{"number": 7, "total": 12.5}')],
    "A story": [Reply.text('{"title": "A', ' star", "te', 'xt": "Once."}')],
    "except RateLimitError": [Reply.text("Hel", "lo").then_reset()],
}
SHOWN = {
    "chat.resume": "Ada has the money.\n",
    "stop_after": "",
    "poem": README.split("```text\n")[1].split("```")[0],
    "Two comets": "comet-1.gif image/gif (2, 1)\ncomet-2.gif image/gif (2, 1)\n",
    '"AUDIO"': "speech.wav 1.0 seconds\n",
    "responseModalities": "comet.png image/png\n",
    "response.sources": (ROOT / "docs/sources-and-media.md")
    .read_text("utf-8")
    .split("```text\n")[1]
    .split("```")[0],
    "Count to a million": "the answer reached the maximum number of tokens (MAX_TOKENS)\n"
    "5 in, 9 out\n",
    "Bath and Rome": "Bath 4\nRome 9\n2 cities\n",
    "run_tools": "calls get_weather {'city': 'Bath'}\n"
    "result {'weather': 'rain in Bath'}\nTake one.",
    "tool.parse": "Take one.\n",
    "client.chat": "An astronomer.\nIt comes every 76 years.\n4 turns, 70 tokens\n",
    "radius_km: float": "Jupiter 69911.0\nMars 3389.5\n",
    "The largest planet": "Planet(name='Jupiter', radius_km=69911.0)\nJupiter\nMars\n2 planets\n",
    "reasks=1": "12.5\n",
    "A story": "1 0\n6 0\n6 5\n",
    "except RateLimitError": "incomplete: Hello\n",
}


# What the blocks above a block have imported.
BEFORE = {
    "asyncio": asyncio,
    "pytest": pytest,
    "Client": Client,
    "RateLimitError": RateLimitError,
    "RetryPolicy": RetryPolicy,
    "FakeServer": FakeServer,
    "RecordedRequest": RecordedRequest,
    "Reply": Reply,
    "response": msgspec.convert(GROUNDED, types.GenerateContentResponse),
}


@pytest.fixture(autouse=True)
def surroundings(fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMETAPI_KEY", fake_server.api_key)
    monkeypatch.setenv("COMETAPI_BASE_URL", fake_server.url)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    monkeypatch.chdir(tmp_path)


def run(block: str) -> tuple[dict[str, Any], str]:
    """Run a block: as a script, or if it awaits something, inside a main with a client."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(block, "README.md", "exec", flags=flags, dont_inherit=True)
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


# What a block prints against `cometgem serve`, by a word that occurs in it.
UNSCRIPTED = {
    "chat.resume": "pay says: paid 5 euros to Ada.\n",
    "stop_after": "",
    "poem": "Hello from the fake server.\n12 tokens, STOP\n",
    "comet-{number}": "comet-1.png image/png (1, 1)\n",
    '"AUDIO"': "speech.wav 0.1 seconds\n",
    "responseModalities": "comet.png image/png\n",
    "json.loads": "['text', 'text 2']\n",
    "Bath and Rome": "name 1\nname 1\n2 cities\n",
    "run_tools": "calls get_weather {'city': 'Bath'}\nresult {'weather': 'rain in Bath'}\n"
    "get_weather says: weather: rain in Bath.",
    "tool.parse": "get_weather says: weather: rain in Bath.\n",
    "client.chat": "Hello from the fake server.\n" * 2 + "4 turns, 24 tokens\n",
}


def prints(block: str) -> bool:
    """Return whether a block prints something when nothing fails and nobody calls its functions."""
    todo: list[ast.AST] = [ast.parse(block)]
    while todo:
        match todo.pop():
            case ast.Call(func=ast.Name("print")):
                return True
            case ast.ExceptHandler() | ast.FunctionDef() | ast.ClassDef():
                continue
            case ast.AsyncFunctionDef(name=name) if name != "main":
                continue
            case node:
                todo += ast.iter_child_nodes(node)
    return False


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_a_block_prints_something_sensible_without_a_script(block: str) -> None:
    _, printed = run(block)
    assert bool(printed.strip()) == prints(block)
    if "secret=SECRET" in block:
        assert '"type":"tool-approval-request"' in printed
        return
    word = next((word for word in UNSCRIPTED if word in block), None)
    if word is not None:
        assert printed == UNSCRIPTED[word]


def block_with(word: str) -> dict[str, Any]:
    return run(next(block for block in PYTHON if word in block))[0]


@contextlib.asynccontextmanager
async def fastapi_browser() -> AsyncIterator[httpx.AsyncClient]:
    app = block_with("FastAPI")["app"]
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as browser,
    ):
        yield browser


@contextlib.asynccontextmanager
async def aiohttp_browser() -> AsyncIterator[TestClient[Any, Any]]:
    # As the page's web.run_app() does, TestServer sets handler_cancellation=True.
    async with TestClient(TestServer(block_with("aiohttp import web")["app"])) as browser:
        yield browser


# The replies of the API, and the status and the Retry-After header that the browser gets.
REFUSALS = {
    "401": ([Reply.error(401, message="key sk-secret")], 502, None),
    "403": ([Reply.error(403, message="key sk-secret")], 502, None),
    "400": ([Reply.error(400, message="key sk-secret")], 400, None),
    "500": ([Reply.error(500, code="invalid_request", message="key sk-secret")], 502, None),
    "429": ([Reply.error(429, retry_after=99.5, message="key sk-secret")], 429, "100"),
    "429 without Retry-After": ([Reply.error(429, message="key sk-secret")] * 3, 429, None),
    "reset": ([Reply.reset()] * 3, 502, None),
    "no question": ([], 502, None),  # a ConfigurationError
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("kind", ["fastapi", "aiohttp"])
async def test_the_browser_gets_a_safe_error(
    kind: str, name: str, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)  # retry immediately
    replies, status, retry_after = REFUSALS[name]
    fake_server.add(*replies)
    params = {"question": "" if name == "no question" else "Hi"}
    if kind == "fastapi":
        async with fastapi_browser() as browser:
            answer = await browser.get("/ask", params=params)
            got, text, headers = answer.status_code, answer.text, answer.headers
    else:
        async with aiohttp_browser() as client, client.get("/ask", params=params) as response:
            got, text, headers = response.status, await response.text(), response.headers
    assert (got, headers.get("Retry-After")) == (status, retry_after)
    assert "secret" not in text
    assert len(fake_server.requests) == len(replies)


async def test_the_handlers_stream(fake_server: FakeServer) -> None:
    fake_server.add(*[Reply.text("Hel", "lo")] * 2)
    async with fastapi_browser() as browser:
        answer = await browser.get("/ask", params={"question": "Hi"})
        assert (answer.status_code, answer.text) == (200, "Hello")
    async with aiohttp_browser() as client, client.get("/ask?question=Hi") as response:
        assert (response.status, await response.text()) == (200, "Hello")


# Before the headers of the API's response, after them, and after the first chunk.
LEAVING = {
    "opening": Reply.silence(),
    "open": Reply.chunks().then_stall(),
    "streaming": Reply.text("Hel", "lo").then_stall(),
}


@pytest.mark.parametrize("when", LEAVING)
async def test_fastapi_closes_the_stream_of_a_browser_that_leaves(
    when: str, fake_server: FakeServer
) -> None:
    app = block_with("FastAPI")["app"]
    fake_server.add(LEAVING[when])
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/ask",
        "query_string": b"question=Hi",
        "headers": [],
    }
    async with app.router.lifespan_context(app), asyncio.timeout(10):
        handling = asyncio.create_task(app(scope, messages.get, sent.put))
        request = await fake_server.wait_request()
        if when == "streaming":
            assert (await sent.get())["status"] == 200
            assert (await sent.get())["body"] == b"Hel"
        else:
            assert sent.empty()  # the first chunk decides about the status
        assert not request.gone
        messages.put_nowait({"type": "http.disconnect"})
        await request.wait_gone()
        await handling


@pytest.mark.parametrize("when", LEAVING)
async def test_aiohttp_closes_the_stream_of_a_browser_that_leaves(
    when: str, fake_server: FakeServer
) -> None:
    fake_server.add(LEAVING[when])
    async with aiohttp_browser() as client:
        asking = asyncio.create_task(client.get("/ask?question=Hi"))
        request = await fake_server.wait_request()
        if when == "streaming":
            (await asking).close()
        else:
            asking.cancel()
        await request.wait_gone()
    assert not request.finished


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("test_a_broken_stream", 1),
        ("test_leaving_closes_the_connection", 1),
        ("test_a_busy_server", 2),
        ("test_a_long_answer", 3),
    ],
)
async def test_the_tests_in_the_docs_pass(
    name: str, requests: int, fake_server: FakeServer
) -> None:
    await block_with(name)[name](fake_server)
    assert len(fake_server.requests) == requests


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
    assert "unknown time zone: 'Nowhere'" in printed.err
    assert "[local_time {'zone': 'UTC'}]" in printed.err
    (part,) = fake_server.requests[2].body["contents"][-1]["parts"]
    assert set(part["functionResponse"]["response"]) == {"result"}


@pytest.mark.parametrize(
    ("verdict", "response"),
    [("yes", {"result": "paid 5 euros to Ada"}), ("no", {"error": "the owner refused"})],
)
def test_the_example_with_an_approval_runs(  # noqa: PLR0913, PLR0917
    fake_server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    verdict: str,
    response: dict[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_server.add(Reply.call("pay", {"to": "Ada", "euros": 5}), Reply.text("Done."))
    for arguments, shown in (
        (["ask", "Pay Ada 5 euros."], "waits: pay {'to': 'Ada', 'euros': 5}\n\n"),
        ([verdict], "Done.\n"),
    ):
        monkeypatch.setattr(sys, "argv", ["approval.py", *arguments])
        runpy.run_path(str(ROOT / "examples/approval.py"), run_name="__main__")
        assert capsys.readouterr().out == shown
    (part,) = fake_server.requests[1].body["contents"][-1]["parts"]
    assert part["functionResponse"]["response"] == response


def test_the_example_with_a_long_answer_goes_on_where_it_ended(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_server.add(Reply.hops(["one ", "two "], ["three ", "four "], checkpoints=[2], cuts=[0, 3]))
    monkeypatch.setattr(sys, "argv", ["long_answer.py", "out.md"])
    for code, shown in (
        (1, ""),  # cut before the first checkpoint
        (1, ""),  # cut behind the checkpoint
        (0, "19 characters in out.md\n"),
    ):
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(ROOT / "examples/long_answer.py"), run_name="__main__")
        assert caught.value.code == code
        assert capsys.readouterr().out == shown
        assert Path("out.md.checkpoint").exists() == (len(fake_server.requests) == 3)
    assert Path("out.md").read_text("utf-8") == "one two three four "
    assert len(fake_server.requests) == 4


LINKED = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "benchmarks/README.md"))]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of a page."""
    section = text.split(f" {heading}\n")[1]
    table = re.search(r"^\|.*\n\|-.*\n((?:\|.*\n)+)", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[1].splitlines()]


def test_the_thinking_table_is_true() -> None:
    for setting, *cells in rows_of(README, "Thinking"):
        thinking = ast.literal_eval(setting.strip("`").rpartition("`")[2])
        for model, cell in zip(("gemini-3.8-flash", "gemini-2.5-flash"), cells, strict=True):
            config, warning = translate(model, thinking, thoughts=None)
            sent = ", ".join(f"`{key}: {value}`" for key, value in config.to_dict().items())
            said = (sent or "nothing") + (", with a warning" if warning else "")
            assert cell == said, (model, thinking)


def test_the_thinking_table_of_all_models_is_true() -> None:
    page = (ROOT / "docs" / "thinking.md").read_text("utf-8")
    settings = [*typing.get_args(typing.get_args(Thinking)[0]), 100, 30000]
    rows = rows_of(page, "What is sent to each model")
    for model, *cells in rows:
        for thinking, cell in zip(settings, cells, strict=True):
            config, warning = translate(model.strip("`"), thinking, thoughts=None)
            sent = [str(value) for value in config.to_dict().values()] or ["-"]
            assert cell == " ".join([*sent, "*"] if warning else sent), (model, thinking)
    named = {model.strip("`") for model, *_ in rows}
    for (product, major, minor), families in FAMILIES.items():
        generation = f"{product}-{major}.{minor}".removesuffix(".0")
        for family, known in families.items():
            name = f"{generation}-{family}" if family else generation
            assert known == Family() or any(one.startswith(name) for one in named), name


def test_the_named_types_exist() -> None:
    names = re.findall(r"`([A-Z]\w+)`", " ".join(map(" ".join, rows_of(README, "Types"))))
    assert {name for name in names if not hasattr(types, name)} == set()
    assert {"FunctionCallingConfig", "ImageConfig", "SpeechConfig"} <= set(names)


def test_the_named_errors_exist() -> None:
    page = README + (ROOT / "docs/errors.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+Error|\w+Warning)`", page)) - {"ValueError", "TimeoutError"}
    assert named == set(errors.__all__) - {
        "OutputProblem",
        "TimeoutPhase",
        "ToolCallReason",
    }


def test_the_example_with_typed_answers_runs(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_server.add(Reply.text(PLANETS[:30], PLANETS[30:]), Reply.text(PLANETS[:40]))
    monkeypatch.setattr(sys, "argv", ["typed_answers.py"])
    for code, shown, said in (
        (0, "Jupiter: 69,911 km\nMars: 3,390 km\nThe largest is Jupiter.\n", ""),
        (1, "Jupiter: 69,911 km\n", "the JSON is cut off at character 40, in element 1"),
    ):
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(ROOT / "examples/typed_answers.py"), run_name="__main__")
        assert caught.value.code == code
        printed = capsys.readouterr()
        assert printed.out == shown
        assert said in printed.err
    schema = fake_server.requests[0].body["generationConfig"]["responseJsonSchema"]
    assert schema["items"]["description"] == "A body of the solar system."
