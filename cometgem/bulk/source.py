"""Reads rows one at a time, from a plain or an async iterable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Sized
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Source"]

R = TypeVar("R")


class Source(Generic[R]):
    """The rows, numbered from 0.

    Args:
        rows: The rows. A plain iterable is read in the event loop.

    Raises:
        ConfigurationError: It is not an iterable, or a single string or dict.
    """

    def __init__(self, rows: Iterable[R] | AsyncIterable[R]) -> None:
        self.total: int | None = len(rows) if isinstance(rows, Sized) else None
        self._plain: Iterator[R] | None = None
        self._async: AsyncIterator[R] | None = None
        if isinstance(rows, AsyncIterable):
            self._async = aiter(rows)
        elif isinstance(rows, Iterable) and not isinstance(rows, (str, bytes, dict)):
            self._plain = iter(rows)
        else:
            raise ConfigurationError(
                f"rows must be an iterable or an async iterable of rows, got {type(rows).__name__}"
            )
        self._turn = asyncio.Lock()  # an async iterator is asked for one row at a time
        self._count = 0
        self._is_over = False

    @property
    def is_plain(self) -> bool:
        """Whether ``next_plain`` returns the rows."""
        return self._plain is not None

    def next_plain(self) -> tuple[int, R] | None:
        """Return the next row of a plain iterable and its number, or None at the end."""
        if self._is_over or self._plain is None:
            return None
        try:
            row = next(self._plain)
        except BaseException as error:
            self._is_over = True
            if isinstance(error, StopIteration):
                return None
            raise
        index, self._count = self._count, self._count + 1
        return index, row

    async def next_async(self) -> tuple[int, R] | None:
        """Return the next row of an async iterable and its number, or None at the end."""
        async with self._turn:
            if self._is_over or self._async is None:
                return None
            try:
                row = await anext(self._async)
            except BaseException as error:
                self._is_over = True
                if isinstance(error, StopAsyncIteration):
                    return None
                raise
            return self._numbered(row)

    async def aclose(self) -> None:
        """Close generators, so that they release what they hold."""
        self._is_over = True
        close = getattr(self._plain, "close", None)
        if close is not None:
            # A file has a close as well, but is its owner's.
            if hasattr(self._plain, "gi_frame"):
                close()
        elif (aclose := getattr(self._async, "aclose", None)) is not None:
            with suppress(RuntimeError):  # it is running in another task
                await aclose()

    def _numbered(self, row: R) -> tuple[int, R]:
        index, self._count = self._count, self._count + 1
        return index, row
