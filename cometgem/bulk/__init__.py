"""Bulk runs: many prompts at the rate that the API allows."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cometgem.bulk.budget import Budget
    from cometgem.bulk.gemini_map import GeminiMap
    from cometgem.bulk.limiter import Lease, Limiter, MemoryLimiter
    from cometgem.bulk.limits import Limits
    from cometgem.bulk.map import MapRun
    from cometgem.bulk.progress import Progress
    from cometgem.bulk.redis_limiter import RedisLimiter
    from cometgem.bulk.result import MapResult
else:

    def __getattr__(name: str) -> object:
        # Imported on first use: who needs one part does not pay for the others.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "Budget",
    "GeminiMap",
    "Lease",
    "Limiter",
    "Limits",
    "MapResult",
    "MapRun",
    "MemoryLimiter",
    "Progress",
    "RedisLimiter",
]

_HOMES = {
    "Budget": "budget",
    "GeminiMap": "gemini_map",
    "Lease": "limiter",
    "Limiter": "limiter",
    "Limits": "limits",
    "MapResult": "result",
    "MapRun": "map",
    "MemoryLimiter": "limiter",
    "Progress": "progress",
    "RedisLimiter": "redis_limiter",
}
