"""Made-up JSON fits its schema."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from cometgem.testing.sample import Sampler

NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        "next": {"$ref": "#/$defs/node"},
        "parent": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["name", "children", "parent"],
}

FITTING: dict[str, tuple[dict[str, Any], Any]] = {
    "string": ({"type": "string"}, "text"),
    "title": (
        {"type": "object", "properties": {"dateOfBirth": {}}},
        {"dateOfBirth": "date of birth"},
    ),
    "enum": ({"type": "string", "enum": ["a", "b"]}, "a"),
    "enums in a list": ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a", "b"]),
    "const": ({"const": 7}, 7),
    "integer": ({"type": "integer"}, 1),
    "minimum": ({"type": "integer", "minimum": 9.5}, 10),
    "maximum": ({"type": "integer", "maximum": -9.5}, -10),
    "exclusive": ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3}, 2),
    "below": ({"type": "integer", "exclusiveMaximum": 1}, 0),
    "number": ({"type": "number"}, 1.5),
    "between": ({"type": "number", "exclusiveMinimum": 1.5, "exclusiveMaximum": 2}, 1.75),
    "number up to": ({"type": "number", "maximum": 1}, 1),
    "multiple": ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
    "boolean": ({"type": "boolean"}, True),
    "null": ({"type": "null"}, None),
    "types": ({"type": ["null", "integer"]}, 1),
    "only null": ({"type": ["null"]}, None),
    "list": ({"type": "array", "items": {"type": "integer"}}, [1, 1]),
    "one item": ({"type": "array", "items": {}, "maxItems": 1}, ["text"]),
    "no item": ({"type": "array", "items": {}, "maxItems": 0}, []),
    "three items": ({"type": "array", "items": {}, "minItems": 3}, ["text", "text 2", "text 3"]),
    "tuple": (
        {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "integer"}],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
        ["text", 1],
    ),
    "any list": ({"type": "array"}, ["text", "text 2"]),
    "map": (
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"key": 1},
    ),
    "anyOf": ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
    "oneOf": ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "text"),
    "allOf": (
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"$ref": "#/$defs/b"},
            ],
            "$defs": {"b": {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}},
        },
        {"a": 1, "b": True},
    ),
    "allOf of numbers": ({"allOf": [{"type": "integer"}, {"minimum": 4}]}, 4),
    "ref": ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}, 1),
    "recursion": (
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
        {"name": "name", "children": [], "parent": None},
    ),
    "recursion into the root": (
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"$ref": "#"}}},
        {"a": 1, "b": {"a": 1}},
    ),
    "length": ({"type": "string", "minLength": 6, "maxLength": 6}, "text.."),
    "date": ({"type": "string", "format": "date"}, "2061-07-28"),
    "uuid": ({"type": "string", "format": "uuid"}, "1f0a9b1c-6d3e-4a57-8c21-5b9e4d2a7f60"),
}


@pytest.mark.parametrize("name", FITTING)
def test_values_fit(name: str) -> None:
    schema, expected = FITTING[name]
    value = Sampler(schema).value()
    assert value == expected
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(value)


OPENAPI: dict[str, tuple[dict[str, Any], Any]] = {
    "types": (
        {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}, "x": {"type": "NUMBER"}}},
        {"n": 1, "x": 1.5},
    ),
    "nullable": ({"type": "STRING", "nullable": True}, "text"),
    "limits as strings": (
        {"type": "ARRAY", "items": {"type": "STRING"}, "maxItems": "1"},
        ["text"],
    ),
    "example": ({"type": "STRING", "example": "Halley"}, "Halley"),
    "anyOf with a title": ({"title": "x", "anyOf": [{"type": "BOOLEAN"}]}, True),
    "exclusive": ({"type": "INTEGER", "minimum": 1, "exclusiveMinimum": True}, 2),
    "anchor": ({"$ref": "#c", "$defs": {"x": [{"$anchor": "c", "type": "integer"}]}}, 1),
    "nowhere": ({"$ref": "#/$defs/0/x", "$defs": [{"type": "integer"}]}, "text"),
    "place in a list": ({"$ref": "#/$defs/0", "$defs": [{"type": "integer"}]}, 1),
    "plural": ({"properties": {"names": {"items": {}}}}, {"names": ["name", "name 2"]}),
    "any": ({"prefixItems": [True], "items": {}}, ["text"]),
}


@pytest.mark.parametrize("name", OPENAPI)
def test_openapi(name: str) -> None:
    schema, expected = OPENAPI[name]
    assert Sampler(schema).value() == expected


def test_the_order_is_the_one_of_the_api() -> None:
    schema = {
        "properties": {"a": {}, "b": {}, "c": {}, "d": {}},
        "required": ["d"],
        "propertyOrdering": ["c"],
    }
    assert list(Sampler(schema).value()) == ["d", "c", "a", "b"]
    assert list(Sampler(schema, optional=False).value()) == ["d"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
        {"anyOf": [{"$ref": "#"}]},
    ],
)
def test_schemas_without_a_finite_value(schema: dict[str, Any]) -> None:
    assert Sampler(schema).value() is None


def test_a_deep_schema_ends() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    assert Sampler(schema).value() is not None


def test_definitions_that_double_on_every_level() -> None:
    defs: dict[str, Any] = {"0": {"type": "string"}}
    for level in range(1, 40):
        ref = {"$ref": f"#/$defs/{level - 1}"}
        defs[str(level)] = {"properties": {"a": ref, "b": ref}}
    assert "a" in Sampler({"$ref": "#/$defs/39", "$defs": defs}).value()


def test_nullable_ends_a_recursion() -> None:
    schema = {"properties": {"a": {"$ref": "#", "nullable": True}}, "required": ["a"]}
    assert Sampler(schema).value() == {"a": {"a": None}}
