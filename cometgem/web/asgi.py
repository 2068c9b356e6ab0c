"""The parts of ASGI that a relay needs: a response in pieces, and the reader's leaving."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

from cometgem.web.expiry import expire

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

__all__ = ["Message", "Receive", "Response", "Send", "send_whole", "wait_until_gone"]

Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"


class Response:
    """A response with status 200 that starts with its first piece.

    Args:
        send: The server's function.
        headers: The headers, in lower case.

    Attributes:
        started: Whether the status has been sent, or is being sent.
    """

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self.started: bool = False
        self._send = send
        self._headers = headers

    def send(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body."""
        if not self.started:
            return self._start(data)
        # Returned, not awaited: this runs for each chunk.
        return self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _start(self, data: bytes) -> None:
        self.started = True
        await self._send(_head(200, self._headers))
        if data:  # an empty chunk would be the end for some servers
            await self.send(data)

    async def end(self) -> None:
        """End the body, which may be empty."""
        if not self.started:
            await self._start(b"")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_whole(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Send a response in one piece."""
    await send(_head(status, headers))
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def wait_until_gone(receive: Receive, limit: asyncio.Timeout) -> None:
    """Wait until the reader has left, and then let the limit expire.

    Servers differ in whether they cancel the application or let ``send`` fail when the reader
    leaves; all of them say so to an application that asks.
    """
    with contextlib.suppress(Exception):  # a connection that cannot be read from is lost
        while (await receive())["type"] != "http.disconnect":
            pass
    expire(limit)


def _head(status: int, headers: Mapping[str, str]) -> Message:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}
