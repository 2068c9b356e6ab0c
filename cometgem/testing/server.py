"""The server. It runs in a thread with its own event loop, so that it answers blocked tests."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from cometgem.testing.actions import Action, Head, Wait, Write
from cometgem.testing.connections import HOST, Connections, listen, reset
from cometgem.testing.gateway import GATEWAYS, Gateway, passed_on
from cometgem.testing.journal import RecordedRequest, milestone, reached
from cometgem.testing.limits import Gate
from cometgem.testing.render import render
from cometgem.testing.script import Respond, Script
from cometgem.testing.steps import Reset
from cometgem.testing.validate import auth, is_gemini, parse_json, parse_path, refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection, Iterator
    from concurrent.futures import Future
    from typing import Self

    from cometgem.testing.limits import ServerLimits
    from cometgem.testing.reply import Reply

__all__ = ["FakeServer"]

_MASKED = "***"


class FakeServer:
    """A local HTTP server that speaks generateContent and streamGenerateContent.

    It listens on 127.0.0.1 and is used as ``with FakeServer() as server`` or ``async with
    FakeServer() as server``. Requests are validated like the API does it. Valid requests are
    answered by the script, others with the errors of the API, which do not use up the script.

    Args:
        port: The port to listen on; 0 takes any free port.
        default: The reply when the script is used up. By default one that makes sense of the
            request: JSON that fits the schema, a call to a declared function, a text about its
            result, a picture, or a greeting.
        validate: Whether to validate requests; if False, the script answers every request.
        strict: Whether to refuse also what the API refuses for its content: other roles than user
            and model, a missing thought signature, responses that do not answer the calls, both
            schemas, thinkingLevel and thinkingBudget, single calls for more than 32,768 tokens.
        gateway: "new-api" drops from requests what that gateway drops, such as functionCall.id and
            continuationToken. None passes requests on unchanged.
        models: The names of the known models, or a function that recognizes a name. Defaults to
            all names that begin with "gemini-".
        limits: How many requests and tokens are admitted; the others are refused with 429, which
            does not use up the script. None for no limit.

    Attributes:
        api_key: A made-up API key. Any other key that is not empty is accepted, too.
    """

    def __init__(  # noqa: PLR0913  # independent options
        self,
        *,
        port: int = 0,
        default: Reply | None = None,
        validate: bool = True,
        strict: bool = False,
        gateway: Gateway | None = None,
        models: Collection[str] | Callable[[str], bool] = is_gemini,
        limits: ServerLimits | None = None,
    ) -> None:
        self.api_key = "sk-fake-key"
        self._port = port
        self._bound = port
        if gateway is not None and gateway not in GATEWAYS:
            known = ", ".join(map(repr, GATEWAYS))
            raise ValueError(f"gateway={gateway!r} is not known; valid values are {known} and None")
        if strict and not validate:
            raise ValueError("strict=True needs validate=True, which refuses requests at all")
        self._validates = validate
        self._strict = strict
        self._gateway: Gateway | None = gateway
        self._knows = models if callable(models) else models.__contains__
        self._gate = None if limits is None else Gate(limits)
        self._script = Script(default, validate=validate)
        self._requests: list[RecordedRequest] = []
        self._arrivals: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] | None = None
        self._is_stopping = False
        self._http: Connections | None = None

    @property
    def url(self) -> str:
        """The base URL: "http://127.0.0.1:PORT"."""
        return f"http://{HOST}:{self._bound}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, in order of arrival."""
        return list(self._requests)

    @property
    def respond(self) -> Respond | None:
        """A function of the request that is asked before the script; None by default.

        It returns a `Reply`, or None for the script's next reply. It is a plain function and runs
        in the thread of the server. Requests that are refused, and those that continue
        `Reply.hops`, do not reach it. When it raises, the client gets a 500 that names the
        exception, which is also in `respond_errors` and in the log.
        """
        return self._script.respond

    @respond.setter
    def respond(self, function: Respond | None) -> None:
        self._script.respond = function

    @property
    def respond_errors(self) -> list[Exception]:
        """The exceptions that `respond` has raised so far."""
        return list(self._script.errors)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return 0 if self._http is None else self._http.accepted

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open now."""
        return 0 if self._http is None else self._http.open

    @property
    def admitted(self) -> int:
        """How many requests the ``limits`` admitted so far."""
        return 0 if self._gate is None else self._gate.admitted

    @property
    def refused(self) -> int:
        """How many requests the ``limits`` refused so far."""
        return 0 if self._gate is None else self._gate.refused

    def add(self, *replies: Reply) -> None:
        """Script the replies to the next requests, one each; `Reply.hops` answers several."""
        self._script.add(*replies)

    async def wait_request(self, index: int = 0, timeout: float = 5.0) -> RecordedRequest:  # noqa: ASYNC109
        """Wait for a request by its index in `requests`.

        Args:
            index: The index; 0 is the first request.
            timeout: The limit in seconds.

        Raises:
            TimeoutError: The request did not arrive in time.
        """
        with self._lock:
            if index < len(self._requests):
                return self._requests[index]
            arrival = self._arrivals.setdefault(index, milestone())
        await reached(arrival, timeout, f"request {index}")
        return self._requests[index]

    def start(self) -> None:
        """Listen, and serve in a thread.

        Raises:
            OSError: The port is not available; the message names it.
            RuntimeError: The server is already running.
        """
        if self._thread is not None:
            raise RuntimeError("this FakeServer is already running")
        listener = listen(self._port)
        self._bound = listener.getsockname()[1]
        started: Future[Any] = milestone()
        self._thread = threading.Thread(
            target=self._run, args=(listener, started), name="cometgem-fake-server", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread = None
            raise

    def stop(self) -> None:
        """Break all connections and end the thread, without waiting for replies."""
        if self._thread is None or self._stop is None:
            return
        self._stop()
        self._thread.join()
        self._thread = self._stop = None

    def wait(self) -> None:
        """Block until the server is stopped, or until Ctrl-C raises KeyboardInterrupt."""
        # In short steps, since a long join cannot be interrupted on Windows.
        while (thread := self._thread) is not None and thread.is_alive():
            thread.join(0.5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def _run(self, listener: socket.socket, started: Future[Any]) -> None:
        # Always the same loop: the server must not depend on the event loop policy of the test.
        try:
            with listener, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(listener, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, listener: socket.socket, started: Future[Any]) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._is_stopping = False
        self._http = http = Connections(self._handle)
        server = await loop.create_server(http, sock=listener)

        def stop() -> None:
            loop.call_soon_threadsafe(stopped.set)

        self._stop = stop
        started.set_result(None)
        await stopped.wait()
        self._is_stopping = True
        # Let connections that are being accepted finish first: Server.close() would make them fail
        # half-way and leave their transports open. The runner cancels what still runs then.
        loop.remove_reader(listener)
        for _ in range(10):
            http.abort()
            await asyncio.sleep(0)
        server.close()

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        raw_body = await http.content.read()
        resumes = asyncio.Semaphore(0)
        request = self._record(http, raw_body, resumes)
        response = web.StreamResponse()
        try:
            for action in self._actions(request):
                match action:
                    case Head():
                        response = _response(action)
                        await response.prepare(http)
                    case Write(data, chunks):
                        # Counted first, so that it is counted when the client has read it.
                        request.bytes_sent += len(data)
                        request.chunks_sent += chunks
                        await response.write(data)
                        await asyncio.sleep(0)
                    case Wait():
                        await _wait(action, resumes)
                    case Reset():
                        request.end()
                        reset(http.transport)
                        await asyncio.Event().wait()  # cancelled when the connection is lost
            await response.write_eof()
            request.end(finished=True)
        except ConnectionError:
            request.end(gone=True)
        except asyncio.CancelledError:
            request.end(gone=not self._is_stopping)
            raise
        finally:
            request.end()
            self._script.ended(request)
        return response

    def _record(
        self, http: web.BaseRequest, raw_body: bytes, resumes: asyncio.Semaphore
    ) -> RecordedRequest:
        loop = asyncio.get_running_loop()

        def resume() -> None:
            with suppress(RuntimeError):  # the server was stopped
                loop.call_soon_threadsafe(resumes.release)

        path = http.rel_url.raw_path
        model, operation = parse_path(path)
        query = dict(http.query)
        if "key" in query:
            query["key"] = _MASKED
        headers = CIMultiDict(http.headers)
        for name in {"x-goog-api-key", "authorization"} & {name.lower() for name in headers}:
            headers[name] = _MASKED
        with self._lock:
            index = len(self._requests)
            request = RecordedRequest(
                method=http.method,
                operation=operation,
                model=model,
                path=path,
                query=query,
                headers=CIMultiDictProxy(headers),
                auth=auth(http.headers),
                raw_body=raw_body,
                body=self._arriving(raw_body),
                request_id=f"fake-request-{index}",
                _resume=resume,
            )
            self._requests.append(request)
            arrival = self._arrivals.pop(index, None)
        if arrival is not None:
            arrival.set_result(None)
        return request

    def _actions(self, request: RecordedRequest) -> Iterator[Action]:
        reply = None
        if self._validates:
            reply = refusal(request, self._knows, strict=self._strict)
        if reply is None and self._gate is not None:
            reply = self._gate.refusal(time.monotonic())
        if reply is None:
            reply = self._script.reply_to(request, self._lost_token(request))
            if self._gate is not None:
                self._gate.charge_reply(reply)
        return render(
            reply,
            stream=request.operation == "streamGenerateContent",
            sse=request.query.get("alt") == "sse",
            model=request.model,
            request_id=request.request_id,
        )

    def _arriving(self, raw_body: bytes) -> Any:
        """Return the body as it arrives at the model."""
        body = parse_json(raw_body)
        return body if self._gateway is None else passed_on(self._gateway, body)

    def _lost_token(self, request: RecordedRequest) -> str | None:
        """Return the continuationToken that the gateway has dropped from a request."""
        if self._gateway is None:
            return None
        sent = parse_json(request.raw_body)
        token = sent.get("continuationToken") if isinstance(sent, dict) else None
        return token if isinstance(token, str) else None


def _response(head: Head) -> web.StreamResponse:
    response = web.StreamResponse(status=head.status, headers=head.headers)
    if head.length is not None and "content-length" not in response.headers:
        response.content_length = head.length
    return response


async def _wait(wait: Wait, resumes: asyncio.Semaphore) -> None:
    if not wait.resumable and wait.seconds is not None:
        await asyncio.sleep(wait.seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(wait.seconds):
            await resumes.acquire()
            wait.resumed = True
