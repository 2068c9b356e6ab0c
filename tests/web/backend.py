"""A backend on each framework and server: python backend.py FRAMEWORK SERVER PORT.

POST /chat, /tools, /text and /impatient relay an answer. GET /tasks returns the tasks of ours
that run, and what the tool has gone through. POST /close closes the client, as a deployment does.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from cometgem import Client, RetryPolicy, Timeouts
from cometgem.web import Relay, TextEncoder, UIMessageEncoder, respond

MODEL = "gemini-3.8-flash"
HOST = "127.0.0.1"
SEND_TIMEOUT = 1.5  # seconds

clients: list[Client] = []
tool: list[str] = []


def client() -> Client:
    if not clients:
        retry = RetryPolicy(attempts=1)
        clients.append(Client(retry=retry))
    return clients[0]


async def wait(seconds: float) -> str:
    """Wait."""
    tool.append("begun")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        tool.append("cancelled")
        raise
    return "done"


def relay(path: str) -> Relay:
    if path == "tools":
        stream: Any = client().run_tools(MODEL, "Hi", tools=[wait])
    else:
        timeouts = Timeouts(stall=0.3) if path == "impatient" else None
        stream = client().stream_generate_content(MODEL, "Hi", timeouts=timeouts)
    encoder = TextEncoder() if path == "text" else UIMessageEncoder()
    return Relay(stream, encoder, ping=0.5, send_timeout=SEND_TIMEOUT)


def journal() -> dict[str, Any]:
    codes = [getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks()]
    ours = os.path.join("cometgem", "")  # noqa: PTH118
    names = [code.co_qualname for code in codes if code and ours in code.co_filename]
    return {"tasks": names, "tool": tool}


async def close() -> None:
    await clients.pop().aclose()


def starlette(*, middleware: bool = False) -> Any:
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.middleware import Middleware  # noqa: PLC0415
    from starlette.middleware.base import BaseHTTPMiddleware  # noqa: PLC0415
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415
    from starlette.middleware.gzip import GZipMiddleware  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import JSONResponse, Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def chat(request: Request) -> Response:
        await request.body()
        return await respond(relay(request.path_params["path"]))

    async def tasks(_: Request) -> Response:
        return JSONResponse(journal())

    async def closing(_: Request) -> Response:
        await close()
        return JSONResponse({})

    async def dispatch(request: Request, call_next: Callable[[Request], Any]) -> Response:
        response: Response = await call_next(request)
        return response

    stack = [
        Middleware(BaseHTTPMiddleware, dispatch=dispatch),
        Middleware(GZipMiddleware, minimum_size=1),
        Middleware(CORSMiddleware, allow_origins=["*"]),
    ]
    return Starlette(
        routes=[
            Route("/tasks", tasks),
            Route("/close", closing, methods=["POST"]),
            Route("/{path}", chat, methods=["POST"]),
        ],
        middleware=stack if middleware else [],
    )


def fastapi() -> Any:
    from fastapi import FastAPI, Response  # noqa: PLC0415

    app = FastAPI()

    @app.get("/tasks")
    async def tasks() -> dict[str, Any]:
        return journal()

    @app.post("/close")
    async def closing() -> dict[str, Any]:
        await close()
        return {}

    @app.post("/{path}")
    async def chat(path: str, body: dict[str, Any]) -> Response:  # noqa: ARG001  FastAPI reads it
        return await respond(relay(path))

    return app


def litestar() -> Any:
    from litestar import Litestar, Request, get, post  # noqa: PLC0415
    from litestar.types import ASGIApp  # noqa: PLC0415

    @post("/{path:str}", include_in_schema=False)
    async def chat(path: str, request: Request[Any, Any, Any]) -> ASGIApp:
        await request.json()
        return await respond(relay(path))

    @get("/tasks")
    async def tasks() -> dict[str, Any]:
        return journal()

    @post("/close")
    async def closing() -> dict[str, Any]:
        await close()
        return {}

    return Litestar([chat, tasks, closing])


def quart() -> Any:
    from quart import Quart, Response, request  # noqa: PLC0415

    from cometgem.web import quart_response  # noqa: PLC0415

    app = Quart(__name__)

    @app.get("/tasks")
    async def tasks() -> dict[str, Any]:
        return journal()

    @app.post("/close")
    async def closing() -> dict[str, Any]:
        await close()
        return {}

    @app.post("/<path>")
    async def chat(path: str) -> Response:
        await request.get_json()
        return await quart_response(relay(path))

    return app


def django() -> Any:
    from django.conf import settings  # noqa: PLC0415
    from django.core.asgi import get_asgi_application  # noqa: PLC0415
    from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: PLC0415
    from django.urls import path as route  # noqa: PLC0415

    from cometgem.web import django_response  # noqa: PLC0415

    async def chat(request: HttpRequest, path: str) -> HttpResponse:
        json.loads(request.body)
        return await django_response(relay(path))

    async def tasks(_: HttpRequest) -> HttpResponse:
        return JsonResponse(journal())

    async def closing(_: HttpRequest) -> HttpResponse:
        await close()
        return JsonResponse({})

    class URLs:
        urlpatterns = (
            route("tasks", tasks),
            route("close", closing),
            route("<str:path>", chat),
        )

    settings.configure(ROOT_URLCONF=URLs, ALLOWED_HOSTS=[HOST])
    return get_asgi_application()


def serve_aiohttp(port: int) -> None:
    from aiohttp import web  # noqa: PLC0415

    from cometgem.web import aiohttp_response  # noqa: PLC0415

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.json()
        return await aiohttp_response(request, relay(request.match_info["path"]))

    async def tasks(_: web.Request) -> web.Response:
        return web.json_response(journal())

    async def closing(_: web.Request) -> web.Response:
        await close()
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/tasks", tasks)
    app.router.add_post("/close", closing)
    app.router.add_post("/{path}", chat)
    web.run_app(app, host=HOST, port=port, print=None)


FRAMEWORKS: dict[str, Callable[[], Any]] = {
    "starlette": starlette,
    "middleware": lambda: starlette(middleware=True),
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
    "django": django,
}
app = FRAMEWORKS[os.environ["FRAMEWORK"]]() if "FRAMEWORK" in os.environ else None


def main(framework: str, server: str, port: str) -> None:
    if framework == "aiohttp":
        serve_aiohttp(int(port))
        return
    # Each server by its own command, as one deploys it.
    os.environ["FRAMEWORK"] = framework
    os.chdir(os.path.dirname(__file__))  # noqa: PTH120
    commands = {
        "uvicorn": ["uvicorn", "--host", HOST, "--port", port, "--no-access-log"],
        "hypercorn": ["hypercorn", "--bind", f"{HOST}:{port}"],
        "granian": ["granian", "--interface", "asgi", "--host", HOST, "--port", port],
        "daphne": ["daphne", "-b", HOST, "-p", port],
    }
    command = [sys.executable, "-W", "default::ResourceWarning", "-m", *commands[server]]
    os.environ["PYTHONPATH"] = os.pathsep.join([".", os.environ.get("PYTHONPATH", "")])
    os.execv(command[0], [*command, "backend:app"])  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
