"""A response whose headers have arrived, and whose body is being read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import aiohttp

from cometgem.errors import ClosedError, CometGemError, StreamInterruptedError
from cometgem.http.redact import foreign_cause
from cometgem.response.failure import request_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cometgem.http.deadline import Deadline

__all__ = ["CLIENT_CLOSED", "HTTPResponse", "Owner"]

CLIENT_CLOSED = "the client is closed; create a new Client"


class Owner(Protocol):
    """The transport that the response came by."""

    closed: bool

    def check_loop(self) -> None:
        """Raise ConfigurationError outside the event loop of the transport."""

    def run_in_loop(self, callback: Callable[[], object]) -> None:
        """Call it in the event loop of the transport."""

    def release_slot(self) -> None:
        """Let the next request have a connection."""


class HTTPResponse:
    """A response whose headers have arrived and whose body is being read.

    Attributes:
        status: The HTTP status.
        headers: The response headers, case-insensitive.
        start_waiting: Starts the wait for the next chunk; if it takes too long, ``read`` raises.
        stop_waiting: Stops the wait, as a chunk has arrived.
        readany: aiohttp's, for those who call ``read`` after any error and any empty result.
    """

    def __init__(self, response: aiohttp.ClientResponse, deadline: Deadline, owner: Owner) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.start_waiting: Callable[[], None] = deadline.start
        self.stop_waiting: Callable[[], None] = deadline.stop
        self.readany: Callable[[], Awaitable[bytes]] = response.content.readany
        self._response = response
        self._deadline = deadline
        self._deadline.on_expiry = response.close
        self._deadline.on_check = partial(_wake_if_lost, response)
        self._deadline.start_total()
        self._owner = owner
        self.closed: bool = False
        self._ended = False

    @property
    def request_id(self) -> str | None:
        """The gateway's request id, or None."""
        return request_id(self.headers)

    @property
    def complete(self) -> bool:
        """Whether the entire body has arrived, even if it has not been read."""
        return self._response.content.is_eof()

    async def read(self) -> bytes:
        """Return the bytes of the body that have arrived, or b"" at its end.

        Raises:
            StreamInterruptedError: The connection broke.
            APITimeoutError: The wait was too long.
            ClosedError: The response or the client was closed.
            ConfigurationError: This is another event loop.
        """
        try:
            data = await self._response.content.readany()
        except Exception as error:  # noqa: BLE001  the errors of a broken read have no common base
            self._owner.check_loop()
            if not self.closed and (rest := self._unread()):
                return rest
            raise self._interruption(error) from foreign_cause(error)
        if self.closed:  # in the moment in which the data came
            raise self._interruption(None)
        if not data:
            self._end()
        return data

    def close(self) -> None:
        """Close the connection, unless the body has been read to its end."""
        self.closed = True
        self._response.close()
        self._end()

    def drop(self) -> None:
        """Close it from any thread."""
        self._owner.run_in_loop(self.close)

    def _end(self) -> None:
        self._deadline.cancel()
        if not self._ended:
            self._ended = True
            self._owner.release_slot()

    def _unread(self) -> bytes:
        """Return what had arrived before the connection broke; ``readany`` would drop it."""
        content = self._response.content
        error = content.exception()
        if error is None or self._deadline.expired is not None:
            return b""
        content.set_exception(None)  # type: ignore[arg-type]  # its buffer is private, this is not
        rest = content.read_nowait()
        content.set_exception(error)
        return rest

    def _interruption(self, error: Exception | None) -> CometGemError:
        if self._deadline.expired is not None:
            return self._deadline.error()
        if self._owner.closed or self._response.closed:
            return ClosedError("the stream was closed while waiting for its next chunk")
        return StreamInterruptedError(f"the connection broke ({type(error).__name__})")


def _wake_if_lost(response: aiohttp.ClientResponse) -> None:
    """Wake the reader of a connection that aiohttp has dropped silently for a framing error."""
    connection, content = response.connection, response.content
    if connection is not None and connection.closed and content.exception() is None:
        content.set_exception(aiohttp.ClientPayloadError("the response framing is not valid"))
