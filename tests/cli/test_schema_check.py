"""What `--schema` checks, beside the verdict of the jsonschema package."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from cometgem.cli.schema_check import SchemaMismatchError, check

VALUES: list[Any] = [
    *(None, True, False, 0, 1, 1.0, 1.5, -3, 12, 0.3, 1e300, "", "a", "ab", "abc", "\U0001f30d"),
    *([], [1], [1, "a"], ["a", 1], [1, 2, 3], [None], [[1]], [True], {}, {"a": 1}, {"a": "b"}),
    *({"a": None, "b": 1}, {"b": 2}, {"a": {"a": {"a": {}}}}, {"c": [1, "x"]}, {"a": [{"a": 1}]}),
]

SCHEMAS: list[dict[str, Any]] = [
    {},
    *({"type": kind} for kind in ("array", "boolean", "integer", "null", "number", "object")),
    {"type": "string"},
    {"type": ["string", "null"]},
    {"enum": [1, "a", None, [1]]},
    {"const": True},
    {"const": None},
    {"minimum": 1, "maximum": 2},
    {"exclusiveMinimum": 1, "exclusiveMaximum": 12},
    {"multipleOf": 3},
    {"minLength": 1, "maxLength": 2},
    {"minItems": 1, "maxItems": 2},
    {"items": {"type": "integer"}},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
    {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}},
    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    {"properties": {"a": {}}, "additionalProperties": False},
    {"additionalProperties": {"type": "integer"}},
    {"anyOf": [{"type": "string"}, {"minimum": 1}]},
    {"oneOf": [{"type": "integer"}, {"minimum": 1}]},
    {"allOf": [{"type": "integer"}, {"minimum": 1}]},
    {"properties": {"a": False}},
    {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}}},
    },
    {"properties": {"a": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"type": "string"}}},
]


def fits(value: object, schema: object) -> bool:
    try:
        check(value, schema, schema if isinstance(schema, dict) else {})
    except SchemaMismatchError:
        return False
    return True


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_verdict_is_that_of_jsonschema(schema: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    for value in VALUES:
        assert fits(value, schema) == validator.is_valid(value), value


def test_decimal_steps_are_not_binary() -> None:
    assert fits(0.3, {"multipleOf": 0.1})
    assert fits(19.99, {"multipleOf": 0.01})
    assert not fits(0.35, {"multipleOf": 0.1})


@pytest.mark.parametrize(
    ("value", "schema", "message", "path"),
    [
        ("x", {"type": ["integer", "null"]}, "expected integer or null, got string", ()),
        ({"a": [1, "x"]}, {"properties": {"a": {"items": {"type": "number"}}}},
         "expected number, got string", ("a", 1)),
        ({}, {"required": ["a"]}, "has no field 'a'", ()),
        ({"b": 1}, {"additionalProperties": False}, "is not allowed", ("b",)),
        (7, {"maximum": 5}, "must be at most 5", ()),
        ("x", {"enum": ["y"]}, "is not one of the values that are allowed", ()),
        ({"a": 1}, {"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "string"}}}]},
         "expected string, got number", ("a",)),
        (1, {"oneOf": [{}, {}]}, "fits 2 alternatives of which exactly one must fit", ()),
    ],
)  # fmt: skip
def test_what_is_said(
    value: object, schema: dict[str, Any], message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(SchemaMismatchError) as caught:
        check(value, schema, schema)
    (error,) = caught.value.errors()
    assert (error["msg"], error["loc"]) == (message, path)


@pytest.mark.parametrize(
    "schema",
    [
        {"required": True},
        {"properties": [], "anyOf": {}, "type": "text"},
        {"minimum": "1", "items": 5, "prefixItems": None},
    ],
)
def test_keywords_that_are_not_as_they_should_be_are_not_checked(schema: dict[str, Any]) -> None:
    assert all(fits(value, schema) for value in VALUES)
