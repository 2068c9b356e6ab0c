"""The citations of a text for a page: Gemini counts UTF-8 bytes, JavaScript UTF-16 units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cometgem.types.grounding import GroundingChunk
    from cometgem.types.response import GenerateContentResponse

__all__ = ["citations", "utf16_offsets"]


def citations(final: GenerateContentResponse, text: str) -> dict[str, Any]:
    """Return the citations of a text, as ``{"citations": [...]}``, or nothing if there are none.

    Args:
        final: The merged answer, with its grounding metadata.
        text: The text as the page has it; a support whose own text is elsewhere is left out.
    """
    first = next((one for one in final.candidates if one.index == 0), None)
    grounding = None if first is None else first.grounding_metadata
    if grounding is None or not grounding.grounding_supports:
        return {}
    data = text.encode("utf-8", "surrogatepass")
    found: list[tuple[int, int, GroundingChunk]] = []
    for support in grounding.grounding_supports:
        segment = support.segment
        if segment is None or segment.end_index is None:
            continue
        start, end = segment.start_index or 0, segment.end_index
        if segment.text is not None and data[start:end] != segment.text.encode():
            continue
        chunks = grounding.grounding_chunks
        indices = support.grounding_chunk_indices
        found += [(start, end, chunks[at]) for at in indices if 0 <= at < len(chunks)]
    offsets = utf16_offsets(data, {at for start, end, _ in found for at in (start, end)})
    written = [
        {
            "source": {"type": "source", "sourceType": "url", **source},
            "startIndex": offsets[start],
            "endIndex": offsets[end],
            "citedText": data[start:end].decode("utf-8", "replace"),
        }
        for start, end, chunk in found
        if (source := _source(chunk))
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


def _source(chunk: GroundingChunk) -> dict[str, str]:
    for source in (chunk.web, chunk.maps, chunk.retrieved_context):
        if source is not None and source.uri:
            found = {"id": source.uri, "url": source.uri}
            return {**found, "title": source.title} if source.title else found
    return {}
