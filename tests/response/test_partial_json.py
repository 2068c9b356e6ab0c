import gc
import json
import time
import tracemalloc
import weakref
from typing import Any

import pytest

from cometgem.response.json_frame import JSONSyntaxError
from cometgem.response.merge_parts import MAX_DEPTH
from cometgem.response.partial_json import PartialJSON

WHOLE = r'{"a": [1, -2.5e3, true, {"b": null}], "\u00e9": "x\ny\ud83d\ude00", "e": {}, "f": []}'

# What is shown of each beginning: what comes after the beginning of a row's text is not certain.
SHOWN: dict[str, Any] = {
    "": None,
    " \n": None,
    "```js": None,
    "nul": None,
    "null": None,
    "tru": None,
    "true": True,
    "12": None,
    "12 ": 12,
    '"': "",
    '"ab': "ab",
    r'"ab\ ': ...,
    '"ab\\': "ab",
    r'"ab\u00e': "ab",
    r'"ab\u00e9': "abé",
    r'"ab\ud83d': "ab",
    r'"ab\ud83d\ude0': "ab",
    r'"ab\ud83d\ude00': "ab😀",
    "[": [],
    "[1": [],
    "[1,": [1],
    "[1.": [],
    "[1.5e": [],
    "[1.5e3]": [1500.0],
    "[fals": [],
    "[false": [False],
    '["a", "b': ["a", "b"],
    "[[], [": [[], []],
    "{": {},
    '{"ke': {},
    '{"key"': {},
    '{"key":': {},
    '{"key": 1': {},
    '{"key": 1}': {"key": 1},
    '{"key": "': {"key": ""},
    '{"key": {': {"key": {}},
    '{"k": 1, "k": 2': {"k": 1},
    '{"k": 1, "k": "': {"k": ""},
    '{"k": 1, "k": 2}': {"k": 2},
}

ERRORS = {
    "Here": ("expected a value, got 'H'", 0),
    "[1, ]": ("expected a value, got ']'", 4),
    "[1 2]": ("expected ',' or ']', got '2'", 3),
    "[1}": ("expected ',' or ']', got '}'", 2),
    '{"a": 1]': ("expected ',' or '}', got ']'", 7),
    '{"a" 1}': ("expected ':', got '1'", 5),
    "{a: 1}": ("expected a key in double quotes, got 'a'", 1),
    '{"a": 1,}': ("expected a key in double quotes, got '}'", 8),
    "{'a': 1}": ('expected a key in double quotes, got "\'"', 1),
    "[01]": ("invalid number", 1),
    "[1.]": ("invalid number", 1),
    "[-]": ("invalid number", 1),
    "[1e999]": ("number out of range", 1),
    f"[{'9' * 5000}]": ("number out of range", 1),
    "[truth]": ("expected a value, got 't'", 1),
    "[trues]": ("expected ',' or ']', got 's'", 5),
    "[NaN]": ("expected a value, got 'N'", 1),
    '["a\nb"]': ("control characters in strings must be escaped, got '\\n'", 3),
    r'["\x"]': ("invalid escape in a string, got '\\\\'", 2),
    r'["\u12g4"]': ("invalid escape in a string, got '\\\\'", 2),
    r'["a\ud83d"]': ("invalid escape in a string, got '\\\\'", 3),
    r'["\ude00"]': ("invalid escape in a string, got '\\\\'", 2),
    "[] []": ("unexpected text after the end of the JSON", 3),
    "[1": ("the JSON is cut off", 2),
    '"a': ("the JSON is cut off", 2),
    '"a\\': ("the JSON is cut off", 3),
    "tru": ("the JSON is cut off", 3),
    "": ("the JSON is cut off", 0),
}


def in_pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def read(pieces: list[str], *, look: bool = False) -> Any:
    partial = PartialJSON()
    for piece in pieces:
        partial.feed(piece)
        if look:
            assert partial.value is None or partial.value is not ...
    partial.close()
    return partial.value


@pytest.mark.parametrize("text", [text for text, shown in SHOWN.items() if shown is not ...])
def test_only_what_is_certain_is_shown(text: str) -> None:
    for pieces in ([text], list(text)):
        partial = PartialJSON()
        for piece in pieces:
            partial.feed(piece)
        assert partial.value == SHOWN[text]
        assert type(partial.value) is type(SHOWN[text])


@pytest.mark.parametrize("look", [False, True])
def test_every_cut_gives_the_same_value(look: bool) -> None:  # noqa: FBT001
    expected = json.loads(WHOLE)
    assert read(list(WHOLE), look=look) == expected
    for at in range(len(WHOLE)):
        assert read([WHOLE[:at], WHOLE[at:]], look=look) == expected


