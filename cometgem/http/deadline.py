"""When a wait is over: one timer a stream, which looks at the wait from time to time.

``asyncio.timeout()`` would arm and cancel a timer for every read, and even a look at the clock
for every read would be a tenth of what a chunk costs. So a wait is counted from the first look
that finds it.
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

# Seconds from one look at a wait to the next, at most; a wait may last so much longer.
_CHECK_EVERY = 1.0

# Looks within ``timeouts.stall``, at least.
_CHECKS = 20


class Deadline:
    """Limits the waits of one attempt, from the sending of the request on.

    Args:
        timeouts: The limits.
        total_at: The loop's time at which ``timeouts.total`` is over.
        streamed: Whether chunks are awaited, or one response.

    Attributes:
        expired: The limit that ran out, or None.
        on_expiry: Called then.
        on_check: Called once in a while during a wait, which may be in vain.
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
        self._check_every = min(_CHECK_EVERY, self._stall / _CHECKS)
        self._since: float | None = None  # when the present wait was first seen
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self._total_timer: asyncio.TimerHandle | None = None

    def seconds(self) -> float | None:
        """Return the seconds left until the response has to be there; None if no limit."""
        at = min(self._first_at or 0.0, self._total_at)
        return None if at == math.inf else max(0.0, at - self._loop.time())

    def start(self) -> None:
        """Begin the wait for the next chunk; the first one's began with the request."""
        self._since = None
        self._waiting = True
        if self._timer is None:
            self._arm()

    def stop(self) -> None:
        """A chunk is here: the time until the next wait is the caller's."""
        self._first_at = None
        self._waiting = False

    def start_total(self) -> None:
        """Let the total time run out also while the caller is busy with a chunk."""
        if self._total_at < math.inf:
            self._total_timer = self._loop.call_at(self._total_at, self._expire, "total")

    def cancel(self) -> None:
        """Forget the timers."""
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
        """Return the error for the limit that has run out."""
        if self.expired is None:
            self.expired = self._nearest()
        limits = {
            "total": self._timeouts.total,
            "first_chunk": self._timeouts.first,
            "stall": self._timeouts.stall,
        }
        return APITimeoutError(self.expired, limits.get(self.expired) or 0.0)

    def _nearest(self) -> TimeoutPhase:
        """Return the limit that is over first; the clock cannot tell: timers fire early, too."""
        if self._over_at(self._loop.time()) == self._total_at:
            return "total"
        return "first_chunk" if self._streamed and self._first_at is not None else "stall"

    def _arm(self) -> None:
        now = self._loop.time()
        at = max(now, min(self._over_at(now), now + self._check_every))
        self._timer = self._loop.call_at(at, self._check)

    def _over_at(self, now: float) -> float:
        """Return the loop's time at which the present wait is over."""
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
        if now < self._over_at(now):
            self._arm()
            self.on_check()
            return
        self.error()
        self.on_expiry()
