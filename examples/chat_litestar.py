"""Answers `useChat` of the npm package `ai`, with Litestar: uvicorn chat_litestar:app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, post
from litestar.types import ASGIApp

from cometgem import Client, ConfigurationError
from cometgem.web import Relay, UIMessageEncoder, contents_from_ui_messages, refusal, respond


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Open a client at the start and close it at the end."""
    async with Client() as app.state.client:
        yield


async def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


# The annotation ASGIApp tells Litestar that the result answers the request itself.
@post("/api/chat", include_in_schema=False)
async def chat(request: Request[Any, Any, Any]) -> ASGIApp:
    """Answer the messages of the page."""
    body = await request.json()
    try:
        contents = contents_from_ui_messages(body.get("messages"))
        stream = app.state.client.run_tools("gemini-3.8-flash", contents, tools=[get_weather])
    except ConfigurationError as error:
        return await respond(refusal(error))
    return await respond(Relay(stream, UIMessageEncoder()))


app = Litestar([chat], lifespan=[lifespan])
