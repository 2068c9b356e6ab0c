"""Keys of a part that are newer than the library. No I/O.

They are kept in one field of the struct, under a name that no key of the API can have, and written
as keys of the part itself. Encoding looks for that name in what it wrote: only values that have
such parts pay for them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import msgspec
from msgspec.structs import fields, replace

__all__ = ["MARKER", "UNKNOWN", "inlined"]

UNKNOWN = "cometgem:unknown"
"""The wire name of the field; it is never sent."""

MARKER = b'"cometgem:unknown":'
"""What JSON contains if, and only if, a struct with such keys or a dict with this key is in it."""


def inlined(value: Any) -> Any:
    """Return the value with each part that has unknown keys replaced by its dict.

    Whatever has no such parts is returned itself, not a copy. The dicts in a struct's fields are
    free-form JSON, such as the ``args`` of a call, and hold no parts.
    """
    if isinstance(value, (list, tuple)):
        items = []
        changed = False
        for item in value:
            new = inlined(item)
            changed = changed or new is not item
            items.append(new)
        return items if changed else value
    if isinstance(value, dict):
        changes = {}
        for key, item in value.items():
            if (new := inlined(item)) is not item:
                changes[key] = new
        return value | changes if changes else value
    return _inlined_struct(value) if isinstance(value, msgspec.Struct) else value


def _inlined_struct(struct: msgspec.Struct) -> Any:
    kind = type(struct)
    if _has_unknown(kind) and (unknown := getattr(struct, "unknown", None)):
        own = msgspec.to_builtins(replace(struct, unknown=None), str_keys=True)
        return own | {key: unknown[key] for key in unknown if key not in own}
    changes = {}
    for name in _holding(kind):
        item = getattr(struct, name)
        if (new := inlined(item)) is not item:
            changes[name] = new
    return replace(struct, **changes) if changes else struct


@cache
def _has_unknown(struct: type[msgspec.Struct]) -> bool:
    return UNKNOWN in struct.__struct_encode_fields__


@cache
def _holding(struct: type[msgspec.Struct]) -> list[str]:
    """Return the names of the fields that may hold parts."""
    return [field.name for field in fields(struct) if _holds(field.type, frozenset())]


def _holds(kind: Any, within: frozenset[Any]) -> bool:
    if kind in within:  # a schema contains schemas
        return False
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        inner: list[Any] = [field.type for field in fields(kind)]
        if _has_unknown(kind):
            return True
    else:
        inner = [*get_args(kind)]
    return any(_holds(one, within | {kind}) for one in inner)
