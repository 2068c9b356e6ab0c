"""`Part.from_image`, with images of PIL."""

from __future__ import annotations

import io
from typing import Any

import pytest

from cometgem import Part
from cometgem.types import MediaResolution

pictures = pytest.importorskip("PIL.Image")


def opened(mode: str, name: str, **options: Any) -> Any:
    """Return a picture that was opened from a file of a format."""
    file = io.BytesIO()
    pictures.new(mode, (8, 5), 200 if mode == "L" else None).save(file, name, **options)
    return pictures.open(io.BytesIO(file.getvalue()))


def read(part: Part) -> tuple[str, Any]:
    assert part.inline_data is not None
    return part.inline_data.mime_type, pictures.open(io.BytesIO(part.inline_data.data))


@pytest.mark.parametrize(
    ("mode", "sent"),
    [
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("L", "L"),
        ("LA", "LA"),
        ("1", "1"),
        ("P", "P"),
        ("I;16", "I;16"),
        ("CMYK", "RGB"),
        ("HSV", "RGB"),
        ("YCbCr", "RGB"),
        ("PA", "RGBA"),
    ],
)
def test_a_picture_is_sent_as_png(mode: str, sent: str) -> None:
    mime_type, picture = read(Part.from_image(pictures.new(mode, (8, 5))))
    assert (mime_type, picture.format) == ("image/png", "PNG")
    assert (picture.mode, picture.size) == (sent, (8, 5))


def test_a_jpeg_stays_one_and_keeps_its_quality() -> None:
    picture = opened("RGB", "JPEG", quality=30)
    mime_type, sent = read(Part.from_image(picture))
    assert (mime_type, sent.format) == ("image/jpeg", "JPEG")
    assert sent.quantization == picture.quantization
    assert read(Part.from_image(picture.rotate(90)))[0] == "image/png"
    assert read(Part.from_image(opened("CMYK", "JPEG")))[1].mode == "RGB"


def test_the_media_resolution() -> None:
    part = Part.from_image(pictures.new("L", (1, 1)), media_resolution="high")
    assert part.media_resolution == MediaResolution(level="MEDIA_RESOLUTION_HIGH")


@pytest.mark.parametrize("given", [b"\x89PNG", "a.png", None, 5])
def test_other_things_are_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=f"image must be a PIL image, got {type(given).__name__}"):
        Part.from_image(given)
