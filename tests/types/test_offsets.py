"""UTF-8 offsets as indices of a Python string."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cometgem.types.offsets import Utf8Text

# Characters of one to four bytes, combining ones, joined emoji, and a lone surrogate.
CHARACTERS = "a \nßée\u0301日本\u200d👩🏽🇬🇧\U000e0067\ud800"
TEXTS = st.one_of(st.text(CHARACTERS, max_size=60), st.text(max_size=60))


@given(TEXTS, st.sampled_from([1, 50]))
def test_every_boundary_is_found(text: str, repeated: int) -> None:
    text *= repeated
    utf8 = Utf8Text(text)
    at = 0
    for index, character in enumerate(text):
        assert (utf8.start_index(at), utf8.end_index(at)) == (index, index)
        at += len(character.encode("utf-8", "surrogatepass"))
    assert (utf8.start_index(at), utf8.end_index(at)) == (len(text), len(text))


@given(TEXTS)
def test_an_offset_within_a_character_is_rounded_outwards(text: str) -> None:
    utf8 = Utf8Text(text)
    at = 0
    for index, character in enumerate(text):
        size = len(character.encode("utf-8", "surrogatepass"))
        for inside in range(at + 1, at + size):
            assert utf8.start_index(inside) == index
            assert utf8.end_index(inside) == index + 1
        at += size


def test_offsets_outside_of_the_text_are_moved_to_its_ends() -> None:
    for text in ("ab", "日本", ""):
        utf8 = Utf8Text(text)
        assert utf8.start_index(-5) == utf8.end_index(-5) == 0
        assert utf8.start_index(10**9) == utf8.end_index(10**9) == len(text)
