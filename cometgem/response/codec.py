"""The only JSON encoders and decoders.

Decoding is strict and typed first. Only what fails is read once more with forgiveness (invalid
UTF-8 is replaced, control characters may stand in strings), mended, and converted.
"""

from __future__ import annotations

import json
import re

import msgspec

from cometgem.errors import ResponseDecodeError
from cometgem.types.response import GenerateContentResponse

__all__ = ["EXCERPT", "decode_chunk", "excerpt", "is_cut", "parse_json"]

EXCERPT = 200

_decode = msgspec.json.Decoder(GenerateContentResponse).decode

# Of JSON; half a "false" or half an escape is found at its beginning.
_LONGEST_WORD = len(r"\u00e9")

_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


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
    text = data.decode("utf-8-sig", "replace")
    try:
        value = json.loads(text, strict=False)
        if _SURROGATE.search(text):
            value = json.loads(_whole_characters(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return value


def is_cut(data: bytes) -> bool:
    """Tell whether the bytes are JSON as far as they go, and stop before its end."""
    text = data.decode("utf-8-sig", "replace").rstrip()
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated") or error.pos >= len(text) - _LONGEST_WORD
    except RecursionError:
        pass
    return False


def excerpt(data: bytes) -> str:
    """Return the start of the bytes as text, to show in an error."""
    return data[:EXCERPT].decode("utf-8", "replace")


def _whole_characters(text: str) -> str:
    """Replace half a surrogate pair, which a gateway leaves that cuts its text in UTF-16."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decode_mended(data: bytes) -> GenerateContentResponse:
    document = parse_json(data)
    if document is None:
        raise ResponseDecodeError("the server sent no JSON", excerpt=excerpt(data))
    from cometgem.response.lenient import mend  # noqa: PLC0415  for those who need it

    try:
        return msgspec.convert(mend(document, GenerateContentResponse), GenerateContentResponse)
    except (msgspec.ValidationError, RecursionError) as error:
        what, path = _split_path(str(error))
        raise ResponseDecodeError(
            f"the server sent JSON of another shape ({what})", path=path, excerpt=excerpt(data)
        ) from None


def _split_path(message: str) -> tuple[str, str]:
    match = _PATH.search(message)
    return (message[: match.start()], match["path"]) if match else (message, "$")
