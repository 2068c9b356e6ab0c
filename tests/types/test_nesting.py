"""Copies of nested values, of any depth."""

from __future__ import annotations

import pickle
from typing import Any

from cometgem.types import Content, FunctionCall, Part
from cometgem.types.nesting import deep_copy, flatten, unflatten


def test_a_copy_is_equal_and_shares_nothing() -> None:
    turns = [Content(role="user", parts=[Part(function_call=FunctionCall(args={"a": [1, {}]}))])]
    copied = deep_copy(turns)
    assert copied == turns
    copied[0].parts[0].function_call.args["a"].append(2)  # type: ignore[union-attr]
    assert turns[0].parts[0].function_call == FunctionCall(args={"a": [1, {}]})


def test_values_that_occur_twice_or_contain_themselves() -> None:
    one: list[Any] = [1]
    twice = deep_copy([one, one])
    assert twice[0] is twice[1]
    assert twice[0] is not one
    one.append(one)
    cyclic = deep_copy(one)
    assert cyclic[1] is cyclic


def test_other_values_are_copied_too() -> None:
    value = {"a": ({1}, [2]), "b": b"x", "c": None}
    copied = deep_copy(value)
    assert copied == value
    assert copied["a"][0] is not value["a"][0]  # type: ignore[index]


def test_depth_is_not_limited() -> None:
    value: Any = "end"
    for at in range(50_000):
        value = {"a": value} if at % 2 else [value]
    for copied in (deep_copy(value), unflatten(pickle.loads(pickle.dumps(flatten(value))))):  # noqa: S301
        levels = 0
        while copied != "end":
            copied = copied["a"] if isinstance(copied, dict) else copied[0]  # noqa: PLW2901
            levels += 1
        assert levels == 50_000
