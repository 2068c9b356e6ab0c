"""The one door to aiohttp: requests out, bytes in, foreign errors translated.

Nothing of aiohttp leaves this room, and nothing above it knows HTTP beyond status and headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import os
import ssl
import time
import weakref
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ClosedError,
    CometGemError,
    ConfigurationError,
    StreamInterruptedError,
)
from cometgem.http.connections import KeptConnections, Slots, free_descriptors, new_only, reused
from cometgem.http.deadline import Deadline
from cometgem.request.address import Key
from cometgem.response.failure import MAX_ERROR_BODY, request_id, status_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cometgem.http.interrupt import Interrupt
    from cometgem.http.timeouts import Timeouts
    from cometgem.request.build import Request

__all__ = ["Auth", "HTTPResponse", "Transport"]

Auth = Literal["x-goog-api-key", "bearer"]

# A server that answers with an error but does not finish it has said enough.
_ERROR_BODY_SECONDS = 5.0

# Of bytes larger than that, aiohttp warns; what it wants instead does not copy them.
_MAX_BYTES = 1 << 20

_SERVERS_WORDS = {"message", "code", "reason", "request_id", "details", "body", "excerpt"}
_SHORTEST_KEY = 8


_CLIENT_CLOSED = "the client is closed: make a new one"


class Closable(Protocol):
    """A call that ends when its client is closed."""

    def interrupt(self, reason: str) -> None:
        """End it; ``reason`` is the message of the ClosedError that it raises."""


class Transport:
    """Sends requests to one base URL; bound to the event loop of its first request.

    Args:
        base_url: Without a slash at the end.
        key: The API key; it is sent to this base URL only.
        auth: The header it is sent in.
        headers: Sent with every request.
        session: The caller's session, used and never closed; None makes one on first use.
        max_connections: How many requests may have a connection at the same time; None is as many
            as this process may still open when it sends the first.
    """

    def __init__(  # noqa: PLR0913  one a line of the docstring
        self,
        base_url: str,
        key: Key,
        auth: Auth,
        *,
        headers: Mapping[str, str],
        session: aiohttp.ClientSession | None,
        max_connections: int | None,
    ) -> None:
        self.closed: bool = False
        self._base_url = base_url
        self._key = key
        bearer = Key("Bearer " + key)
        self._headers = {
            **headers,
            **({"Authorization": bearer} if auth == "bearer" else {"x-goog-api-key": key}),
        }
        self._session = session
        self._own_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxy = _environment_proxy(base_url) if session is None else None
        self._max_connections = max_connections
        self._slots = Slots(None)
        self._calls: weakref.WeakSet[Closable] = weakref.WeakSet()

    def __del__(self) -> None:
        if self._own_session and self._session is not None and not self._session.closed:
            self.run_in_loop(partial(_drop, self._session))

    async def send(
        self,
        request: Request,
        timeouts: Timeouts,
        total_at: float,
        interrupt: Interrupt,
        *,
        streamed: bool,
    ) -> HTTPResponse:
        """Send a request and return the response once its headers are there.

        Args:
            request: What to send.
            timeouts: How long to wait, in seconds.
            total_at: The loop's time at which ``timeouts.total`` is over.
            interrupt: Ends the wait when the call is closed.
            streamed: Whether chunks are awaited, or one response.

        Raises:
            APIStatusError: The status is not a success.
            APIConnectionError: There was no response.
            APITimeoutError: There was no response in time.
            ClosedError: The call or the client was closed.
        """
        session = self._open_session()
        interrupt.check()
        if self._slots.full:
            await self._wait_for_slot(timeouts, total_at, interrupt)
        else:
            await self._slots.acquire()
        deadline = Deadline(timeouts, total_at, streamed=streamed)
        try:
            response = await self._send_until(deadline, session, request, timeouts, interrupt)
        except BaseException:
            self._slots.release()
            raise
        received = HTTPResponse(response, deadline, self)
        if response.status // 100 != 2:  # noqa: PLR2004  any success
            raise await self._failure(received, deadline.seconds(), interrupt)
        return received

    async def sleep(self, seconds: float, interrupt: Interrupt) -> None:
        """Wait before the next attempt.

        Raises:
            ClosedError: The call or the client was closed.
        """
        with contextlib.suppress(TimeoutError):
            async with interrupt.timeout(seconds):
                await asyncio.get_running_loop().create_future()
        interrupt.check()

    def release_slot(self) -> None:
        """Let the next request have a connection."""
        self._slots.release()

    def watch(self, call: Closable) -> None:
        """Interrupt a call when the client is closed, unless it is gone by then."""
        self._calls.add(call)

    def run_in_loop(self, callback: Callable[[], object]) -> None:
        """Call it now, or by way of the client's event loop if that runs in another thread."""
        loop = self._loop
        if loop is None or not loop.is_running() or _running_loop() is loop:
            callback()
            return
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(callback)

    async def aclose(self) -> None:
        """Close the session, if it is our own, and end whatever still runs.

        From another event loop, this waits until the client's own loop has done it.
        """
        self.closed = True
        loop = self._loop
        if loop is None or _running_loop() is loop:
            await self._close()
        elif loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._close(), loop))
        else:
            self._interrupt_calls()
            if self._own_session and self._session is not None:
                _drop(self._session)

    async def _close(self) -> None:
        self._interrupt_calls()
        if self._own_session and self._session is not None:
            await self._session.close()

    def _interrupt_calls(self) -> None:  # aiohttp would leave their readers waiting
        for call in list(self._calls):
            call.interrupt(_CLIENT_CLOSED)

    def redact_key(self, error: CometGemError) -> None:
        """Take the API key out of an error, where a server echoed it, and out of its frames."""
        error.__traceback__ = error.__context__ = None
        for name in _SERVERS_WORDS & vars(error).keys():
            setattr(error, name, _redact(self._key, getattr(error, name)))

    async def _wait_for_slot(
        self, timeouts: Timeouts, total_at: float, interrupt: Interrupt
    ) -> None:
        """Wait until fewer requests have a connection; this counts toward ``total`` alone."""
        seconds = None if total_at == math.inf else total_at - asyncio.get_running_loop().time()
        try:
            async with interrupt.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError:
            interrupt.check()
            raise APITimeoutError("total", timeouts.total or 0.0) from None

    async def _send_until(
        self,
        deadline: Deadline,
        session: aiohttp.ClientSession,
        request: Request,
        timeouts: Timeouts,
        interrupt: Interrupt,
    ) -> aiohttp.ClientResponse:
        try:
            async with interrupt.timeout(deadline.seconds()):
                response = await self._send(session, request, timeouts)
        except aiohttp.ServerTimeoutError as error:
            raise APITimeoutError("connect", timeouts.connect or 0.0) from _strip_tracebacks(error)
        except TimeoutError as error:
            interrupt.check()
            raise deadline.error() from _strip_tracebacks(error)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            interrupt.check()
            self.check_open()
            if isinstance(error, RuntimeError):
                raise
            raise self._no_response(error) from _strip_tracebacks(error)
        try:
            interrupt.check()
        except ClosedError:
            response.close()
            raise
        return response

    async def _send(
        self, session: aiohttp.ClientSession, request: Request, timeouts: Timeouts
    ) -> aiohttp.ClientResponse:
        """Post it; again, at once and on a new connection, if a kept one turned out to be closed.

        A server may close a connection that it has kept at any time, also while the next request
        is on its way. That is not a failure of this call, so the retry policy does not count it.
        """
        reused.set(False)
        try:
            return await self._post(session, request, timeouts)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            begun = not isinstance(getattr(error, "message", ""), str)  # part of a response came
            if begun or not reused.get():
                raise
        new_only.set(True)
        try:
            return await self._post(session, request, timeouts)
        finally:
            new_only.set(False)

    async def _post(
        self, session: aiohttp.ClientSession, request: Request, timeouts: Timeouts
    ) -> aiohttp.ClientResponse:
        large = len(request.body) > _MAX_BYTES
        return await session.post(
            URL(self._base_url + request.path, encoded=True),
            data=io.BytesIO(request.body) if large else request.body,
            headers={**self._headers, **request.headers},
            allow_redirects=False,
            proxy=self._proxy,
            timeout=_connect_timeout(timeouts.connect),
            raise_for_status=False,  # over that of a caller's session
        )

    def _open_session(self) -> aiohttp.ClientSession:
        self.check_open()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            limit = self._max_connections
            self._slots = Slots(free_descriptors() if limit is None else limit)
        self.check_loop()
        if self._session is None:
            # Without cookies: a client that keeps no state gives the same answer every time.
            self._session = aiohttp.ClientSession(
                connector=KeptConnections(), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def check_open(self) -> None:
        """Raise ClosedError if nothing can be sent any more."""
        if self.closed or (self._session is not None and self._session.closed):
            raise ClosedError(_CLIENT_CLOSED)

    def check_loop(self) -> None:
        """Raise ConfigurationError in another event loop than that of the first request."""
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "the client was first used in another event loop: make one Client per loop"
            )

    def _no_response(self, error: Exception) -> APIConnectionError:
        match error:
            case aiohttp.ClientConnectorDNSError():
                what = "the host name was not found"
            case aiohttp.ClientConnectorCertificateError():
                what = f"the certificate was not accepted ({error.certificate_error})"
            case aiohttp.ClientSSLError() | ssl.SSLError():
                what = "TLS failed"
            case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
                what = "the proxy did not connect"
            case aiohttp.ClientConnectorError():
                number = error.os_error.errno
                what = f"no connection ({os.strerror(number) if number else error.os_error})"
            case aiohttp.ServerDisconnectedError() | OSError():
                what = "the connection was closed before the answer came"
            case aiohttp.ClientResponseError():
                what = "the server's answer is no HTTP"
            case _:
                what = f"the request failed ({type(error).__name__})"
        return APIConnectionError(f"no response from {self._base_url}: {what}")

    async def _failure(
        self, response: HTTPResponse, seconds: float | None, interrupt: Interrupt
    ) -> APIStatusError:
        body = b""
        limit = _ERROR_BODY_SECONDS if seconds is None else min(seconds, _ERROR_BODY_SECONDS)
        try:
            with contextlib.suppress(CometGemError, TimeoutError):
                async with interrupt.timeout(limit):
                    while len(body) < MAX_ERROR_BODY and (data := await response.read()):
                        body += data
        finally:
            response.close()
        interrupt.check()
        error = status_failure(
            response.status, response.headers, body[:MAX_ERROR_BODY], now=time.time()
        )
        location = response.headers.get("location")
        if response.status // 100 == 3:  # noqa: PLR2004  any redirect
            error.message = (
                f"redirects are not followed: the base URL {self._base_url} points to"
                f" {location or 'nowhere'}; set base_url to the right one"
            )
        return error


