"""The one door to aiohttp: sends requests, reads bytes, translates foreign errors.

No aiohttp object leaves this module, and nothing above it knows HTTP beyond status and headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import ssl
import time
import weakref
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import anyio
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
from cometgem.http.deadline import Deadline
from cometgem.request.address import Key
from cometgem.response.failure import MAX_ERROR_BODY, request_id, status_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from cometgem.http.timeouts import Timeouts
    from cometgem.request.build import Request

__all__ = ["Auth", "HTTPResponse", "Transport"]

Auth = Literal["x-goog-api-key", "bearer"]

# How long to read an error body that does not end; what has come by then is reported.
_ERROR_BODY_SECONDS = 5.0

# aiohttp warns about larger bodies given as bytes; a BytesIO avoids the warning and the copy.
_MAX_BYTES = 1 << 20

# Whether the last request of this task went out on a reused connection.
_reused = ContextVar("_reused", default=False)

# The fields of errors that hold text from the server, which may echo the API key.
_SERVER_FIELDS = {"message", "code", "reason", "request_id", "details", "body", "excerpt"}

# Shorter keys are not redacted: no real key is this short, and their letters would match anywhere.
_SHORTEST_KEY = 8


class Transport:
    """Sends requests to one base URL, in the event loop of its first request.

    Args:
        base_url: The base URL, without a trailing slash.
        key: The API key, sent to this base URL only.
        auth: The header that carries the key.
        headers: Headers sent with every request.
        session: The caller's session, which is never closed here. By default one is created on
            first use.
    """

    def __init__(
        self,
        base_url: str,
        key: Key,
        auth: Auth,
        headers: Mapping[str, str],
        session: aiohttp.ClientSession | None,
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
        self._responses: weakref.WeakSet[HTTPResponse] = weakref.WeakSet()

    def __del__(self) -> None:
        if self._own_session and self._session is not None and not self._session.closed:
            _close_now(self._session)

    async def send(
        self, request: Request, timeouts: Timeouts, total_at: float | None, *, streamed: bool
    ) -> HTTPResponse:
        """Send a request and return the response as soon as its headers have arrived.

        Args:
            request: The request to send.
            timeouts: The limits, in seconds.
            total_at: The loop time at which ``timeouts.total`` expires, or None for no limit.
            streamed: Whether the response is a stream of chunks or a single body.

        Raises:
            APIStatusError: The status is not 2xx.
            APIConnectionError: No response came.
            APITimeoutError: No response came in time.
            ClosedError: The client is closed.
        """
        session = self._get_session()
        deadline = Deadline(timeouts, total_at, streamed=streamed)
        try:
            async with asyncio.timeout(deadline.seconds()):
                response = await self._send(session, request, timeouts)
        except aiohttp.ServerTimeoutError as error:
            raise APITimeoutError("connect", timeouts.connect or 0.0) from _strip_tracebacks(error)
        except TimeoutError as error:
            raise deadline.error() from _strip_tracebacks(error)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            self.check_open()
            if isinstance(error, RuntimeError):
                raise
            raise self._connection_error(error) from _strip_tracebacks(error)
        received = HTTPResponse(response, deadline, self)
        self._responses.add(received)
        if response.status // 100 != 2:  # noqa: PLR2004  2xx
            raise await self._status_error(received, deadline.seconds())
        return received

    async def aclose(self) -> None:
        """Close all open responses, and the session unless it is the caller's."""
        self.closed = True
        for response in list(self._responses):  # else their readers would go on waiting
            response.close()
        if self._own_session and self._session is not None:
            await self._session.close()

    def redact_key(self, error: CometGemError) -> None:
        """Remove the API key from the fields of an error, where a server echoed it.

        Its traceback and context are dropped as well, since their frames hold the key.
        """
        error.__traceback__ = error.__context__ = None
        for name in _SERVER_FIELDS & vars(error).keys():
            setattr(error, name, _redact(self._key, getattr(error, name)))

    async def _send(
        self, session: aiohttp.ClientSession, request: Request, timeouts: Timeouts
    ) -> aiohttp.ClientResponse:
        """Post the request; post it again at once if a reused connection turns out to be closed.

        A server may close an idle connection at any time, even while the next request is on its
        way. That is not a failure of this call, so the retry policy must not count it.
        """
        _reused.set(False)
        try:
            return await self._post(session, request, timeouts)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # aiohttp puts the head of a response that had begun into ``message``.
            begun = not isinstance(getattr(error, "message", ""), str)
            if begun or not _reused.get():
                raise
        return await self._post(session, request, timeouts)

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
        )

    def _get_session(self) -> aiohttp.ClientSession:
        self.check_open()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self.check_loop()
        if self._session is None:
            # No cookies: the API uses none, and they would link calls to each other.
            self._session = aiohttp.ClientSession(
                connector=_Connector(), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def check_open(self) -> None:
        """Raise ClosedError if the client or its session is closed."""
        if self.closed or (self._session is not None and self._session.closed):
            raise ClosedError("the client is closed; create a new Client")

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
                what = "the server's response is not valid HTTP"
            case _:
                what = f"the request failed ({type(error).__name__})"
        return APIConnectionError(f"no response from {self._base_url}: {what}")

    async def _status_error(self, response: HTTPResponse, seconds: float | None) -> APIStatusError:
        body = b""
        limit = _ERROR_BODY_SECONDS if seconds is None else min(seconds, _ERROR_BODY_SECONDS)
        try:
            with contextlib.suppress(CometGemError), anyio.move_on_after(limit):
                while len(body) < MAX_ERROR_BODY and (data := await response.read()):
                    body += data
        finally:
            response.close()
        error = status_failure(
            response.status, response.headers, body[:MAX_ERROR_BODY], now=time.time()
        )
        location = response.headers.get("location")
        if response.status // 100 == 3:  # noqa: PLR2004  3xx
            error.message = (
                f"redirects are not followed: {self._base_url} points to"
                f" {location or 'no location'}; set base_url to the final address"
            )
        return error


class HTTPResponse:
    """A response whose headers have arrived and whose body is being read.

    Attributes:
        status: The HTTP status.
        headers: The response headers, case-insensitive.
        start_waiting: Starts the wait for the next chunk; if it takes too long, ``read`` raises.
        stop_waiting: Stops the wait, as a chunk has arrived.
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
        self._transport = transport

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
            ClosedError: The response or the client was closed in the meantime.
            ConfigurationError: This is not the event loop of the first request.
        """
        try:
            data = await self._response.content.readany()
        except Exception as error:  # noqa: BLE001  the errors of a broken read have no common base
            self._transport.check_loop()
            if rest := self._unread():
                return rest
            raise self._interruption(error) from _strip_tracebacks(error)
        if not data:
            self._deadline.cancel()
            if self._transport.closed:
                raise self._interruption(None)
        return data

    def close(self) -> None:
        """Close the connection, unless the body has been read to its end."""
        self._deadline.cancel()
        self._response.close()

    def _unread(self) -> bytes:
        """Return what had arrived before the connection broke; ``readany`` would drop it."""
        content = self._response.content
        error = content.exception()
        if error is None or self._deadline.expired is not None or self._response.closed:
            return b""
        content.set_exception(None)  # type: ignore[arg-type]  # its buffer is private, this is not
        rest = content.read_nowait()
        content.set_exception(error)
        return rest

    def _interruption(self, error: Exception | None) -> CometGemError:
        if self._deadline.expired is not None:
            return self._deadline.error()
        if self._transport.closed or self._response.closed:
            return ClosedError("the stream was closed while waiting for its next chunk")
        return StreamInterruptedError(f"the connection broke ({type(error).__name__})")


def _wake_if_lost(response: aiohttp.ClientResponse) -> None:
    """Wake the reader of a connection that aiohttp has dropped silently for a framing error."""
    connection, content = response.connection, response.content
    if connection is not None and connection.closed and content.exception() is None:
        content.set_exception(aiohttp.ClientPayloadError("the response framing is not valid"))


@lru_cache
def _connect_timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds)


