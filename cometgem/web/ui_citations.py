"""The citations of a text for a page: Gemini counts UTF-8 bytes, JavaScript UTF-16 units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.web.seen_sources import WebSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cometgem.types.grounding import GroundingChunk, Segment
    from cometgem.types.response import GenerateContentResponse

__all__ = ["citations", "utf16_offsets"]


def citations(final: GenerateContentResponse, text: str, before: str = "") -> dict[str, Any]:
    """Return the citations of a text, as ``{"citations": [...]}``, or nothing if there are none.

    Args:
        final: The merged answer, with its grounding metadata.
        text: The text as the page has it; what supports another text is left out.
        before: The text of the answer before it.
    """
    first = next((one for one in final.candidates if one.index == 0), None)
    grounding = None if first is None else first.grounding_metadata
    if grounding is None or not grounding.grounding_supports:
        return {}
    data = text.encode("utf-8", "replace")
    skip = len(before.encode("utf-8", "replace"))
    found: list[tuple[int, int, dict[str, str]]] = []
    for support in grounding.grounding_supports:
        if support.segment is None or (place := _place(support.segment, data, skip)) is None:
            continue
        chunks = grounding.grounding_chunks
        found += [
            (*place, source)
            for at in support.grounding_chunk_indices
            if 0 <= at < len(chunks) and (source := _source(chunks[at]))
        ]
    offsets = utf16_offsets(data, {at for start, end, _ in found for at in (start, end)})
    written = [
        {
            "source": source,
            "startIndex": offsets[start],
            "endIndex": offsets[end],
            "citedText": data[start:end].decode("utf-8", "replace"),
        }
        for start, end, source in found
    ]
    return {"citations": written} if written else {}


def utf16_offsets(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """Return the UTF-16 offset for each offset into UTF-8; those outside count as the nearest."""
    found: dict[int, int] = {}
    at = units = 0
    for offset in sorted(offsets):
        end = min(max(offset, 0), len(data))
        units += len(data[at:end].decode("utf-8", "replace").encode("utf-16-le")) // 2
        at = end
        found[offset] = units
    return found


def _place(segment: Segment, data: bytes, skip: int) -> tuple[int, int] | None:
    """Return where a segment is in the text, in bytes; None if it is not.

    Offsets count from the beginning of the answer; those of some models from that of the part.
    """
    if segment.end_index is None:
        return None
    for before in (skip, 0):
        start, end = (segment.start_index or 0) - before, segment.end_index - before
        if not 0 <= start < end <= len(data):
            continue
        if segment.text is None or data[start:end] == segment.text.encode("utf-8", "replace"):
            return start, end
    return None


def _source(chunk: GroundingChunk) -> dict[str, str]:
    for source in (chunk.web, chunk.maps, chunk.retrieved_context):
        if source is None or not (source.uri or source.title):
            continue
        uri, title = source.uri or source.title or "", source.title or ""
        if WebSource(uri, title).on_the_web:
            found = {"type": "source", "sourceType": "url", "id": uri, "url": uri}
            return {**found, "title": title} if title else found
        found = {"type": "source", "sourceType": "document", "id": uri}
        return {**found, "mediaType": "text/plain", "title": title or uri}
    return {}
