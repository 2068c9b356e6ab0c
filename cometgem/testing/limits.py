"""The limits of a fake server: how many requests and tokens it admits. Pure: the clock is passed.

A test of a client that finds out a rate can run these laws in simulated time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cometgem.testing.render import made_up_usage
from cometgem.testing.reply import Reply
from cometgem.testing.steps import AUTO

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Gate", "ServerLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a ``FakeServer`` admits; it refuses the rest with 429.

    A refused request costs nothing. The tokens of an answer are charged when it is admitted, so
    the last answer may exceed ``tokens``.

    Args:
        requests: How many requests are admitted in ``seconds``; None for any number.
        tokens: How many tokens are admitted in ``seconds``; None for any number.
        seconds: The length of a window, or the time in which an empty bucket fills.
        bucket: False for fixed windows, of which each begins with the full quota; True for a token
            bucket, which starts full and fills steadily.
        retry_after: Whether refusals carry Retry-After, in whole seconds, rounded up.

    Raises:
        ValueError: A number is not positive.
    """

    requests: int | None = None
    tokens: int | None = None
    seconds: float = 60.0
    bucket: bool = False
    retry_after: bool = True

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name}={value} must be positive")


class Gate:
    """Admits and refuses requests by ``ServerLimits``, and counts both.

    Attributes:
        admitted: How many requests were admitted.
        refused: How many requests were refused.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.admitted: int = 0
        self.refused: int = 0
        quotas = {"requests": limits.requests, "tokens": limits.tokens}
        self._quotas = {name: float(quota) for name, quota in quotas.items() if quota is not None}
        self._left = dict(self._quotas)
        self._at = -math.inf

    def refuse(self, now: float) -> float | None:
        """Admit a request and return None, or refuse it and return the seconds until another try.

        Args:
            now: The time in seconds, which must not go back.
        """
        self._refill(now)
        # A request needs one of the requests, and any of the tokens.
        needs = {"requests": 1.0, "tokens": 1e-9}
        short = {
            name: needs[name] - left for name, left in self._left.items() if left < needs[name]
        }
        if not short:
            self.admitted += 1
            self.charge(requests=1)
            return None
        self.refused += 1
        seconds = self.limits.seconds
        if self.limits.bucket:
            return max(seconds * missing / self._quotas[name] for name, missing in short.items())
        return seconds - now % seconds

    def refusal(self, now: float) -> Reply | None:
        """Admit a request and return None, or return the reply that refuses it."""
        wait = self.refuse(now)
        if wait is None:
            return None
        return Reply.error(429, retry_after=math.ceil(wait) if self.limits.retry_after else None)

    def charge_reply(self, reply: Reply) -> None:
        """Take the tokens that a reply reports."""
        usage: dict[str, Any] | None = (
            made_up_usage(reply.steps) if reply.usage_metadata is AUTO else reply.usage_metadata
        )
        self.charge(tokens=int((usage or {}).get("totalTokenCount", 0)))

    def charge(self, *, requests: int = 0, tokens: int = 0) -> None:
        """Take what an admitted request costs; what is left may become negative."""
        for name, cost in (("requests", requests), ("tokens", tokens)):
            if name in self._left:
                self._left[name] -= cost

    def _refill(self, now: float) -> None:
        before, self._at = self._at, now
        seconds = self.limits.seconds
        if self.limits.bucket:
            for name, quota in self._quotas.items():
                filled = self._left[name] + (now - before) / seconds * quota
                self._left[name] = min(quota, filled)
        elif before // seconds != now // seconds:
            self._left = dict(self._quotas)
