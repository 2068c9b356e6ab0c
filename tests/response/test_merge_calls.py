from typing import Any

import pytest
from response.merging import JSON, candidate, text


def calls(*pieces: JSON) -> list[JSON]:
    """Merge pieces of calls, one per chunk, and return the function calls."""
    chunks = ({"content": {"parts": [{"functionCall": piece}]}} for piece in pieces)
    return [part["functionCall"] for part in candidate(*chunks)["content"]["parts"]]


def at(path: str, **value: Any) -> JSON:
    return {"jsonPath": path, **value}


def num(path: str, value: float) -> JSON:
    return at(path, numberValue=value)


def say(path: str, value: str) -> JSON:
    return at(path, stringValue=value)


def begin(name: str = "f", **fields: Any) -> JSON:
    return {"name": name, "willContinue": True, **fields}


def piece(*args: JSON, **fields: Any) -> JSON:
    return {"partialArgs": list(args), "willContinue": True, **fields}


END: JSON = {}
F1, G2 = {"name": "f", "args": {"a": 1}}, {"name": "g", "args": {"b": 2}}
NO_PATHS = ["$", "", "$..a", "$[0]", "$.a[", "$.a[-1]", "$['a"]

# Pieces of arguments, and the merged arguments.
ARGS: dict[str, tuple[list[JSON], JSON]] = {
    "a string in pieces": (
        [at("$.a", stringValue="x", willContinue=True), say("$.a", "y")],
        {"a": "xy"},
    ),
    "an empty string": ([say("$.a", "")], {"a": ""}),
    "a string that is only started": ([at("$.a", willContinue=True)], {"a": ""}),
    "a string started, then sent": (
        [at("$.a", willContinue=True), say("$.a", "x")],
        {"a": "x"},
    ),
    "numbers": (
        [num("$.a", 5), num("$.b", 0.5), num("$.c", 0)],
        {"a": 5, "b": 0.5, "c": 0},
    ),
    "booleans": ([at("$.a", boolValue=True), at("$.b", boolValue=False)], {"a": True, "b": False}),
    "null": (
        [at("$.a", nullValue="NULL_VALUE"), at("$.b", nullValue=None)],
        {"a": None, "b": None},
    ),
    "null beside a value": ([at("$.a", numberValue=5, nullValue=None)], {"a": 5}),
    "the last value": ([num("$.a", 5), num("$.a", 6)], {"a": 6}),
    "the end of a value": ([at("$.a", numberValue=5, willContinue=True), at("$.a")], {"a": 5}),
    "objects": (
        [num("$.a.b", 1), say("$.a.c.d", "x"), say("$.a.c.d", "y")],
        {"a": {"b": 1, "c": {"d": "xy"}}},
    ),
    "items": (
        [say("$.a[0]", "x"), say("$.a[1]", "y"), say("$.a[0]", "z")],
        {"a": ["xz", "y"]},
    ),
    "items out of order": (
        [num("$.a[2]", 2), num("$.a[0]", 0), num("$.a[1]", 1)],
        {"a": [0, 1, 2]},
    ),
    "an item with a large index": ([num("$.a[999999999]", 1)], {"a": [1]}),
    "objects in items": (
        [num("$.a[0].b", 1), num("$.a[1].b[0].c", 2)],
        {"a": [{"b": 1}, {"b": [{"c": 2}]}]},
    ),
    "items in items": ([num("$.a[0][1]", 2), num("$.a[0][0]", 1)], {"a": [[1, 2]]}),
    "quoted names": (
        [num("$['a b'].c", 1), num('$.d["e.f"][0]', 2), num("$['']", 3)],
        {"a b": {"c": 1}, "d": {"e.f": [2]}, "": 3},
    ),
    "names of any script": ([num("$.gr\u00f6\u00dfe-1_x", 1)], {"gr\u00f6\u00dfe-1_x": 1}),
    "a path without $": ([num(".a.b", 1)], {"a": {"b": 1}}),
    "a name instead of a path": ([num("a", 1)], {"a": 1}),
    "invalid paths": (
        [num(path, 1) for path in NO_PATHS],
        dict.fromkeys(NO_PATHS, 1),
    ),
    "a path too deep": ([num("$" + ".a" * 65, 1)], {"$" + ".a" * 65: 1}),
    "an object where a value was": ([num("$.a", 1), num("$.a.b", 2)], {"a": {"b": 2}}),
    "items where an object was": ([num("$.a.b", 1), num("$.a[0]", 2)], {"a": [2]}),
    "an object where items were": ([num("$.a[0]", 1), num("$.a.b", 2)], {"a": {"b": 2}}),
    "a string where a value was": ([num("$.a", 1), say("$.a", "x")], {"a": "x"}),
    "a value where a string was": ([say("$.a", "x"), at("$.a", boolValue=True)], {"a": True}),
}


@pytest.mark.parametrize("name", ARGS)
def test_arguments_in_pieces(name: str) -> None:
    args, expected = ARGS[name]
    whole = {"name": "f", "args": expected}
    assert calls(begin(), *(piece(arg) for arg in args), END) == [whole]
    assert calls(begin(), piece(*args), END) == [whole]
    assert calls(begin(partialArgs=args), END) == [whole]
    assert calls({"name": "f", "partialArgs": args}) == [whole]
    assert calls(begin(), *(piece(arg) for arg in args)) == [{**whole, "willContinue": True}]


