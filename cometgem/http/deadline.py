"""Timeouts of one attempt: one polling timer per stream instead of one per read.

``asyncio.timeout()`` would arm and cancel a timer for every read, and even reading the clock for
every read would be a tenth of the cost of a chunk. So a wait is measured from the first poll that
finds it in progress.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from cometgem.errors import APITimeoutError, TimeoutPhase

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.http.timeouts import Timeouts

__all__ = ["Deadline"]

# The longest interval between two polls, in seconds; a timeout may be noticed this much late.
_CHECK_EVERY = 1.0

# The least number of polls within ``timeouts.stall``, so that short limits are not overrun by much.
_MIN_CHECKS = 20


class Deadline:
    """Limits the waits of one attempt, starting when the request is sent.

    Args:
        timeouts: The limits, in seconds.
        total_at: The loop time at which ``timeouts.total`` expires; infinity is no limit.
        streamed: Whether the response is a stream of chunks or a single body.

    Attributes:
        expired: The limit that expired, or None.
        on_expiry: Called when a limit expires.
        on_check: Called at each poll of a wait that has not expired, to detect a lost connection.
    """

    def __init__(self, timeouts: Timeouts, total_at: float, *, streamed: bool) -> None:
        self.expired: TimeoutPhase | None = None
        self.on_expiry: Callable[[], object] = bool
        self.on_check: Callable[[], object] = bool
        self._loop = asyncio.get_running_loop()
        self._timeouts = timeouts
        self._streamed = streamed
        self._total_at = total_at
        limit = timeouts.first if streamed else timeouts.stall
        self._first_at: float | None = math.inf if limit is None else self._loop.time() + limit
        self._stall = math.inf if timeouts.stall is None else timeouts.stall
        self._check_every = min(_CHECK_EVERY, self._stall / _MIN_CHECKS)
        self._since: float | None = None  # loop time of the first poll of the current wait
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self._total_timer: asyncio.TimerHandle | None = None

    def seconds(self) -> float | None:
        """Return the seconds left for the response to arrive, or None if there is no limit."""
        at = min(self._first_at or 0.0, self._total_at)
        return None if at == math.inf else max(0.0, at - self._loop.time())

    def start(self) -> None:
        """Start waiting for the next chunk; the wait for the first one started with the request."""
        self._since = None
        self._waiting = True
        if self._timer is None:
            self._arm()

    def stop(self) -> None:
        """Stop waiting: a chunk has arrived, and the time until the next wait is the caller's."""
        self._first_at = None
        self._waiting = False

    def start_total(self) -> None:
        """Let the total time run out also while the caller is busy with a chunk."""
        if self._total_at < math.inf:
            self._total_timer = self._loop.call_at(self._total_at, self._expire, "total")

    def cancel(self) -> None:
        """Cancel the timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._total_timer is not None:
            self._total_timer.cancel()
            self._total_timer = None

    def _expire(self, phase: TimeoutPhase) -> None:
        if self.expired is None:
            self.expired = phase
            self.on_expiry()

    def error(self) -> APITimeoutError:
        """Return the error for the limit that expired."""
        if self.expired is None:
            self.expired = self._first_to_expire()
        limits = {
            "total": self._timeouts.total,
            "first_chunk": self._timeouts.first,
            "stall": self._timeouts.stall,
        }
        error = APITimeoutError(self.expired, limits.get(self.expired) or 0.0)
        if self.expired == "first_chunk" and self._timeouts.first_chunk is None:
            error.option = "stall"
        return error

    def _first_to_expire(self) -> TimeoutPhase:
        """Return the first limit to expire, compared by deadline, since timers may fire early."""
        if self._expires_at(self._loop.time()) == self._total_at:
            return "total"
        return "first_chunk" if self._streamed and self._first_at is not None else "stall"

    def _arm(self) -> None:
        now = self._loop.time()
        at = max(now, min(self._expires_at(now), now + self._check_every))
        self._timer = self._loop.call_at(at, self._check)

    def _expires_at(self, now: float) -> float:
        """Return the loop time at which the current wait expires."""
        if self._first_at is not None:
            return min(self._first_at, self._total_at)
        if self._since is None:
            self._since = now
        return min(self._since + self._stall, self._total_at)

    def _check(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        now = self._loop.time()
        if now < self._expires_at(now):
            self._arm()
            self.on_check()
            return
        self.error()
        self.on_expiry()
