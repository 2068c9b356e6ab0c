"""Whether to try again, and after how long. Pure: jitter is passed in."""

from __future__ import annotations

from msgspec import Struct

from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CometGemError,
    ConfigurationError,
    StreamError,
)

__all__ = ["RetryPolicy"]

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504, 524, 529})

# The gateway answers a missing field with 500 and an unknown model with 503: both are permanent.
_PERMANENT = frozenset({(500, "invalid_request"), (503, "model_not_found")})


class RetryPolicy(Struct, frozen=True):
    """How often a request is sent, and how long to wait in between.

    Waits grow exponentially with full jitter: a random part of ``initial * 2**n`` seconds, at
    most ``maximum``. A server that asks for a longer wait than that is obeyed up to ``maximum``;
    beyond it the error is raised with ``retry_after`` set. Nothing is sent again once a chunk
    has been handed out.

    Args:
        attempts: Requests in all; 1 turns retries off. One on a kept connection that turned out to
            be closed is not counted: it is sent again at once, on a new one.
        initial: Seconds, the bound of the first wait.
        maximum: Seconds, the bound of every wait.

    Raises:
        ConfigurationError: ``attempts`` below 1, or a negative time.
    """

    attempts: int = 3
    initial: float = 0.5
    maximum: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError(
                f"RetryPolicy(attempts={self.attempts}) would send nothing; give 1 or more"
            )
        if not (self.initial >= 0 and self.maximum >= 0):
            raise ConfigurationError(
                f"RetryPolicy(initial={self.initial}, maximum={self.maximum}):"
                " times are seconds, 0 or more"
            )

    def delay(self, error: CometGemError, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait before sending again, or None to give up.

        Args:
            error: What the attempt ended with.
            attempt: How many requests have been sent, from 1.
            jitter: A random number from 0 to 1.
        """
        if attempt >= self.attempts or not _transient(error):
            return None
        wait = jitter * min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 64))
        asked = error.retry_after if isinstance(error, APIStatusError) else None
        if asked is None:
            return wait
        return max(wait, asked) if asked <= self.maximum else None


def _transient(error: CometGemError) -> bool:
    match error:
        case APITimeoutError():
            return error.phase == "connect"
        case APIStatusError():
            return error.status in _TRANSIENT and (error.status, error.code) not in _PERMANENT
        case StreamError():
            return error.chunks == 0
        case _:
            return isinstance(error, APIConnectionError)
