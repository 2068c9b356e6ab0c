"""JSON schemas in the subset that the API takes."""

from __future__ import annotations

from typing import Any

import pytest

from cometgem.request.schema_subset import to_subset

TAKEN = {
    "$id": "a", "$anchor": "b", "title": "A", "description": "All that is taken.",
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "format": "date", "enum": ["a", "b"]},
        "default": {"type": ["string", "null"]},
        "const": {"type": "array", "items": {"$ref": "#/$defs/N"}, "minItems": 1, "maxItems": 2},
        "allOf": {"type": "array", "prefixItems": [{"type": "number"}]},
        "not": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}]},
        "$schema": {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
        "enum": {"type": "number", "enum": [1, 2.5]},
    },
    "required": ["pattern"], "additionalProperties": False, "propertyOrdering": ["pattern"],
    "$defs": {"N": {"type": "object", "additionalProperties": {"type": "string"}}},
}  # fmt: skip


def test_a_schema_that_is_taken_is_unchanged() -> None:
    made = to_subset(TAKEN)
    assert made == TAKEN
    assert [*made] == [*TAKEN]


STRING = {"type": "string"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"$schema": "x", "$comment": "y", **STRING, "examples": ["a"]}, STRING),
        ({"const": "a"}, {"enum": ["a"], **STRING}),
        ({"type": "integer", "const": 1}, {**INTEGER, "enum": [1]}),
        ({"const": None}, {"type": "null"}),
        ({"const": True}, {"type": "boolean"}),
        ({"enum": ["a", None]}, {"anyOf": [{"enum": ["a"], **STRING}, {"type": "null"}]}),
        ({"type": "array", "enum": [[1], [2]]}, {"type": "array"}),
        ({"enum": [True, 1]}, {"anyOf": [{"enum": [1]}, {"type": "boolean"}]}),
        ({**INTEGER, "exclusiveMinimum": 0, "exclusiveMaximum": 9},
         {**INTEGER, "minimum": 1, "maximum": 8}),
        ({**INTEGER, "minimum": 5, "exclusiveMinimum": 0}, {**INTEGER, "minimum": 5}),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5},
         {"type": "number", "description": "Greater than: 0. Less than: 1.5."}),
        ({**INTEGER, "multipleOf": 5, "description": "A step"},
         {**INTEGER, "description": "A step. Multiple of: 5."}),
        ({**STRING, "minLength": 1, "maxLength": 3, "pattern": "^a", "description": "Text."},
         {**STRING, "description":
          "Text. Maximum length: 3. Minimum length: 1. Pattern: ^a."}),
        ({**STRING, "default": "é"}, {**STRING, "description": 'Default: "é".'}),
        ({**STRING, "default": "a" * 300}, STRING),
        ({**STRING, "default": None}, STRING),
        ({"type": "array", "items": False, "uniqueItems": True, "prefixItems": [STRING]},
         {"type": "array", "prefixItems": [STRING]}),
        ({"type": "array", "items": {"const": 1}}, {"type": "array", "items": {"enum": [1]}}),
        ({"allOf": [{"$ref": "#/$defs/N"}], "description": "x"}, {"$ref": "#/$defs/N"}),
        ({"allOf": [{"properties": {"a": STRING}, "required": ["a"]},
                    {"properties": {"b": {"const": "b"}}, "required": ["a", "b"]}],
          "type": "object"},
         {"type": "object", "properties": {"b": {"enum": ["b"], **STRING}, "a": STRING},
          "required": ["a", "b"]}),
        ({"$ref": "#/$defs/N", "description": "Beside it.", "default": 1}, {"$ref": "#/$defs/N"}),
        ({"properties": {"a": {"$ref": "#/definitions/N"}}, "definitions": {"N": {"const": 1}}},
         {"properties": {"a": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"enum": [1]}}}),
        ({"oneOf": [STRING], "discriminator": {"propertyName": "a"}}, {"oneOf": [STRING]}),
        ({"type": "object", "additionalProperties": {"minLength": 1}, "propertyNames": STRING},
         {"type": "object", "additionalProperties": {"description": "Minimum length: 1."}}),
        ({"properties": {"a": True}}, {"properties": {"a": True}}),
        ({}, {}),
    ],
)  # fmt: skip
def test_other_keywords_are_translated_or_left_out(
    schema: dict[str, Any], made: dict[str, Any]
) -> None:
    assert to_subset(schema) == made
