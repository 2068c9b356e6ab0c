"""JSON schemas of Python types."""

from __future__ import annotations

import datetime as dt
import json
from importlib import metadata
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
import pytest
from request.declared import NULL, PLACE, TRIP, UNIT, Node, Opaque, Place, Size, Trip, Unit

from cometgem.errors import ConfigurationError
from cometgem.request.schema import json_schema

TYPES: list[tuple[Any, Any]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (Unit, UNIT),
    (Size, {"title": "Size", "type": "integer", "enum": [1, 2]}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Optional[int], {"anyOf": [{"type": "integer"}, NULL]}),  # noqa: UP045
    (str | None, {"anyOf": [{"type": "string"}, NULL]}),
    (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    (Union[Unit, None], {"anyOf": [NULL, UNIT]}),  # noqa: UP007
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (list, {"type": "array"}),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
    (dict, {"type": "object"}),
    (Any, {}),
    (Place, PLACE),
    (Trip, TRIP),
    (dt.date, {"type": "string", "format": "date"}),
    (
        Annotated[int, msgspec.Meta(ge=1, description="How many")],
        {"type": "integer", "minimum": 1, "description": "How many"},
    ),
]


@pytest.mark.parametrize(("annotation", "schema"), TYPES)
def test_schemas(annotation: Any, schema: Any) -> None:
    recursive: dict[str, Any] = {}
    made = json_schema(annotation, recursive, "x")
    assert sorted_any_of(json.loads(json.dumps(made))) == sorted_any_of(schema)
    assert recursive == {}


def sorted_any_of(schema: Any) -> Any:
    """Return the schema with its alternatives sorted, since their order is not significant."""
    if "anyOf" in schema:
        return {**schema, "anyOf": sorted(schema["anyOf"], key=lambda one: one["type"])}
    return schema


MSGSPEC = tuple(map(int, metadata.version("msgspec").split(".")[:2]))


@pytest.mark.skipif(MSGSPEC < (0, 22), reason="msgspec before 0.22 cannot sort the values")
def test_values_of_several_types_have_no_type() -> None:
    assert json_schema(Literal["a", 1], {}, "x") == {"enum": [1, "a"]}


def test_only_types_that_contain_themselves_stay_references() -> None:
    children = {"type": "array", "items": {"$ref": "#/$defs/Node"}, "description": "Default: []."}
    node = {
        "title": "Node",
        "type": "object",
        "properties": {"name": {"type": "string"}, "children": children},
        "required": ["name"],
    }
    recursive: dict[str, Any] = {}
    assert json_schema(Node, recursive, "x") == node
    assert recursive == {"Node": node}
    assert json_schema(list[Place], recursive, "x") == {"type": "array", "items": PLACE}
    assert list(recursive) == ["Node"]


@pytest.mark.parametrize("annotation", [Opaque, dict[str, list[Opaque]], Place | Node])
def test_types_that_json_schema_cannot_express_are_refused(annotation: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^the result of 'f' cannot be declared: [Tt]ype "
    ):
        json_schema(annotation, {}, "the result of 'f'")
