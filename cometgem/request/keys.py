"""Dicts in place of structs, with the API's own keys in camelCase or snake_case.

A gateway may silently drop a snake_case key, so they are sent as camelCase. The structs define
which keys are the API's own; names that the caller chose (in ``args``, ``response``, JSON schemas,
schema ``properties``) are never changed. A key that is close to a known one is taken for a typo
and refused; any other passes, since the API may be newer than the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from cometgem.errors import ConfigurationError
from cometgem.types.tools import Schema
from cometgem.types.unknown import UNKNOWN

__all__ = ["list_to_wire", "to_wire"]

# The similarity of "generatonConfig" and "generationConfig" is 0.97, that of "audioConfig" and
# "imageConfig" is 0.64. A key that is more than two letters longer or shorter is not a typo but a
# different word: the API may add a "thinkingBudgetMode".
_TYPO_SIMILARITY = 0.85
_TYPO_LENGTH = 2


class _Key(NamedTuple):
    wire: str
    struct: type[Struct] | None  # that a dict here stands for; None for the caller's own JSON
    container: type | None  # list or dict if the value is one of these structs


def to_wire(value: object, struct: type[Struct], where: str) -> Any:
    """Return a struct unchanged, and a dict with the API's own keys in camelCase.

    Args:
        value: The caller's struct or dict.
        struct: The struct that a dict stands for.
        where: The path of the value, for error messages.

    Raises:
        ConfigurationError: It is neither, or has a key that is misspelt or given twice.
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
    """Apply ``to_wire`` to each item of a list."""
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
    """Return the struct's keys, each in both spellings."""
    keys: dict[str, _Key] = {}
    for field in fields(struct):
        if field.encode_name == UNKNOWN:  # a dict has such keys itself
            continue
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
    if struct is Schema:  # JSON Schema has similar keywords: "examples" for "example"
        return _Key(name, None, None)
    similarity = {key.wire: _similarity(camel, key.wire) for key in keys.values()}
    nearest = max(similarity, key=similarity.__getitem__, default="")
    if similarity.get(nearest, 0) >= _TYPO_SIMILARITY:
        raise ConfigurationError(f"{where} has no key {name!r}: did you mean {nearest!r}?")
    return _Key(camel, None, None)


def _similarity(one: str, other: str) -> float:
    if abs(len(one) - len(other)) > _TYPO_LENGTH:
        return 0.0
    from difflib import SequenceMatcher  # noqa: PLC0415  only needed for unknown keys

    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _wrong_type(where: str, expected: str, value: object) -> ConfigurationError:
    return ConfigurationError(f"{where} must be {expected}, got {type(value).__name__}")
