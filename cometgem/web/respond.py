"""A relay as the response of a framework. Each framework is imported only by those who use it."""

from __future__ import annotations

import asyncio
import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from cometgem.errors import CometGemError
from cometgem.web.expiry import expire
from cometgem.web.refusals import NOTHING, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from starlette.responses import Response

    from cometgem.web.asgi import Message, Receive, Send
    from cometgem.web.pieces import Pieces
    from cometgem.web.served import Served

__all__ = ["aiohttp_response", "django_response", "quart_response", "respond"]

_log = logging.getLogger("cometgem.web")

# aiohttp does not say when a reader leaves, unless it cancels the handler. Seconds between looks.
_LOOK_EVERY = 0.05


async def respond(relay: Served | Refusal | None) -> Response:
    """Return a relay, or a refusal, as a response for Starlette, FastAPI and Litestar.

    The request to the model is sent when the response is served, and decides about the status. All
    functions of this module also take a viewer of a run, and None for 204, No Content.

    Returns:
        An instance of Starlette's ``Response`` if Starlette is loaded, since FastAPI takes nothing
        else, and otherwise the relay, which is an ASGI application.
    """
    app = relay or NOTHING
    if "starlette.responses" in sys.modules:
        return _starlette_class()(app)
    return cast("Response", app)  # for all that is done with it


async def aiohttp_response(
    request: web.BaseRequest, relay: Served | Refusal | None
) -> web.StreamResponse:
    """Serve a relay, or a refusal, with aiohttp.web and return its response.

    Notices a reader who leaves also if the handler is not cancelled, which is the default. The
    connection is broken if the answer is incomplete and the format cannot say so.
    """
    from aiohttp import web  # noqa: PLC0415  only for aiohttp.web

    relay = relay or NOTHING
    if isinstance(relay, Refusal):
        return web.Response(status=relay.status, body=relay.message.encode(), headers=relay.headers)
    response = web.StreamResponse(headers=relay.headers)

    async def send(data: bytes) -> None:
        if not response.prepared:
            await response.prepare(request)
        await response.write(data)

    leaving = _Leaving(request)
    try:
        async with leaving.limit:
            try:
                await relay.send_to(send)
            except CometGemError:
                if relay.refusal is None or response.prepared:
                    raise
                return await aiohttp_response(request, relay.refusal)
            await response.write_eof()
    except CometGemError as error:
        # Not raised: aiohttp would try to send a status, and log a traceback.
        _log.info("the connection was broken, since the answer is incomplete: %s", error)
        _abort(request)
    except (TimeoutError, OSError):
        _abort(request)
    finally:
        leaving.stop()
        await relay.aclose()
    return response


async def django_response(relay: Served | Refusal | None) -> Any:
    """Return a relay, or a refusal, as a response for an async view of Django, under ASGI."""
    from django.http import HttpResponse, StreamingHttpResponse  # noqa: PLC0415  only for Django

    relay = relay or NOTHING
    pieces = await _opened(relay)
    if isinstance(pieces, Refusal):
        return HttpResponse(pieces.message, status=pieces.status, headers=pieces.headers)
    return StreamingHttpResponse(pieces, headers=relay.headers)


async def quart_response(relay: Served | Refusal | None) -> Any:
    """Return a relay, or a refusal, as a response for Quart, without its limit of 60 seconds."""
    from quart import Response  # noqa: PLC0415  only for Quart

    relay = relay or NOTHING
    pieces = await _opened(relay)
    if isinstance(pieces, Refusal):
        return Response(pieces.message, status=pieces.status, headers=pieces.headers)
    response = Response(pieces, headers=dict(relay.headers))
    response.timeout = None
    return response


async def _opened(relay: Served | Refusal) -> Pieces | Refusal:
    """Wait until the status is decided."""
    if isinstance(relay, Refusal):
        return relay
    pieces = aiter(relay)
    try:
        await pieces.open()
    except CometGemError:
        if relay.refusal is None:
            raise
        return relay.refusal
    return pieces


def _abort(request: web.BaseRequest) -> None:
    """Break the connection: what waits to be sent would keep it open, and an end would be good."""
    if request.transport is not None:
        request.transport.abort()


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
            expire(self.limit)
        else:
            self._timer = self._loop.call_later(_LOOK_EVERY, self._look)


@cache
def _starlette_class() -> Callable[[Served | Refusal], Response]:
    from starlette.responses import Response  # noqa: PLC0415  only for Starlette

    class RelayResponse(Response):
        def __init__(self, relay: Served | Refusal) -> None:
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