class HTTPResponse:
    """An answer whose headers have come, and whose body is being read.

    Attributes:
        status: The HTTP status.
        headers: The response headers, case-insensitive.
        start_waiting: Begins the wait for the next chunk: if none comes in time, ``read`` raises.
        stop_waiting: Ends the wait: a chunk is here.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, deadline: Deadline, transport: Transport
    ) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.start_waiting: Callable[[], None] = deadline.start
        self.stop_waiting: Callable[[], None] = deadline.stop
        self._response = response
        self._deadline = deadline
        self._deadline.on_expiry = response.close
        self._deadline.on_check = partial(_wake_if_lost, response)
        self._deadline.start_total()
        self._transport = transport
        self.closed: bool = False
        self._ended = False

    @property
    def request_id(self) -> str | None:
        """The gateway's id of the request, or None."""
        return request_id(self.headers)

    @property
    def complete(self) -> bool:
        """Whether all of the body has come, read or not."""
        return self._response.content.is_eof()

    async def read(self) -> bytes:
        """Return what has come of the body, b"" at its end.

        Raises:
            StreamInterruptedError: The connection broke.
            APITimeoutError: The wait was too long.
            ClosedError: The response or the client was closed.
            ConfigurationError: This is another event loop.
        """
        try:
            data = await self._response.content.readany()
        except Exception as error:  # noqa: BLE001  what can break here has no common root
            self._transport.check_loop()
            if not self.closed and (rest := self._unread()):
                return rest
            raise self._interruption(error) from _strip_tracebacks(error)
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
        self._transport.run_in_loop(self.close)

    def _end(self) -> None:
        self._deadline.cancel()
        if not self._ended:
            self._ended = True
            self._transport.release_slot()

    def _unread(self) -> bytes:
        """Return what had come before the connection broke; ``readany`` would drop it."""
        content = self._response.content
        error = content.exception()
        if error is None or self._deadline.expired is not None:
            return b""
        content.set_exception(None)  # type: ignore[arg-type]  # public, as its buffer is not
        rest = content.read_nowait()
        content.set_exception(error)
        return rest

    def _interruption(self, error: Exception | None) -> CometGemError:
        if self._deadline.expired is not None:
            return self._deadline.error()
        if self._transport.closed:
            return ClosedError(_CLIENT_CLOSED)
        if self.closed:
            return ClosedError("the stream was closed while its next chunk was awaited")
        return StreamInterruptedError(f"the connection broke ({type(error).__name__})")


