"""Bulk runs: many prompts at the rate that the API allows."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cometgem.bulk.limiter import Lease, Limiter, MemoryLimiter
    from cometgem.bulk.limits import Limits
    from cometgem.bulk.redis_limiter import RedisLimiter
else:

    def __getattr__(name: str) -> object:
        # Imported on first use: who needs one part does not pay for the others.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["Lease", "Limiter", "Limits", "MemoryLimiter", "RedisLimiter"]

_HOMES = {
    "Lease": "limiter",
    "Limiter": "limiter",
    "Limits": "limits",
    "MemoryLimiter": "limiter",
    "RedisLimiter": "redis_limiter",
}