class _Connector(aiohttp.TCPConnector):
    """Records whether a connection is reused; aiohttp's tracing would cost 30 us per call."""

    def __init__(self) -> None:
        # No cap on connections: the caller decides how many calls run at once.
        super().__init__(limit=0)
        self._served: weakref.WeakSet[object] = weakref.WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's name
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        served = connection.protocol in self._served
        _reused.set(served)
        if not served:
            self._served.add(connection.protocol)
        return connection


def _strip_tracebacks(error: Exception) -> Exception:
    """Remove tracebacks: aiohttp keeps some errors, whose frames would keep the stream alive."""
    inner: BaseException | None = error
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return error


def _redact(key: str, value: Any) -> Any:
    match value:
        case _ if len(key) < _SHORTEST_KEY:
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
    """Return the proxy that the environment sets for an https URL, or None.

    Plain http never goes through a proxy, which could read the key.
    """
    url = urlsplit(base_url)
    if url.scheme != "https" or proxy_bypass(url.hostname or ""):
        return None
    return getproxies().get("https")


def _close_now(session: aiohttp.ClientSession) -> None:
    """Close a session that was never closed, without awaiting and without a warning."""
    connector = session.connector
    session.detach()
    if connector is not None:
        connector._close()  # noqa: SLF001  the public close() is a coroutine
