"""Files that are named on the command line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cometgem.cli.sentences import UsageError
from cometgem.types.content import Part
from cometgem.types.files import MAX_FILE_SIZE

__all__ = ["path_of", "read_part", "reason"]


def path_of(text: str) -> Path:
    """Return the path that was typed, such as ``~/chat.json``.

    Raises:
        UsageError: It contains a null character or a surrogate.
    """
    try:
        valid = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise UsageError(f"{text!r} is not a valid path")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the user does not exist
        return Path(text)


def reason(error: OSError) -> str:
    """Return why a file cannot be read or written."""
    if error.errno == errno.EFBIG:
        return f"larger than {MAX_FILE_SIZE:,} bytes"
    return error.strerror or str(error)


def read_part(path: Path) -> Part:
    """Return the file as a part of a message.

    Raises:
        UsageError: It cannot be read, is not a regular file, is too large, or its media type is
            not known.
    """
    path_of(str(path))
    try:
        return Part.from_file(path)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r} ({reason(error)})") from error
    except ValueError as error:
        raise UsageError(
            f"cannot infer the media type of {str(path)!r} from its extension or its first bytes"
        ) from error
