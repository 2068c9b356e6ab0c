"""Merges the grounding metadata of several chunks.

Some servers repeat everything with every chunk, others send only what is new. Supports refer to
grounding chunks by index, so the indices are shifted along with the chunks.

Each hop of a long answer counts from its own beginning: chunks from 0, and the bytes of segments
from the first text of the hop. So whatever a later hop brings is shifted, even if its chunks repeat
those before. Google does not document this; google-genai shifts indices in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from cometgem.types.grounding import GroundingMetadata

if TYPE_CHECKING:
    from cometgem.types.grounding import GroundingChunk, GroundingSupport

__all__ = ["GroundingMerger"]

_T = TypeVar("_T")


class GroundingMerger:
    """The grounding metadata of one candidate. What was added is not changed.

    In each field, the last value that is not empty wins. Chunks and supports are replaced if the
    old ones are a prefix of the new; otherwise the new ones are appended with shifted indices.

    Args:
        text_before: The size of the text of the hops before, in bytes of UTF-8.
    """

    def __init__(self, text_before: int = 0) -> None:
        self._text_before = text_before
        # Those of the hops before; the lists below are of the current hop.
        self._earlier_chunks: list[GroundingChunk] = []
        self._earlier_supports: list[GroundingSupport] = []
        self._lasts: GroundingMetadata | None = None
        # Extended in place, since a copy per chunk would make the total cost quadratic.
        self._chunks: list[GroundingChunk] = []
        self._supports: list[GroundingSupport] = []

    def add(self, new: GroundingMetadata) -> None:
        """Add the metadata of the next chunk."""
        chunks, supports = new.grounding_chunks, new.grounding_supports
        repeated = _starts_with(chunks, self._chunks)
        shift = 0 if repeated or not chunks else len(self._chunks)
        if repeated:
            self._chunks = list(chunks)
        else:
            self._chunks += chunks
        if not shift and _starts_with(supports, self._supports):
            self._supports = list(supports)
        else:
            self._supports += _shift(supports, shift)
        if self._lasts is None:
            self._lasts = new
            return
        fields = ((name, getattr(new, name)) for name in new.__struct_fields__)
        self._lasts = replace(
            self._lasts, **{name: value for name, value in fields if not _is_empty(value)}
        )

    def begin_hop(self, text_before: int) -> None:
        """Shift what later chunks bring; see ``text_before`` of the class."""
        self._earlier_supports += self._shifted()
        self._earlier_chunks += self._chunks
        self._chunks, self._supports = [], []
        self._text_before = text_before

    def metadata(self) -> GroundingMetadata:
        """Return all so far; later chunks do not change it."""
        return replace(
            self._lasts or GroundingMetadata(),
            grounding_chunks=[*self._earlier_chunks, *self._chunks],
            grounding_supports=[*self._earlier_supports, *self._shifted()],
        )

    def _shifted(self) -> list[GroundingSupport]:
        """Return the supports of the current hop, as they are in the whole answer."""
        supports = _shift(self._supports, len(self._earlier_chunks))
        by = self._text_before
        return [_move(support, by) for support in supports] if by else supports


def _is_empty(value: object) -> bool:
    """Whether it is null, "", [] or {}."""
    return value is None or value == type(value)()


def _starts_with(items: list[_T], start: list[_T]) -> bool:
    return items[: len(start)] == start


def _shift(supports: list[GroundingSupport], by: int) -> list[GroundingSupport]:
    if not by:
        return supports
    return [
        replace(
            support, grounding_chunk_indices=[at + by for at in support.grounding_chunk_indices]
        )
        for support in supports
    ]


def _move(support: GroundingSupport, by: int) -> GroundingSupport:
    """Return the support with its segment so many bytes further on."""
    segment = support.segment
    if segment is None:
        return support
    start, end = (segment.start_index or 0) + by, segment.end_index
    moved = replace(segment, start_index=start, end_index=None if end is None else end + by)
    return replace(support, segment=moved)
