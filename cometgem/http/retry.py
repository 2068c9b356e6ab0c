"""Whether to send a request again, and after how long. Pure: jitter is passed in."""

from __future__ import annotations

from msgspec import Struct

from cometgem.errors import (
    APIStatusError,
    CometGemError,
    ConfigurationError,
)
from cometgem.request.arguments import is_integer, is_number, shown

__all__ = ["RetryPolicy", "check_retry"]

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
        ConfigurationError: ``attempts`` is not an integer of at least 1, or a time is not a number
            of at least 0.
    """

    attempts: int = 3
    initial: float = 0.5
    maximum: float = 30.0

    def __post_init__(self) -> None:
        if not is_integer(self.attempts):
            raise ConfigurationError(
                f"RetryPolicy(attempts={shown(self.attempts)}): use an integer of at least 1"
            )
        if self.attempts < 1:
            raise ConfigurationError(
                f"RetryPolicy(attempts={self.attempts}) would send nothing; use at least 1"
            )
        if not all(is_number(time) and time >= 0 for time in (self.initial, self.maximum)):
            raise ConfigurationError(
                f"RetryPolicy(initial={shown(self.initial)}, maximum={shown(self.maximum)}):"
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
        return self.wait(error, attempt, jitter)

    def wait(self, error: CometGemError, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait after an attempt, however many there may be.

        Args:
            error: The error that ended the attempt.
            attempt: How many attempts have failed in a row, counting from 1.
            jitter: A random number from 0 to 1.

        Returns:
            None if the server asks for a wait of more than ``maximum``.
        """
        wait = jitter * min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 64))
        asked = error.retry_after if isinstance(error, APIStatusError) else None
        if asked is None:
            return wait
        if asked > self.maximum:
            return None
        # A little later than asked for, since all that were refused together were told the same.
        return max(wait, asked + jitter * max(asked / 10, _LEAST_SPREAD))


def check_retry(given: object) -> RetryPolicy:
    """Return the argument ``retry``.

    Raises:
        ConfigurationError: It is not a ``RetryPolicy``.
    """
    if isinstance(given, RetryPolicy):
        return given
    right = "attempts=3"
    if isinstance(given, int):
        right = f"attempts={max(1, given)}" if given is not True else right
    elif isinstance(given, dict) and given and given.keys() <= set(RetryPolicy.__struct_fields__):
        right = ", ".join(f"{name}={shown(value)}" for name, value in given.items())
    raise ConfigurationError(
        f"retry={shown(given)} is not a RetryPolicy: use retry=RetryPolicy({right})"
    )
