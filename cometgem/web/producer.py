"""The task of one run: it reads the stream of a relay to its end, and writes the log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cometgem.errors import CometGemError
from cometgem.web.run_parts import End

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.web.log import Recorder
    from cometgem.web.relay import Relay

__all__ = ["Producer"]

_log = logging.getLogger("cometgem.web")


class Producer:
    """Runs a relay.

    Args:
        relay: What is run.
        on_end: Called with the producer at its end.
    """

    def __init__(self, relay: Relay, on_end: Callable[[Producer], object]) -> None:
        self._relay = relay
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._empty = True

    def begin(self, recorder: Recorder) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self._run(recorder))
        # A task that is cancelled before its first step runs nothing of its own.
        self._task.add_done_callback(lambda task: self._finish(recorder, task))
        if self._stopped:
            self._task.cancel()

    def stop(self) -> None:
        """Stop the run on request: the viewers' responses end well."""
        self._stopped = True
        self.cancel()

    def cancel(self) -> None:
        """Break off the run: the viewers' connections are broken."""
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the run has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, recorder: Recorder) -> None:
        async def append(data: bytes) -> None:
            self._empty = False
            recorder.append(data)

        try:
            await self._relay.send_to(append, pings=False)
        finally:
            await self._relay.aclose()

    def _finish(self, recorder: Recorder, task: asyncio.Task[None]) -> None:
        encoder = self._relay.encoder
        refusal = self._relay.refusal
        end, last = End("broken"), b""
        if task.cancelled():
            if self._stopped:
                end, last = End("done"), encoder.stop()
        elif (error := task.exception()) is None:
            end = End("done")
        else:
            if not isinstance(error, CometGemError):
                _log.error("a run failed", exc_info=error)
            if self._empty and refusal is not None:
                end, last = End("refused", refusal), encoder.fail(refusal.message)
        recorder.finish(end, encoder.start() + last if last and self._empty else last)
        self._task = None  # breaks the cycle through the traceback of its error
        self._on_end(self)
