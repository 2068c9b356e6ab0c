"""The TCP connections of the server: counted, and broken on request."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

__all__ = ["HOST", "Connections", "listen", "reset"]

HOST = "127.0.0.1"

# SO_LINGER: on, 0 seconds.
_ABORT_BY_RST = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Connections(web.Server):
    """Counts connections and can break them."""

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        # Cancellation reports a disconnected client at once, not at the next write.
        super().__init__(handle, handler_cancellation=True, access_log=None)
        self.accepted: int = 0
        self.open: int = 0

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count a new connection."""
        self.accepted += 1
        self.open += 1
        super().connection_made(handler, transport)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Count a closed connection."""
        self.open -= 1
        super().connection_lost(handler, exc)

    def abort(self) -> None:
        """Break all connections."""
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.abort()


def listen(port: int) -> socket.socket:
    """Return a listening socket, or raise an OSError that names the port."""
    listener = socket.socket()
    try:
        if os.name == "posix":  # on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        message = f"cannot listen on {HOST}:{port}: {error.strerror}"
        raise OSError(error.errno, message) from error
    return listener


def reset(transport: asyncio.Transport | None) -> None:
    """Break a connection with an RST; unsent data is lost."""
    if transport is not None:
        linger = socket.SO_LINGER
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, linger, _ABORT_BY_RST)
        transport.abort()
