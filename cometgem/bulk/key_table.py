"""A table of keys and numbers that takes 16 to 32 bytes a key, where a dict takes about 150."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["KeyTable"]

_SMALLEST = 1 << 10
_FULLEST = 0.66
_WIDTH = 64 if hash(1 << 40) == 1 << 40 else 32  # of a hash, in bits


class KeyTable:
    """Maps the hashes of keys to positive integers; open addressing with linear probing.

    Only hashes are kept, those of tuples, since the hash of an integer is the integer. Of a million
    keys, two have the same one with a probability of 3e-8.

    Args:
        expected: About how many keys there will be.
    """

    def __init__(self, expected: int = 0) -> None:
        self._size = 0
        self._allocate(max(_SMALLEST, 1 << int(expected / _FULLEST).bit_length()))

    def __len__(self) -> int:
        return self._size

    def get(self, key: Hashable) -> int:
        """Return the number of a key, or 0."""
        return self._numbers[self._slot(hash((key,)))]

    def set(self, key: Hashable, number: int) -> None:
        """Set the number of a key."""
        slot = self._slot(hashed := hash((key,)))
        if not self._numbers[slot]:
            slot = self._added(slot, hashed)
        self._numbers[slot] = number

    def mark(self, key: Hashable) -> int:
        """Make the number of a key odd, and return what it was, or 0."""
        # Not by _slot: of all that a row costs which has its result, a call is a noticeable part.
        hashed = hash((key,))
        hashes, numbers, last = self._hashes, self._numbers, self._last
        at = (hashed >> self._shift) & last
        while (number := numbers[at]) and hashes[at] != hashed:
            at = (at + 1) & last
        if number:
            numbers[at] = number | 1
        else:
            at = self._added(at, hashed)
            self._numbers[at] = 1
        return number

    def _added(self, slot: int, hashed: int) -> int:
        """Put a hash into an empty slot, and return its slot, which may be another one."""
        if self._size >= self._most:
            self._grow()
            slot = self._slot(hashed)
        self._size += 1
        self._hashes[slot] = hashed
        return slot

    def _slot(self, hashed: int) -> int:
        hashes, numbers, last = self._hashes, self._numbers, self._last
        at = (hashed >> self._shift) & last
        while numbers[at] and hashes[at] != hashed:
            at = (at + 1) & last
        return at

    def _grow(self) -> None:
        hashes, numbers = self._hashes, self._numbers
        self._allocate(2 * len(numbers))
        for hashed, number in zip(hashes, numbers, strict=True):
            if number:
                slot = self._slot(hashed)
                self._hashes[slot], self._numbers[slot] = hashed, number

    def _allocate(self, slots: int) -> None:
        self._hashes = array("q", [0]) * slots
        self._numbers = array("Q", [0]) * slots
        self._last = slots - 1
        self._most = int(_FULLEST * slots)
        # The highest bits are the best mixed ones.
        self._shift = _WIDTH - self._last.bit_length()
