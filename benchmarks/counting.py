"""Counts the reads from sockets in this process; not on uvloop, which reads in C."""

from __future__ import annotations

import socket
from typing import Any

__all__ = ["Reads"]


class Reads:
    """The number of reads since ``begin``, which slows each of them down."""

    count = 0
    begun = False

    @classmethod
    def begin(cls) -> None:
        """Count from now on."""
        cls.begun = True
        for name in ("recv", "recv_into"):
            setattr(socket.socket, name, cls._counted(getattr(socket.socket, name)))

    @classmethod
    def _counted(cls, read: Any) -> Any:
        def counted(*args: Any) -> Any:
            result = read(*args)
            cls.count += 1
            return result

        return counted
