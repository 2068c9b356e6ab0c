"""Ends the wait of a task from a callback or from another task."""

from __future__ import annotations

import asyncio
import contextlib

__all__ = ["expire"]


def expire(limit: asyncio.Timeout) -> None:
    """Let a limit raise TimeoutError in the task that is inside it; does nothing after its end."""
    with contextlib.suppress(RuntimeError):  # it has just ended
        limit.reschedule(asyncio.get_running_loop().time())
