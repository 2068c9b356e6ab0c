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

_FIELD = "unknown"

MARKER = b'"cometgem:unknown":'
"""What JSON contains if, and only if, a struct with such keys or a dict with this key is in it."""


def inlined(value: Any) -> Any:
    """Return the value with each part that has unknown keys replaced by its dict.

    Whatever has no such parts is returned itself, not a copy. The dicts in a struct's fields are
    free-form JSON, such as the ``args`` of a call, and hold no parts.
    """
    if isinstance(value, msgspec.Struct):
        return _inlined_struct(value) if _has_unknown(value) else value
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
    return value


def _inlined_struct(struct: msgspec.Struct) -> Any:
    if unknown := getattr(struct, _FIELD, None):
        own = msgspec.to_builtins(replace(struct, **{_FIELD: None}), str_keys=True)
        return own | {key: unknown[key] for key in unknown if key not in own}
    return replace(struct, **{name: inlined(getattr(struct, name)) for name in _ways(type(struct))})


def _has_unknown(struct: msgspec.Struct) -> bool:
    """Whether a part in the struct, or the struct itself, has unknown keys."""
    # Types are looked up in a cache, since isinstance() with a struct takes twice as long.
    for name in _ways(type(struct)):
        item: Any = getattr(struct, name)
        if not item:
            continue
        if name == _FIELD:
            return True
        if type(item) in (list, tuple):
            for one in item:
                if _has_unknown(one):
                    return True
        elif _has_unknown(item):
            return True
    return False


@cache
def _ways(struct: type[Any]) -> list[str]:
    """Return the names of the fields that are or lead to unknown keys."""
    if not issubclass(struct, msgspec.Struct):
        return []
    found = [field.name for field in fields(struct) if _leads(field.type, frozenset())]
    return found + [_FIELD] * (UNKNOWN in struct.__struct_encode_fields__)


def _leads(kind: Any, within: frozenset[Any]) -> bool:
    if kind in within:  # a schema contains schemas
        return False
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return any(_leads(inner, within) for inner in get_args(kind))
    return UNKNOWN in kind.__struct_encode_fields__ or any(
        _leads(field.type, within | {kind}) for field in fields(kind)
    )
