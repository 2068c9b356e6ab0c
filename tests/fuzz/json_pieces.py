"""Properties of JSON that is decoded while it arrives, for any JSON and any cuts."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from cometgem.response.json_frame import JSONSyntaxError
from cometgem.response.json_items import JSONItems
from cometgem.response.partial_json import PartialJSON

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
leaves = st.none() | st.booleans() | numbers | texts | st.sampled_from([[], {}, "", 0, -0.0, 1e22])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)
lists = st.lists(values, max_size=8)
layouts = st.fixed_dictionaries(
    {"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 2, "\t"])}
)
frames = st.sampled_from(
    [("", ""), (" \n", "\t "), ("```json\n", "\n```\n"), ("```", "```"), ("\n```JSON ", " ")]
)
WORDS = [*'"\\{}[]:, \n-01é`\x00', "\\u", "\\ud83d", "\\ude00", "1.5", "e+", "E9", "tr", "true"]
WORDS += ["null", "fals", "```", "json", '"a":', "a"]
nearly_json = st.lists(st.sampled_from(WORDS), max_size=14).map("".join)


NUMBER = ("", *"-+.0123456789eE")


def pieces_of(text: str, seed: int) -> list[str]:
    """Cut a text at random; some pieces are empty."""
    random = Random(seed)  # noqa: S311  the same each time
    longest = random.choice([1, 2, 5, 40])
    pieces = []
    while text:
        at = random.randint(0, longest)
        pieces.append(text[:at])
        text = text[at:]
    return pieces


def is_prefix(part: Any, whole: Any) -> bool:
    """Whether a value is the beginning of another: only what came last in it may still grow."""
    if type(part) is not type(whole):
        return False
    if isinstance(part, str):
        return bool(whole.startswith(part))
    if isinstance(part, (dict, list)):
        if isinstance(part, dict):
            if list(part) != list(whole)[: len(part)]:
                return False
            part, whole = list(part.values()), list(whole.values())
        if len(part) > len(whole):
            return False
        pairs = list(zip(part, whole, strict=False))
        return not pairs or (
            all(one == other for one, other in pairs[:-1]) and is_prefix(*pairs[-1])
        )
    return bool(part == whole)


def certain(text: str) -> Any:
    """Return the value that is certain of the beginning of some JSON, or ... before it begins.

    The slow way: drop as little as possible from the end, so that it is JSON once all brackets
    are closed.
    """
    closing, in_string, escaped = [], False, False
    closings = [("", False)]  # after each character: the brackets to close, whether in a string
    for char in text:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "{[":
            closing.append("}" if char == "{" else "]")
        elif char in "}]" and closing:
            closing.pop()
        closings.append(("".join(reversed(closing)), in_string))
    for end in range(len(text), 0, -1):
        brackets, in_string = closings[end]
        if not in_string and text[end - 1] in "0123456789" and text[end : end + 1] in NUMBER:
            continue  # half a number
        try:
            value = json.loads(text[:end] + '"' * in_string + brackets)
            msgspec.json.encode(value)  # not half of a surrogate pair
        except (ValueError, UnicodeEncodeError):
            continue
        return value
    return ...


def what_is_shown_is_what_is_certain(value: Any, layout: dict[str, Any], seed: int) -> None:
    """After each piece, `value` is the value of the text so far, and a prefix of the whole."""
    text = json.dumps(value, **layout)
    partial, so_far = PartialJSON(), ""
    for piece in pieces_of(text, seed):
        partial.feed(piece)
        so_far += piece
        shown = partial.value
        expected = certain(so_far)
        assert shown == (None if expected is ... else expected)
        assert expected is ... or is_prefix(shown, value)
    partial.close()
    assert partial.value == value
    assert repr(partial.value) == repr(json.loads(text))


def the_end_does_not_depend_on_cuts(
    value: Any, layout: dict[str, Any], frame: tuple[str, str], seed: int
) -> None:
    """Looked at or not, in any pieces, the value is that of the text; keys may be there twice."""
    text = json.dumps(value, **layout)
    text = f'{{"twice": 0, "a": {text}, "twice": {{"b": {text}}}, "twice": {text}}}'
    partial = PartialJSON()
    for piece in pieces_of(frame[0] + text + frame[1], seed):
        partial.feed(piece)
        if seed % 2:
            assert partial.value is None or isinstance(partial.value, dict)
    partial.close()
    assert repr(partial.value) == repr(msgspec.json.decode(text))


def items_are_those_of_the_list(
    value: list[Any], layout: dict[str, Any], frame: tuple[str, str], seed: int
) -> None:
    """The elements are found, at the root or inside objects, in any pieces."""
    text = json.dumps(value, **layout)
    other = json.dumps({"b": [value], "": None}, **layout)
    for path, whole in {
        (): text,
        ("a",): f'{{"a": {text}}}',
        ("a", "b"): f'{{"": {other}, "a" :{{"c": {text}, "b": {text}, "d": 1}}, "b": {other} }}',
    }.items():
        items = JSONItems(path)
        found = []
        for piece in pieces_of(frame[0] + whole + frame[1], seed):
            found += items.feed(piece)
        items.close()
        assert items.failure is None
        assert repr([msgspec.json.decode(item) for item in found]) == repr(json.loads(text))


def only_json_is_taken(text: str, seed: int) -> None:
    """What is accepted is what msgspec decodes, and an error does not depend on the cuts."""
    results: set[tuple[str, JSONSyntaxError | None]] = set()
    for pieces in ([text], pieces_of(text, seed)):
        partial = PartialJSON()
        try:
            for piece in pieces:
                partial.feed(piece)
            partial.close()
            results.add((repr(partial.value), None))
        except JSONSyntaxError as error:
            results.add((repr(partial.value), error))
    assert len({(shown, str(failure)) for shown, failure in results}) == 1, results
    shown, failure = results.pop()
    assert failure is None or 0 <= failure.position <= len(text)
    if "`" not in text:
        try:
            assert repr(msgspec.json.decode(text)) == shown
            assert failure is None
        except (msgspec.DecodeError, UnicodeEncodeError):
            assert failure is not None
