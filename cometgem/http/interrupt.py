"""Waits that can be ended from outside: by ``aclose()`` of a stream or of its client."""

from __future__ import annotations

import asyncio
import contextlib
import weakref

from cometgem.errors import ClosedError

__all__ = ["Interrupt"]


class Interrupt:
    """Ends the waits of one call: for a connection, for the headers, for the next attempt.

    A task that was cancelled here could not tell this from a cancellation by its owner. So each
    wait has a timeout, and interrupting it lets that timeout expire at once.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        # Weak: a timeout refers to its task, and a cancelled task, by way of its traceback, to the
        # call. That cycle would keep a client that nobody closed until a garbage collection.
        self._timeout: weakref.ref[asyncio.Timeout] | None = None

    def set(self, reason: str) -> None:
        """End the present wait and refuse all later ones; the first reason is kept."""
        if self._reason is None:
            self._reason = reason
        timeout = None if self._timeout is None else self._timeout()
        if timeout is not None:
            with contextlib.suppress(RuntimeError):  # the wait has just ended by itself
                timeout.reschedule(asyncio.get_running_loop().time())

    def check(self) -> None:
        """Raise ClosedError if this was interrupted."""
        if self._reason is not None:
            raise ClosedError(self._reason)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Return a context that raises TimeoutError after some seconds, or when interrupted.

        Call ``check`` when it has raised, to tell one from the other, and when it has not, since
        both may happen in the same step of the event loop.
        """
        timeout = asyncio.timeout(seconds)
        self._timeout = weakref.ref(timeout)
        return timeout
