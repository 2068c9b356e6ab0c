"""One response that shows a run: from its beginning, or after the last event that a browser has."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

from cometgem.errors import ClosedError, RunError
from cometgem.web.expiry import expire
from cometgem.web.refusals import refusal
from cometgem.web.replay import Replay
from cometgem.web.sender import Sender
from cometgem.web.served import Served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cometgem.web.log import Recording

__all__ = ["Viewer"]

_INTERRUPTED = refusal(RunError())


class Viewer(Served):
    """Shows a run to one reader: an ASGI application, and an async iterator of bytes.

    A viewer that lags gets what it has missed in larger pieces, and never holds up the run or other
    viewers. If the process that writes the run dies, the connection is broken.

    Args:
        recording: The run.
        after: The id of the last event that the reader has, or None for all.
    """

    _joined = False

    def __init__(self, recording: Recording, after: int | None = None) -> None:
        super().__init__()
        self._recording = recording
        self._after = after
        self._served = False
        self._limit: asyncio.Timeout | None = None
        self._loop = asyncio.get_running_loop()
        recording.join()
        self._joined = True

    def __del__(self) -> None:
        if self._joined:  # it was never served
            leave = _Leave(self._recording)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(leave)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response, in lower case."""
        return self._recording.head.headers

    async def aclose(self) -> None:
        """Leave; a response that is being sent is broken off. The run goes on, if it may."""
        if self._limit is not None:
            expire(self._limit)
        if self._joined:
            self._joined = False
            await self._recording.leave()

    async def send_to(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send the body in pieces, each after the one before was taken.

        Args:
            send: Sends a piece.

        Raises:
            TimeoutError: The reader did not take a piece in time.
            RunError: The run was refused, and ``refusal`` is what to send; or it was lost.
            ClosedError: The viewer was closed.
            RuntimeError: The viewer has been served before.
        """
        if self._served:
            raise RuntimeError("a viewer serves one response; make another for the next reader")
        self._served = True
        if not self._joined:
            raise ClosedError("the viewer is closed")
        head = self._recording.head
        sender = Sender(
            send,
            head.ping.encode(),
            math.inf if head.ping_every is None else head.ping_every,
            math.inf if head.send_timeout is None else head.send_timeout,
        )
        try:
            async with sender.limit as self._limit:
                await self._send_all(sender)
        except TimeoutError:
            if self._joined:
                raise
            raise ClosedError("the viewer was closed before its end") from None
        finally:
            self._limit = None
            await sender.aclose()

    async def _send_all(self, sender: Sender) -> None:
        head = self._recording.head
        replay = Replay(head.delta, self._after)
        position = 0
        while True:
            try:
                news = await self._recording.read(position, head.buffer)
            except RunError:
                self._refusal = _INTERRUPTED
                raise
            position += len(news.pieces)
            end = news.end
            if end is not None and end.refusal is not None and not sender.begun:
                self._refusal = end.refusal
                raise RunError("the run was refused")
            if data := replay.data(news.pieces):
                await sender.send(data)
            if end is None:
                continue
            if end.kind == "broken" or (end.kind == "refused" and not head.tells_failures):
                self._refusal = _INTERRUPTED
                raise RunError("the run was broken off before its end")
            return


class _Leave:
    """Leaves a run later, without the viewer."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        self._task = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        await self._recording.leave()
        self._task = None  # until here it kept itself alive
