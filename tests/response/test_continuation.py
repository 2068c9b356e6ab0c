"""What a token covers, and hops that begin anew."""

from __future__ import annotations

from typing import Any

import pytest

from cometgem.response.codec import decode_chunk
from cometgem.response.continuation import (
    NewBeginning,
    count_covered,
    find_token,
    hide_continuation,
    says_something,
)
from cometgem.types import GenerateContentResponse, UsageMetadata
from cometgem.types.wire import encode

SENTENCE = "The planets of the solar system, from the sun outwards, are eight in number. "
LONG = SENTENCE + "First comes Mercury, the smallest of them all, then Venus."


def chunk(text: str | None = None, **fields: Any) -> GenerateContentResponse:
    candidate = {"content": {"parts": [] if text is None else [{"text": text}]}, **fields}
    usage = candidate.pop("usage", None)
    return decode_chunk(encode({"candidates": [candidate], "usageMetadata": usage or {}}))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, False),
        ({"usageMetadata": {"promptTokenCount": 5}}, False),
        ({"candidates": [{}]}, False),
        ({"candidates": [{"content": {"role": "model"}, "continuationToken": "t"}]}, False),
        ({"candidates": [{"content": {"parts": [{"text": ""}]}}]}, False),
        ({"candidates": [{"content": {"parts": [{"text": "", "thought": True}]}}]}, False),
        ({"candidates": [{"finishReason": "CONTINUATION"}]}, False),
        ({"candidates": [{"finishReason": "STOP"}]}, True),
        ({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}, True),
        (
            {"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "cw=="}]}}]},
            True,
        ),
        ({"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "a/b"}}]}}]}, True),
        ({"candidates": [{"groundingMetadata": {"webSearchQueries": ["q"]}}]}, True),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, True),
    ],
)
def test_what_would_be_repeated(body: dict[str, Any], *, says: bool) -> None:
    assert says_something(decode_chunk(encode(body))) is says


def test_only_the_first_candidate_is_continued() -> None:
    one = {"index": 1, "continuationToken": "b", "finishReason": "CONTINUATION"}
    two = {"index": 0, "continuationToken": "a", "finishReason": "CONTINUATION"}
    both = decode_chunk(encode({"candidates": [one, two]}))
    assert find_token(both) == "a"
    assert find_token(decode_chunk(encode({"candidates": [one]}))) is None
    hide_continuation(both)
    assert [one.finish_reason for one in both.candidates] == ["CONTINUATION", None]
    assert both.raw.count(b"CONTINUATION") == 2


def test_the_last_token_counts() -> None:
    chunks = [chunk("a"), chunk("b", continuationToken="t"), chunk("c")]
    assert (count_covered(chunks), count_covered(chunks[2:]), count_covered([])) == (2, 0, 0)


def watch(before: str, prompt: int | None = None) -> NewBeginning:
    usage = None if prompt is None else UsageMetadata(prompt_token_count=prompt)
    return NewBeginning(before[:100], usage, lambda: before)


def looks(watched: NewBeginning, *chunks: GenerateContentResponse) -> list[str]:
    """Return what is known after each chunk."""
    states = []
    for one in chunks:
        watched.look(one)
        states.append(
            "found"
            if watched.found
            else "closed"
            if not watched.open
            else "suspicious"
            if watched.suspicious
            else "open"
        )
    return states


def prompt(tokens: int, **counts: int) -> dict[str, Any]:
    return {"usage": {"promptTokenCount": tokens, **counts}}


def test_a_prompt_that_has_not_grown_is_a_new_beginning() -> None:
    assert looks(watch("Hello", 8), chunk("Hello", **prompt(8))) == ["found"]
    assert looks(watch("Hello", 8), chunk("Other", **prompt(8))) == ["found"]
    assert looks(watch("Hello", 8), chunk("Hello", **prompt(9))) == ["closed"]
    assert looks(watch(LONG, 8), chunk(LONG, **prompt(90))) == ["closed"]


def test_counts_that_tell_nothing() -> None:
    assert not watch("", 8).open  # so far only thinking, which may not be counted
    assert not watch("Hello").open
    cached = chunk(" you", **prompt(5, cachedContentTokenCount=4))
    assert looks(watch("Hello", 8), cached) == ["open"]
    assert looks(watch("Hello", 8), chunk("Hello"), chunk(None, **prompt(8))) == ["open", "found"]
    assert looks(watch("Hello", 8), chunk("x"), chunk(None, **prompt(12))) == ["open", "closed"]


def test_text_that_repeats_the_beginning() -> None:
    pieces = [LONG[at : at + 30] for at in range(0, 120, 30)]
    assert looks(watch(LONG), *map(chunk, pieces)) == [*["suspicious"] * 3, "found"]
    assert looks(watch(LONG), chunk(LONG)) == ["found"]
    assert looks(watch(SENTENCE), chunk(SENTENCE[:50]), chunk(SENTENCE[50:])) == [
        "suspicious",
        "found",
    ]


def test_text_that_goes_on() -> None:
    assert looks(watch(LONG), chunk(" Then comes the earth.")) == ["closed"]
    assert looks(watch(LONG), chunk("The "), chunk("third is ours")) == ["suspicious", "closed"]
    assert not watch("Short.").open  # a short text may be repeated by chance


@pytest.mark.parametrize("before", ["0" * 64, "0" * 500, "ab" * 100, "- item\n" * 50])
def test_text_that_repeats_itself_all_the_time_is_no_sign(before: str) -> None:
    assert looks(watch(before), chunk(before)) == ["closed"]


def test_thoughts_are_not_compared() -> None:
    thought = decode_chunk(
        encode({"candidates": [{"content": {"parts": [{"text": LONG, "thought": True}]}}]})
    )
    assert looks(watch(LONG), thought) == ["open"]
