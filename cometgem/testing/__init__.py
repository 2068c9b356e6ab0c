"""A real local server to test against: scripted replies, recorded requests, every fault."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cometgem.testing.journal import RecordedRequest
    from cometgem.testing.limits import ServerLimits
    from cometgem.testing.reply import Reply
    from cometgem.testing.server import FakeServer
else:

    def __getattr__(name: str) -> object:
        # Imported on first use, since pytest imports this package, for its plugin, in every run.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["FakeServer", "RecordedRequest", "Reply", "ServerLimits"]

_HOMES = {
    "FakeServer": "server",
    "RecordedRequest": "journal",
    "Reply": "reply",
    "ServerLimits": "limits",
}
