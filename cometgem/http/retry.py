"""Whether to send a request again, and after how long. Pure: jitter is passed in."""

from __future__ import annotations

from msgspec import Struct

from cometgem.errors import (
    APIStatusError,
    CometGemError,
    ConfigurationError,
)

__all__ = ["RetryPolicy"]

# Seconds; a Retry-After of 0 spreads its callers as well.
_LEAST_SPREAD = 0.1


class RetryPolicy(Struct, frozen=True):
    """How often a request is sent, and how long to wait in between.

    Waits grow exponentially with full jitter: a random fraction of ``initial * 2**n`` seconds, at
    most ``maximum``. If the server asks for a longer wait, it is honored up to ``maximum``; beyond
    that the error is raised at once, with ``retry_after`` set. Nothing is sent again once a chunk
    has been handed out.

    Args:
        attempts: The total number of requests; 1 turns retries off. A request on a reused
            connection that turns out to be closed is not counted: it is sent again at once, on
            a new connection.
        initial: The upper bound of the first wait, in seconds.
        maximum: The upper bound of every wait, in seconds.

    Raises:
        ConfigurationError: ``attempts`` is below 1, or a time is negative.
    """

    attempts: int = 3
    initial: float = 0.5
    maximum: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError(
                f"RetryPolicy(attempts={self.attempts}) would send nothing; use at least 1"
            )
        if not (self.initial >= 0 and self.maximum >= 0):
            raise ConfigurationError(
                f"RetryPolicy(initial={self.initial}, maximum={self.maximum}):"
                " times must be 0 seconds or more"
            )

    def delay(self, error: CometGemError, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait before sending again, or None to give up.

        Args:
            error: The error that ended the attempt.
            attempt: How many requests have been sent, counting from 1.
            jitter: A random number from 0 to 1.
        """
        if attempt >= self.attempts or not error.retryable:
            return None
        wait = jitter * min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 64))
        asked = error.retry_after if isinstance(error, APIStatusError) else None
        if asked is None:
            return wait
        if asked > self.maximum:
            return None
        # A little later than asked for, since all that were refused together were told the same.
        return max(wait, asked + jitter * max(asked / 10, _LEAST_SPREAD))
