"""Repairs JSON from sloppy servers so that it fits the types.

Known mistakes are null for an empty list or object, numbers in strings, and URL-safe or unpadded
base64. Parts with keys newer than the library are no mistake, but cannot be decoded without this
module either. Only payloads that fail the strict decoder come here, and only they pay for the
import.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import inspect

from cometgem.types.unknown import UNKNOWN

__all__ = ["mend"]

_URL_SAFE = str.maketrans("-_", "+/", " \r\n\t=")


def mend(document: object, struct: type) -> Any:
    """Return the document, repaired as far as possible to fit the struct.

    Free-form JSON, such as the ``args`` of a call, is left unchanged, including nulls. The keys
    of a part that its struct does not have are moved to ``unknown``, unless they are null.
    """
    return _mend(document, _type_info(struct))


_type_info = cache(inspect.type_info)


def _mend(value: Any, kind: inspect.Type) -> Any:
    match kind, value:
        case inspect.UnionType(), _ if value is not None:
            return _mend(value, next(member for member in kind.types if not _takes_none(member)))
        case inspect.StructType(), dict():
            kinds = {field.encode_name: field.type for field in kind.fields}
            keeps_unknown = kinds.pop(UNKNOWN, None) is not None
            mended = {
                key: _mend(item, kinds[key])
                for key, item in value.items()
                if key in kinds and (item is not None or _takes_none(kinds[key]))
            }
            if keeps_unknown and (unknown := _unknown(value, kinds)):
                mended[UNKNOWN] = unknown
            return mended
        case inspect.ListType(), list():
            return [_mend(item, kind.item_type) for item in value if item is not None]
        case inspect.BytesType(), str():
            text = value.translate(_URL_SAFE)
            return text + "=" * (-len(text) % 4)
        case ((inspect.IntType() | inspect.FloatType()), (str() | float())):
            return _number(value)
    return value


def _unknown(value: dict[str, Any], kinds: dict[str, inspect.Type]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in kinds and item is not None}


def _takes_none(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(map(_takes_none, kind.types))
    return isinstance(kind, (inspect.AnyType, inspect.NoneType))


def _number(value: str | float) -> float | str:
    """Return the number in a string, and integral floats as int: 3.0 tokens are 3."""
    try:
        return int(value) if isinstance(value, str) else _integral_as_int(value)
    except ValueError:
        pass
    try:
        return _integral_as_int(float(value))
    except ValueError:
        return value


def _integral_as_int(number: float) -> float:
    return int(number) if number.is_integer() else number
