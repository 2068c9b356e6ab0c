"""The chat page of the examples, served to a test by its own backend."""

from __future__ import annotations

import contextlib
import runpy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from cometgem import Client, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem.testing import FakeServer

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "chat_page"


@cache
def backend() -> dict[str, Any]:
    """Return what is defined in the backend's file."""
    return runpy.run_path(str(FOLDER / "backend.py"))


@dataclass
class Site:
    """A running backend.

    Attributes:
        url: The address of the page.
        api: What answers in place of a model.
        app: The application, to which a test may add pages before it is served.
    """

    url: str
    api: FakeServer
    app: web.Application
    port: int = 0
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen, the second time at the same address."""
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/"

    async def stop(self) -> None:
        """Break all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    def cut(self) -> None:
        """Break all connections of browsers, as a lost network does."""
        assert self._runner is not None
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def restart(self) -> None:
        """Stop, and start another backend that knows nothing of the first."""
        await self.stop()
        self.app = make_app(self.api)
        await self.start()


def make_app(api: FakeServer) -> web.Application:
    """Return the backend's application."""
    client = Client(api.api_key, base_url=api.url, retry=RetryPolicy(attempts=1))
    app: web.Application = backend()["make_app"](client)
    return app


@contextlib.asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    """Serve until the end of the block."""
    await site.start()
    try:
        yield site
    finally:
        await site.stop()
