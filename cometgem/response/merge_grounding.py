"""Merges the grounding metadata of several chunks.

Some servers repeat everything with every chunk, others send only what is new. Supports refer to
grounding chunks by index, so the indices are shifted along with the chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

if TYPE_CHECKING:
    from cometgem.types.grounding import GroundingMetadata, GroundingSupport

__all__ = ["merge_grounding"]

_T = TypeVar("_T")


def merge_grounding(old: GroundingMetadata | None, new: GroundingMetadata) -> GroundingMetadata:
    """Return both merged; neither is changed.

    In each field, the last value that is not empty wins. Chunks and supports are replaced if the
    old ones are a prefix of the new; otherwise the new ones are appended with shifted indices.
    """
    if old is None:
        return new
    repeated = _starts_with(new.grounding_chunks, old.grounding_chunks)
    shift = 0 if repeated or not new.grounding_chunks else len(old.grounding_chunks)
    chunks = new.grounding_chunks if repeated else old.grounding_chunks + new.grounding_chunks
    if not shift and _starts_with(new.grounding_supports, old.grounding_supports):
        supports = new.grounding_supports
    else:
        supports = old.grounding_supports + _shift(new.grounding_supports, shift)
    fields = {name: getattr(new, name) for name in new.__struct_fields__}
    fields |= {"grounding_chunks": chunks, "grounding_supports": supports}
    return replace(old, **{name: value for name, value in fields.items() if not _is_empty(value)})


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
