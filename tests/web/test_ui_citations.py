"""Citations: from bytes of UTF-8 to units of UTF-16."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web.items import SIGNATURE, chunk, events, merged, written

from cometgem.types import (
    GroundingChunk,
    GroundingChunkRetrievedContext,
    GroundingChunkWeb,
    GroundingMetadata,
    GroundingSupport,
    Part,
    Segment,
)
from cometgem.web import UIMessageEncoder
from cometgem.web.ui_citations import citations, utf16_offsets

TEXT = "é你\U0001f600 grüßt \U0001f44d\U0001f3fd the Ⱥ end"
WEB = GroundingChunk(web=GroundingChunkWeb(uri="https://a.example/", title="A"))
DOCUMENT = GroundingChunk(retrieved_context=GroundingChunkRetrievedContext(title="Notes"))


def grounded(
    segment: str, text: str = TEXT, *, skip: int = 0, chunks: tuple[GroundingChunk, ...] = (WEB,)
) -> GroundingMetadata:
    """Return metadata in which a segment of the text is supported."""
    start = skip + text.encode().index(segment.encode())
    place = Segment(start_index=start, end_index=start + len(segment.encode()), text=segment)
    support = GroundingSupport(segment=place, grounding_chunk_indices=list(range(len(chunks))))
    return GroundingMetadata(grounding_chunks=list(chunks), grounding_supports=[support])


def cited(citation: dict[str, Any], text: str = TEXT) -> str:
    """Return what JavaScript's ``text.slice(startIndex, endIndex)`` returns."""
    units = text.encode("utf-16-le")
    return units[2 * citation["startIndex"] : 2 * citation["endIndex"]].decode("utf-16-le")


@pytest.mark.parametrize("segment", ["é", "你", "\U0001f600", "grüßt \U0001f44d\U0001f3fd", "end"])
def test_offsets_count_in_units_of_utf16(segment: str) -> None:
    final = merged([chunk(TEXT, grounding_metadata=grounded(segment))])
    (one,) = citations(final, TEXT)["citations"]
    assert cited(one) == one["citedText"] == segment
    source = {"id": "https://a.example/", "url": "https://a.example/", "title": "A"}
    assert one["source"] == {"type": "source", "sourceType": "url", **source}


@given(st.text(st.characters(codec="utf-8")), st.data())
def test_any_offset_between_characters(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    offset = len(text[:at].encode())
    assert utf16_offsets(text.encode(), [offset]) == {
        offset: len(text[:at].encode("utf-16-le")) // 2
    }


def test_a_document_that_no_browser_can_open() -> None:
    final = merged([chunk(TEXT, grounding_metadata=grounded("end", chunks=(DOCUMENT,)))])
    (one,) = citations(final, TEXT)["citations"]
    assert one["source"]["sourceType"] == "document"
    assert one["source"]["title"] == "Notes"


@pytest.mark.parametrize(
    "place",
    [
        Segment(start_index=0, end_index=9999),
        Segment(start_index=3, end_index=3),
        Segment(start_index=0),
        Segment(start_index=0, end_index=2, text="other"),
        None,
    ],
)
def test_what_does_not_fit_the_text_is_left_out(place: Segment | None) -> None:
    metadata = grounded("end")
    metadata.grounding_supports[0].segment = place
    assert citations(merged([chunk(TEXT, grounding_metadata=metadata)]), TEXT) == {}


def test_sources_that_do_not_exist_are_left_out() -> None:
    metadata = grounded("end")
    metadata.grounding_supports[0].grounding_chunk_indices = [-1, 0, 7]
    final = merged([chunk(TEXT, grounding_metadata=metadata)])
    assert len(citations(final, TEXT)["citations"]) == 1


def test_they_come_with_the_end_of_the_text() -> None:
    items = [chunk(TEXT[:5]), chunk(TEXT[5:]), chunk("", grounding_metadata=grounded("grüßt"))]
    ends = [one for one in events(written(UIMessageEncoder(), *items)) if one != "[DONE]"]
    (end,) = [one for one in ends if one["type"] == "text-end"]
    assert [cited(one) for one in end["citations"]] == ["grüßt"]


def test_a_signature_at_the_end_does_not_lose_them() -> None:
    last = Part(text="", thought_signature=SIGNATURE)
    items = [chunk(TEXT), chunk(last, grounding_metadata=grounded("grüßt"))]
    found = events(written(UIMessageEncoder(), *items))[:-1]
    ends = [one for one in found if one["type"] == "text-end"]
    assert [one["id"] for one in ends if "citations" in one] == ["1"]


@pytest.mark.parametrize("from_part", [True, False])
def test_offsets_from_the_beginning_of_the_answer_and_of_the_part(*, from_part: bool) -> None:
    first = Part(text="Erstens: ß. ", thought_signature=SIGNATURE)
    skip = 0 if from_part else len("Erstens: ß. ".encode())
    items = [chunk(first), chunk(TEXT, grounding_metadata=grounded("grüßt", skip=skip))]
    found = events(written(UIMessageEncoder(), *items))[:-1]
    (end,) = [one for one in found if "citations" in one]
    assert [cited(one) for one in end["citations"]] == ["grüßt"]
