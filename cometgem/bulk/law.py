"""The law of one limit: requests and tokens together. Pure: the clock is passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.bulk.rate import Pace
from cometgem.bulk.tokens import Tokens

if TYPE_CHECKING:
    from cometgem.bulk.limits import Limits

__all__ = ["Law"]


class Law:
    """When requests may be sent, by ``Limits``.

    Args:
        now: The time in seconds.
        limits: The limits.
        share: The share of the limits that is this law's.
        start: The rate to begin with in requests a second, if it is known from elsewhere.
    """

    def __init__(
        self, now: float, limits: Limits, *, share: float = 1.0, start: float | None = None
    ) -> None:
        rpm, tpm = limits.rpm, limits.tpm
        ceiling = None if rpm is None else rpm / 60 * share
        self.pace: Pace = Pace(now, ceiling=ceiling, start=start)
        self.tokens: Tokens = Tokens(now, None if tpm is None else tpm / 60 * share)

    def wait(self, now: float, estimate: float) -> float:
        """Return the seconds until a request may be sent; 0 means now."""
        return max(self.pace.wait(now), self.tokens.wait(now, estimate))

    def take(self, now: float, estimate: float) -> tuple[int, float]:
        """Count a request that is sent now; return its number and the tokens reserved."""
        return self.pace.take(now), self.tokens.take(estimate)

    def give_back(self, reserved: float) -> None:
        """Take back a request that was not sent after all."""
        self.pace.give_back()
        self.tokens.give_back(reserved)

    def settle(self, answers: int, estimates: float, reserved: float, used: float) -> None:
        """Replace what was reserved for some answers by what they used."""
        self.tokens.settle(answers, estimates, reserved, used)

    def refused(
        self,
        now: float,
        number: int,
        reserved: float,
        round_trip: float,
        retry_after: float | None,
    ) -> float:
        """Count a refusal; return the seconds that this request waits, 0 if everything waits."""
        self.tokens.give_back(reserved)
        return self.pace.refused(now, number, round_trip, retry_after)
