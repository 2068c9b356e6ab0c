"""A chat page and its backend: python examples/chat_page/backend.py [PORT].

A model answers if COMETAPI_KEY is set, otherwise a test server in this process. The routes are
those that `useChat` of the npm package `ai` expects, so a page of your own can use them as well.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from cometgem import Client, ConfigurationError
from cometgem.testing import FakeServer, RecordedRequest, Reply
from cometgem.web import (
    Relay,
    Runs,
    UIMessageEncoder,
    aiohttp_response,
    contents_from_ui_messages,
    refusal,
)

MODEL = "gemini-3.8-flash"
HOST = "127.0.0.1"
PACE = 0.05  # seconds between the pieces of an answer of the test server
LARGEST = 20_000_000  # bytes of a request: a conversation with its pictures

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLIENT = web.AppKey("CLIENT", Client)
MODEL_NAME = web.AppKey("MODEL_NAME", str)
RUNS = web.AppKey("RUNS", Runs)


def local_time(zone: str) -> str:
    """Look up the local time.

    Args:
        zone: A time zone's name, such as Europe/Zurich.
    """
    try:
        return datetime.now(ZoneInfo(zone)).strftime("%A %H:%M")
    except (ZoneInfoNotFoundError, ValueError):
        return f"{datetime.now(UTC):%A %H:%M} UTC; there are no data about the zone {zone!r}"


async def chat(request: web.Request) -> web.StreamResponse:
    """Start an answer and show it; it goes on when the browser leaves."""
    try:
        body = json.loads(await request.read())
        chat_id, messages = body["id"], body["messages"]
    except (ValueError, LookupError, TypeError):
        return web.Response(status=400, text="The request is not valid.")
    try:
        contents = contents_from_ui_messages(messages, tools=["local_time"])
        stream = request.app[CLIENT].run_tools(
            request.app[MODEL_NAME],
            contents,
            tools=[local_time],
            on_tool_error="report",
            thoughts=True,
        )
        encoder = UIMessageEncoder(message_id=f"answer-{messages[-1].get('id')}")
        viewer = await request.app[RUNS].start(chat_id, Relay(stream, encoder))
    except ConfigurationError as error:
        return await aiohttp_response(request, refusal(error))
    return await aiohttp_response(request, viewer)


async def resume(request: web.Request) -> web.StreamResponse:
    """Show an answer once more from its beginning; 204 if there is none."""
    # A page that keeps the conversation itself may have missed the end while it was reloaded. For
    # useChat the backend keeps it, and shows only answers that are not in it yet: `ended=False`.
    ended = "ended" in request.query
    viewer = await request.app[RUNS].resume(request.match_info["id"], ended=ended)
    return await aiohttp_response(request, viewer)


async def stop(request: web.Request) -> web.Response:
    """Stop an answer, for all who watch it."""
    await request.app[RUNS].stop(request.match_info["id"])
    return web.Response(status=204)


@web.middleware
async def only_this_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what other web sites send through the browser: they would spend the key's money."""
    own = f"http://{request.host}"
    if request.url.host not in (HOST, "localhost") or request.headers.get("origin", own) != own:
        return web.Response(status=403, text="This request comes from another site.")
    return await handler(request)


def page_handler(page: bytes) -> Handler:
    """Return a handler that serves the page, which may run and load nothing but what is in it."""
    style, script = (
        base64.b64encode(hashlib.sha256(found).digest()).decode()
        for tag in (b"style", b"script")
        for found in re.findall(b"<%s>(.*?)</%s>" % (tag, tag), page, re.DOTALL)
    )
    policy = (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}';"
        " img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-cache"}

    async def serve_page(_: web.Request) -> web.StreamResponse:
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)

    return serve_page


def make_app(client: Client, model: str = MODEL) -> web.Application:
    """Return the application; it closes the client."""
    app = web.Application(middlewares=[only_this_page], client_max_size=LARGEST)
    app[MODEL_NAME] = model
    app.router.add_get("/", page_handler(Path(__file__).with_name("page.html").read_bytes()))
    app.router.add_post("/api/chat", chat)
    app.router.add_get("/api/chat/{id}/stream", resume)
    app.router.add_post("/api/chat/{id}/stop", stop)

    async def run(app: web.Application) -> AsyncIterator[None]:
        async with client, Runs() as runs:
            app[CLIENT], app[RUNS] = client, runs
            yield

    async def break_connections(app: web.Application) -> None:
        # A page that loses its connection asks again; the server would wait for it otherwise.
        await app[RUNS].aclose()

    app.cleanup_ctx.append(run)
    app.on_shutdown.append(break_connections)
    return app


