"""The only JSON encoders and decoders.

Decoding is strict and typed first. Only what fails is mended, the way servers are known to be
sloppy, and decoded again: null for an empty list or object, numbers in strings, URL-safe or
unpadded base64, invalid UTF-8, control characters inside strings.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from cometgem.errors import ResponseDecodeError
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import inspect

__all__ = ["EXCERPT", "decode_chunk", "encode", "excerpt", "parse_json"]

EXCERPT = 200

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode

_decode = msgspec.json.Decoder(GenerateContentResponse).decode

_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_URL_SAFE = str.maketrans("-_", "+/", " \r\n\t=")


def decode_chunk(data: bytes) -> GenerateContentResponse:
    """Decode one ``GenerateContentResponse`` and keep its exact JSON as ``raw``.

    Raises:
        ResponseDecodeError: It is no JSON, or not of this shape even when mended.
    """
    try:
        chunk = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        chunk = _decode_mended(data)
    chunk.__dict__["raw"] = data
    return chunk


def parse_json(data: bytes) -> object:
    """Return the JSON value in the bytes, or None where they hold none."""
    try:
        return json.loads(data.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def excerpt(data: bytes) -> str:
    """Return the start of the bytes as text, to show in an error."""
    return data[:EXCERPT].decode("utf-8", "replace")


def _decode_mended(data: bytes) -> GenerateContentResponse:
    document = parse_json(data)
    if document is None:
        raise ResponseDecodeError("the server sent no JSON", excerpt=excerpt(data))
    try:
        return msgspec.convert(_mend(document, _type_of_response()), GenerateContentResponse)
    except (msgspec.ValidationError, RecursionError) as error:
        what, path = _split_path(str(error))
        raise ResponseDecodeError(
            f"the server sent JSON of another shape ({what})", path=path, excerpt=excerpt(data)
        ) from None


@cache
def _type_of_response() -> inspect.Type:
    # Imported here: only the rare sloppy payload pays for it; some servers send nothing else.
    from msgspec import inspect  # noqa: PLC0415

    return inspect.type_info(GenerateContentResponse)


def _mend(value: Any, kind: Any) -> Any:  # noqa: PLR0911  a case for each kind
    """Return the value as the type wants it, as far as it is known how servers get it wrong."""
    match type(kind).__name__, value:
        case "UnionType", _:
            return None if value is None else _mend(value, _not_none(kind))
        case "StructType", dict():
            types = {field.encode_name: field.type for field in kind.fields}
            return {
                key: _mend(item, types[key])
                for key, item in value.items()
                if key in types and (item is not None or _takes_none(types[key]))
            }
        case "ListType", list():
            return [_mend(item, kind.item_type) for item in value if item is not None]
        case "BytesType", str():
            text = value.translate(_URL_SAFE)
            return text + "=" * (-len(text) % 4)
        case (("IntType" | "FloatType"), str()):
            return _number(value)
        case "IntType", float() if value.is_integer():
            return int(value)
    return value


def _not_none(union: Any) -> Any:
    return next(kind for kind in union.types if type(kind).__name__ != "NoneType")


def _takes_none(kind: Any) -> bool:
    name = type(kind).__name__
    return name == "AnyType" or (
        name == "UnionType" and any(type(one).__name__ == "NoneType" for one in kind.types)
    )


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _split_path(message: str) -> tuple[str, str]:
    match = _PATH.search(message)
    return (message[: match.start()], match["path"]) if match else (message, "$")
