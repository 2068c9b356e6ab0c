"""Merges the grounding metadata of several chunks.

Some servers repeat everything with every chunk, others send only what is new. Supports refer to
grounding chunks by index, so the indices are shifted along with the chunks.
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
    """

    def __init__(self) -> None:
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

    def metadata(self) -> GroundingMetadata:
        """Return all so far; later chunks do not change it."""
        return replace(
            self._lasts or GroundingMetadata(),
            grounding_chunks=list(self._chunks),
            grounding_supports=list(self._supports),
        )


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
