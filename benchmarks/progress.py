"""A progress bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys

__all__ = ["Progress"]

WIDTH = 24


class Progress:
    """Counts steps.

    Args:
        total: The number of steps.
    """

    def __init__(self, total: int) -> None:
        self._total = max(1, total)
        self._done = 0

    def step(self, what: str) -> None:
        """Show the step that starts now."""
        if sys.stderr.isatty():
            bar = "█" * (WIDTH * self._done // self._total)
            line = f"{bar:░<{WIDTH}} {self._done}/{self._total} {what}"
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        self._done += 1

    def clear(self) -> None:
        """Clear the line."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
