"""How long to wait for what. Only the numbers: the clock is further up."""

from __future__ import annotations

import math

from msgspec import Struct

from cometgem.errors import ConfigurationError

__all__ = ["Timeouts"]


class Timeouts(Struct, frozen=True):
    """Limits in seconds; None is no limit.

    Args:
        connect: DNS, TCP and TLS of one attempt.
        stall: The longest wait for the next chunk, noticed up to a second late, or a twentieth of
            the limit if that is less. Keep-alive comments are no chunks. Of a single call, the
            wait for the response.
        first_chunk: The wait for the first chunk, from sending the request; None: as ``stall``.
        total: Everything, with retries and the caller's own time between chunks.

    Raises:
        ConfigurationError: A limit that is not above 0.
    """

    connect: float | None = 10.0
    stall: float | None = 300.0
    first_chunk: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < math.inf:
                raise ConfigurationError(
                    f"Timeouts({name}={limit}): give seconds above 0, or None for no limit"
                )

    @property
    def first(self) -> float | None:
        """Seconds to wait for the first chunk."""
        return self.stall if self.first_chunk is None else self.first_chunk
