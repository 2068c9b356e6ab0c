"""What the batches of one process share: a thread with an event loop, a client, and limiters.

Engines such as Dask unpickle a function for each of its calls, in any thread. What should live
longer than a call is here: connections, and what has been found out about the rate.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from cometgem.bulk.limiter import MemoryLimiter
from cometgem.bulk.limits import Limits
from cometgem.client import Client

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

    from cometgem.bulk.limiter import Limiter

__all__ = ["PROCESS", "Process"]

T = TypeVar("T")

# Seconds that the end of a process may wait for connections to be closed.
_CLOSING = 5.0


class Process:
    """The event loop, the client and the limiters; each is made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._clients: dict[int, Client] = {}
        self._limiters: dict[bytes, Limiter] = {}
        self._of_parents: list[object] = []

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._started())

    def client(self) -> Client:
        """Return the client that the environment describes; for use in the event loop.

        Raises:
            ConfigurationError: There is no key.
        """
        # Another one if a key has been corrected, as in a notebook. Only a hash of it is kept here.
        settings = hash(tuple(map(os.environ.get, ("COMETAPI_KEY", "COMETAPI_BASE_URL"))))
        if settings not in self._clients:
            self._clients[settings] = Client()
        return self._clients[settings]

    def limiter(self, name: bytes, given: Limits | Limiter) -> Limiter:
        """Return the limiter of a name; for use in the event loop.

        Args:
            name: What equal limits have in common.
            given: What the limiter is made of if there is none yet.
        """
        if name not in self._limiters:
            self._limiters[name] = MemoryLimiter(given) if isinstance(given, Limits) else given
        return self._limiters[name]

    def close(self) -> None:
        """Close the connections and end the thread; the next call starts anew."""
        with self._lock:
            loop, self._loop = self._loop, None
            if loop is None or self._thread is None:
                return
            closing = asyncio.run_coroutine_threadsafe(self._aclose(), loop)
            with suppress(Exception):  # the process ends in any case
                closing.result(_CLOSING)
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(_CLOSING)
            if not self._thread.is_alive():
                loop.close()

    def forget(self) -> None:
        """Begin anew in a forked child, which has no thread of its parent."""
        # Kept, since closing them would act on the parent's connections.
        self._of_parents += [self._loop, self._clients, self._limiters]
        self._lock = threading.Lock()
        self._loop = self._thread = None
        self._clients, self._limiters = {}, {}

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="cometgem-bulk", daemon=True
                )
                self._thread.start()
                atexit.unregister(self.close)
                atexit.register(self.close)
            return self._loop

    async def _aclose(self) -> None:
        clients, limiters = self._clients, self._limiters
        self._clients, self._limiters = {}, {}
        current = asyncio.current_task()
        running = [task for task in asyncio.all_tasks() if task is not current]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for limiter in limiters.values():
            await limiter.aclose()
        for client in clients.values():
            await client.aclose()


PROCESS = Process()

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=PROCESS.forget)
