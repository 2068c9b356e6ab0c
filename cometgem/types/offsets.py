"""Offsets in UTF-8 bytes, as the API counts them, as indices of a Python string. No I/O."""

from itertools import accumulate

__all__ = ["Utf8Text"]

_CONTINUATION = bytes(range(0x80, 0xC0))  # every byte of a character but its first

# One number is kept for each block, so that converting an offset counts at most one block.
_BLOCK = 1024


class Utf8Text:
    """A text and its UTF-8 bytes.

    Attributes:
        data: The text in UTF-8; lone surrogates take three bytes.
    """

    def __init__(self, text: str) -> None:
        self.data: bytes = text.encode("utf-8", "surrogatepass")
        self._is_ascii = len(self.data) == len(text)
        self._before: list[int] = []  # how many characters begin before each block

    def start_index(self, offset: int) -> int:
        """Return the index of the character that begins at or contains the byte at ``offset``."""
        offset = self._clamped(offset)
        while 0 < offset < len(self.data) and self.data[offset] in _CONTINUATION:
            offset -= 1
        return self.end_index(offset)

    def end_index(self, offset: int) -> int:
        """Return how many characters begin before the byte at ``offset``."""
        offset = self._clamped(offset)
        if self._is_ascii:
            return offset
        if not self._before:
            blocks = range(0, len(self.data), _BLOCK)
            counts = (_characters(self.data[at : at + _BLOCK]) for at in blocks)
            self._before = [*accumulate(counts, initial=0)]
        block = offset // _BLOCK
        return self._before[block] + _characters(self.data[block * _BLOCK : offset])

    def _clamped(self, offset: int) -> int:
        return min(max(offset, 0), len(self.data))


def _characters(data: bytes) -> int:
    return len(data.translate(None, _CONTINUATION))
