"""Limiters: who wants to send a request acquires a lease, and ends it with what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from cometgem.bulk.law import Law
from cometgem.bulk.limits import Limits

__all__ = ["Lease", "Limiter", "MemoryLimiter"]


@dataclass(slots=True, eq=False)
class Lease:
    """The permission to send one request.

    Attributes:
        estimate: The tokens that were estimated.
        reserved: The tokens that were reserved: the estimate, corrected.
        at: When it was granted, by ``time.monotonic()``.
        number: The number of the request, counted by the law that granted it.
        law: The law that granted it; None for one that several processes share.
        life: Which life of a shared law granted it.
    """

    estimate: float
    reserved: float
    at: float
    number: int
    law: Law | None = None
    life: str = ""


class Limiter(Protocol):
    """Decides when requests are sent.

    A lease ends with ``settle`` or ``refused``. One that ends with neither keeps its estimate.
    """

    @property
    def limits(self) -> Limits:
        """The limits, of which ``concurrency`` is that of each run."""
        ...

    @property
    def rate(self) -> float:
        """The present rate in requests a second."""
        ...

    @property
    def refusals(self) -> int:
        """How many refusals were reported here."""
        ...

    @property
    def paused(self) -> float:
        """For how many seconds everything still waits; 0 if nothing does."""
        ...

    async def acquire(self, tokens: float = 0) -> Lease:
        """Wait until a request may be sent.

        Args:
            tokens: An estimate of the tokens of the prompt and the answer.
        """
        ...

    def settle(self, lease: Lease, tokens: float | None = None) -> None:
        """End a lease after any answer but a refusal, or after none.

        Args:
            lease: The lease.
            tokens: The tokens that were used, or None if that is not known.
        """
        ...

    def refused(self, lease: Lease, retry_after: float | None = None) -> float:
        """End a lease after a refusal (429).

        Args:
            lease: The lease.
            retry_after: The seconds that the server asks to wait, or None.

        Returns:
            The seconds to wait before this request acquires another lease; 0 if ``acquire`` waits
            by itself, because everything does.
        """
        ...

    async def aclose(self) -> None:
        """Release what the limiter holds."""
        ...


class MemoryLimiter:
    """Limits the requests of one process. Requests are granted in the order in which they ask.

    Args:
        limits: The limits. A rate of requests that is not given is found out.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._law = Law(time.monotonic(), self._limits)
        self._waiting: deque[tuple[asyncio.Future[Lease], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"MemoryLimiter({self._limits!r})"

    @property
    def limits(self) -> Limits:
        """The limits, of which ``concurrency`` is that of each run."""
        return self._limits

    @property
    def rate(self) -> float:
        """The present rate in requests a second."""
        return self._law.pace.rate

    @property
    def refusals(self) -> int:
        """How many refusals were reported."""
        return self._law.pace.refusals

    @property
    def paused(self) -> float:
        """For how many seconds everything still waits; 0 if nothing does."""
        return self._law.pace.pause_left(time.monotonic())

    def acquire_now(self, tokens: float = 0) -> Lease | None:
        """Return a lease if a request may be sent without a wait, or None.

        Args:
            tokens: An estimate of the tokens of the prompt and the answer.
        """
        if self._waiting:
            return None
        now = time.monotonic()
        return None if self._law.wait(now, tokens) else self._grant(now, tokens)

    async def acquire(self, tokens: float = 0) -> Lease:
        """Wait until a request may be sent.

        Args:
            tokens: An estimate of the tokens of the prompt and the answer.
        """
        if (lease := self.acquire_now(tokens)) is not None:
            return lease
        future: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, tokens))
        if self._timer is None:
            self._release()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._law.give_back(future.result().reserved)
            elif all(one.done() for one, _ in self._waiting):
                self._stop()
            raise

    def settle(self, lease: Lease, tokens: float | None = None) -> None:
        """End a lease after any answer but a refusal, or after none.

        Args:
            lease: The lease.
            tokens: The tokens that were used, or None if that is not known.
        """
        if tokens is not None:
            self._law.settle(1, lease.estimate, lease.reserved, tokens)

    def refused(self, lease: Lease, retry_after: float | None = None) -> float:
        """End a lease after a refusal (429).

        Args:
            lease: The lease.
            retry_after: The seconds that the server asks to wait, or None.

        Returns:
            The seconds to wait before this request acquires another lease; 0 if ``acquire`` waits
            by itself, because everything does.
        """
        now = time.monotonic()
        return self._law.refused(now, lease.number, lease.reserved, now - lease.at, retry_after)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""

    def _grant(self, now: float, tokens: float) -> Lease:
        number, reserved = self._law.take(now, tokens)
        return Lease(tokens, reserved, now, number, self._law)

    def _release(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._waiting:
            future, tokens = self._waiting[0]
            if not future.done():
                if wait := self._law.wait(now, tokens):
                    self._timer = future.get_loop().call_later(wait, self._release)
                    return
                future.set_result(self._grant(now, tokens))
            self._waiting.popleft()

    def _stop(self) -> None:
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
