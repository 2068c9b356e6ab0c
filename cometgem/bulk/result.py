"""The result of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from cometgem.types.response import GenerateContentResponse
from cometgem.types.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.errors import CometGemError

__all__ = ["Key", "MapResult"]

R = TypeVar("R")
T = TypeVar("T", bound=GenerateContentResponse)

Key: TypeAlias = "str | int"


class MapResult(Generic[R, T]):
    """The result of one row: a response, or an error.

    Attributes:
        key: The key of the row.
        index: Its place among the rows, counted from 0.
        row: The row itself.
        error: The error that came instead of a response; ``error.partial`` is what arrived.
        attempts: How many requests were sent for it, without refused ones.
        seconds: From when the row was read to its result, waiting for the rate included.
        reused: Whether it was read from the results of an earlier run.
    """

    __slots__ = (
        "_read",
        "_response",
        "attempts",
        "error",
        "index",
        "key",
        "reused",
        "row",
        "seconds",
    )

    def __init__(  # noqa: PLR0913  one a line of the docstring
        self,
        key: Key,
        index: int,
        row: R,
        response: T | None = None,
        error: CometGemError | None = None,
        *,
        attempts: int = 0,
        seconds: float = 0.0,
        reused: bool = False,
        read: Callable[[], T] | None = None,
    ) -> None:
        self.key: Key = key
        self.index: int = index
        self.row: R = row
        self.error: CometGemError | None = error
        self.attempts: int = attempts
        self.seconds: float = seconds
        self.reused: bool = reused
        # Decoding a million results that nobody looks at would take longer than finding them.
        self._read: Callable[[], T] | None = read
        self._response: T | None = response

    def __repr__(self) -> str:
        what = "response" if self.error is None else repr(self.error)
        reused = ", reused" if self.reused else ""
        return f"<MapResult {self.key!r}: {what}{reused}>"

    @property
    def response(self) -> T | None:
        """The response, or None if there is an error."""
        if self._read is not None:
            self._response, self._read = self._read(), None
        return self._response

    @property
    def usage(self) -> Usage:
        """The tokens that the row has used, as far as they are known."""
        arrived = self.error.partial if self.error is not None else self.response
        return Usage() if arrived is None else arrived.usage
