"""Recorded requests and the progress of their replies.

Written by the thread of the server, read from any other thread.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from multidict import CIMultiDictProxy

__all__ = ["RecordedRequest", "milestone", "reached"]

_T = TypeVar("_T")


def milestone() -> Future[Any]:
    """Return a future that waiting threads cannot cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


async def reached(future: Future[_T], timeout: float, what: str) -> _T:  # noqa: ASYNC109
    """Await a milestone from any event loop; the TimeoutError names it."""
    if future.done():  # with a timeout of 0, wait_for() would not check
        return future.result()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), timeout)
    except TimeoutError:
        raise TimeoutError(f"waited {timeout:g} s for {what}") from None


@dataclass(eq=False, slots=True, kw_only=True)
class RecordedRequest:
    """One request and the progress of its reply. It is recorded when its body is complete.

    Attributes:
        method: The HTTP method.
        operation: "generateContent" or "streamGenerateContent"; "" for any other path.
        model: The model's name, decoded, without "models/".
        path: The path as it was sent, percent-encoded, without the query.
        query: The decoded query; an API key in it is masked.
        headers: The headers, case-insensitive; API keys are masked as "***".
        auth: How the API key was sent: "x-goog-api-key", "bearer" or None.
        raw_body: The bytes of the body, as they were sent.
        body: The body as JSON, as it arrives at the model: without what `gateway=` drops. None if
            it is not JSON or too deep to be parsed.
        request_id: A made-up id, which the response carries unless the script sets another.
        chunks_sent: How many chunks were written to the socket completely.
        bytes_sent: How many body bytes were written to the socket, after compression and without
            the framing of HTTP.
        finished: Whether the complete reply was sent.
        gone: Whether the client disconnected before that.
    """

    method: str
    operation: str
    model: str
    path: str
    query: dict[str, str] = field(repr=False)
    headers: CIMultiDictProxy[str] = field(repr=False)
    auth: str | None = field(repr=False)
    raw_body: bytes = field(repr=False)
    body: Any = field(repr=False)
    request_id: str
    chunks_sent: int = 0
    bytes_sent: int = 0
    finished: bool = False
    gone: bool = False
    _resume: Callable[[], None] = field(repr=False)
    _done: Future[Any] = field(default_factory=milestone, repr=False)

    async def wait_done(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Wait until the reply has ended, for whatever reason.

        Args:
            timeout: The limit in seconds.

        Raises:
            TimeoutError: It did not end in time.
        """
        await reached(self._done, timeout, f"the end of the reply to {self!r}")

    async def wait_gone(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Wait until the client has disconnected before the end of the reply.

        Args:
            timeout: The limit in seconds.

        Raises:
            TimeoutError: The client is still connected. Raised at once if the reply has ended
                for another reason.
        """
        await reached(self._done, timeout, f"the client to disconnect from {self!r}")
        if not self.gone:
            raise TimeoutError(f"the reply ended before the client disconnected: {self!r}")

    def join(self, timeout: float = 5.0) -> None:
        """Block until the reply has ended: the blocking form of `wait_done`.

        Args:
            timeout: The limit in seconds.

        Raises:
            TimeoutError: It did not end in time.
        """
        try:
            self._done.result(timeout)
        except TimeoutError:
            raise TimeoutError(f"waited {timeout:g} s for the end of {self!r}") from None

    def resume(self) -> None:
        """Continue the reply after its `then_stall()` or `silence()`. Thread-safe."""
        self._resume()

    def end(self, *, finished: bool = False, gone: bool = False) -> None:
        """Record how the reply ended. Called by the server; later calls have no effect."""
        if not self._done.done():
            self.finished, self.gone = finished, gone
            self._done.set_result(None)
