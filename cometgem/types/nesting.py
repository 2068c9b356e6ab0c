"""Copies values of any depth. No I/O.

``copy.deepcopy`` and ``pickle`` recurse, so a server or a model could make them fail with 500
lists within each other. Here such values become a flat list first, without recursion.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple, TypeVar

from cometgem.types.wire import Wire

__all__ = ["deep_copy", "flatten", "unflatten"]

_T = TypeVar("_T")


class _Node(NamedTuple):
    """The place of a list, dict or struct in the flat list."""

    at: int


def deep_copy(value: _T) -> _T:
    """Return a copy that shares no list, dict or struct with the value."""
    copied: _T = unflatten(flatten(value), copy_leaves=True)
    return copied


def flatten(value: object) -> list[Any]:
    """Return all lists, dicts and structs in the value, one after the other."""
    found: list[Any] = [[value]]
    places: dict[int, _Node] = {}  # of those that occur twice, too

    def place(item: Any) -> Any:
        if not (type(item) in (list, dict) or isinstance(item, Wire)):
            return item
        if id(item) not in places:
            places[id(item)] = _Node(len(found))
            found.append(item)
        return places[id(item)]

    flat: list[Any] = []
    for item in found:  # grows meanwhile
        if type(item) is list:
            flat.append([place(inner) for inner in item])
        elif type(item) is dict:
            flat.append({key: place(inner) for key, inner in item.items()})
        else:
            names = [*item.__struct_fields__, *_outside(item)]
            flat.append((type(item), {name: place(getattr(item, name)) for name in names}))
    return flat


def unflatten(flat: list[Any], *, copy_leaves: bool = False) -> Any:
    """Return a value equal to that which was flattened."""
    made = [item[0]() if type(item) is tuple else type(item)() for item in flat]

    def filled(item: Any) -> Any:
        if type(item) is _Node:
            return made[item.at]
        return deepcopy(item) if copy_leaves else item

    for new, item in zip(made, flat, strict=True):
        if type(item) is list:
            new.extend(filled(inner) for inner in item)
        elif type(item) is dict:
            new.update((key, filled(inner)) for key, inner in item.items())
        else:
            for name, inner in item[1].items():
                setattr(new, name, filled(inner))
    return made[0][0]


def _outside(struct: Wire) -> list[str]:
    """Return the attributes outside the fields that are kept; others describe the original."""
    return [name for name in getattr(struct, "__dict__", ()) if name not in ("raw", "call_index")]
