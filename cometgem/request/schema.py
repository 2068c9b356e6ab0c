"""The JSON schema of a Python type, with references only where a type contains itself."""

from __future__ import annotations

from typing import Any

import msgspec

from cometgem.errors import ConfigurationError

__all__ = ["json_schema"]

# msgspec omits the type of an enum, which some models require.
_JSON_TYPES = {str: "string", int: "integer"}


def json_schema(annotation: Any, recursive: dict[str, Any], what: str) -> dict[str, Any]:
    """Return a type's schema with references inlined, since some models do not follow them.

    Args:
        annotation: The type.
        recursive: Receives the types that contain themselves; only these remain references.
        what: What has this type, for the error message.

    Raises:
        ConfigurationError: The type cannot be expressed in JSON Schema.
    """
    try:
        schema = msgspec.json.schema(annotation)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[-1]
        raise ConfigurationError(f"{what} cannot be declared: {reason}") from error
    definitions = schema.pop("$defs", {})
    resolved: dict[str, Any] = _inline(schema, definitions, recursive, ())
    return resolved


def _inline(
    node: Any, definitions: dict[str, Any], recursive: dict[str, Any], within: tuple[str, ...]
) -> Any:
    match node:
        case {"$ref": str(path), **others}:
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
