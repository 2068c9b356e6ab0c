"""`response.text_with_citations`: which markers, and where they go."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cometgem import GenerateContentResponse, Source, Span
from cometgem.types import Candidate, Citation, Content, Part
from cometgem.types.citations import mark_sources
from cometgem.types.grounding import CitationMetadata

URI = "https://a.example"


def source(*spans: tuple[int, int], uri: str | None = URI) -> Source:
    return Source(
        kind="web",
        title="A",
        uri=uri,
        spans=tuple(Span(*span) for span in spans),
        origin=Citation(),
    )


def marked(text: str, *sources: Source, style: Any = "brackets") -> str:
    return mark_sources(text, sources, style)


def ends(text: str, *ends: int) -> str:
    return marked(text, source(*[(0, end) for end in ends]))


def test_markers_follow_what_they_support() -> None:
    text = "One. Two. Three."
    sources = source((0, 4), (10, 16)), source((5, 9), (10, 16)), source()
    assert marked(text, *sources) == "One.[1] Two.[2] Three.[1][2]"
    assert marked(text, *sources, style="markdown") == (
        f"One.[[1]]({URI}) Two.[[2]]({URI}) Three.[[1]]({URI})[[2]]({URI})"
    )
    assert marked(text, *sources, style=lambda number, one: f"<{number} {one.title}>") == (
        "One.<1 A> Two.<2 A> Three.<1 A><2 A>"
    )


def test_overlapping_and_adjacent_stretches() -> None:
    text = "abcdefgh"
    assert marked(text, source((0, 4), (4, 8)), source((2, 6), (0, 8))) == ("abcd[1]ef[2]gh[1][2]")


def test_a_text_without_sources_is_unchanged() -> None:
    assert marked("") == ""
    assert marked("abc") == "abc"
    assert marked("abc", source()) == "abc"


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("One. \nTwo", 6, "One.[1] \nTwo"),  # after a word, not at the start of the next line
        (" \n", 2, "[1] \n"),
        ("e\u0301a", 1, "e\u0301[1]a"),
        ("👍🏽.", 1, "👍🏽[1]."),
        ("👩\u200d🚀.", 1, "👩\u200d🚀[1]."),
        ("👩\u200d🚀.", 2, "👩\u200d🚀[1]."),
        ("❤\ufe0f.", 1, "❤\ufe0f[1]."),
        ("🇬🇧🇫🇷.", 1, "🇬🇧[1]🇫🇷."),
        ("🇬🇧🇫🇷.", 2, "🇬🇧[1]🇫🇷."),
        ("🇬🇧🇫🇷.", 3, "🇬🇧🇫🇷[1]."),
        ("🏴\U000e0067\U000e007f.", 1, "🏴\U000e0067\U000e007f[1]."),
        ("नमस्ते", 4, "नमस्[1]ते"),
        ("日本語", 2, "日本[1]語"),
        ("a\r\nb", 2, "a[1]\r\nb"),
    ],
)
def test_a_marker_does_not_split_what_readers_see_as_one_character(
    text: str, end: int, expected: str
) -> None:
    assert ends(text, end) == expected


def test_markers_that_are_moved_to_the_same_place_are_one() -> None:
    assert ends("👩\u200d🚀 a", 1, 2, 3, 4, 5) == "👩\u200d🚀[1] a[1]"
    assert ends("a  \n b", 1, 2, 3, 5, 6) == "a[1]  \n b[1]"


@pytest.mark.parametrize(
    ("uri", "marker"),
    [
        ("https://a.example/x_(y)?q=[z]", "[[1]](https://a.example/x_%28y%29?q=[z])"),
        ("https://a.example/ <b>\n\\", "[[1]](https://a.example/%20%3Cb%3E%0A%5C)"),
        ("https://a.example/日本", "[[1]](https://a.example/日本)"),
        ("https://a.example/\u2028", "[[1]](https://a.example/%E2%80%A8)"),
        ("HTTP://a.example", "[[1]](HTTP://a.example)"),
        ("javascript:alert(1)", "[1]"),
        ("gs://bucket/a.pdf", "[1]"),
        (None, "[1]"),
    ],
)
def test_links_in_markdown(uri: str | None, marker: str) -> None:
    assert marked("abc", source((0, 3), uri=uri), style="markdown") == f"abc{marker}"


def test_a_marker_in_markdown_is_no_image_and_not_escaped() -> None:
    assert marked("Yes! No", source((0, 4)), style="markdown") == f"Yes! [[1]]({URI}) No"
    assert marked("a\\ b", source((0, 2)), style="markdown") == f"a\\ [[1]]({URI}) b"
    assert marked("Yes! No", source((0, 4))) == "Yes![1] No"


@pytest.mark.parametrize("style", ["html", "", None, 5])
def test_an_unknown_style_is_refused(style: Any) -> None:
    with pytest.raises(ValueError, match=r"is unknown: use 'markdown', 'brackets' or a function"):
        GenerateContentResponse().text_with_citations(style)


def test_thoughts_are_not_in_the_text() -> None:
    parts = [Part(text="Hm.", thought=True), Part(text="Yes. "), Part(text="No.")]
    cited = CitationMetadata(citations=[Citation(start_index=0, end_index=4, uri=URI)])
    candidate = Candidate(content=Content(parts=parts), citation_metadata=cited)
    response = GenerateContentResponse(candidates=[candidate])
    assert response.text_with_citations() == f"Yes.[[1]]({URI}) No."


def test_hostile_texts_take_linear_time() -> None:
    begun = time.process_time()
    for text in (" " * 200_000, "a" + "\u0301" * 200_000, "🇬" * 200_000, "\u200d" * 200_000):
        spans = [(0, end) for end in range(1, len(text), 10)]
        assert marked(text, source(*spans)).replace("[1]", "") == text
    assert time.process_time() - begun < 10
