"""Answers `useChat` of the npm package `ai`, with Quart: hypercorn chat_quart:app."""

from collections.abc import AsyncIterator

from quart import Quart, Response, current_app, request

from cometgem import Client, ConfigurationError
from cometgem.web import (
    Relay,
    UIMessageEncoder,
    contents_from_ui_messages,
    quart_response,
    refusal,
)

app = Quart(__name__)


@app.while_serving
async def lifespan() -> AsyncIterator[None]:
    """Open a client at the start and close it at the end."""
    async with Client() as app.extensions["cometgem"]:
        yield


async def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


@app.post("/api/chat")
async def chat() -> Response:
    """Answer the messages of the page."""
    body = await request.get_json()
    client: Client = current_app.extensions["cometgem"]
    try:
        contents = contents_from_ui_messages(body.get("messages"))
        stream = client.run_tools("gemini-3.8-flash", contents, tools=[get_weather])
    except ConfigurationError as error:
        return await quart_response(refusal(error))
    return await quart_response(Relay(stream, UIMessageEncoder()))
