"""A lock on a file that ends with the process that holds it, however that ends."""

from __future__ import annotations

import sys

__all__ = ["lock"]

if sys.platform == "win32":
    import msvcrt
    import os

    # Locked bytes cannot be read by others: one far behind the end is locked.
    _FAR = 1 << 62

    def lock(descriptor: int) -> bool:
        """Lock an open file, and return whether nobody else has."""
        at = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, at, os.SEEK_SET)
        return True

else:

    def lock(descriptor: int) -> bool:
        """Lock an open file, and return whether nobody else has."""
        try:
            import fcntl  # noqa: PLC0415
        except ModuleNotFoundError:  # WebAssembly, where no second process could open the file
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
