"""The limits of a call, as numbers; ``deadline`` and ``transport`` enforce them."""

from __future__ import annotations

import math

from msgspec import Struct

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import is_number, shown

__all__ = ["Timeouts", "check_timeouts"]


class Timeouts(Struct, frozen=True):
    """Time limits in seconds; None means no limit.

    Args:
        connect: DNS, TCP and TLS of one attempt.
        stall: The longest wait for the next chunk, or for the response of a single call.
            Keep-alive comments do not count as chunks. A stall is noticed late by at most one
            second or a twentieth of the limit, whichever is less.
        first_chunk: The longest wait for the first chunk, from sending the request. Defaults to
            ``stall``.
        total: The whole call, including retries and the caller's own time between chunks.

    Raises:
        ConfigurationError: A limit is not a number above 0.
    """

    connect: float | None = 10.0
    stall: float | None = 300.0
    first_chunk: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            limit = getattr(self, name)
            if limit is not None and not (is_number(limit) and 0 < limit < math.inf):
                raise ConfigurationError(
                    f"Timeouts({name}={shown(limit)}): use seconds above 0, or None for no limit"
                )

    @property
    def first(self) -> float | None:
        """The limit for the first chunk, in seconds."""
        return self.stall if self.first_chunk is None else self.first_chunk


def check_timeouts(given: object) -> Timeouts:
    """Return the argument ``timeouts``.

    Raises:
        ConfigurationError: It is not a ``Timeouts``.
    """
    if isinstance(given, Timeouts):
        return given
    right = "total=60"
    if is_number(given) and 0 < given < math.inf:
        right = f"total={given}"
    elif isinstance(given, dict) and given and given.keys() <= set(Timeouts.__struct_fields__):
        right = ", ".join(f"{name}={shown(limit)}" for name, limit in given.items())
    raise ConfigurationError(
        f"timeouts={shown(given)} is not a Timeouts: use timeouts=Timeouts({right})"
    )