# Pieces of calls, and the merged calls.
CALLS: dict[str, tuple[list[JSON], list[JSON]]] = {
    "no arguments": ([begin(), END], [{"name": "f", "args": {}}]),
    "an explicit end": (
        [begin(), {"willContinue": False}],
        [{"name": "f", "args": {}}],
    ),
    "an end with arguments": (
        [begin(), {"partialArgs": [num("$.a", 1)]}],
        [F1],
    ),
    "an incomplete call": ([begin(), piece()], [{"name": "f", "args": {}, "willContinue": True}]),
    "arguments sent at once": (
        [
            begin(args={"a": "x", "b": [1, {"c": 2}]}),
            piece(say("$.a", "y"), num("$.b[1].d", 3), num("$.b[2]", 4)),
            END,
        ],
        [{"name": "f", "args": {"a": "xy", "b": [1, {"c": 2, "d": 3}, 4]}}],
    ),
    "arguments sent at once, later": (
        [begin(), {"args": {"a": None}, "willContinue": True}, END],
        [{"name": "f", "args": {"a": None}}],
    ),
    "a name on every piece": (
        [begin(), piece(num("$.a", 1), name="f"), {"name": "f"}],
        [F1],
    ),
    "an id on every piece": (
        [begin(id="1"), piece(num("$.a", 1), id="1"), {"id": "1"}],
        [{"name": "f", "args": {"a": 1}, "id": "1"}],
    ),
    "an id on the first piece": (
        [begin(id="1"), piece(num("$.a", 1)), END],
        [{**F1, "id": "1"}],
    ),
    "an id that comes late": ([begin(), {"id": "1"}], [{"name": "f", "args": {}, "id": "1"}]),
    "one after the other": (
        [begin("f"), piece(num("$.a", 1)), END, begin("g"), piece(num("$.b", 2)), END],
        [F1, G2],
    ),
    "the same call twice": (
        [begin(), piece(num("$.a", 1)), END, begin(), piece(num("$.a", 2)), END],
        [F1, {"name": "f", "args": {"a": 2}}],
    ),
    "at the same time, by id": (
        [
            begin(id="1"),
            begin(id="2"),
            piece(num("$.a", 1), id="1"),
            piece(num("$.a", 2), id="2"),
            {"id": "1"},
        ],
        [
            {"name": "f", "args": {"a": 1}, "id": "1"},
            {"name": "f", "args": {"a": 2}, "id": "2", "willContinue": True},
        ],
    ),
    "at the same time, by name": (
        [begin("f"), begin("g"), piece(num("$.a", 1), name="f"), END, {"name": "f"}],
        [F1, {"name": "g", "args": {}}],
    ),
    "a complete call in between": (
        [begin("f"), G2, {"name": "f", "args": {"c": 3}}, piece(num("$.a", 1)), END],
        [F1, G2, {"name": "f", "args": {"c": 3}}],
    ),
    "an end without a call": (
        [END, {"name": "f", "args": {}}],
        [{"args": {}}, {"name": "f", "args": {}}],
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_in_pieces(name: str) -> None:
    pieces, expected = CALLS[name]
    assert calls(*pieces) == expected


def test_paths_of_the_maximum_depth() -> None:
    for steps, last in ((".a", ".x"), ("[0]", "[0]")):
        path = "$.a" + steps * 62 + last
        (call,) = calls(begin(), piece(say(path, "1"), say(path, "2")), END)
        inner = call["args"]
        for _ in range(64):
            (inner,) = inner.values() if isinstance(inner, dict) else inner
        assert inner == "12"


def test_arguments_nested_deeper_than_the_maximum() -> None:
    deep: Any = {"leaf": [1]}
    for _ in range(240):
        deep = {"a": [deep]}
    args = {"args": {"deep": deep}}
    assert calls(begin(**args), piece(num("$.b", 2)), END) == [
        {"name": "f", "args": {"deep": deep, "b": 2}}
    ]


def test_the_first_signature_of_a_call_is_kept() -> None:
    pieces = [
        {"functionCall": begin()},
        {"functionCall": piece(), "thoughtSignature": "s1"},
        {"functionCall": END, "thoughtSignature": "s2"},
    ]
    assert candidate(*({"content": {"parts": [one]}} for one in pieces))["content"]["parts"] == [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s1"}
    ]


def test_a_call_in_pieces_keeps_its_place() -> None:
    pieces = [text("a"), {"functionCall": begin()}, text("b"), text("c"), {"functionCall": END}]
    assert candidate({"content": {"parts": pieces}}, {"content": {"parts": [text("d")]}}) == {
        "content": {
            "role": "model",
            "parts": [
                text("a"),
                {"functionCall": {"name": "f", "args": {}}},
                text("bc"),
                text("d"),
            ],
        }
    }


def test_newer_keys_of_the_pieces_of_a_call_are_kept() -> None:
    pieces: list[JSON] = [
        {"functionCall": begin(), "tint": 1},
        {"functionCall": piece(say("$.a", "x"))},
        {"functionCall": END, "tint": 2, "depth": [None]},
    ]
    merged = candidate(*({"content": {"parts": [part]}} for part in pieces))
    assert merged["content"]["parts"] == [
        {"functionCall": {"name": "f", "args": {"a": "x"}}, "tint": 2, "depth": [None]}
    ]
