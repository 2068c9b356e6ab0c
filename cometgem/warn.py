"""Warnings that point at the caller's line, and appear once per turn of a conversation."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from cometgem.errors import CometGemWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["no_warnings", "warn_caller"]

# A coroutine that runs as a task has only asyncio below it, then the line that runs the loop.
_SKIPPED = frozenset({__name__.partition(".")[0], "asyncio", "anyio"})

_silent: ContextVar[bool] = ContextVar("_silent", default=False)


def warn_caller(message: str | None) -> None:
    """Issue a CometGemWarning at the first line outside the package; None issues nothing."""
    if message is None or _silent.get():
        return
    # Not `skip_file_prefixes`, which Python 3.11 lacks.
    frame = sys._getframe()  # noqa: SLF001  the documented way
    while _is_skipped(frame.f_globals.get("__name__")) and frame.f_back is not None:
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        CometGemWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals.get("__name__") or "<unknown>",
        frame.f_globals.setdefault("__warningregistry__", {}),
    )


@contextmanager
def no_warnings() -> Iterator[None]:
    """Silence ``warn_caller`` in this task: the caller has been warned already."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def _is_skipped(module: object) -> bool:
    return str(module).partition(".")[0] in _SKIPPED
