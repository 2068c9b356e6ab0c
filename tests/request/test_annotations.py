"""Annotations with texts, constraints and models of other packages."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

import annotated_types as at
import msgspec
import pydantic
import pytest
from pydantic import Field

from cometgem import ConfigurationError, FunctionCall, FunctionTool
from cometgem.errors import ToolError
from cometgem.request.schema import json_schema


class Stop(pydantic.BaseModel):
    name: str = Field(description="Where")
    minutes: int = Field(5, gt=0)
    kind: Literal["stop"] = "stop"
    next: list[Stop] = []


class Break(pydantic.BaseModel):
    until: dt.time
    name: str = ""


def function_of(annotation: Any, *default: Any) -> FunctionTool:
    def look(value: Any) -> None: ...

    look.__annotations__["value"] = annotation
    look.__defaults__ = default or None
    return FunctionTool(look)


def parse(tool: FunctionTool, value: Any) -> Any:
    return tool.parse(FunctionCall(name="look", args={"value": value}))["value"]


INTEGER = {"type": "integer"}
NULL = {"type": "null"}

# An annotation, its schema, values that fit and values that do not.
CONSTRAINED: list[tuple[Any, dict[str, Any], list[Any], list[Any]]] = [
    (Annotated[int, "text"], {**INTEGER, "description": "text"}, [1], ["x"]),
    (Annotated[int, msgspec.Meta(gt=0)], {**INTEGER, "minimum": 1}, [1], [0]),
    (Annotated[int, "text", at.Gt(0), at.Lt(9)],
     {**INTEGER, "description": "text", "minimum": 1, "maximum": 8}, [1, 8], [0, 9]),
    (Annotated[int, at.Interval(ge=1, le=3)],
     {**INTEGER, "minimum": 1, "maximum": 3}, [1, 3], [0, 4]),
    (Annotated[float, at.Gt(0)],
     {"type": "number", "description": "Greater than: 0."}, [0.5], [0]),
    (Annotated[int, at.MultipleOf(5)],
     {**INTEGER, "description": "Multiple of: 5."}, [5], [4]),
    (Annotated[int | None, at.Ge(2), "text"],
     {"description": "text", "anyOf": [{**INTEGER, "minimum": 2}, NULL]}, [2, None], [1]),
    (Annotated[Annotated[int | None, "text"], at.Ge(2)],
     {"description": "text", "anyOf": [{**INTEGER, "minimum": 2}, NULL]}, [2, None], [1]),
    (Annotated[list[Annotated[int, at.Ge(0)]], at.Len(1, 2)],
     {"type": "array", "items": {**INTEGER, "minimum": 0}, "minItems": 1, "maxItems": 2},
     [[0], [1, 2]], [[], [1, 2, 3], [-1]]),
    (Annotated[str, at.MinLen(2)],
     {"type": "string", "description": "Minimum length: 2."}, ["ab"], ["a"]),
    (Annotated[str, Field(pattern="^a", description="text")],
     {"type": "string", "description": "text. Pattern: ^a."}, ["ab"], ["b"]),
    (Annotated[str, Field(pattern=re.compile("^a"))],
     {"type": "string", "description": "Pattern: ^a."}, ["ab"], ["b"]),
    (Annotated[int, Field(ge=1, le=3)],
     {**INTEGER, "minimum": 1, "maximum": 3}, [1, 3], [0, 4]),
    (pydantic.PositiveInt, {**INTEGER, "minimum": 1}, [1], [0]),
    (Annotated[str, pydantic.StringConstraints(max_length=1)],
     {"type": "string", "description": "Maximum length: 1."}, ["a"], ["ab"]),
    (Annotated[str, at.Predicate(str.islower), "text"],
     {"type": "string", "description": "text"}, ["a"], ["A", 1]),
    (Annotated[str, at.Predicate(str.islower)] | None,
     {"anyOf": [{"type": "string"}, NULL]}, ["a", None], ["A"]),
    (Annotated[Decimal, at.Gt(Decimal(3))],
     {"type": "string", "format": "decimal"}, ["3.5", 4], ["3", 2]),
    (Annotated[dt.date, at.Ge(dt.date(2061, 7, 28))],
     {"type": "string", "format": "date"}, ["2061-07-28"], ["2061-07-27"]),
    (int | Break,
     {"anyOf": [INTEGER, {"title": "Break", "type": "object", "properties": {
         "until": {"format": "time", "title": "Until", "type": "string"},
         "name": {"title": "Name", "type": "string", "description": 'Default: "".'}},
         "required": ["until"]}]}, [1, "1", {"until": "12:00"}], ["x", {}]),
    (Iterable[int], {"type": "array", "items": INTEGER}, [[1]], [["x"], 1]),
    (object, {}, [1, "a", None, {}], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "schema", "good", "bad"), CONSTRAINED, ids=[str(row[0]) for row in CONSTRAINED]
)
@pytest.mark.parametrize("default", [(), (None,)], ids=["required", "optional"])
def test_constraints_are_declared_and_checked(
    annotation: Any, schema: dict[str, Any], good: list[Any], bad: list[Any], default: Any
) -> None:
    tool = function_of(annotation, *default)
    assert tool.declaration.parameters_json_schema["properties"]["value"] == schema
    for value in good:
        parse(tool, value)
    for value in bad:
        with pytest.raises(ToolError):
            parse(tool, value)


@pytest.mark.parametrize(
    ("annotation", "given", "got"),
    [
        (Stop, {"name": "Bath"}, Stop(name="Bath")),
        (Stop | None, None, None),
        (list[Stop], [{"name": "Bath", "minutes": "3"}], [Stop(name="Bath", minutes=3)]),
        (dict[str, Stop], {"a": {"name": "Bath"}}, {"a": Stop(name="Bath")}),
        (Stop | Break, {"name": "Bath", "minutes": 3}, Stop(name="Bath", minutes=3)),
        (Break | Stop, {"name": "a", "until": "12:00"}, Break(name="a", until=dt.time(12))),
        (Stop | Break | None, None, None),
        (int | Stop, "7", 7),
        (Annotated[Stop, "text"], {"name": "Bath"}, Stop(name="Bath")),
        (Annotated[Decimal, at.Gt(3)], "3.5", Decimal("3.5")),
    ],
)
def test_models_of_pydantic_are_validated(annotation: Any, given: Any, got: Any) -> None:
    assert parse(function_of(annotation), given) == got
    assert parse(function_of(annotation, None), given) == got


def test_the_error_of_a_model_is_one_line_with_the_place() -> None:
    with pytest.raises(ToolError) as caught:
        parse(function_of(Stop), {"minutes": 0})
    assert caught.value.message == (
        "name: Field required; minutes: Input should be greater than 0 - at `$.value`"
    )


def test_a_model_that_contains_itself_stays_a_reference() -> None:
    schema = function_of(list[Stop]).declaration.parameters_json_schema
    stop = schema["properties"]["value"]["items"]
    assert stop["properties"]["name"] == {
        "description": "Where", "title": "Name", "type": "string"}  # fmt: skip
    assert stop["properties"]["minutes"]["minimum"] == 1
    assert stop["properties"]["kind"]["enum"] == ["stop"]
    assert stop["properties"]["next"]["items"] == {"$ref": "#/$defs/Stop"}
    assert schema["$defs"] == {"Stop": stop}


def test_a_model_as_a_result_is_declared_and_written() -> None:
    def look() -> Break: ...  # type: ignore[empty-body]

    tool = FunctionTool(look)
    assert tool.declaration.response_json_schema["title"] == "Break"
    call = FunctionCall(name="look")
    noon = Break(until=dt.time(12))
    written = {"until": "12:00:00", "name": ""}
    assert tool.to_response(call, noon).response == written
    assert tool.to_response(call, [noon]).response == {"result": [written]}
    assert tool.to_response(call, {"at": noon}).response == {"at": written}


def test_a_field_as_the_default_of_a_parameter() -> None:
    def look(
        name: str = Field(description="Who", min_length=2),
        days: int = Field(3, description="How many"),
        tags: list[str] = Field(default_factory=list),  # noqa: B008
        room: Annotated[int, Field(description="Where")] = 5,
    ) -> None: ...

    tool = FunctionTool(look)
    schema = tool.declaration.parameters_json_schema
    assert schema["required"] == ["name"]
    assert schema["properties"] == {
        "name": {"type": "string", "description": "Who. Minimum length: 2."},
        "days": {"type": "integer", "description": "How many. Default: 3."},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "Default: []."},
        "room": {"type": "integer", "description": "Where. Default: 5."},
    }
    # The function would get the Field itself; each call gets a list of its own.
    call = FunctionCall(name="look", args={"name": "Ada"})
    first, second = tool.parse(call), tool.parse(call)
    assert first == {"name": "Ada", "days": 3, "tags": []}
    assert first["tags"] is not second["tags"]
    with pytest.raises(ToolError, match="length >= 2"):
        tool.parse(FunctionCall(name="look", args={"name": "A"}))


@pytest.mark.parametrize("annotation", [
    Annotated[int, pydantic.AfterValidator(abs)],
    list[Annotated[int, pydantic.BeforeValidator(abs)]],
])  # fmt: skip
def test_a_validator_that_would_not_run_is_refused(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'value' of 'look' .* is only run in a model"):
        function_of(annotation)


def test_a_model_whose_schema_cannot_be_made_is_refused() -> None:
    class Broken(pydantic.BaseModel):
        value: Callable[[], int]

    with pytest.raises(ConfigurationError) as caught:
        function_of(Broken)
    assert str(caught.value).startswith("the parameter 'value' of 'look' cannot be declared: ")
    assert "\n" not in str(caught.value)


T = TypeVar("T")
Whole = TypeVar("Whole", bound=int)
Either = TypeVar("Either", int, str)


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (T, {}),
        (Whole, INTEGER),
        (list[Whole], {"type": "array", "items": INTEGER}),
        (Either, {"anyOf": [INTEGER, {"type": "string"}]}),
    ],
)
def test_type_variables_are_declared_by_their_bounds(annotation: Any, schema: Any) -> None:
    assert json_schema(annotation, {}, "x") == schema


class Store(Generic[T]):
    def put(self, item: T, more: list[T]) -> T:
        raise NotImplementedError(item, more)


class Shelf(Store[Whole]):
    pass


class Numbers(Shelf[int]):
    pass


@pytest.mark.parametrize("owner", [Store[int](), Shelf[int](), Numbers()])
def test_methods_of_generic_classes(owner: Any) -> None:
    tool = FunctionTool(owner.put)
    assert tool.declaration.parameters_json_schema["properties"] == {
        "item": INTEGER,
        "more": {"type": "array", "items": INTEGER},
    }
    assert tool.parse(FunctionCall(args={"item": "1", "more": [2]})) == {"item": 1, "more": [2]}
