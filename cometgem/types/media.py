"""Media in an answer: pictures and sound. No I/O except `save`."""

from base64 import b64encode
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Self

from cometgem.types.content import Blob, Part
from cometgem.types.image_size import image_size
from cometgem.types.saving import save_media
from cometgem.types.wav import join_audio, wav_seconds

__all__ = ["Audio", "Image", "audio_of", "images_of"]

# What notebooks show directly. WebP and AVIF are shown by browsers only, so as HTML.
_SHOWN = {"image/png", "image/jpeg", "image/gif"}
_SHOWN_AS_HTML = {"image/webp", "image/avif"}


class _Media(Blob, kw_only=True):
    """Media that an answer contains; equal to a `Blob` with the same fields."""

    @classmethod
    def of(cls, blob: Blob) -> Self:
        """Return the media in a blob."""
        return cls(data=blob.data, mime_type=blob.mime_type, display_name=blob.display_name)

    def __eq__(self, other: object) -> bool:
        # Struct's own `==` requires the same type.
        if not isinstance(other, Blob):
            return NotImplemented
        mine = (self.data, self.mime_type, self.display_name)
        return mine == (other.data, other.mime_type, other.display_name)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the file and return its path; blocks while it writes.

        Args:
            path: Where to. A file of that name is replaced. Without a known extension, that of
                the media type is added: ``save("comet")`` writes ``comet.png``.

        Raises:
            OSError: The file cannot be written.
            ValueError: The path has no name.
        """
        return save_media(path, self.data, self.mime_type)


class Image(_Media, kw_only=True):
    """A picture in an answer. Notebooks display it.

    To have it edited, send it back: ``Part(inline_data=image)``.
    """

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, read from the header of PNG, JPEG, GIF, WebP and BMP.

        None for other formats. A rotation that a camera noted beside the picture does not count.
        """
        return image_size(self.data)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return what Jupyter displays."""
        encoded = b64encode(self.data).decode()
        if self.mime_type in _SHOWN:
            return {self.mime_type: encoded, "text/plain": repr(self)}
        if self.mime_type in _SHOWN_AS_HTML:
            source = f"data:{self.mime_type};base64,{encoded}"
            return {"text/html": f'<img src="{source}">', "text/plain": repr(self)}
        return {"text/plain": repr(self)}


class Audio(_Media, kw_only=True):
    """The sound of an answer: a complete WAV file, or what the model sent if that is not PCM."""

    @property
    def seconds(self) -> float | None:
        """How long it plays; None if it is not WAV with PCM."""
        return wav_seconds(self.data)


def images_of(parts: Iterable[Part]) -> list[Image]:
    """Return the pictures in the parts of an answer, without those in the model's thinking."""
    return [Image.of(blob) for blob in _media(parts, "image/")]


def audio_of(parts: Iterable[Part]) -> Audio | None:
    """Return the sound in the parts of an answer, joined; None if there is none.

    Raises:
        ValueError: The parts cannot be joined, since they differ in format.
    """
    joined = join_audio([(blob.data, blob.mime_type) for blob in _media(parts, "audio/")])
    return Audio(data=joined[0], mime_type=joined[1]) if joined else None


def _media(parts: Iterable[Part], kind: str) -> list[Blob]:
    return [
        part.inline_data
        for part in parts
        if part.inline_data and not part.thought and part.inline_data.mime_type.startswith(kind)
    ]
