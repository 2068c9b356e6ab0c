"""JSON as sloppy servers send it becomes JSON as the types want it.

What they are known to get wrong: null for an empty list or object, numbers in strings, URL-safe
or unpadded base64. Only payloads that fail the strict decoder come here, and only they pay for
the import.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import inspect

__all__ = ["mend"]

_URL_SAFE = str.maketrans("-_", "+/", " \r\n\t=")


def mend(document: object, struct: type) -> Any:
    """Return the document in the shape of the struct, as far as it can be brought there.

    What is the sender's own JSON, such as the ``args`` of a call, is left as it is, with its nulls.
    """
    return _mend(document, _type_info(struct))


_type_info = cache(inspect.type_info)


def _mend(value: Any, kind: inspect.Type) -> Any:
    match kind, value:
        case inspect.UnionType(), _ if value is not None:
            return _mend(value, next(one for one in kind.types if not _takes_none(one)))
        case inspect.StructType(), dict():
            kinds = {field.encode_name: field.type for field in kind.fields}
            return {
                key: _mend(item, kinds[key])
                for key, item in value.items()
                if key in kinds and (item is not None or _takes_none(kinds[key]))
            }
        case inspect.ListType(), list():
            return [_mend(item, kind.item_type) for item in value if item is not None]
        case inspect.BytesType(), str():
            text = value.translate(_URL_SAFE)
            return text + "=" * (-len(text) % 4)
        case ((inspect.IntType() | inspect.FloatType()), (str() | float())):
            return _number(value)
    return value


def _takes_none(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(map(_takes_none, kind.types))
    return isinstance(kind, (inspect.AnyType, inspect.NoneType))


def _number(value: str | float) -> float | str:
    """Return the number that a string holds, and a whole number as an int: 3.0 tokens are 3."""
    try:
        return int(value) if isinstance(value, str) else _whole(value)
    except ValueError:
        pass
    try:
        return _whole(float(value))
    except ValueError:
        return value


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number
