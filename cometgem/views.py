"""Other ways to iterate a stream: only text, only images, or with a sign of life in silences."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import is_number, shown

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from cometgem.types.media import Image
    from cometgem.types.response import GenerateContentResponse

__all__ = ["Heartbeat", "ImageStream", "TextStream"]

T_co = TypeVar("T_co", covariant=True)
_T = TypeVar("_T")


class Closing(Protocol[T_co]):
    """A stream: an async iterator that can be closed."""

    def __anext__(self) -> Coroutine[Any, Any, T_co]:
        """Return the next item."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""


class Buffered(Closing[T_co], Protocol[T_co]):
    """A stream that may have items at hand."""

    def take(self) -> T_co | None:
        """Return an item that is at hand, or None."""
        ...


class TextStream:
    """An async iterator of the text of a stream, made by ``stream.text_stream``."""

    def __init__(self, stream: Closing[GenerateContentResponse]) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            chunk = await self._stream.__anext__()
            if text := chunk.text:
                return text

    async def aclose(self) -> None:
        """Close the stream, for ``contextlib.aclosing``."""
        await self._stream.aclose()


class ImageStream:
    """An async iterator of the images of a stream, made by ``stream.images()``."""

    def __init__(self, stream: Closing[GenerateContentResponse]) -> None:
        self._stream = stream
        self._images: list[Image] = []  # of the last chunk, in reverse

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Image:
        while not self._images:
            chunk = await self._stream.__anext__()
            self._images = chunk.images[::-1]
        return self._images.pop()

    async def aclose(self) -> None:
        """Close the stream, for ``contextlib.aclosing``."""
        self._images = []
        await self._stream.aclose()


class Heartbeat(Generic[_T]):
    """An async iterator of a stream's items, and of None when none came for so many seconds.

    ``asyncio.wait_for(anext(stream), 15)`` would cancel the read, and so close the stream. Here
    the read goes on in a task of its own, which ends with this iterator: at ``break``, an
    exception, cancellation, ``aclose()`` or when the last reference goes away.

    Raises:
        ConfigurationError: ``seconds`` is not a number above 0.
    """

    _read: asyncio.Task[_T] | None = None

    def __init__(self, stream: Buffered[_T], seconds: float) -> None:
        if not (is_number(seconds) and 0 < seconds < math.inf):
            raise ConfigurationError(
                f"heartbeat({shown(seconds)}) is not valid; use a number of seconds above 0"
            )
        self._stream = stream
        self._seconds = seconds
        self._waiting = False

    def __del__(self) -> None:
        if self._read is not None:
            loop = self._read.get_loop()
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the task
                loop.call_soon_threadsafe(self._read.cancel)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T | None:
        if self._waiting:
            raise RuntimeError("the heartbeat is already being read by another task")
        if self._read is None:
            if (item := self._stream.take()) is not None:
                return item
            self._read = asyncio.create_task(self._stream.__anext__())
        read = self._read
        self._waiting = True
        try:
            done, _ = await asyncio.wait([read], timeout=self._seconds)
        except BaseException:
            try:
                await self._end_read()  # may be cancelled itself
            finally:
                await self._stream.aclose()
            raise
        finally:
            self._waiting = False
        if not done:
            return None
        self._read = None
        return read.result()

    async def aclose(self) -> None:
        """End the read and close the stream; a task that waits here gets ClosedError."""
        await self._stream.aclose()  # first, since a cancelled read would cancel that task
        if not self._waiting:
            await self._end_read()

    async def _end_read(self) -> None:
        read, self._read = self._read, None
        if read is not None:
            read.cancel()  # if it has failed in the meantime, this keeps asyncio from logging it
            await asyncio.wait([read])
