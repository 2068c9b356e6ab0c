"""Sends pieces to a reader: with pings in between, and not for longer than a limit."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from cometgem.web.expiry import expire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["Sender"]

# Seconds. A send that takes longer than this has waited for the reader, who is then lagging.
_LAG = 0.05

# Seconds after that in which the reader still lags: what waits in the sockets comes all at once.
_CATCHING_UP = 1.0

# The longest and the shortest time between two looks at what is being sent, in seconds.
_LOOKS = (1.0, 0.01)


class Sender:
    """Sends pieces one at a time; one timer serves all pings and limits.

    Args:
        send: Sends a piece.
        ping: The piece that is sent after a silence.
        ping_every: The length of that silence, in seconds.
        send_timeout: How long one send may take, in seconds.

    Attributes:
        limit: A context that raises TimeoutError when a send takes too long.
        lags: Whether the reader has been slow to take a piece just now.
        begun: Whether anything has been sent, or is about to be.
    """

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        ping: bytes,
        ping_every: float,
        send_timeout: float,
    ) -> None:
        self.limit: asyncio.Timeout = asyncio.timeout(None)
        self.lags: bool = False
        self.begun: bool = False
        self._lagged_at = -math.inf
        self._send = send
        self._ping = ping
        self._ping_every = ping_every if ping else math.inf
        self._send_timeout = send_timeout
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # when the present send has begun
        self._sent_at = self._loop.time()
        self._pinging: asyncio.Task[None] | None = None
        most, least = _LOOKS
        self._look_every = max(least, min(most, self._ping_every / 10, send_timeout / 10))
        self._timer = self._loop.call_later(self._look_every, self._look)

    def send(self, data: bytes) -> Coroutine[Any, Any, None]:
        """Send a piece, after a ping that is being sent."""
        self.begun = True
        return self._send_now(data) if self._pinging is None else self._send_after_ping(data)

    async def aclose(self) -> None:
        """Stop the timer, and a ping that is being sent."""
        self._timer.cancel()
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.wait([self._pinging])

    async def _send_after_ping(self, data: bytes) -> None:
        if self._pinging is not None:
            await self._pinging
            self._pinging = None
        await self._send_now(data)

    async def _send_now(self, data: bytes) -> None:
        self._since = start = self._loop.time()
        try:
            await self._send(data)
        finally:
            self._since = None
            self._sent_at = now = self._loop.time()
        if now - start > _LAG:
            self.lags = True
            self._lagged_at = now
        elif self.lags:
            self.lags = now - self._lagged_at < _CATCHING_UP

    def _look(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._look_every, self._look)
        if self._since is not None:
            if now - self._since >= self._send_timeout:
                expire(self.limit)
        elif now - self._sent_at >= self._ping_every and not self._is_pinging():
            self.begun = True
            self._pinging = self._loop.create_task(self._send_ping())

    def _is_pinging(self) -> bool:
        return self._pinging is not None and not self._pinging.done()

    async def _send_ping(self) -> None:
        try:
            await self._send_now(self._ping)
        except Exception:  # noqa: BLE001  the reader has left
            expire(self.limit)
