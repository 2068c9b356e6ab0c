"""Answers `useChat({resume: true})`, and goes on answering while the page is reloaded.

    uvicorn resumable_chat:app

Set REDIS_URL to serve a page from any of several processes. A real application also checks that a
chat belongs to the user who asks for it, and saves the messages, which a page that is loaded after
the end of an answer gets from there.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response

from cometgem import Client, ConfigurationError
from cometgem.web import (
    RedisLog,
    Relay,
    Runs,
    UIMessageEncoder,
    contents_from_ui_messages,
    refusal,
    respond,
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open a client and the log of runs at the start, and close them at the end."""
    url = os.environ.get("REDIS_URL")
    async with Client() as client, Runs(RedisLog(url) if url else None) as runs:
        app.state.client, app.state.runs = client, runs
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/api/chat")
async def chat(body: dict[str, Any]) -> Response:
    """Answer the messages of the page; the answer goes on if the page goes away."""
    try:
        contents = contents_from_ui_messages(body.get("messages"))
        stream = app.state.client.stream_generate_content("gemini-3.8-flash", contents)
        relay = Relay(stream, UIMessageEncoder())
        return await respond(await app.state.runs.start(body.get("id"), relay))
    except ConfigurationError as error:
        return await respond(refusal(error))


@app.get("/api/chat/{chat_id}/stream")
async def resume(chat_id: str) -> Response:
    """Show the answer from its beginning; 204 if there is none under way."""
    return await respond(await app.state.runs.resume(chat_id))


@app.delete("/api/chat/{chat_id}/stream")
async def stop(chat_id: str) -> bool:
    """Stop the answer: `stop()` of the page only disconnects it."""
    stopped: bool = await app.state.runs.stop(chat_id)
    return stopped
