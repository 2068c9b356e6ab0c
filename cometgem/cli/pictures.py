"""Pictures that `cometgem generate --image-out` asks for and saves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.cli.files import path_of
from cometgem.cli.sentences import UsageError
from cometgem.types.mime import type_of_extension

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from cometgem.cli.terminal import Terminal
    from cometgem.types.response import GenerateContentResponse

__all__ = ["IMAGE_MODEL", "PictureFiles", "picture_config"]

IMAGE_MODEL = "gemini-3.1-flash-image"


def picture_config(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the generation config that ask for pictures.

    Raises:
        UsageError: ``--aspect`` or ``--size`` is given without ``--image-out``.
    """
    shape = {"aspectRatio": args.aspect, "imageSize": args.size}
    shape = {key: value for key, value in shape.items() if value is not None}
    if args.image_out is None:
        if shape:
            option = "--aspect" if args.aspect is not None else "--size"
            raise UsageError(f"{option} needs --image-out", program="cometgem generate")
        return {}
    config: dict[str, Any] = {"responseModalities": ["TEXT", "IMAGE"]}
    return config | {"imageConfig": shape} if shape else config


class PictureFiles:
    """Saves pictures as they arrive: the first as named, the next ones with -2, -3 ... added.

    Args:
        name: What was typed; it is checked before anything is sent, since a picture costs money.

    Attributes:
        count: How many pictures have arrived.
        failed: Whether one of them could not be written.

    Raises:
        UsageError: No file can be written there.
    """

    def __init__(self, name: str) -> None:
        self._path = path_of(name)
        self.count: int = 0
        self.failed: bool = False
        if not self._path.name or self._path.is_dir():
            raise UsageError(f"cannot write {name!r} (it is a folder; give the name of a file)")
        if not self._path.parent.is_dir():
            raise UsageError(
                f"cannot write {name!r} (the folder {str(self._path.parent)!r} does not exist)"
            )

    def save(self, terminal: Terminal, chunk: GenerateContentResponse) -> None:
        """Save the pictures of a chunk and say where they are."""
        for image in chunk.images:
            self.count += 1
            try:
                path = image.save(self._numbered())
            except OSError as error:  # the answer goes on: it has been paid for
                self.failed = True
                reason = error.strerror or str(error)
                terminal.error(f"cannot write {str(self._path)!r} ({reason})")
                continue
            size = f"{image.size[0]} x {image.size[1]} pixels, " if image.size else ""
            terminal.note(f"saved: {path} ({size}{len(image.data):,} bytes of {image.mime_type})")

    def _numbered(self) -> Path:
        if self.count == 1:
            return self._path
        suffix = self._path.suffix if type_of_extension(self._path.suffix) else ""
        return self._path.with_name(f"{self._path.name.removesuffix(suffix)}-{self.count}{suffix}")
