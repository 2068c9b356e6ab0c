"""Callables of every kind: names, docstrings, parameters and annotations."""

from __future__ import annotations

import dataclasses
import functools
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import ConfigurationError, FunctionCall, FunctionTool, ToolContext
from cometgem.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nowhere import Hidden  # type: ignore[import-not-found]


def query(sql: str, tenant: str, limit: int = 5) -> str:
    """Find rows.

    Args:
        sql: What to find.
        tenant: Whose rows.
        limit: How many.
    """
    return f"{sql} {tenant} {limit}"


def properties(tool: FunctionTool) -> dict[str, Any]:
    found: dict[str, Any] = tool.declaration.parameters_json_schema["properties"]
    return found


@pytest.mark.parametrize(
    ("function", "left"),
    [
        (partial(query, tenant="acme"), ["sql", "limit"]),
        (partial(partial(query, tenant="acme"), limit=9), ["sql"]),
        (partial(query, "select", "acme"), ["limit"]),
        (functools.wraps(query)(partial(query, tenant="acme")), ["sql", "limit"]),
        (functools.wraps(query)(partial(query, "select")), ["tenant", "limit"]),
    ],
)
def test_a_partial_hides_what_it_binds(function: Any, left: list[str]) -> None:
    tool = FunctionTool(function)
    assert (tool.name, tool.declaration.description) == ("query", "Find rows.")
    assert [*properties(tool)] == left
    for name in {"sql", "tenant", "limit"} - {*left}:
        with pytest.raises(ToolError, match=f"unknown field `{name}`"):
            tool.parse(FunctionCall(args={name: "evil"}))


def test_the_model_cannot_overwrite_what_a_partial_binds() -> None:
    tool = FunctionTool(partial(query, tenant="acme"))
    arguments = tool.parse(FunctionCall(args={"sql": "a"}))
    assert tool.function is not None
    assert tool.function(**arguments) == "a acme 5"


def test_a_partial_may_have_a_name_and_a_docstring_of_its_own() -> None:
    mine = partial(query, tenant="acme")
    mine.__name__ = "rows_of_acme"  # type: ignore[attr-defined]
    mine.__doc__ = "Find rows of Acme."
    tool = FunctionTool(mine)
    assert (tool.name, tool.declaration.description) == ("rows_of_acme", "Find rows of Acme.")


class Office:
    """Say where someone is."""

    def find(self, name: str) -> str:
        """Find someone."""
        raise NotImplementedError(name)

    @classmethod
    def build(cls, rooms: int) -> Office:
        """Build it."""
        raise NotImplementedError(rooms)

    @staticmethod
    def paint(color: str) -> None:
        """Paint it."""

    def __call__(self, room: int) -> None: ...


class Described(Office):
    async def __call__(self, room: int) -> None:
        """Go there."""


def logged(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> object:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("function", "name", "description", "parameters"),
    [
        (Office().find, "find", "Find someone.", ["name"]),
        (partial(Office().find), "find", "Find someone.", ["name"]),
        (Office.build, "build", "Build it.", ["rooms"]),
        (Office.paint, "paint", "Paint it.", ["color"]),
        (Office(), "go", "Say where someone is.", ["room"]),
        (Described(), "go", "Go there.", ["room"]),
        (logged(query), "query", "Find rows.", ["sql", "tenant", "limit"]),
        (functools.cache(query), "query", "Find rows.", ["sql", "tenant", "limit"]),
        (partial(logged(query), tenant="a"), "query", "Find rows.", ["sql", "limit"]),
    ],
)
def test_callables(function: Any, name: str, description: str, parameters: list[str]) -> None:
    tool = FunctionTool(function, name=None if hasattr(function, "__name__") else name)
    assert (tool.name, tool.declaration.description) == (name, description)
    assert [*properties(tool)] == parameters


def test_local_classes_are_found() -> None:
    @dataclasses.dataclass
    class Room:
        number: int

    def enter(room: Room, others: list[Room] | None = None) -> Room:
        raise NotImplementedError(room, others)

    tool = FunctionTool(enter)
    arguments = tool.parse(FunctionCall(args={"room": {"number": 1}}))
    assert arguments == {"room": Room(1)}
    assert tool.declaration.response_json_schema["title"] == "Room"


def test_local_classes_are_found_from_functions_within() -> None:
    @dataclasses.dataclass
    class Room:
        number: int

    def make() -> FunctionTool:
        def enter(room: Room) -> None: ...

        return FunctionTool(enter)

    assert make().parse(FunctionCall(args={"room": {"number": 1}})) == {"room": Room(1)}


def make_enter() -> Callable[..., object]:
    @dataclasses.dataclass
    class Room:
        number: int

    def enter(room: Room) -> Any:
        return Room(room.number + 1)

    return enter


def test_local_classes_that_the_function_uses_are_found_later() -> None:
    tool = FunctionTool(make_enter())
    (room,) = tool.parse(FunctionCall(args={"room": {"number": 1}})).values()
    assert room.number == 1


def test_names_of_other_functions_on_the_stack_are_not_taken() -> None:
    Missing = int  # noqa: F841, N806  the name of the annotation, in another function

    def make() -> Callable[..., object]:
        return make_missing()

    with pytest.raises(ConfigurationError, match="name 'Missing' is not defined"):
        FunctionTool(make())


def make_missing() -> Callable[..., object]:
    def enter(room: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    return enter


def test_only_what_is_declared_has_to_be_evaluated() -> None:
    def find(sql: str, hidden: Hidden, context: ToolContext) -> Hidden:
        raise NotImplementedError(sql, hidden, context)

    tool = FunctionTool(partial(find, hidden=1))
    assert [*properties(tool)] == ["sql"]
    assert tool.declaration.response_json_schema is None
    with pytest.raises(ConfigurationError, match=r"'hidden' of 'find' .* name 'Hidden' is not"):
        FunctionTool(find)


def test_a_decorator_around_a_partial_hides_what_it_binds() -> None:
    tool = FunctionTool(functools.cache(partial(query, tenant="acme")), name="query")
    assert [*properties(tool)] == ["sql", "limit"]
