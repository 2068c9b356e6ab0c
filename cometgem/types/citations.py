"""Writes markers such as [1] into an answer, where a source supports it. No I/O."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias
from unicodedata import category

from cometgem.types.sources import Source

__all__ = ["CitationStyle", "mark_sources"]

CitationStyle: TypeAlias = Literal["markdown", "brackets"] | Callable[[int, Source], str]
"""How a marker is written: ``[[1]](https://...)``, ``[1]``, or what a function returns for the
source's number and the source."""

_ZWJ = "\u200d"

# What would end a link in Markdown, or break its line.
_UNSAFE_IN_LINK = re.compile(r"[\x00-\x20\x7f-\xa0()<>\\`\u2028\u2029]")

# Farther back than any real row of flags; a limit, so that no text takes more than linear time.
_MAX_FLAGS = 64


def mark_sources(text: str, sources: Sequence[Source], style: CitationStyle) -> str:
    """Return the text with a marker at the end of each stretch that a source supports.

    Args:
        text: The text to which the spans of the sources refer.
        sources: Their numbers are their positions, from 1.
        style: How a marker is written.

    Raises:
        ValueError: The style is unknown.
    """
    write = _writer(style)
    numbers: dict[int, set[int]] = {}  # the sources whose spans end at an index
    for number, source in enumerate(sources, 1):
        for span in source.spans:
            numbers.setdefault(span.end, set()).add(number)
    places: dict[int, set[int]] = {}
    for end, place in _places(text, sorted(numbers)):
        places.setdefault(place, set()).update(numbers[end])
    pieces: list[str] = []
    begin = 0
    for place, here in places.items():
        pieces.append(text[begin:place])
        # "![" would begin an image, and "\[" is not a bracket.
        if style == "markdown" and text[place - 1 : place] in ("!", "\\"):
            pieces.append(" ")
        pieces += [write(number, sources[number - 1]) for number in sorted(here)]
        begin = place
    return "".join([*pieces, text[begin:]])


def _writer(style: CitationStyle) -> Callable[[int, Source], str]:
    if callable(style):
        return style
    if style == "markdown":
        return _markdown
    if style == "brackets":
        return _brackets
    raise ValueError(f"style={style!r} is unknown: use 'markdown', 'brackets' or a function")


def _brackets(number: int, _: Source) -> str:
    return f"[{number}]"


def _markdown(number: int, source: Source) -> str:
    # A server's "javascript:" must not become a link, and nobody can follow a "gs:".
    if source.uri is None or not source.uri.lower().startswith(("https://", "http://")):
        return f"[{number}]"
    return f"[[{number}]]({_UNSAFE_IN_LINK.sub(_quoted, source.uri)})"


def _quoted(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _places(text: str, ends: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Yield each end with the index where its marker goes: after a word, not within a character.

    Args:
        text: The text.
        ends: Where the spans end, in order.
    """
    last = place = 0
    for end in ends:
        if end > place:  # not within the character that the place before was moved behind
            at = end
            while at > last and text[at - 1].isspace():
                at -= 1
            if at > last:
                while at < len(text) and _is_within_character(text, at):
                    at += 1
                place = at
            last = max(end, place)
        yield end, place


def _is_within_character(text: str, at: int) -> bool:
    """Return whether readers see what is before and after an index as one character.

    An approximation of the grapheme clusters of Unicode (UAX 29), without its tables.
    """
    before, after = text[at - 1], text[at]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if _is_flag_letter(after) and _is_flag_letter(before):
        row = text[max(at - _MAX_FLAGS, 0) : at]
        return (len(row) - len(row.rstrip(_FLAG_LETTERS))) % 2 == 1
    return (
        category(after).startswith("M")
        or _ZWJ in (before, after)
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags, as in the flag of Wales
    )


_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
