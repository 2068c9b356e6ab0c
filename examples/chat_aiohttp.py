"""Answers `useChat` of the npm package `ai`, with aiohttp.web: python chat_aiohttp.py."""

from collections.abc import AsyncIterator

from aiohttp import web

from cometgem import Client, ConfigurationError
from cometgem.web import (
    Relay,
    UIMessageEncoder,
    aiohttp_response,
    contents_from_ui_messages,
    refusal,
)

CLIENT = web.AppKey("client", Client)


async def with_client(app: web.Application) -> AsyncIterator[None]:
    """Open a client at the start and close it at the end."""
    async with Client() as app[CLIENT]:
        yield


async def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer the messages of the page."""
    body = await request.json()
    try:
        contents = contents_from_ui_messages(body.get("messages"))
        stream = request.app[CLIENT].run_tools("gemini-3.8-flash", contents, tools=[get_weather])
    except ConfigurationError as error:
        return await aiohttp_response(request, refusal(error))
    return await aiohttp_response(request, Relay(stream, UIMessageEncoder()))


app = web.Application()
app.router.add_post("/api/chat", chat)
app.cleanup_ctx.append(with_client)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=8000)
