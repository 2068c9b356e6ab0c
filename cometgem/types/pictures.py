"""Pictures of PIL as files. PIL is not imported: what has its methods is taken for its images."""

from io import BytesIO
from typing import Any, Protocol

__all__ = ["PictureLike", "encode_picture"]

# What PNG can store; https://pillow.readthedocs.io/en/stable/handbook/image-file-formats.html#png.
_PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
_JPEG_MODES = {"L", "RGB"}


class PictureLike(Protocol):
    """A `PIL.Image.Image`."""

    @property
    def mode(self) -> str:
        """The type of its pixels, such as "RGB"."""
        ...

    @property
    def format(self) -> str | None:
        """The format of the file that it was opened from; None if it was made or changed."""
        ...

    def convert(self, mode: str, /) -> "PictureLike":
        """Return it in another mode."""
        ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002  PIL's names
        """Write it to a file."""


def encode_picture(picture: PictureLike) -> tuple[bytes, str]:
    """Return a picture as a file and its media type.

    A picture that was opened from a JPEG file stays one, of the same quality: as PNG it would be
    several times as large.

    Raises:
        TypeError: It is not a picture of PIL.
    """
    if not all(hasattr(picture, name) for name in ("mode", "format", "convert", "save")):
        raise TypeError(f"image must be a PIL image, got {type(picture).__name__}")
    file = BytesIO()
    if picture.format == "JPEG" and picture.mode in _JPEG_MODES:
        picture.save(file, format="JPEG", quality="keep")
        return file.getvalue(), "image/jpeg"
    if picture.mode not in _PNG_MODES:
        # "PA", "La" and "RGBa" have transparency; "CMYK", "HSV", "LAB", "YCbCr" and "F" have none.
        picture = picture.convert("RGBA" if picture.mode in {"PA", "La", "RGBa"} else "RGB")
    picture.save(file, format="PNG")
    return file.getvalue(), "image/png"
