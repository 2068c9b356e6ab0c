"""How far `cometgem batch` is: a bar if rich is installed, otherwise a line every few seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cometgem.cli.terminal import one_line

try:
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text
except ImportError:
    HAS_RICH = False
else:
    HAS_RICH = True

if TYPE_CHECKING:
    from cometgem.bulk import Progress
    from cometgem.cli.terminal import Terminal

__all__ = ["ProgressView"]

_EVERY = 5.0  # seconds between two lines

_STOPPING = "stopping: {count} are running; Ctrl-C again cancels them"


class ProgressView:
    """Shows progress on stderr.

    Args:
        terminal: Where.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown_at = time.monotonic()
        self._is_stopping = False
        self._live: Live | None = None
        if HAS_RICH and terminal.err.isatty():
            console = Console(file=terminal.err, stderr=True)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()

    def show(self, progress: Progress) -> None:
        """Show how far it is."""
        if progress.stopped == "interrupt" and progress.running and not self._is_stopping:
            self._is_stopping = True
            self.note(_STOPPING.format(count=f"{progress.running:,}"))
        if self._live is not None:
            self._live.update(_bar(progress), refresh=True)
            return
        now = time.monotonic()
        if progress.running and now - self._shown_at >= _EVERY:
            self._shown_at = now
            self._terminal.note(str(progress))

    def note(self, line: str) -> None:
        """Write a line above the bar."""
        if self._live is None:
            self._terminal.note(line)
        else:
            self._live.console.print(Text(one_line(line)))

    def close(self) -> None:
        """Remove the bar."""
        if self._live is not None:
            self._live.stop()


def _bar(progress: Progress) -> Table:
    table = Table.grid(padding=(0, 1))
    if progress.total:
        done = progress.done + progress.failed
        table.add_row(ProgressBar(progress.total, done, width=20), Text(str(progress)))
    else:
        table.add_row(Text(str(progress)))
    return table
