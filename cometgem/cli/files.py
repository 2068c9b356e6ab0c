"""Files that are named on the command line."""

from __future__ import annotations

from pathlib import Path

from cometgem.cli.sentences import UsageError
from cometgem.types.content import Part

__all__ = ["path_of", "read_part"]


def path_of(text: str) -> Path:
    """Return the path that was typed, such as ``~/chat.json``.

    Raises:
        UsageError: It contains a null character.
    """
    if "\0" in text:
        raise UsageError(f"{text!r} is not a valid path")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such user
        return Path(text)


def read_part(path: Path) -> Part:
    """Return the file as a part of a message.

    Raises:
        UsageError: It cannot be read, or its media type is not known.
    """
    try:
        return Part.from_file(path)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r} ({error.strerror})") from error
    except ValueError as error:
        raise UsageError(
            f"cannot infer the media type of {str(path)!r} from its extension"
        ) from error