def _wake_if_lost(response: aiohttp.ClientResponse) -> None:
    """Wake the reader of a connection that aiohttp dropped, over its framing, and told nobody."""
    connection, content = response.connection, response.content
    if connection is not None and connection.closed and content.exception() is None:
        content.set_exception(aiohttp.ClientPayloadError("the framing is broken"))


@lru_cache
def _connect_timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds)


def _strip_tracebacks(error: Exception) -> Exception:
    """Strip an error of frames: aiohttp keeps some errors, and so their frames, and the stream."""
    inner: BaseException | None = error
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return error


def _redact(key: str, value: Any) -> Any:
    match value:
        case _ if len(key) < _SHORTEST_KEY:  # no real one, and its letters are everywhere
            return value
        case str():
            return value.replace(key, "***")
        case bytes():
            return value.replace(key.encode(), b"***")
        case list():
            return [_redact(key, item) for item in value]
        case dict():
            return {name: _redact(key, item) for name, item in value.items()}
    return value


def _environment_proxy(base_url: str) -> str | None:
    """Return the proxy that the environment names for an https URL.

    Plain http never goes through one, since the proxy would read the key.
    """
    url = urlsplit(base_url)
    if url.scheme != "https" or proxy_bypass(url.hostname or ""):
        return None
    return getproxies().get("https")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _drop(session: aiohttp.ClientSession) -> None:
    """Close a session that was forgotten, without an await and without a warning."""
    connector = session.connector
    session.detach()
    if connector is not None:
        connector._close()  # noqa: SLF001  the public close() is a coroutine
