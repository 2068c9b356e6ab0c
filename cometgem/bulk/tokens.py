"""How many tokens a second are used, if the limit is known. Pure: the clock is passed in."""

from __future__ import annotations

import math

from cometgem.bulk.rate import SHARE

__all__ = ["Tokens"]

# Seconds of the rate that may be used at once.
_BURST = 0.25

# Answers over which the ratio of use and estimate is averaged, and how far from 1 it may be.
_MEMORY = 100.0
_SMALLEST, _LARGEST = 0.05, 50.0


class Tokens:
    """A bucket of tokens: an estimate is reserved before a request and settled by usage after it.

    Estimates are corrected by the average ratio of use and estimate, so that those which leave out
    the answer do not exceed the limit for as long as an answer takes.

    Args:
        now: The time in seconds.
        limit: The limit in tokens a second, or None for no limit.
    """

    def __init__(self, now: float, limit: float | None) -> None:
        self.rate: float = math.inf if limit is None else limit * SHARE
        self.level: float = self.rate * _BURST
        self.capacity: float = self.rate * _BURST
        self.at: float = now
        self.used: float = 0.0
        self.estimated: float = 0.0

    def cost(self, estimate: float) -> float:
        """Return what is reserved for an estimate."""
        if self.estimated <= 0:
            return estimate
        return estimate * min(_LARGEST, max(_SMALLEST, self.used / self.estimated))

    def wait(self, now: float, estimate: float) -> float:
        """Return the seconds until an estimate can be reserved; 0 means now."""
        if math.isinf(self.rate):
            return 0.0
        self.level = min(self.capacity, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        # More than the bucket holds is reserved when it is full, and is paid back afterwards.
        missing = min(self.cost(estimate), self.capacity) - self.level
        return 0.0 if missing <= 0 else max(missing / self.rate, 1e-6)

    def take(self, estimate: float) -> float:
        """Reserve an estimate after a wait of 0, and return what was reserved."""
        cost = self.cost(estimate)
        self.level -= cost
        return cost

    def settle(self, answers: int, estimates: float, reserved: float, used: float) -> None:
        """Replace what was reserved for some answers by what they used."""
        self.level += reserved - used
        fading = math.exp(-answers / _MEMORY)
        self.estimated = self.estimated * fading + estimates
        self.used = self.used * fading + used

    def give_back(self, reserved: float) -> None:
        """Take back what was reserved for a request that costs nothing."""
        self.level += reserved
