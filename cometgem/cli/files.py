"""Files that a person names on the command line."""

from __future__ import annotations

from pathlib import Path

from cometgem.errors import ConfigurationError
from cometgem.types.content import Part

__all__ = ["path_of", "read_part"]


def path_of(text: str) -> Path:
    """Return the path that a person has written, such as ``~/chat.json``.

    Raises:
        ConfigurationError: It can be none.
    """
    if "\0" in text:
        raise ConfigurationError(f"{text!r} is no path")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such home
        return Path(text)


def read_part(path: Path) -> Part:
    """Return the file as a part of a message.

    Raises:
        ConfigurationError: It cannot be read, or its type is not known.
    """
    try:
        return Part.from_file(path)
    except OSError as error:
        raise ConfigurationError(f"cannot read {str(path)!r} ({error.strerror})") from error
    except ValueError as error:
        raise ConfigurationError(
            f"cannot infer the media type of {str(path)!r} from its extension"
        ) from error
