"""The only JSON encoders and decoders.

Decoding is strict and typed first. Only payloads that fail are parsed again leniently (invalid
UTF-8 is replaced, control characters are allowed in strings), repaired, and converted.
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

# The longest token of JSON; the parser reports a cut one at its beginning.
_LONGEST_TOKEN = len(r"\u00e9")

_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode_chunk(data: bytes) -> GenerateContentResponse:
    """Decode one ``GenerateContentResponse`` and keep its exact JSON as ``raw``.

    Raises:
        ResponseDecodeError: It is not JSON, or it cannot be repaired to the expected shape.
    """
    try:
        chunk = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        chunk = _decode_leniently(data)
    chunk.__dict__["raw"] = data
    return chunk


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
        return error.msg.startswith("Unterminated") or error.pos >= len(text) - _LONGEST_TOKEN
    except RecursionError:
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
        what, path = _split_path(str(error))
        raise ResponseDecodeError(
            f"the server sent JSON of an unexpected shape ({what})",
            path=path,
            excerpt=excerpt(data),
        ) from None


def _split_path(message: str) -> tuple[str, str]:
    match = _PATH.search(message)
    return (message[: match.start()], match["path"]) if match else (message, "$")
