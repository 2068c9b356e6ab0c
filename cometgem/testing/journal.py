"""What came in and what became of it. Written by the server's thread, read from any other."""

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
    """Return a future that waiters in other threads cannot cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


async def reached(future: Future[_T], timeout: float, what: str) -> _T:  # noqa: ASYNC109
    """Await a milestone from any event loop; raise TimeoutError that names it."""
    if future.done():  # wait_for() would not look, with a timeout of 0
        return future.result()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), timeout)
    except TimeoutError:
        raise TimeoutError(f"waited {timeout:g} s for {what}") from None


@dataclass(eq=False, slots=True, kw_only=True)
class RecordedRequest:
    """One request, and how far its reply has come. It is recorded when its body is complete.

    Attributes:
        method: "POST", if all is well.
        operation: "generateContent" or "streamGenerateContent"; "" for any other path.
        model: The model's name, decoded, without "models/".
        path: As it was sent, percent-encoded, without the query.
        query: Decoded; a key in it is masked.
        headers: Case-insensitive; keys are masked as "***".
        auth: Which way the key came: "x-goog-api-key", "bearer" or None.
        raw_body: The body's bytes.
        body: The body as JSON, None if it is none.
        request_id: Its made-up id, which the answer carries unless the script has another.
        chunks_sent: Chunks whose last byte was handed to the socket.
        bytes_sent: Body bytes handed to the socket, as compressed, without HTTP's own framing.
        finished: The whole reply was sent, to its regular end.
        gone: The client went away before that.
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
        """Wait until the reply has ended, whichever way.

        Args:
            timeout: Seconds.

        Raises:
            TimeoutError: It has not ended in time.
        """
        await reached(self._done, timeout, f"the end of the reply to {self!r}")

    async def wait_gone(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Wait until the client has gone away before the reply was complete.

        Args:
            timeout: Seconds.

        Raises:
            TimeoutError: The client is still there; or, at once, the reply has ended otherwise.
        """
        await reached(self._done, timeout, f"the client to go away from {self!r}")
        if not self.gone:
            raise TimeoutError(f"the reply ended before the client went away: {self!r}")

    def join(self, timeout: float = 5.0) -> None:
        """Block until the reply has ended: `wait_done` for tests without an event loop.

        Args:
            timeout: Seconds.

        Raises:
            TimeoutError: It has not ended in time.
        """
        try:
            self._done.result(timeout)
        except TimeoutError:
            raise TimeoutError(f"waited {timeout:g} s for the end of {self!r}") from None

    def resume(self) -> None:
        """Let the reply go on after its `then_stall()` or `silence()`; from any thread."""
        self._resume()

    def end(self, *, finished: bool = False, gone: bool = False) -> None:
        """Note how the reply ended. Called by the server; the first call counts."""
        if not self._done.done():
            self.finished, self.gone = finished, gone
            self._done.set_result(None)