@pytest.mark.parametrize("text", ERRORS)
def test_errors_name_the_position(text: str) -> None:
    for pieces in ([text], list(text)):
        with pytest.raises(JSONSyntaxError) as caught:
            read(pieces)
        assert (caught.value.message, caught.value.position) == ERRORS[text]
    assert str(caught.value) == f"{ERRORS[text][0]} at character {ERRORS[text][1]:,}"


def test_an_error_is_final_and_keeps_the_value() -> None:
    partial = PartialJSON()
    with pytest.raises(JSONSyntaxError, match="character 6"):
        partial.feed("[1, 2 3]")
    for call in (lambda: partial.feed("]"), partial.close):
        with pytest.raises(JSONSyntaxError, match="character 6"):
            call()
    assert partial.value == [1, 2]


def test_the_same_objects_grow() -> None:
    partial = PartialJSON()
    partial.feed('{"a": [{"b": "x')
    root = partial.value
    inner = root["a"][0]
    partial.feed('y"}, 1], "c": 2}')
    assert partial.value is root
    assert root == {"a": [{"b": "xy"}, 1], "c": 2}
    assert inner == {"b": "xy"}


def test_a_string_that_was_looked_at_does_not_change() -> None:
    partial = PartialJSON()
    partial.feed('["ab')
    seen = partial.value[0]
    partial.feed('cd"')
    assert (seen, partial.value[0]) == ("ab", "abcd")


def test_complete() -> None:
    partial = PartialJSON()
    for text, complete in {"[1": False, "]": True, " ": True}.items():
        partial.feed(text)
        assert partial.complete is complete


def test_a_number_at_the_root_ends_with_close() -> None:
    partial = PartialJSON()
    partial.feed("-12.5")
    assert (partial.value, partial.complete) == (None, False)
    partial.close()
    assert (partial.value, partial.complete) == (-12.5, True)


def test_a_number_of_many_digits_is_read_as_msgspec_reads_it() -> None:
    digits = "1" * 4300
    assert read(in_pieces(f"[{digits}, 0.{digits}, -{digits}.5e-4299]", 7)) == [
        int(digits),
        float(f"0.{digits}"),
        -float(f"{digits}.5e-4299"),
    ]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_limited(opening: str, closing: str) -> None:
    deepest = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH
    assert read([deepest]) == read(list(deepest)) == json.loads(deepest)
    with pytest.raises(
        JSONSyntaxError, match=f"nested more than {MAX_DEPTH} levels deep"
    ) as caught:
        read([opening + deepest + closing])
    assert caught.value.position == len(opening) * MAX_DEPTH


def test_many_keys() -> None:
    value = {f"key {at}": at for at in range(100_000)}
    assert read(in_pieces(json.dumps(value), 1000), look=True) == value


# Each would take minutes if a piece cost as much as all before it.
ENDLESS = {
    "string": ('"', "x", '"'),
    "escapes": ('"', r"\n\u00e9", '"'),
    "text": ('["', "é", '"]'),
    "key": ('{"', "x", '":1}'),
    "digits": ("[0.", "1", "]"),
    "blanks": ("[", " ", "]"),
    "blanks before": ("", " ", "1 "),
    "blanks behind": ("[]", "\n", ""),
    "blanks in a fence": ("```json", "\n", "[]"),
    "blanks behind a fence": ("```json []```", "\n", ""),
    "small values": ("[0" + ",0" * 100_000, " ", "]"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_cost_is_linear(name: str) -> None:
    start, middle, end = ENDLESS[name]
    text = start + middle * (500_000 // len(middle)) + end
    began = time.process_time()
    read(in_pieces(text, 20), look=True)
    assert time.process_time() - began < 5  # 0.4 on a slow machine


def test_a_long_string_is_looked_at_without_copying_it() -> None:
    """Appending must happen in place: a copy would be a second string of that length."""
    partial = PartialJSON()
    partial.feed('{"a": "' + "x" * 4_000_000)
    for _ in range(100):  # until the interpreter has specialised
        partial.feed("x" * 10)
        assert len(partial.value) == 1
    tracemalloc.start()
    try:
        for _ in range(10):
            partial.feed("x" * 10)
            assert len(partial.value) == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(partial.value["a"]) == 4_001_100
    assert peak < 5_000_000  # tracemalloc counts the block once as new when it grows


def test_it_is_freed_without_a_garbage_collection() -> None:
    class Watched(PartialJSON):
        __slots__ = ("__weakref__",)

    gc.disable()
    try:
        partial = Watched()
        with pytest.raises(JSONSyntaxError):
            partial.feed('{"a": ["x", oops')
        gone = weakref.ref(partial)
        del partial
        assert gone() is None
    finally:
        gc.enable()
