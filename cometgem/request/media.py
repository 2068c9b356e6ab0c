"""Media that functions return: parts of the response, beside its JSON.

https://ai.google.dev/gemini-api/docs/function-calling#multimodal
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from cometgem.types.content import (
    Blob,
    FileData,
    FunctionResponseBlob,
    FunctionResponseFileData,
    FunctionResponsePart,
    Part,
)

__all__ = ["encode_images", "has_images", "is_media_type", "split_media"]

_BYTES = (bytes, bytearray, memoryview)

# The formats of https://ai.google.dev/gemini-api/docs/image-understanding that PIL writes.
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_PNG_MODES = {"1", "I;16", "L", "LA", "P", "RGB", "RGBA"}

# How to read media; a part and a part of a response have these fields in common.
_READING = (
    *("media_processing", "media_resolution", "video_metadata", "audio_metadata"),
    *("document_metadata", "spreadsheet_metadata"),
)


def split_media(result: object) -> tuple[object, list[FunctionResponsePart]]:
    """Return what remains of a result as JSON, and its media.

    A list with media is taken apart; if one other item remains, it is the result.

    Raises:
        TypeError: A part is not text or media.
        ValueError: An image cannot be encoded.
    """
    if isinstance(result, (list, tuple)) and not _is_typed_bytes(result):
        read = [_read(one) for one in result]
        if not any(isinstance(one, (FunctionResponsePart, _Text)) for one in read):
            return result, []
        media = [one for one in read if isinstance(one, FunctionResponsePart)]
        rest = [
            one.text if isinstance(one, _Text) else one
            for one in read
            if not isinstance(one, FunctionResponsePart)
        ]
        return ({} if not rest else rest[0] if len(rest) == 1 else rest), media
    read_one = _read(result)
    if isinstance(read_one, FunctionResponsePart):
        return {}, [read_one]
    return (read_one.text if isinstance(read_one, _Text) else read_one), []


def has_images(result: object) -> bool:
    """Return whether a result is an image of PIL, or a list with some; PIL is never imported."""
    items = result if isinstance(result, (list, tuple)) else (result,)
    return any(_is_image_type(type(one)) for one in items)


def encode_images(result: object) -> object:
    """Return the result with its images as blobs; for a worker thread, since that takes time.

    Raises:
        ValueError: An image cannot be encoded.
    """
    if not has_images(result):
        return result
    if isinstance(result, (list, tuple)):
        return [_encode_image(one) if _is_image_type(type(one)) else one for one in result]
    return _encode_image(result)


def is_media_type(annotation: Any) -> bool:
    """Return whether values of a type are media, whose schema says nothing."""
    if not isinstance(annotation, type):
        return False
    names = {(one.__module__, one.__name__) for one in annotation.__mro__}
    return (
        issubclass(annotation, (Part, Blob, FileData, *_BYTES)) or ("PIL.Image", "Image") in names
    )


def _is_image_type(kind: type) -> bool:
    return any(one.__name__ == "Image" and one.__module__ == "PIL.Image" for one in kind.__mro__)


class _Text:
    """The text of a part."""

    def __init__(self, text: str) -> None:
        self.text = text


def _read(value: Any) -> object:
    """Return a part of the response, a text, or the value itself."""
    if isinstance(value, Part):
        return _read_part(value)
    if _is_typed_bytes(value):
        value = Blob(data=bytes(value[0]), mime_type=value[1])
    elif _is_image_type(type(value)):
        value = _encode_image(value)
    if isinstance(value, Blob):
        blob = FunctionResponseBlob(
            data=value.data, mime_type=value.mime_type, display_name=value.display_name
        )
        return FunctionResponsePart(inline_data=blob)
    if isinstance(value, FileData):
        file = FunctionResponseFileData(
            file_uri=value.file_uri, mime_type=value.mime_type, display_name=value.display_name
        )
        return FunctionResponsePart(file_data=file)
    return value


def _read_part(part: Part) -> object:
    if part.inline_data is not None or part.file_data is not None:
        made = _read(part.inline_data if part.inline_data is not None else part.file_data)
        for name in _READING:
            setattr(made, name, getattr(part, name))
        return made
    if part.text is not None:
        return _Text(part.text)
    raise TypeError("a function may return parts with text, inline_data or file_data only")


def _is_typed_bytes(value: Any) -> bool:
    """Return whether it is a tuple such as (b"...", "image/png")."""
    return (
        type(value) is tuple
        and len(value) == 2  # noqa: PLR2004  data and type
        and isinstance(value[0], _BYTES)
        and isinstance(value[1], str)
        and "/" in value[1]
    )


def _encode_image(image: Any) -> Blob:
    """Write an image in the format it was read from, or as PNG."""
    kind = image.format if image.format in _FORMATS else "PNG"
    if kind == "PNG" and image.mode not in _PNG_MODES:
        image = image.convert("RGB")
    stream = BytesIO()
    try:
        image.save(stream, format=kind)
    except Exception as error:  # PIL raises various errors, such as for a closed file
        raise ValueError(f"the image cannot be encoded: {error}") from error
    return Blob(data=stream.getvalue(), mime_type=_FORMATS[kind])
