"""Answers `useChat` of the npm package `ai`, with FastAPI: uvicorn chat_fastapi:app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response

from cometgem import Client, ConfigurationError
from cometgem.web import Relay, UIMessageEncoder, contents_from_ui_messages, refusal, respond


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open a client at the start and close it at the end."""
    async with Client() as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


async def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


@app.post("/api/chat")
async def chat(body: dict[str, Any]) -> Response:
    """Answer the messages of the page."""
    try:
        contents = contents_from_ui_messages(body.get("messages"))
        stream = app.state.client.run_tools("gemini-3.8-flash", contents, tools=[get_weather])
    except ConfigurationError as error:
        return await respond(refusal(error))
    return await respond(Relay(stream, UIMessageEncoder()))
