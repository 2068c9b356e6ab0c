"""The pieces of a relay as an async iterator, for frameworks that take no ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from cometgem.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Pieces"]


class Pieces:
    """An async iterator of pieces, which are made in a task of its own.

    The task ends with the iterator: at its end, with ``aclose()``, with a cancelled read and when
    the last reference goes away. No piece is made before the one before it was sent, which is when
    the next one is asked for.

    Args:
        serve: Makes the pieces, and passes each to a function that waits until it is taken.
        close: Closes what the pieces are made of.
    """

    _task: asyncio.Task[None] | None = None

    def __init__(
        self,
        serve: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._serve = serve
        self._close = close
        self._pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._first: bytes | None = None  # taken by open()
        self._taken = False  # a piece that may still be on its way to the reader
        self._ended = False

    def __del__(self) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        while not first:  # an empty piece would be the end for some servers
            first = await self._take()
        return first

    async def open(self) -> None:
        """Wait for the first piece, which decides about the status.

        Raises:
            CometGemError: No piece came.
        """
        with contextlib.suppress(StopAsyncIteration):
            self._first = await self._take()

    def close(self) -> None:
        """End the task without waiting for it; may be called from any thread."""
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the task
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def aclose(self) -> None:
        """End the task and close the stream."""
        self._ended = True
        try:
            if self._task is not None and self._task is not asyncio.current_task():
                self._task.cancel()
                await asyncio.wait([self._task])
        finally:
            # Wakes a task that waits for a piece.
            self._pieces.put_nowait(ClosedError("the relay was closed before its end"))
            await self._close()

    async def _take(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        if self._taken:
            self._taken = False
            self._pieces.task_done()
        if self._task is None:
            self._task = asyncio.create_task(_run(self._serve, self._close, self._pieces))
        try:
            piece = await self._pieces.get()
        except BaseException:
            await self.aclose()
            raise
        self._taken = True
        if isinstance(piece, bytes):
            return piece
        self._ended = True
        if piece is None:
            raise StopAsyncIteration
        try:
            raise piece
        finally:
            del piece  # breaks the cycle through its traceback


async def _run(
    serve: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]],
    close: Callable[[], Awaitable[None]],
    pieces: asyncio.Queue[bytes | BaseException | None],
) -> None:
    async def send(piece: bytes) -> None:
        pieces.put_nowait(piece)
        await pieces.join()

    end: BaseException | None = None
    try:
        await serve(send)
    except Exception as error:  # noqa: BLE001  raised again by the iterator
        end = error
    finally:
        await close()
    pieces.put_nowait(end)
