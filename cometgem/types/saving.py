"""Writes media to a file, for `Image.save` and `Audio.save`."""

from os import PathLike
from pathlib import Path

from cometgem.types.mime import extension_of, type_of_extension

__all__ = ["path_with_extension", "save_media"]


def path_with_extension(path: str | PathLike[str], mime_type: str, data: bytes = b"") -> Path:
    """Return the path, with the extension of the media type if it has none that is known."""
    path = Path(path)
    if type_of_extension(path.suffix) is not None:
        return path
    # Not with_suffix(), which would replace the ".5" of "comet 1.5".
    return path.with_name(path.name + extension_of(mime_type, data))


def save_media(path: str | PathLike[str], data: bytes, mime_type: str) -> Path:
    """Write data to a file, replacing one of that name, and return its path.

    Args:
        path: The file; an extension is added if it has none that is known.
        data: The content.
        mime_type: Determines the extension.

    Raises:
        OSError: The file cannot be written.
        ValueError: The path has no name.
    """
    path = path_with_extension(path, mime_type, data)
    path.write_bytes(data)
    return path
