"""Texts on the fields of classes, as in ``Annotated[str, "text"]``, which msgspec does not read."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, get_type_hints

import msgspec

__all__ = ["add_field_texts", "text_of"]


def text_of(metadata: Any) -> str | None:
    """Return a text, or that of ``Doc("text")``; None if the metadata is something else."""
    text = getattr(metadata, "documentation", metadata)
    return text if isinstance(text, str) and text else None


def add_field_texts(annotation: Any, definitions: dict[str, Any]) -> None:
    """Add the texts on fields, of each class that an annotation mentions, to its definition.

    Args:
        annotation: The type whose schema has the definitions.
        definitions: ``$defs`` of the schema, changed in place.
    """
    todo, seen = [annotation], set()
    while todo:
        one = todo.pop()
        todo += get_args(one)
        kind = get_origin(one) or one
        if not isinstance(kind, type) or kind in seen or not hasattr(kind, "__annotations__"):
            continue
        seen.add(kind)
        with suppress(Exception):  # an annotation that cannot be evaluated, or not of msgspec's
            hints = get_type_hints(kind, include_extras=True)
            todo += hints.values()
            _add(hints, definitions[_definition_name(one)].get("properties", {}), kind)


def _definition_name(kind: Any) -> str:
    ((reference,), _) = msgspec.json.schema_components([kind])
    return str(reference["$ref"]).rpartition("/")[2]


def _add(hints: dict[str, Any], properties: dict[str, Any], kind: type) -> None:
    names = {}
    if issubclass(kind, msgspec.Struct):
        names = {one.name: one.encode_name for one in msgspec.structs.fields(kind)}
    for name, hint in hints.items():
        key = names.get(name, name)
        text = next(filter(None, map(text_of, _metadata(hint))), None)
        if key in properties and text is not None:
            properties[key] = {"description": text, **properties[key]}


def _metadata(hint: Any) -> tuple[Any, ...]:
    while get_origin(hint) in (Required, NotRequired):
        hint = get_args(hint)[0]
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()
