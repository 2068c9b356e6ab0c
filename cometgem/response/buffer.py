"""Bytes that arrive in pieces and are used as a whole, such as the line of a picture. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Allocate: TypeAlias = "Callable[[int], memoryview | None]"

__all__ = ["Allocate", "Buffer", "Data"]

Data: TypeAlias = "bytes | memoryview"

# From this size on, joining the pieces would cost more than a block.
_LARGE = 1 << 20


class Buffer:
    """Collects pieces.

    Joining the pieces of a picture would copy it once more, and in small pages half of the cost of
    32 MiB is the kernel's. So a large value is collected in one block from the beginning, if there
    is someone to allocate it.

    Args:
        limit: The most bytes that are added.
        allocate: Returns a block of so many bytes, of which those that have not been written to
            cost nothing; None if there is none.

    Attributes:
        size: The number of bytes.
    """

    def __init__(self, limit: int, allocate: Allocate | None = None) -> None:
        self.size: int = 0
        self._limit = limit
        self._allocate = allocate
        self._pieces: list[bytes] = []
        self._block: memoryview | None = None

    def add(self, piece: bytes) -> None:
        """Add a piece."""
        end = self.size + len(piece)
        if self._block is None and self._allocate is not None and end > _LARGE:
            self._begin_block(self._allocate)
        if self._block is None:
            self._pieces.append(piece)
        else:
            self._block[self.size : end] = piece
        self.size = end

    def take(self) -> Data:
        """Return all bytes, and begin anew."""
        pieces, block, size = self._pieces, self._block, self.size
        self._pieces, self._block, self.size = [], None, 0
        if block is not None:
            return block[:size].toreadonly()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin_block(self, allocate: Allocate) -> None:
        block = allocate(self._limit)
        if block is None:
            self._allocate = None
            return
        self._block = block
        block[: self.size] = b"".join(self._pieces)
        self._pieces = []
