"""Dicts in place of structs: the API's own keys in either case, as the wire wants them.

A gateway may drop a snake_case key silently, so known ones become camelCase. Which keys are the
API's own is read off the structs; names that the caller made up (in ``args``, ``response``, JSON
schemas, schema ``properties``) are never touched. A key that is nearly a known one is a slip of
the pen and an error; one that is not like any passes, since the API is newer than the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from cometgem.errors import ConfigurationError
from cometgem.types.tools import Schema

__all__ = ["list_to_wire", "to_wire"]

# "generatonConfig" is 0.97 like "generationConfig"; "audioConfig" is 0.64 like "imageConfig". A
# longer slip than two letters is a word of its own: "thinkingBudgetMode" may well come one day.
_LIKE = 0.85
_SLIP = 2


class _Key(NamedTuple):
    wire: str
    struct: type[Struct] | None  # what a dict here stands for; None: the caller's own JSON
    container: type | None  # list or dict of it


def to_wire(value: object, struct: type[Struct], where: str) -> Any:
    """Return a struct as it is, and a dict with the API's own keys in camelCase.

    Args:
        value: What the caller gave.
        struct: What it stands for.
        where: Its name, for the error.

    Raises:
        ConfigurationError: It is neither, or a key in it is misspelt or given twice.
    """
    if isinstance(value, struct):
        return value
    if not isinstance(value, Mapping):
        raise _wrong_type(where, f"a {struct.__name__} or a dict", value)
    keys = _keys(struct)
    wire: dict[str, Any] = {}
    for name, item in value.items():
        key = keys.get(name) or _unknown_key(name, keys, struct, where)
        if key.wire in wire:
            raise ConfigurationError(f"{where} gives {key.wire!r} twice, in two spellings")
        wire[key.wire] = item if item is None else _value_to_wire(item, key, f"{where}.{name}")
    return wire


def list_to_wire(value: object, struct: type[Struct], where: str) -> list[Any]:
    """Do as ``to_wire`` with each item of a list."""
    if not isinstance(value, (list, tuple)):
        raise _wrong_type(where, f"a list of {struct.__name__} or dict", value)
    return [to_wire(item, struct, f"{where}[{at}]") for at, item in enumerate(value)]


def _value_to_wire(value: Any, key: _Key, where: str) -> Any:
    if key.struct is None:
        return value
    if key.container is list:
        return list_to_wire(value, key.struct, where)
    if key.container is dict and isinstance(value, Mapping):
        return {name: to_wire(item, key.struct, f"{where}.{name}") for name, item in value.items()}
    return to_wire(value, key.struct, where)


@cache
def _keys(struct: type[Struct]) -> dict[str, _Key]:
    """Return the struct's keys under both of their spellings."""
    keys: dict[str, _Key] = {}
    for field in fields(struct):
        key = _Key(field.encode_name, *_find_struct(field.type))
        keys[field.name] = keys[field.encode_name] = key
    return keys


def _find_struct(annotation: Any) -> tuple[type[Struct] | None, type | None]:
    origin = get_origin(annotation)
    for inner in get_args(annotation) if origin else (annotation,):
        if isinstance(inner, type) and issubclass(inner, Struct):
            return inner, origin if origin in (list, dict) else None
        if get_origin(inner) and (found := _find_struct(inner))[0]:
            return found
    return None, None


def _unknown_key(name: object, keys: dict[str, _Key], struct: type[Struct], where: str) -> _Key:
    if not isinstance(name, str):
        raise _wrong_type(f"a key of {where}", "a str", name)
    head, *words = name.split("_")
    camel = head + "".join(word[:1].upper() + word[1:] for word in words) if head else name
    if struct is Schema:  # JSON Schema has more words than the API, "examples" beside "example"
        return _Key(name, None, None)
    likeness = {key.wire: _likeness(camel, key.wire) for key in keys.values()}
    nearest = max(likeness, key=likeness.__getitem__, default="")
    if likeness.get(nearest, 0) >= _LIKE:
        raise ConfigurationError(f"{where} has no key {name!r}: did you mean {nearest!r}?")
    return _Key(camel, None, None)


def _likeness(one: str, other: str) -> float:
    if abs(len(one) - len(other)) > _SLIP:
        return 0.0
    from difflib import SequenceMatcher  # noqa: PLC0415  for those who misspell

    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _wrong_type(where: str, wanted: str, value: object) -> ConfigurationError:
    return ConfigurationError(f"{where} must be {wanted}, got {type(value).__name__}")
