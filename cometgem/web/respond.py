"""A relay as the response of a framework. Each framework is imported only by those who use it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from cometgem.errors import CometGemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from cometgem.web.relay import Message, Receive, Relay, Send

__all__ = ["aiohttp_response", "django_response", "quart_response", "respond"]

# aiohttp does not say when a reader leaves, unless it cancels the handler. Seconds between looks.
_LOOK_EVERY = 0.05


async def respond(relay: Relay) -> Any:
    """Return the relay as a response for Starlette, FastAPI and Litestar.

    The request to the model is sent when the response is served, and decides about the status.

    Returns:
        An instance of Starlette's ``Response`` if Starlette is loaded, since FastAPI takes nothing
        else, and otherwise the relay, which is an ASGI application.
    """
    return _starlette_class()(relay) if "starlette.responses" in sys.modules else relay


async def aiohttp_response(request: web.BaseRequest, relay: Relay) -> web.StreamResponse:
    """Serve the relay with aiohttp.web and return its response.

    Notices a reader who leaves also if the handler is not cancelled, which is the default.
    """
    from aiohttp import web  # noqa: PLC0415  only for aiohttp.web

    leaving = _Leaving(request)
    try:
        async with leaving.limit:
            try:
                await relay.open()
            except CometGemError:
                if (found := relay.refusal) is None:
                    raise
                text = found.message
                headers = {k: v for k, v in found.headers.items() if k != "content-type"}
                return web.Response(status=found.status, text=text, headers=headers)
            response = web.StreamResponse(headers=relay.headers)
            await response.prepare(request)
            await relay.send_to(response.write)
            await response.write_eof()
            return response
    except (TimeoutError, OSError) as error:
        if isinstance(error, CometGemError):
            raise
        return web.Response()  # nobody is there to get it
    finally:
        leaving.stop()
        await relay.aclose()


async def django_response(relay: Relay) -> Any:
    """Return the relay as a response for an asynchronous view of Django, under ASGI."""
    from django.http import HttpResponse, StreamingHttpResponse  # noqa: PLC0415  only for Django

    with contextlib.suppress(CometGemError):
        await relay.open()
    if (found := relay.refusal) is not None:
        return HttpResponse(found.message, status=found.status, headers=found.headers)
    return StreamingHttpResponse(aiter(relay), headers=relay.headers)


async def quart_response(relay: Relay) -> Any:
    """Return the relay as a response for Quart, without its limit of 60 seconds."""
    from quart import Response  # noqa: PLC0415  only for Quart

    with contextlib.suppress(CometGemError):
        await relay.open()
    if (found := relay.refusal) is not None:
        return Response(found.message, status=found.status, headers=found.headers)
    response = Response(aiter(relay), headers=dict(relay.headers))
    response.timeout = None
    return response


class _Leaving:
    """A context that raises TimeoutError when the connection of a request is lost."""

    def __init__(self, request: web.BaseRequest) -> None:
        self.limit: asyncio.Timeout = asyncio.timeout(None)
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_LOOK_EVERY, self._look)

    def stop(self) -> None:
        """Stop looking."""
        self._timer.cancel()

    def _look(self) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            self.limit.reschedule(self._loop.time())
        else:
            self._timer = self._loop.call_later(_LOOK_EVERY, self._look)


@cache
def _starlette_class() -> Callable[[Relay], Any]:
    from starlette.responses import Response  # noqa: PLC0415  only for Starlette

    class RelayResponse(Response):
        def __init__(self, relay: Relay) -> None:
            super().__init__()
            del self.headers["content-length"]
            self._relay = relay

        async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
            async def send_with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *self.raw_headers]
                await send(message)

            await self._relay(scope, receive, send_with_headers)
            if self.background is not None:
                await self.background()

    return RelayResponse