async def serve(
    port: int,
    started: Callable[[str, str | None], None],
    *,
    model: str = MODEL,
    respond: Callable[[RecordedRequest], Reply | None] | None = None,
) -> None:
    """Serve the page until this is cancelled.

    Args:
        port: The port to listen on; 0 takes any free port.
        started: Called with the address of the page, and with that of the model's API, or None if
            a test server answers.
        model: The model to ask.
        respond: Makes the answers of a test server, which then answers even if there is a key.
    """
    with contextlib.ExitStack() as stack:
        api = None
        if respond is None and os.environ.get("COMETAPI_KEY"):
            client = Client()
            api = client.base_url
        else:
            server = stack.enter_context(FakeServer(validate=False))
            server.respond = respond or play_model
            client = Client(server.api_key, base_url=server.url)
        runner = web.AppRunner(make_app(client, model), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            started(f"http://{HOST}:{runner.addresses[0][1]}/", api)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


# ---- What is said without a key ----

TAILS = """\
A comet has **two tails** because it loses two kinds of material, and each is pushed by \
something else.

| tail | made of | pushed by | shape |
|---|---|---|---|
| dust | grains of *rock and ice* | sunlight | wide, curved |
| ion | charged gas | the solar wind | narrow, straight |

## How it happens

1. Near the Sun, ice in the nucleus turns to gas and carries dust along.
2. Grains of dust are slow. They fall behind on orbits of their own, so that tail is **curved** \
and shines yellowish.
3. Ultraviolet light ionises the gas. The solar wind sweeps it away at some 400 km/s:
   - straight away from the Sun,
   - with a bluish glow of `CO+`.

Both tails point *away from the Sun*, so a comet that leaves flies behind its own tails. \
In numbers:

```python
def beta(radius_um, density=1.0):
    \"\"\"Radiation pressure on a grain, as a fraction of gravity.\"\"\"
    return 0.57 / (radius_um * density)
```

> No model was asked: this answer is part of the demonstration. With an API key in \
`COMETAPI_KEY`, a model answers. See https://en.wikipedia.org/wiki/Comet_tail for more.
"""

THOUGHTS = """\
The question is about the tails of comets, so I should separate dust from plasma.

Dust feels radiation pressure and follows its own orbits. Ions follow the magnetic field of the \
solar wind. A small table will make the difference clear.
"""


def play_model(request: RecordedRequest) -> Reply:
    """Return the test server's answer to a request."""
    turns = request.body["contents"]
    last = turns[-1]["parts"]
    if results := [part["functionResponse"] for part in last if "functionResponse" in part]:
        return said(f"In Tokyo it is **{results[-1]['response']['result']}** now.")
    question = " ".join(part.get("text", "") for part in last).lower()
    if "time" in question:
        call = {"name": "local_time", "args": {"zone": "Asia/Tokyo"}}
        return said("I need the clock of that city.", thought=True).then(
            Reply.chunks({"functionCall": call, "thoughtSignature": "bWFkZSB1cA=="})
        )
    if "fail" in question:
        start = "Gladly. Half of this sentence arrives, and then the connection to the model"
        return said(start).then_error(503, message="The model is overloaded.")
    return said(THOUGHTS, thought=True).then(said(TAILS))


def said(text: str, *, thought: bool = False) -> Reply:
    """Return text in pieces of a few words, at the pace of a model."""
    pieces = re.findall(r"(?:\S+\s*){1,3}", text)
    marks = {"thought": True} if thought else {}
    return Reply.chunks(*({"text": piece, **marks} for piece in pieces), delay=PACE)


def main() -> int:
    """Serve until Ctrl-C."""

    def started(url: str, api: str | None) -> None:
        answering = f"{MODEL} answers" if api else "COMETAPI_KEY is not set: a test server answers"
        print(f"{url} ({answering}); Ctrl-C ends it")

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0, started))
    return 0


if __name__ == "__main__":
    sys.exit(main())
