import time

import pytest

from cometgem.response.json_items import JSONItems
from cometgem.response.merge_parts import MAX_DEPTH

TEXT = r'[{"a": "]}\"\\"}, [1, [2]], "x,\"", -1.5 , true,null, {}, [], "\ud83d\ude00" ]'
ELEMENTS = [r'{"a": "]}\"\\"}', "[1, [2]]", r'"x,\""', "-1.5", "true", "null", "{}", "[]"]
ELEMENTS += [r'"\ud83d\ude00"']

PLACES = {
    (): "%s",
    ("a",): r'{"b": [1, {"a": [2]}], "\u0061": %s, "c": "a"}',
    ("a", "b c", ""): '{"b": 1, "a": {"x": {"": 1}, "b c" :{"":%s}, "d": [true]}, "": -1e5 }',
}

FAILURES = {
    ((), "Here [1]"): ([], "expected a value, got 'H' at character 0"),
    ((), "{}"): ([], "$ is an object, not a list"),
    ((), '"a"'): ([], "$ is a string, not a list"),
    ((), "null"): ([], "$ is null, not a list"),
    ((), "[1, 2"): (["1"], "the JSON is cut off at character 5"),
    ((), "[1, ]"): (["1"], "expected a value, got ']' at character 4"),
    ((), "[1 2]"): (["1"], "expected ',' or ']', got '2' at character 3"),
    ((), '["a'): ([], "the JSON is cut off at character 3"),
    ((), '[{"a": 1'): ([], "the JSON is cut off at character 8"),
    ((), "[1] x"): (["1"], "unexpected text after the end of the JSON at character 4"),
    ((), "```json [1] `"): (["1"], "the end of the fence is cut off at character 13"),
    (("a",), "[1]"): ([], "$ is a list, not an object"),
    (("a",), '{"a": 5}'): ([], "$.a is a number, not a list"),
    (("a", "b"), '{"a": []}'): ([], "$.a is a list, not an object"),
    (("a", "b"), '{"a": {"c": []}}'): ([], "$ has no list at 'a.b'"),
    (("a",), "{}"): ([], "$ has no list at 'a'"),
    (("a",), '{"a": [1], "a": [2]}'): (["1"], "$ has the key 'a' twice"),
    (("a",), '{"a": [1]'): (["1"], "the JSON is cut off at character 9"),
    (("a",), '{"a": [1]]'): (["1"], "expected ',' or '}', got ']' at character 9"),
    (("a",), '{"a" [1]}'): ([], "expected ':', got '[' at character 5"),
    (("a",), "{a: [1]}"): ([], "expected a key in double quotes, got 'a' at character 1"),
    (("a",), '{"b": }'): ([], "expected a value, got '}' at character 6"),
}


def read(pieces: list[str], path: tuple[str, ...] = ()) -> tuple[list[str], str]:
    items = JSONItems(path)
    found = [item.decode() for piece in pieces for item in items.feed(piece)]
    items.close()
    return found, str(items.failure or "")


@pytest.mark.parametrize("path", PLACES)
def test_every_cut_gives_the_same_elements(path: tuple[str, ...]) -> None:
    text = PLACES[path] % TEXT
    assert read([text], path) == (ELEMENTS, "")
    assert read(list(text), path) == (ELEMENTS, "")
    for at in range(len(text)):
        assert read([text[:at], text[at:]], path) == (ELEMENTS, "")


@pytest.mark.parametrize(("path", "text"), FAILURES)
def test_elements_before_a_failure_are_given(path: tuple[str, ...], text: str) -> None:
    assert read([text], path) == FAILURES[path, text]
    assert read(list(text), path) == FAILURES[path, text]


def test_an_element_is_given_with_its_last_character() -> None:
    items = JSONItems()
    given = {char_at: items.feed(char) for char_at, char in enumerate('[{"a":[1]},"b",12,[]]')}
    assert {at: found for at, found in given.items() if found} == {
        9: [b'{"a":[1]}'],
        13: [b'"b"'],
        17: [b"12"],  # a number ends with the character after it
        19: [b"[]"],
    }


def test_nothing_comes_after_a_failure() -> None:
    items = JSONItems()
    assert items.feed("[1, 2, x") == [b"1", b"2"]
    failure = items.failure
    assert items.feed(", 3]") == []
    items.close()
    assert items.failure is failure


def test_malformed_elements_are_for_their_decoder_to_refuse() -> None:
    assert read(["[{'a': 1], [tru}, 01e, 5]"]) == (["{'a': 1]", "[tru}", "01e", "5"], "")


def test_nesting_is_limited() -> None:
    deep = "[" * (MAX_DEPTH + 10) + "]" * (MAX_DEPTH + 10)
    found, failure = read([f"[0, {deep}]"])
    assert found == ["0"]
    assert failure.startswith(f"it is nested more than {MAX_DEPTH} levels deep at character")


@pytest.mark.parametrize(
    ("path", "start", "middle", "end"),
    [
        ((), '["', "x", '"]'),
        ((), '["', r"\"", '"]'),
        ((), "[", "[[", ""),
        ((), "[[", "[],", "1]]"),
        ((), "[[", '{"a', '":1}]]'),
        ((), "[1", "1", "]"),
        ((), "[1", ",1", "]"),
        ((), "", " ", "[]"),
        (("a",), '{"', "k", '": 1, "a": []}'),
        (("a",), '{"k": "', "v", '", "a": []}'),
        (("a",), '{"k": 1', ', "k": 1', "}"),
    ],
)
def test_the_cost_is_linear(path: tuple[str, ...], start: str, middle: str, end: str) -> None:
    text = start + middle * (500_000 // len(middle) ** 2) + end
    items = JSONItems(path)
    began = time.process_time()
    for at in range(0, len(text), 20):
        items.feed(text[at : at + 20])
    assert time.process_time() - began < 5  # 0.4 on a slow machine
    items.close()
    assert items.complete or items.failure is not None
