"""`response.sources`: what a source is, and which stretches of the text it supports."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import pytest
from conformance import conformance_file
from hypothesis import given
from hypothesis import strategies as st

from cometgem import GenerateContentResponse, Source, Span
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.types.grounding import Citation, GroundingChunk

JSON = dict[str, Any]
WEB = {"web": {"uri": "https://a.example", "title": "A"}}
OTHER = {"web": {"uri": "https://b.example", "title": "B"}}


def recorded(name: str) -> GenerateContentResponse:
    """Return a recorded body, merged."""
    merger = ResponseMerger()
    decoder = ChunkDecoder(1 << 24)
    data = conformance_file(f"bodies/{name}").read_bytes()
    for chunk in (*decoder.feed(data), *decoder.close()):
        merger.add(chunk)
    return merger.response()


def response(*parts: str | JSON, **fields: Any) -> GenerateContentResponse:
    """Return a response with parts, which may be texts, and other fields of its candidate."""
    said = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate = {"content": {"parts": said}, **fields}
    return decode_chunk(json.dumps({"candidates": [candidate]}).encode())


def grounded(*parts: str | JSON, segments: list[JSON], chunks: Any = (WEB,)) -> list[Source]:
    """Return the sources of parts, of which the first chunk supports all segments."""
    supports = [{"segment": segment, "groundingChunkIndices": [0]} for segment in segments]
    metadata = {"groundingChunks": [*chunks], "groundingSupports": supports}
    return response(*parts, groundingMetadata=metadata).sources


def quoted(found: GenerateContentResponse) -> list[tuple[str | None, list[str]]]:
    return [
        (source.uri, [found.text[span.start : span.end] for span in source.spans])
        for source in found.sources
    ]


def test_a_response_without_metadata_has_no_sources() -> None:
    assert GenerateContentResponse().sources == []
    assert response("Hi").sources == []
    assert response("Hi", groundingMetadata={}, citationMetadata={}).sources == []


def test_every_kind_of_source() -> None:
    chunks = [
        {"web": {"uri": "https://a.example", "domain": "a.example"}},
        {"maps": {"uri": "https://maps.example", "title": "Joe's", "placeId": "1"}},
        {"image": {"sourceUri": "https://page.example", "imageUri": "https://i", "title": "Cat"}},
        {"image": {"imageUri": "https://image.example"}},
        {"retrievedContext": {"title": "a.pdf", "text": "words", "pageNumber": 3}},
        {"retrievedContext": {"documentName": "b.pdf"}},
        {},
    ]
    found = response(
        "Hi",
        groundingMetadata={"groundingChunks": chunks},
        urlContextMetadata={"urlMetadata": [{"retrievedUrl": "https://read.example"}]},
        citationMetadata={"citations": [{"uri": "https://quoted.example", "license": "mit"}]},
    ).sources
    assert [(source.kind, source.title, source.uri) for source in found] == [
        ("web", "a.example", "https://a.example"),
        ("maps", "Joe's", "https://maps.example"),
        ("image", "Cat", "https://page.example"),
        ("image", None, "https://image.example"),
        ("document", "a.pdf", None),
        ("document", "b.pdf", None),
        ("url", None, "https://read.example"),
        ("citation", None, "https://quoted.example"),
    ]
    assert all(source.spans == () for source in found)
    document, citation = found[4].origin, found[7].origin
    assert isinstance(document, GroundingChunk)
    assert document.retrieved_context
    assert document.retrieved_context.text == "words"
    assert isinstance(citation, Citation)
    assert citation.license == "mit"


def test_a_source_that_is_named_several_times_is_one() -> None:
    untitled = {"web": {"uri": "https://a.example"}}
    found = response(
        "One. Two.",
        groundingMetadata={
            "groundingChunks": [untitled, OTHER, WEB],
            "groundingSupports": [
                {"segment": {"endIndex": 4}, "groundingChunkIndices": [2, 1]},
                {"segment": {"startIndex": 5, "endIndex": 9}, "groundingChunkIndices": [0, 0]},
                {"segment": {"endIndex": 4}, "groundingChunkIndices": [0]},
            ],
        },
        urlContextMetadata={"urlMetadata": [{"retrievedUrl": "https://b.example"}]},
        citationMetadata={"citationSources": [{"uri": "https://a.example", "endIndex": 3}]},
    ).sources
    assert [(one.kind, one.title, one.spans) for one in found] == [
        ("web", "A", (Span(0, 3), Span(0, 4), Span(5, 9))),
        ("web", "B", (Span(0, 4),)),
    ]


@pytest.mark.parametrize("status", ["ERROR", "PAYWALL", "UNSAFE"])
def test_a_page_that_could_not_be_read_is_no_source(status: str) -> None:
    page = {"retrievedUrl": "https://a.example"}
    failed = page | {"urlRetrievalStatus": f"URL_RETRIEVAL_STATUS_{status}"}
    assert response("Hi", urlContextMetadata={"urlMetadata": [failed, {}]}).sources == []
    for fine in (page, page | {"urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}):
        assert len(response("Hi", urlContextMetadata={"urlMetadata": [fine]}).sources) == 1


def test_quotes_of_unknown_origin_are_one_source() -> None:
    citations = [{"startIndex": 0, "endIndex": 2}, {"startIndex": 3, "endIndex": 5}]
    (source,) = response("ab cd", citationMetadata={"citationSources": citations}).sources
    assert (source.kind, source.title, source.uri) == ("citation", None, None)
    assert source.spans == (Span(0, 2), Span(3, 5))


@pytest.mark.parametrize(
    ("parts", "segment", "expected"),
    [
        (["héllo wörld"], {"endIndex": 6}, "héllo"),
        (["日本 is Japan"], {"startIndex": 7, "endIndex": 15}, "is Japan"),
        (["👩🏽 waves. 🇬🇧"], {"startIndex": 9, "endIndex": 24}, "waves. 🇬🇧"),
        (["e\u0301a b"], {"endIndex": 4}, "e\u0301a"),
        (["日本"], {"startIndex": 1, "endIndex": 4}, "日本"),  # within characters
        (["abc"], {"startIndex": 1, "endIndex": 99}, "bc"),
        (["abc"], {"startIndex": -4, "endIndex": 2}, "ab"),
        # the part that the segment names
        (["abc", "def"], {"partIndex": 1, "endIndex": 2}, "de"),
        (["abc", {"executableCode": {"code": "1"}}, "déf"], {"partIndex": 2, "endIndex": 3}, "dé"),
        ([{"text": "hm 日", "thought": True}, "déf"], {"partIndex": 1, "endIndex": 3}, "dé"),
        # what was one part for the server arrived in several
        (["abc", {"text": "def", "thoughtSignature": "c2ln"}], {"startIndex": 2, "endIndex": 5,
         "text": "cde"}, "cde"),
        # the quote decides
        (["bcd abc"], {"startIndex": 5, "endIndex": 8, "text": "abc"}, "abc"),
        (["日本 abc"], {"startIndex": 3, "endIndex": 6, "text": "abc"}, "abc"),
        ([{"text": "hm", "thought": True}, "abc"], {"endIndex": 2, "text": "ab"}, "ab"),
        (["a", "b"], {"partIndex": 9, "endIndex": 1, "text": "b"}, "b"),
        (["abc"], {"text": "b"}, "b"),
        # nobody knows where the quote is, since the server's text has other spaces
        (["a  bc"], {"endIndex": 4, "text": "a b"}, "a  b"),
    ],
)  # fmt: skip
def test_a_segment_is_found(parts: list[Any], segment: JSON, expected: str) -> None:
    (source,) = grounded(*parts, segments=[segment])
    text = response(*parts).text
    assert [text[span.start : span.end] for span in source.spans] == [expected]


@pytest.mark.parametrize(
    ("parts", "segment"),
    [
        (["abc"], {}),
        (["abc"], {"startIndex": 2}),
        (["abc"], {"startIndex": 2, "endIndex": 1}),
        (["abc"], {"startIndex": 3, "endIndex": 5}),
        (["abc"], {"partIndex": 1, "endIndex": 2}),
        (["abc"], {"partIndex": -1, "endIndex": 2}),
        ([{"text": "hmm", "thought": True}, "abc"], {"endIndex": 2}),
        ([{"text": "hmm", "thought": True}, "abc"], {"endIndex": 2, "text": "hm"}),
        ([], {"endIndex": 2, "text": "ab"}),
        ([""], {"endIndex": 2}),
    ],
)
def test_a_segment_that_is_not_in_the_text_is_left_out(parts: list[Any], segment: JSON) -> None:
    (source,) = grounded(*parts, segments=[segment])
    assert source.spans == ()


@pytest.mark.parametrize("indices", [[1], [-1], [5, 7], []])
def test_chunks_that_were_not_sent_are_left_out(indices: list[int]) -> None:
    support = {"segment": {"endIndex": 2}, "groundingChunkIndices": indices}
    metadata = {"groundingChunks": [WEB], "groundingSupports": [support, {}]}
    (source,) = response("abc", groundingMetadata=metadata).sources
    assert source.spans == ()


def test_of_equal_quotes_the_one_at_the_offset_counts() -> None:
    text = "They deliver. They deliver. They deliver."
    quotes = [{"startIndex": at, "endIndex": at + 13, "text": "They deliver."} for at in (28, 14)]
    assert grounded(text, segments=quotes)[0].spans == (Span(14, 27), Span(28, 41))


def test_a_text_that_lost_a_character_at_its_start() -> None:
    """The server counted from a line end that it removed: seen in a recorded body."""
    text = "They deliver. They deliver. They deliver."
    quotes = [{"startIndex": at + 1, "text": "They deliver."} for at in (0, 14, 28)]
    spans = grounded(text, segments=quotes)[0].spans
    assert spans == (Span(0, 13), Span(14, 27), Span(28, 41))


def test_recorded_search() -> None:
    found = recorded("googleai-unary-success-google-search-grounding.json")
    assert [(source.kind, source.title) for source in found.sources] == [
        ("web", "accuweather.com"),
        ("web", "Weather information for locality: London"),
    ]
    assert [texts for _, texts in quoted(found)] == [
        ["The current weather in London, United Kingdom is cloudy."],
        [
            "The temperature is 67°F (19°C), but it feels like 75°F (24°C).",
            "There is a 0% chance of rain, and the humidity is around 41%.",
        ],
    ]
    assert found.search_entry_point
    assert found.search_entry_point.startswith("<style>")


def test_recorded_search_with_empty_chunks() -> None:
    found = recorded("googleai-unary-success-google-search-grounding-empty-grounding-chunks.json")
    assert found.sources == []
    assert found.search_entry_point
    assert found.text_with_citations() == found.text


def test_recorded_maps() -> None:
    found = recorded("googleai-unary-success-google-maps-grounding.json")
    assert {source.kind for source in found.sources} == {"maps"}
    assert [texts for _, texts in quoted(found) if texts] == [
        ["They offer takeout, delivery, and dine-in."],
        ["It's an inexpensive option and has Wi-Fi."],
        ["They offer takeout, delivery, and dine-in, and have outdoor seating."],
        ["They offer takeout, delivery, and dine-in."],
    ]
    assert found.search_entry_point is None


@pytest.mark.parametrize(
    "name",
    ["unary-success-url-context.json", "streaming-success-url-context.txt"],
)
def test_recorded_url_context(name: str) -> None:
    found = recorded(f"googleai-{name}")
    grounding = found.candidates[0].grounding_metadata
    assert grounding
    segments = [one.segment.text for one in grounding.grounding_supports if one.segment]
    (source,) = found.sources
    assert [found.text[span.start : span.end] for span in source.spans] == segments


def test_recorded_pages_of_which_some_could_not_be_read() -> None:
    found = recorded("googleai-unary-success-url-context-mixed-validity.json")
    (source,) = found.sources
    assert source.uri == "https://ai.google.dev"
    assert found.text[source.spans[0].start :].startswith("The valid page, https://ai.google.dev")


def test_recorded_citations() -> None:
    (source,) = recorded("googleai-streaming-success-citations.txt").sources
    assert source.kind == "citation"
    assert source.spans == (Span(111, 236),)
    found = recorded("vertexai-streaming-success-citations.txt").sources
    assert [(one.title, one.uri, one.spans) for one in found] == [
        (None, "https://www.example.com/some-citation-1", (Span(0, 128),)),
        ("some-citation-2", None, (Span(130, 265),)),
        (None, "https://www.example.com/some-citation-3", (Span(272, 431),)),
        ("some-citation-4", "https://www.example.com/some-citation-4", (Span(574, 705),)),
        ("some-citation-5", None, (Span(899, 1026),)),
        (None, "https://www.example.com/some-citation-6", (Span(899, 1026),)),
    ]


@pytest.mark.parametrize("kind", ["unary", "streaming"])
def test_recorded_code_execution_has_no_sources(kind: str) -> None:
    ending = {"unary": "json", "streaming": "txt"}[kind]
    assert recorded(f"googleai-{kind}-success-code-execution.{ending}").sources == []


WORDS = st.text("ab .\n!ßé\u0301日本\u200d👩🏽🇬🇧", min_size=1, max_size=40)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[JSON], str, list[Span]]:
    """A stream with a thought and a text in any pieces; then the supports of stretches of it."""
    text = draw(WORDS)
    cuts = sorted(draw(st.sets(st.integers(1, len(text)), max_size=5)) | {0, len(text)})
    pieces = [text[one:other] for one, other in pairwise(cuts)]
    pairs = draw(st.lists(st.tuples(*[st.integers(0, len(text))] * 2), max_size=5))
    spans = sorted({Span(*sorted(pair)) for pair in pairs if pair[0] != pair[1]})
    thought = draw(WORDS | st.none())
    with_quotes = draw(st.booleans())
    supports = []
    for span in spans:
        segment: JSON = {
            "startIndex": len(text[: span.start].encode()),
            "endIndex": len(text[: span.end].encode()),
        }
        if thought:
            segment["partIndex"] = 1
        if with_quotes:
            segment["text"] = text[span.start : span.end]
        supports.append({"segment": segment, "groundingChunkIndices": [0]})
    said = [{"text": thought, "thought": True}] * bool(thought) + [{"text": one} for one in pieces]
    candidates: list[JSON] = [{"content": {"parts": [one]}} for one in said]
    metadata = {"groundingChunks": [WEB], "groundingSupports": supports}
    candidates[draw(st.integers(0, len(candidates) - 1))]["groundingMetadata"] = metadata
    return [{"candidates": [one]} for one in candidates], text, spans


@given(answers())
def test_any_stretch_of_any_text_in_any_chunks_is_found(
    answer: tuple[list[JSON], str, list[Span]],
) -> None:
    chunks, text, spans = answer
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(decode_chunk(json.dumps(chunk).encode()))
    found = merger.response()
    assert found.text == text
    (source,) = found.sources
    assert list(source.spans) == spans
    marked = found.text_with_citations("brackets")
    assert marked.replace("[1]", "") == text
    assert marked.count("[1]") <= len({span.end for span in spans})


@given(st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=4))
def test_the_hops_of_a_long_answer_count_from_their_own_beginning(
    hops: list[tuple[str, bool]],
) -> None:
    merger = ResponseMerger()
    expected: list[tuple[str, Span]] = []
    at = 0
    for number, (text, thinks) in enumerate(hops):
        if number:
            merger.begin_hop()
        parts: list[JSON] = [{"text": "Hm.", "thought": True}] * thinks + [{"text": text}]
        # The index is that of a first hop, as long as all hops think or none does.
        segment: JSON = {"endIndex": len(text.encode()), "text": text}
        if hops[0][1] and thinks:
            segment["partIndex"] = 1
        uri = f"https://{number}.example"
        metadata = {
            "groundingChunks": [{"web": {"uri": uri}}],
            "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
        }
        candidate = {"content": {"parts": parts}, "groundingMetadata": metadata}
        merger.add(decode_chunk(json.dumps({"candidates": [candidate]}).encode()))
        expected.append((uri, Span(at, at + len(text))))
        at += len(text)
    found = merger.response()
    assert found.text == "".join(text for text, _ in hops)
    assert [(source.uri, *source.spans) for source in found.sources] == expected


numbers = st.none() | st.integers(-5, 60)
SEGMENTS = st.fixed_dictionaries(
    {}, optional={"partIndex": numbers, "startIndex": numbers, "endIndex": numbers, "text": WORDS}
)


@given(st.lists(WORDS, max_size=3), st.lists(SEGMENTS, max_size=4))
def test_no_segment_raises_or_changes_the_text(parts: list[str], segments: list[JSON]) -> None:
    (source,) = grounded(*parts, segments=segments)
    text = response(*parts).text
    assert all(0 <= span.start < span.end <= len(text) for span in source.spans)
    supports = [{"segment": one, "groundingChunkIndices": [0]} for one in segments]
    metadata = {"groundingChunks": [WEB], "groundingSupports": supports}
    found = response(*parts, groundingMetadata=metadata)
    assert found.text_with_citations(lambda _number, _source: "\0").replace("\0", "") == text


def test_many_segments_take_linear_time() -> None:
    text = "日a" * 300_000
    absent = [{"startIndex": at, "endIndex": at + 4, "text": "absent"} for at in range(5000)]
    present = [{"startIndex": 4 * at, "endIndex": 4 * at + 4} for at in range(5000)]
    begun = time.process_time()
    (source,) = grounded(text, segments=absent + present)
    assert len(source.spans) > 5000
    assert time.process_time() - begun < 10
