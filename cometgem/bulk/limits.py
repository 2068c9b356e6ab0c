"""What the API allows, as far as the caller knows it."""

from __future__ import annotations

from msgspec import Struct

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import is_integer, is_number, shown

__all__ = ["Limits"]


class Limits(Struct, frozen=True):
    """The limits of a bulk run.

    A rate that is given is kept to: 98 % of it is used, evenly spaced. A rate of requests that is
    not given is found out from the server's refusals.

    Args:
        rpm: Requests a minute, or None if it is not known.
        tpm: Tokens a minute, or None for no limit. Tokens of the prompt and of the answer count.
        concurrency: How many requests are in flight at most.

    Raises:
        ConfigurationError: ``rpm`` or ``tpm`` is not a positive number, or ``concurrency`` is not
            an integer of at least 1.
    """

    rpm: float | None = None
    tpm: float | None = None
    concurrency: int = 500

    def __post_init__(self) -> None:
        for name, unit in (("rpm", "requests"), ("tpm", "tokens")):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and 0 < value < float("inf")):
                raise ConfigurationError(
                    f"Limits({name}={shown(value)}): use a positive number of {unit} a minute,"
                    " or None if it is not known"
                )
        if not is_integer(self.concurrency) or self.concurrency < 1:
            raise ConfigurationError(
                f"Limits(concurrency={shown(self.concurrency)}): use an integer of at least 1"
            )
