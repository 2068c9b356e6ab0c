"""Reads a file for `Part.from_file`: only a regular one, and never more than a limit."""

import errno
import sys
from builtins import open as open_file
from os import PathLike, fsencode, fstat
from os import open as open_descriptor
from pathlib import Path
from stat import S_ISDIR, S_ISREG

if sys.platform == "win32":
    O_NONBLOCK = 0  # opening a file does not wait for another process there
else:
    from os import O_NONBLOCK

__all__ = ["MAX_FILE_SIZE", "check_file", "read_file"]

MAX_FILE_SIZE = 100_000_000
"""In bytes; the gateway accepts bodies up to 128 MB, and base64 takes a third more."""

_PIECE = 1 << 20


def check_file(path: str | PathLike[str], max_size: int | None = MAX_FILE_SIZE) -> Path:
    """Return the path of a regular file, without opening it: that alone may wait or have effects.

    Args:
        path: The path.
        max_size: The maximum size of the file, in bytes; None is no limit.

    Raises:
        OSError: The file does not exist, is not a regular file, or is too large.
        ValueError: The path or `max_size` is not valid.
    """
    _check_limit(max_size)
    if not isinstance(path, (str, PathLike)):
        raise ValueError(f"path must be a str or a Path, got {type(path).__name__}")  # noqa: TRY004  OSError and ValueError are all that callers have to catch
    try:
        path = Path(path)
        fsencode(path)
        status = path.stat()
    except (TypeError, ValueError) as error:  # a null character, a surrogate, a path of bytes
        raise ValueError(f"{str(path)!r} is not a valid path ({error})") from None
    _check_status(path, status.st_mode, status.st_size, max_size)
    return path


def read_file(path: str | PathLike[str], max_size: int | None = MAX_FILE_SIZE) -> bytes:
    """Return the content of a regular file, as it is when it is read.

    Args:
        path: The path.
        max_size: The maximum size of the file, in bytes; None is no limit.

    Raises:
        OSError: The file cannot be read, is not a regular file, or is too large.
        ValueError: The path or `max_size` is not valid.
    """
    path = check_file(path, max_size)
    try:
        # Checked again once it is open, since another file may have taken its place. Until then
        # a FIFO must not wait for a writer.
        with open_file(path, "rb", buffering=0, opener=_open_without_waiting) as file:
            status = fstat(file.fileno())
            _check_status(path, status.st_mode, status.st_size, max_size)
            # A file may grow while it is read, and those in /proc have no size.
            pieces: list[bytes] = []
            size, wanted = 0, status.st_size + 1
            while piece := file.read(wanted if max_size is None else min(wanted, max_size + 1)):
                pieces.append(piece)
                size += len(piece)
                if max_size is not None and size > max_size:
                    raise _too_large(path, size, max_size)
                wanted = max(_PIECE, status.st_size + 1 - size)
            return b"".join(pieces)
    except (MemoryError, OverflowError):
        raise OSError(errno.ENOMEM, "Not enough memory to read it", str(path)) from None


def _open_without_waiting(path: str, flags: int) -> int:
    return open_descriptor(path, flags | O_NONBLOCK)


def _check_limit(max_size: object) -> None:
    if max_size is None:
        return
    if not isinstance(max_size, int) or isinstance(max_size, bool) or max_size < 0:
        raise ValueError(f"max_size={max_size!r} must be a number of bytes, or None for no limit")


def _check_status(path: Path, mode: int, size: int, max_size: int | None) -> None:
    if S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    if not S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    if max_size is not None and size > max_size:
        raise _too_large(path, size, max_size)


def _too_large(path: Path, size: int, max_size: int) -> OSError:
    sentence = f"File of at least {size:,} bytes, expected no more than max_size={max_size:,}"
    return OSError(errno.EFBIG, sentence, str(path))
