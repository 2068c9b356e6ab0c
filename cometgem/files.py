"""Reads files for requests without blocking the event loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cometgem.types.content import Part
from cometgem.types.files import MAX_FILE_SIZE

if TYPE_CHECKING:
    from os import PathLike

    from cometgem.types.content import VideoMetadata

__all__ = ["part_from_file"]


async def part_from_file(
    path: str | PathLike[str],
    *,
    max_size: int | None = MAX_FILE_SIZE,
    video_metadata: VideoMetadata | None = None,
    media_resolution: str | None = None,
) -> Part:
    """Read media from a file in a thread: ``Part.from_file`` for code that must not block.

    Cancellation does not wait for the thread.

    Args:
        path: A regular file; devices, FIFOs and directories are refused before they are opened.
        max_size: The maximum size of the file, in bytes. Defaults to 100 MB; None is no limit.
        video_metadata: Which section of a video to use, and how many frames of it.
        media_resolution: "low", "medium", "high", "ultra_high" or a ``MediaResolutionLevel``.

    Raises:
        OSError: The file cannot be read, is not a regular file, or is too large.
        ValueError: The type of the file is unknown, or an argument is not valid.
    """
    from anyio.to_thread import run_sync  # noqa: PLC0415  adds to the time of the import

    read = partial(
        Part.from_file,
        path,
        max_size=max_size,
        video_metadata=video_metadata,
        media_resolution=media_resolution,
    )
    return await run_sync(read, abandon_on_cancel=True)
