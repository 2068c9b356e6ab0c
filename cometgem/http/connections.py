"""Which connections are used: whose session, how many at a time, which kept ones are trusted."""

from __future__ import annotations

import asyncio
import select
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = [
    "KeptConnections",
    "Slots",
    "check_session",
    "environment_proxy",
    "free_descriptors",
    "new_only",
    "reused",
]

# For name resolution, files of the program, and connections that are just being closed.
_RESERVE = 48

# Whether the connection of this task's last request had served another one before.
reused: ContextVar[bool] = ContextVar("reused", default=False)

# Whether this task's next request needs a connection that has served none before.
new_only: ContextVar[bool] = ContextVar("new_only", default=False)


class Slots:
    """Limits how many requests have a connection at the same time; the others wait in turn.

    Not the connector's own limit: aiohttp counts the time in its queue as time to connect.

    Args:
        limit: None is no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._free = None if limit is None else asyncio.Semaphore(limit)

    @property
    def full(self) -> bool:
        """Whether the next request has to wait."""
        return self._free is not None and self._free.locked()

    async def acquire(self) -> None:
        """Wait for a slot."""
        if self._free is not None:
            await self._free.acquire()

    def release(self) -> None:
        """Give a slot back."""
        if self._free is not None:
            self._free.release()


class KeptConnections(aiohttp.TCPConnector):
    """A connector that does not use a kept connection on which anything has arrived.

    Between two requests, a server may close the connection, or send a late or second answer, which
    must not be taken for the next one.
    """

    def __init__(self) -> None:
        super().__init__(limit=0)  # ``Slots`` limits them

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's name
    ) -> Connection:
        """Return a connection; a kept one only if nothing has arrived on it."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:  # lost in this moment
                return connection
            idle = transport.get_protocol()
            is_reused = isinstance(idle, _IdleProtocol)
            if is_reused and (new_only.get() or protocol.should_close or _is_readable(transport)):
                connection.close()
                continue
            reused.set(is_reused)
            if is_reused:
                transport.set_protocol(protocol)
            else:
                idle = _IdleProtocol(protocol)
            connection.add_callback(partial(transport.set_protocol, idle))
            return connection


class _IdleProtocol(asyncio.Protocol):
    """Stands in for aiohttp's protocol between two requests: whatever arrives closes it."""

    def __init__(self, protocol: ResponseHandler) -> None:
        self._protocol = protocol

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  it is nobody's
        self._protocol.close()

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def check_session(session: object) -> None:
    """Check a caller's session; None is none.

    Raises:
        ConfigurationError: It is not an open aiohttp session, or does not decompress.
    """
    if session is None:
        return
    if not isinstance(session, aiohttp.ClientSession):
        raise ConfigurationError(
            f"session must be an aiohttp.ClientSession, got {type(session).__name__}"
        )
    if session.closed:
        raise ConfigurationError(
            "session is closed: create the client inside its 'async with', or with a new session"
        )
    if not session.auto_decompress:
        raise ConfigurationError(
            "session has auto_decompress=False: make it with auto_decompress=True"
        )


def environment_proxy(base_url: str) -> str | None:
    """Return the proxy that the environment sets for an https URL, or None.

    Plain http never goes through a proxy, which could read the key.
    """
    url = urlsplit(base_url)
    if url.scheme != "https" or proxy_bypass(url.hostname or ""):
        return None
    return getproxies().get("https")


def free_descriptors() -> int | None:
    """Return how many files this process may still open, less a reserve; None if unlimited."""
    try:
        import resource  # noqa: PLC0415  Windows has no such module, and no such limit
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        used = sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        used = 0
    return max(1, limit - used - min(_RESERVE, limit // 4))


def _is_readable(transport: asyncio.Transport) -> bool:
    """Whether bytes or the end of the connection have come that the event loop has not read."""
    socket = transport.get_extra_info("socket")
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
