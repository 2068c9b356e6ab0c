"""Where runs are kept: what a log must do, and one in memory.

Pieces of a run are never changed, so a viewer is a position in the list, any number of viewers may
read it, and a picture is kept once for all of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import is_integer, is_number, shown
from cometgem.web.recording import MemoryRecording

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.web.run_parts import End, Head, News

__all__ = ["MAX_BYTES", "TTL", "Log", "MemoryLog", "Recorder", "Recording", "check_limits"]

MAX_BYTES = 64 * 1024 * 1024
"""The default limit of a run: 4K pictures in base64 have up to 20 MB each."""

TTL = 600.0
"""How many seconds a run is kept after its end, by default."""


class Recording(Protocol):
    """A run, for viewers; one object may serve several."""

    @property
    def head(self) -> Head:
        """What a viewer must know before the first piece."""
        ...

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        ...

    async def read(self, position: int, size: int) -> News:
        """Return the pieces after the first ``position`` ones; waits until there is news.

        Args:
            position: How many pieces the viewer has.
            size: How many bytes are enough; a piece is never cut.

        Raises:
            RunError: The process that wrote the run is gone, or the log cannot be reached.
        """
        ...

    def join(self) -> None:
        """Count a viewer."""
        ...

    async def leave(self) -> None:
        """Count a viewer no more; stops a run that must not go on without any."""
        ...

    async def stop(self) -> None:
        """Ask the process that writes the run to stop it."""
        ...


class Recorder(Recording, Protocol):
    """A run, for the process that writes it. Neither method waits."""

    def append(self, data: bytes) -> None:
        """Add a piece.

        Raises:
            RunError: The run exceeds the limit of the log; the next piece is taken in any case, so
                that it can tell of it.
        """
        ...

    def finish(self, end: End, last: bytes = b"") -> None:
        """Add a last piece, whatever the limit, and the end."""
        ...


class Log(Protocol):
    """Keeps runs under their ids: the latest of each."""

    async def create(self, run_id: str, head: Head, stop: Callable[[], object]) -> Recorder:
        """Begin a run; one that is running under the same id is stopped.

        Args:
            run_id: The id.
            head: What viewers must know before the first piece.
            stop: Stops the run; called in the event loop of this call.
        """
        ...

    async def find(self, run_id: str) -> Recording | None:
        """Return the latest run under an id; None if there is none, or its process is gone.

        Raises:
            RunError: The log cannot be reached.
        """
        ...

    async def aclose(self) -> None:
        """Release what the log holds; called after the end of all runs of this process."""
        ...


class MemoryLog:
    """Keeps runs in the memory of this process.

    Args:
        ttl: How long a run is kept after its end, in seconds.
        max_bytes: The maximum size of one run, in bytes; one that exceeds it fails. None is no
            limit.

    Raises:
        ConfigurationError: An argument is not valid.
    """

    def __init__(self, *, ttl: float = TTL, max_bytes: int | None = MAX_BYTES) -> None:
        check_limits(ttl, max_bytes)
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._runs: dict[str, MemoryRecording] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def __repr__(self) -> str:
        return f"<MemoryLog runs={len(self._runs)}>"

    async def create(self, run_id: str, head: Head, stop: Callable[[], object]) -> MemoryRecording:
        """Begin a run; one that is running under the same id is stopped."""
        before = self._runs.get(run_id)
        self._runs[run_id] = run = MemoryRecording(head, stop, self._max_bytes)
        run.on_end = lambda: self._forget_later(run_id, run)
        if before is not None:
            before.halt()
        return run

    async def find(self, run_id: str) -> MemoryRecording | None:
        """Return the latest run under an id, or None."""
        return self._runs.get(run_id)

    async def aclose(self) -> None:
        """Forget all runs."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._runs.clear()

    def _forget_later(self, run_id: str, run: MemoryRecording) -> None:
        def forget() -> None:
            self._timers.discard(timer)
            if self._runs.get(run_id) is run:
                del self._runs[run_id]

        timer = asyncio.get_running_loop().call_later(self._ttl, forget)
        self._timers.add(timer)


def check_limits(ttl: float, max_bytes: int | None) -> None:
    """Check the limits of a log.

    Raises:
        ConfigurationError: One is not valid.
    """
    if not (is_number(ttl) and ttl > 0):
        raise ConfigurationError(f"ttl={shown(ttl)} is not valid; use a number of seconds above 0")
    if max_bytes is not None and not (is_integer(max_bytes) and max_bytes > 0):
        raise ConfigurationError(
            f"max_bytes={shown(max_bytes)} is not valid; use an integer of at least 1, or None"
        )
