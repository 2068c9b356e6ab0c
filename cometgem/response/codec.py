"""The only JSON encoders and decoders.

Decoding is strict and typed first. Only payloads that fail are parsed again leniently (invalid
UTF-8 is replaced, control characters are allowed in strings), repaired, and converted.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from cometgem.errors import EventTooLargeError, ResponseDecodeError
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from cometgem.response.buffer import Data

__all__ = [
    "EXCERPT",
    "check_values",
    "decode_chunk",
    "excerpt",
    "is_cut",
    "is_within",
    "parse_json",
    "split_path",
]

EXCERPT = 200

# An empty object of 3 bytes becomes a struct of up to 250. More than this many objects and lists
# in one event must have this many bytes each; no model's answer comes close.
MAX_VALUES = 100_000
_BYTES_PER_VALUE = 32
_NEVER_TOO_MANY = MAX_VALUES * len(b"{},")
_WINDOW = 4096
_SLICE = 1 << 18

_decode = msgspec.json.Decoder(GenerateContentResponse).decode

# What may be left of a token that was cut; the parser reports it at its beginning, but a number
# at the first character that it could not use.
_CUT_TOKEN = re.compile(r"t|tr|tru|f|fa|fal|fals|n|nu|nul|-|\.|[eE][+-]?|")
_LONGEST_ESCAPE = len(r"\u00e9")

_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode_chunk(data: Data) -> GenerateContentResponse:
    """Decode one ``GenerateContentResponse`` and keep its exact JSON as ``raw``.

    Raises:
        ResponseDecodeError: It is not JSON, or it cannot be repaired to the expected shape.
        EventTooLargeError: It has too many objects and lists for its size.
    """
    if len(data) > _NEVER_TOO_MANY:
        check_values(data)
    try:
        chunk = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        chunk = _decode_leniently(bytes(data))
    chunk.__dict__["raw"] = data
    return chunk


def check_values(data: Data) -> None:
    """Refuse JSON that would take many times its size in memory.

    It may have 100,000 objects and lists, and one more for every 32 bytes. One search for commas
    skips the long strings of images, so the cost of these is a hundredth of decoding them.

    Raises:
        EventTooLargeError: It has more.
    """
    limit = MAX_VALUES + len(data) // _BYTES_PER_VALUE
    # In slices, since a view cannot be searched, and a copy of a slice stays in the cache.
    slices = (bytes(data[at : at + _SLICE]) for at in range(0, len(data), _SLICE))
    values = sum(map(_count_values, slices))
    if values > limit:
        raise EventTooLargeError(values, limit, counted="objects and lists")


def _count_values(data: bytes) -> int:
    values = at = 0
    while (at := data.find(b",", at)) >= 0:
        end = at + _WINDOW
        values += data.count(b"{", at, end) + data.count(b"[", at, end)
        at = end
    return values


def is_within(value: object, depth: int) -> bool:
    """Whether the lists and objects of decoded JSON are nested at most this deep."""
    level: list[Any] = [value] if value and isinstance(value, (dict, list)) else []
    for _ in range(depth):
        if not level:
            break
        inner: list[Any] = []
        for outer in level:
            for item in outer.values() if type(outer) is dict else outer:
                kind = type(item)  # exact, and faster than isinstance()
                if (kind is dict or kind is list) and item:
                    inner.append(item)
        level = inner
    return not level


def parse_json(data: bytes) -> object:
    """Return the JSON value in the bytes, or None if they are not JSON."""
    text = data.decode("utf-8-sig", "replace")
    try:
        value = json.loads(text, strict=False)
        if _SURROGATE.search(text):
            value = json.loads(_replace_surrogates(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return value


def is_cut(data: bytes) -> bool:
    """Return whether the bytes are the beginning of a JSON value, cut off before its end."""
    text = data.decode("utf-8-sig", "replace").rstrip()
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Invalid \\u"):
            return error.pos >= len(text) - _LONGEST_ESCAPE
        return error.msg.startswith("Unterminated") or bool(_CUT_TOKEN.fullmatch(text, error.pos))
    except (ValueError, RecursionError):  # an integer of too many digits, or nested too deep
        pass
    return False


def excerpt(data: bytes) -> str:
    """Return the start of the bytes as text, to show in an error."""
    return data[:EXCERPT].decode("utf-8", "replace")


def _replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which a gateway leaves when it cuts text in UTF-16."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decode_leniently(data: bytes) -> GenerateContentResponse:
    document = parse_json(data)
    if document is None:
        raise ResponseDecodeError(
            "the server sent something that is not JSON", excerpt=excerpt(data)
        )
    from cometgem.response.lenient import mend  # noqa: PLC0415  only when needed

    try:
        return msgspec.convert(mend(document, GenerateContentResponse), GenerateContentResponse)
    except (msgspec.ValidationError, RecursionError) as error:
        what, path = split_path(str(error))
        raise ResponseDecodeError(
            f"the server sent JSON of an unexpected shape ({what})",
            path=path,
            excerpt=excerpt(data),
        ) from None


def split_path(message: str) -> tuple[str, str]:
    """Return msgspec's message without the JSON path at its end, and the path."""
    match = _PATH.search(message)
    return (message[: match.start()], match["path"]) if match else (message, "$")
