"""JSON schemas translated to the API's subset of OpenAPI, which ``responseSchema`` takes.

https://ai.google.dev/api/caching#Schema lists the fields. Types are in upper case, null is a
property of another type, and there are no references.
"""

from __future__ import annotations

from typing import Any

from cometgem.errors import ConfigurationError
from cometgem.request.schema_subset import add_note

__all__ = ["to_openapi"]

_SAME = (
    *("title", "description", "minItems", "maxItems", "minimum", "maximum"),
    *("required", "propertyOrdering"),
)

# https://ai.google.dev/api/caching#Schema: "any value is allowed, but most do not trigger any
# special functionality"; these are the ones that do.
_FORMATS = ("float", "double", "int32", "int64", "date-time", "enum")


def to_openapi(schema: dict[str, Any], what: str, path: str = "$") -> dict[str, Any]:
    """Return a schema of the JSON dialect in the OpenAPI dialect.

    Args:
        schema: In the subset that ``to_subset`` returns, with references inlined.
        what: What has this schema, for the error message.
        path: Where the schema stands, for the error message.

    Raises:
        ConfigurationError: It contains itself.
    """
    if "$ref" in schema:
        raise ConfigurationError(
            f"{what} cannot be declared: it contains itself at {path}, which only"
            " schema_dialect='json' can express"
        )
    made = {key: schema[key] for key in _SAME if key in schema}
    if schema.get("format") in _FORMATS:
        made["format"] = schema["format"]
    elif "format" in schema:
        add_note(made, "Format", schema["format"])
    _add_type(made, schema)
    _add_enum(made, schema)
    if "properties" in schema:
        made["properties"] = {
            name: to_openapi(one, what, f"{path}.{name}")
            for name, one in schema["properties"].items()
        }
    if "items" in schema:
        made["items"] = to_openapi(schema["items"], what, f"{path}[]")
    if "prefixItems" in schema:
        _add_tuple(made, [to_openapi(one, what, f"{path}[]") for one in schema["prefixItems"]])
    if isinstance(values := schema.get("additionalProperties"), dict):
        add_note(made, "Type of the values", to_openapi(values, what, f"{path}.*"))
    alternatives = schema.get("anyOf") or schema.get("oneOf") or []
    _add_alternatives(made, [to_openapi(one, what, path) for one in alternatives])
    return made


def _add_type(made: dict[str, Any], schema: dict[str, Any]) -> None:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        others = [kind for kind in kinds if kind != "null"]
        if len(others) < len(kinds):
            made["nullable"] = True
        if len(others) == 1:
            made["type"] = others[0].upper()
        else:
            made["anyOf"] = [{"type": kind.upper()} for kind in others]
    elif isinstance(kinds, str):
        made["type"] = kinds.upper()


def _add_enum(made: dict[str, Any], schema: dict[str, Any]) -> None:
    """Strings can be enumerated; other values are noted in the description."""
    values = schema.get("enum")
    if not values:
        return
    if all(isinstance(value, str) for value in values):
        made |= {"type": "STRING", "format": "enum", "enum": values}
        return
    kinds = dict.fromkeys(_kind_of(value) for value in values)
    if len(kinds) == 1:
        made.setdefault("type", next(iter(kinds)))
    else:
        made["anyOf"] = [{"type": kind} for kind in kinds]
    add_note(made, "One of", values)


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    return {str: "STRING", int: "INTEGER"}.get(type(value), "NUMBER")


def _add_tuple(made: dict[str, Any], items: list[dict[str, Any]]) -> None:
    """A tuple becomes a list of that many items, each of one of its types."""
    different = [one for at, one in enumerate(items) if one not in items[:at]]
    if len(different) == 1:
        made["items"] = different[0]
    elif different:
        made["items"] = {"anyOf": different}
        kinds = [one.get("title") or one.get("type") or "any" for one in items]
        add_note(made, "Items in this order", kinds)
    made.setdefault("minItems", len(items))
    made.setdefault("maxItems", len(items))


def _add_alternatives(made: dict[str, Any], alternatives: list[dict[str, Any]]) -> None:
    others = [one for one in alternatives if one != {"type": "NULL"}]
    if len(others) < len(alternatives):
        made["nullable"] = True
    if len(others) == 1:
        texts = [one["description"] for one in (others[0], made) if "description" in one]
        made |= others[0] | ({"description": " ".join(texts)} if texts else {})
    elif others:
        made["anyOf"] = others
