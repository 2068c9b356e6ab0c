"""One backend process of web_relay.py: python benchmarks/web_backends.py BASE_URL.

Runs uvicorn with a path for each way of passing a stream on, and prints its port. The query names
the model, which tells the wire server what to send.
"""

import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from machine import allow_many_files, memory
from sse_starlette import EventSourceResponse as StarletteEvents

from cometgem import Client
from cometgem.web import (
    Encoder,
    EventEncoder,
    NativeEncoder,
    Relay,
    TextEncoder,
    UIMessageEncoder,
    respond,
)

KEY = "benchmark-key"
ENCODERS: dict[str, type[Encoder]] = {
    "native": NativeEncoder,
    "text": TextEncoder,
    "events": EventEncoder,
    "ui": UIMessageEncoder,
}


def create(base_url: str) -> FastAPI:  # noqa: C901  one function for each way
    """Return the application."""
    clients: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with Client(KEY, base_url=base_url) as clients["cometgem"]:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/state")
    async def state() -> dict[str, float]:
        return {"cpu": time.process_time(), "memory": memory()}

    @app.get("/relay/{encoder}")
    async def relay(encoder: str, model: str) -> Response:
        stream = clients["cometgem"].stream_generate_content(model, "Hi")
        return await respond(Relay(stream, ENCODERS[encoder](), send_timeout=None))

    @app.get("/reading")
    async def reading(model: str) -> int:
        """Only read the stream."""
        number = 0
        async for _ in clients["cometgem"].stream_generate_content(model, "Hi"):
            number += 1
        return number

    @app.get("/by-hand")
    async def by_hand(model: str) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            async for chunk in clients["cometgem"].stream_generate_content(model, "Hi"):
                yield b"data: %s\n\n" % chunk.raw

        return StreamingResponse(pieces(), media_type="text/event-stream")

    @app.get("/sse-starlette")
    async def sse_starlette(model: str) -> StarletteEvents:
        async def events() -> AsyncIterator[dict[str, str]]:
            async for chunk in clients["cometgem"].stream_generate_content(model, "Hi"):
                yield {"data": chunk.raw.decode()}

        return StarletteEvents(events())

    @app.get("/fastapi", response_class=EventSourceResponse)
    async def fastapi(model: str) -> AsyncIterator[ServerSentEvent]:
        async for chunk in clients["cometgem"].stream_generate_content(model, "Hi"):
            yield ServerSentEvent(raw_data=chunk.raw.decode())

    @app.get("/google-genai", response_class=EventSourceResponse)
    async def google_genai(model: str) -> AsyncIterator[ServerSentEvent]:
        from google import genai  # noqa: PLC0415  a peer that may be missing

        if "google" not in clients:
            options: Any = {"base_url": base_url}
            clients["google"] = genai.Client(api_key=KEY, http_options=options)
        stream = await clients["google"].aio.models.generate_content_stream(
            model=model, contents="Hi"
        )
        async for chunk in stream:
            yield ServerSentEvent(raw_data=chunk.model_dump_json(exclude_none=True, by_alias=True))

    return app


if __name__ == "__main__":
    allow_many_files()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        # On loopback the system takes megabytes for a viewer who stalls, and the stream keeps their
        # text to merge it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(create(sys.argv[1]), log_level="error", access_log=False)
        uvicorn.Server(config).run([listener])
