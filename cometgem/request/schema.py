"""The JSON schema of a Python type, with references only where a type contains itself."""

from __future__ import annotations

from typing import Any

import msgspec

from cometgem.errors import ConfigurationError
from cometgem.request.annotations import model_schema, resolve
from cometgem.request.field_texts import add_field_texts
from cometgem.request.schema_subset import to_subset

__all__ = ["json_schema"]

# msgspec omits the type of an enum, which some models require.
_JSON_TYPES = {str: "string", int: "integer"}


def json_schema(annotation: Any, recursive: dict[str, Any], what: str) -> dict[str, Any]:
    """Return a type's schema in the subset of JSON Schema that the API takes.

    References are inlined, since some models do not follow them.

    Args:
        annotation: The type.
        recursive: Receives the types that contain themselves; only these remain references.
        what: What has this type, for the error message.

    Raises:
        ConfigurationError: The type cannot be expressed in JSON Schema.
    """
    found: dict[str, Any] = {}

    def inline_model(kind: Any) -> dict[str, Any]:
        # msgspec takes an empty schema for none; to_subset drops the comment.
        return _inlined(model_schema(kind), found) or {"$comment": "any value"}

    try:
        kind = resolve(annotation)
        schema = msgspec.json.schema(kind, schema_hook=inline_model)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[-1]
        raise ConfigurationError(f"{what} cannot be declared: {reason}") from error
    except RecursionError:
        raise ConfigurationError(
            f"{what} cannot be declared: the type is an alias that contains itself"
        ) from None
    except Exception as error:  # the schema of a model is made by code of the caller
        raise ConfigurationError(
            f"{what} cannot be declared: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        ) from error
    add_field_texts(kind, schema.get("$defs", {}))
    inlined = to_subset(_inlined(schema, found))
    recursive |= {name: to_subset(one) for name, one in found.items()}
    return inlined


def _inlined(schema: dict[str, Any], recursive: dict[str, Any]) -> dict[str, Any]:
    definitions = schema.pop("$defs", {})
    made: dict[str, Any] = _inline(schema, definitions, recursive, ())
    return made


def _inline(
    node: Any, definitions: dict[str, Any], recursive: dict[str, Any], within: tuple[str, ...]
) -> Any:
    match node:
        # Other references are in the schema of a model, which is inlined already.
        case {"$ref": str(path), **others} if path.rpartition("/")[2] in definitions:
            name = path.rpartition("/")[2]
            if name in within:
                if name not in recursive:
                    recursive[name] = None  # marks it as being resolved
                    recursive[name] = _inline(definitions[name], definitions, recursive, (name,))
                return node
            named = _inline(definitions[name], definitions, recursive, (*within, name))
            return named | others
        case {"enum": [*values]} if "type" not in node:
            kinds = {_JSON_TYPES.get(type(value)) for value in values}
            kind = kinds.pop() if len(kinds) == 1 else None
            return ({"type": kind} if kind else {}) | node
        case dict():
            return {
                key: _inline(item, definitions, recursive, within) for key, item in node.items()
            }
        case list():
            return [_inline(item, definitions, recursive, within) for item in node]
    return node
