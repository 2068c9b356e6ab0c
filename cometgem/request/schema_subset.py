"""JSON schemas in the subset of JSON Schema that the API takes.

https://ai.google.dev/api/generate-content#FIELDS.response_json_schema lists the keywords; a
request with another one may be refused. What the subset cannot express is written into the
description, where the model can read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["add_note", "to_subset"]

_KEYWORDS = {
    *("$anchor", "$defs", "$id", "$ref", "additionalProperties", "anyOf", "description", "enum"),
    *("format", "items", "maxItems", "maximum", "minItems", "minimum", "oneOf", "prefixItems"),
    *("properties", "propertyOrdering", "required", "title", "type"),
}
_SCHEMA = {"additionalProperties", "items"}
_LISTS = {"anyOf", "oneOf", "prefixItems"}
_MAPS = {"$defs", "properties"}

# Keywords that the API does not take but the model should know of.
_NOTES = {
    "default": "Default",
    "exclusiveMinimum": "Greater than",
    "exclusiveMaximum": "Less than",
    "maxLength": "Maximum length",
    "minLength": "Minimum length",
    "multipleOf": "Multiple of",
    "pattern": "Pattern",
}
_LONGEST_NOTE = 200  # characters; a longer one would say less than it costs


def to_subset(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with other keywords translated, noted in the description, or left out.

    A schema that has none is returned as it is, in the order of its keys.
    """
    node = _one(_without_definitions(schema))
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key in _LISTS and isinstance(value, (list, tuple)):
            made[key] = [_sub(one) for one in value]
        elif key in _MAPS and isinstance(value, Mapping):
            made[key] = {name: _sub(one) for name, one in value.items()}
        elif key in _SCHEMA and (isinstance(value, Mapping) or key == "additionalProperties"):
            made[key] = _sub(value)
        elif key in _KEYWORDS - _SCHEMA:
            made[key] = value
    if "$ref" in made:  # the API takes nothing else beside it
        return {key: value for key, value in made.items() if key[0] == "$"}
    notes = [(label, node[key]) for key, label in _NOTES.items() if node.get(key) is not None]
    for label, value in notes:
        add_note(made, label, value)
    return made


def add_note(schema: dict[str, Any], label: str, value: Any) -> None:
    """Add a line such as "Default: 5." to the description of a schema."""
    text = value if isinstance(value, str) and label == "Pattern" else _json(value)
    if text is None or len(text) > _LONGEST_NOTE:
        return
    before = schema.get("description")
    note = f"{label}: {text}."
    if isinstance(before, str) and (before := before.strip()):
        note = f"{before} {note}" if before[-1] in ".!?:;" else f"{before}. {note}"
    schema["description"] = note


def _sub(schema: Any) -> Any:
    return to_subset(schema) if isinstance(schema, Mapping) else schema


def _json(value: Any) -> str | None:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _without_definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema with ``definitions``, as they were called before 2019, as ``$defs``."""
    if not isinstance(schema.get("definitions"), Mapping):
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/definitions/"):
            return {**schema, "$ref": f"#/$defs/{ref.removeprefix('#/definitions/')}"}
        return schema
    others = {key: value for key, value in schema.items() if key != "definitions"}
    return {**others, "$defs": {**schema["definitions"], **others.get("$defs", {})}}


def _one(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return one schema with ``allOf``, ``const``, exclusive limits and such translated."""
    node = dict(schema)
    for part in node.pop("allOf", None) or ():
        if isinstance(part, Mapping):
            _merge(node, _one(_without_definitions(part)))
    if "const" in node:
        node.setdefault("enum", [node.pop("const")])
    if isinstance(node.get("enum"), (list, tuple)):
        _split_enum(node)
    # For whole numbers, the limit can be expressed exactly.
    if node.get("type") == "integer":
        for exclusive, inclusive, step in (
            ("exclusiveMinimum", "minimum", 1),
            ("exclusiveMaximum", "maximum", -1),
        ):
            limit = node.get(exclusive)
            if isinstance(limit, int) and not isinstance(limit, bool):
                choose = max if step > 0 else min
                node[inclusive] = choose(node.get(inclusive, limit + step), limit + step)
                del node[exclusive]
    return node


def _merge(node: dict[str, Any], part: dict[str, Any]) -> None:
    """Add what one schema of ``allOf`` requires; what is there already takes precedence."""
    for key, value in part.items():
        if key in _MAPS and isinstance(value, Mapping):
            node[key] = {**value, **node.get(key, {})}
        elif key == "required" and isinstance(value, (list, tuple)):
            node[key] = [
                *node.get(key, ()),
                *(one for one in value if one not in node.get(key, ())),
            ]
        else:
            node.setdefault(key, value)


def _split_enum(node: dict[str, Any]) -> None:
    """Write an enum of the strings and numbers that the API takes, beside null and booleans."""
    values = list(node["enum"])
    plain = [
        one for one in values if isinstance(one, (str, int, float)) and not isinstance(one, bool)
    ]
    if len(plain) == len(values):
        if "type" not in node and values and all(isinstance(one, str) for one in values):
            node["type"] = "string"
        return
    del node["enum"]
    alternatives: list[dict[str, Any]] = []
    if plain:
        alternatives.append(_one({"enum": plain}))
    if any(isinstance(one, bool) for one in values):
        alternatives.append({"type": "boolean"})
    if None in values:
        alternatives.append({"type": "null"})
    if len(alternatives) == 1:
        node |= alternatives[0]
    elif alternatives and "anyOf" not in node:
        node.pop("type", None)
        node["anyOf"] = alternatives
