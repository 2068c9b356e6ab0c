"""The one door to aiohttp: sends requests, reads bytes, translates foreign errors.

No aiohttp object leaves this module, and nothing above it knows HTTP beyond status and headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import os
import re
import ssl
import time
import weakref
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, Protocol

import aiohttp
from yarl import URL

from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ClosedError,
    CometGemError,
    ConfigurationError,
)
from cometgem.http.connections import (
    KeptConnections,
    Slots,
    environment_proxy,
    free_descriptors,
    new_only,
    reused,
)
from cometgem.http.deadline import Deadline
from cometgem.http.memory import read_from_the_heap
from cometgem.http.redact import Redactor, foreign_cause
from cometgem.http.response import CLIENT_CLOSED, HTTPResponse
from cometgem.request.address import Key
from cometgem.response.failure import MAX_ERROR_BODY, status_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cometgem.http.interrupt import Interrupt
    from cometgem.http.timeouts import Timeouts
    from cometgem.request.build import Request

__all__ = ["Auth", "Closable", "Transport"]

Auth = Literal["x-goog-api-key", "bearer"]

# How long to read an error body that does not end; what has come by then is reported.
_ERROR_BODY_SECONDS = 5.0

# aiohttp warns about larger bodies given as bytes; a BytesIO avoids the warning and the copy.
_MAX_BYTES = 1 << 20

# aiohttp's own limit is 8,190 bytes; some gateways put more than that into one header.
_MAX_HEADER = 1 << 16


class Closable(Protocol):
    """A call that ends when its client is closed."""

    def interrupt(self, reason: str) -> None:
        """End it; ``reason`` is the message of the ClosedError that it raises."""


class Transport:
    """Sends requests to one base URL, in the event loop of its first request.

    Args:
        base_url: The base URL, without a trailing slash.
        key: The API key, sent to this base URL only.
        auth: The header that carries the key.
        headers: Headers sent with every request.
        session: The caller's session, which is never closed here. By default one is created on
            first use.
        max_connections: How many requests may have a connection at the same time. Defaults to as
            many as this process may still open when it sends the first.
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
        self._redactor = Redactor(key)
        bearer = Key("Bearer " + key)
        self._headers = {
            **headers,
            **({"Authorization": bearer} if auth == "bearer" else {"x-goog-api-key": key}),
        }
        self._session = session
        self._own_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxy = environment_proxy(base_url) if session is None else None
        self._max_connections = max_connections
        self._slots = Slots(None)
        self._calls: weakref.WeakSet[Closable] = weakref.WeakSet()

    async def send(
        self,
        request: Request,
        timeouts: Timeouts,
        total_at: float,
        interrupt: Interrupt,
        *,
        streamed: bool,
    ) -> HTTPResponse:
        """Send a request and return the response as soon as its headers have arrived.

        Args:
            request: The request to send.
            timeouts: The limits, in seconds.
            total_at: The loop time at which ``timeouts.total`` expires; infinity is no limit.
            interrupt: Ends the wait when the call is closed.
            streamed: Whether the response is a stream of chunks or a single body.

        Raises:
            APIStatusError: The status is not 2xx.
            APIConnectionError: No response came.
            APITimeoutError: No response came in time.
            ClosedError: The call or the client was closed.
        """
        session = self._get_session()
        interrupt.check()
        if self._slots.full:
            await self._wait_for_slot(timeouts, total_at, interrupt)
        else:
            await self._slots.acquire()
        deadline = Deadline(timeouts, total_at, streamed=streamed)
        try:
            interrupt.check()  # in the moment in which the slot became free
            response = await self._send_until(deadline, session, request, timeouts, interrupt)
        except BaseException:
            self._slots.release()
            raise
        received = HTTPResponse(response, deadline, self)
        if response.status // 100 != 2:  # noqa: PLR2004  any success
            raise await self._status_error(received, deadline.seconds(), interrupt)
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
        _run_in(self._loop, callback)

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
                _close_now(self._session)

    async def _close(self) -> None:
        self._interrupt_calls()
        if self._own_session and self._session is not None:
            await self._session.close()

    def _interrupt_calls(self) -> None:  # aiohttp would leave their readers waiting
        for call in list(self._calls):
            call.interrupt(CLIENT_CLOSED)

    def redact_key(self, error: CometGemError) -> None:
        """Remove the API key from an error."""
        self._redactor.redact_error(error)

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
            raise APITimeoutError("connect", timeouts.connect or 0.0) from foreign_cause(error)
        except TimeoutError as error:
            interrupt.check()
            raise deadline.error() from foreign_cause(error)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            interrupt.check()
            self.check_open()
            if isinstance(error, RuntimeError):
                raise
            raise self._connection_error(error) from foreign_cause(error)
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
            # aiohttp puts the head of a response that had begun into ``message``.
            begun = not isinstance(getattr(error, "message", ""), str)
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

    def _get_session(self) -> aiohttp.ClientSession:
        self.check_open()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            limit = self._max_connections
            self._slots = Slots(free_descriptors() if limit is None else limit)
        self.check_loop()
        if self._session is None:
            read_from_the_heap()
            # No cookies: the API uses none, and they would link calls to each other.
            self._session = aiohttp.ClientSession(
                connector=KeptConnections(),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=_MAX_HEADER,
                max_field_size=_MAX_HEADER,
            )
            # Not __del__: in a garbage collection, that of the session may run first, and warns.
            weakref.finalize(self, _run_in, self._loop, partial(_close_now, self._session))
        return self._session

    def check_open(self) -> None:
        """Raise ClosedError if the client or its session is closed."""
        if self.closed or (self._session is not None and self._session.closed):
            raise ClosedError(CLIENT_CLOSED)

    def check_loop(self) -> None:
        """Raise ConfigurationError outside the event loop of the first request."""
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "the client was first used in another event loop; create one Client per event loop"
            )

    def _connection_error(self, error: Exception) -> APIConnectionError:
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
                what = _http_violation(error)
            case _:
                what = f"the request failed ({type(error).__name__})"
        found = APIConnectionError(f"no response from {self._base_url}: {what}")
        if isinstance(error, aiohttp.ClientResponseError):
            found.transient = False
        return found

    async def _status_error(
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
        body = self._redactor.redact(body)[:MAX_ERROR_BODY]  # a cut could hide a part of the key
        error = status_failure(response.status, response.headers, body, now=time.time())
        location = response.headers.get("location")
        if response.status // 100 == 3:  # noqa: PLR2004  3xx
            error.message = (
                f"redirects are not followed: {self._base_url} points to"
                f" {location or 'no location'}; set base_url to the final address"
            )
        return error


def _http_violation(error: aiohttp.ClientResponseError) -> str:
    """Say what aiohttp did not accept; its own message quotes the server."""
    if limit := re.match(r"Got more than (\d{1,9}) bytes", error.message):
        return f"a header of the server's response is larger than {int(limit[1]):,} bytes"
    if error.message == "Too many headers received":
        return "the server's response has too many headers"
    return "the server's response is not valid HTTP"


@lru_cache
def _connect_timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _run_in(loop: asyncio.AbstractEventLoop | None, callback: Callable[[], object]) -> None:
    if loop is None or not loop.is_running() or _running_loop() is loop:
        callback()
        return
    with contextlib.suppress(RuntimeError):  # the loop has just been closed
        loop.call_soon_threadsafe(callback)


def _close_now(session: aiohttp.ClientSession) -> None:
    """Close a session that was forgotten, without an await and without a warning."""
    if session.closed:
        return
    connector = session.connector
    session.detach()
    if connector is not None:
        connector._close()  # noqa: SLF001  the public close() is a coroutine
