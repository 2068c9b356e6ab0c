"""Ctrl-C during a bulk run: once to stop it, twice to cancel it."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CtrlC"]


class CtrlC:
    """Calls a function at the first Ctrl-C, and what was there before at the second one.

    It takes over from Python and from ``asyncio.run`` only: a server that handles signals, or
    another run, keeps them.

    Args:
        stop: Called in the event loop.
    """

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._before: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ours = self._handle  # one object, to be compared

    def install(self) -> None:
        """Take over, if it is ours to do so."""
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGINT)
        # asyncio.run has a partial of a method.
        is_runners = getattr(getattr(before, "func", None), "__module__", "") == "asyncio.runners"
        if before is signal.default_int_handler or is_runners:
            self._before, self._loop = before, asyncio.get_running_loop()
            signal.signal(signal.SIGINT, self._ours)

    def remove(self) -> None:
        """Put back what was there before."""
        if self._before is not None and signal.getsignal(signal.SIGINT) is self._ours:
            signal.signal(signal.SIGINT, self._before)
        self._before = None

    def _handle(self, number: int, frame: Any) -> None:
        del number, frame
        self.remove()  # the next one is for the handler from before
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)
