"""One call's request, sent as often as its retry policy allows."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

import anyio

from cometgem.errors import CometGemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cometgem.protocol.request import Request
    from cometgem.protocol.retry import RetryPolicy
    from cometgem.protocol.timeouts import Timeouts
    from cometgem.transport import Reply, Transport

__all__ = ["Attempts"]

_T = TypeVar("_T")


class Attempts:
    """The attempts of one call; counted, and bound by its total time."""

    def __init__(
        self,
        transport: Transport,
        request: Request,
        timeouts: Timeouts,
        retry: RetryPolicy,
        *,
        streamed: bool,
    ) -> None:
        self._transport = transport
        self._request: Request | None = request
        self._timeouts = timeouts
        self._retry = retry
        self._streamed = streamed
        self._sent = 0
        self._total_at: float | None = None

    async def send(self) -> Reply:
        """Send the request once."""
        if self._request is None:
            raise RuntimeError("nothing is sent after the first chunk")
        if self._total_at is None and self._timeouts.total is not None:
            self._total_at = asyncio.get_running_loop().time() + self._timeouts.total
        self._sent += 1
        return await self._transport.send(
            self._request, self._timeouts, self._total_at, streamed=self._streamed
        )

    async def run(self, once: Callable[[], Awaitable[_T]]) -> _T:
        """Do it, and do it again after a failure that may pass, as the policy says."""
        while True:
            try:
                return await once()
            except CometGemError as error:
                delay = self._retry.delay(error, self._sent, random.random())  # noqa: S311  jitter
                if delay is None or self._too_long(delay):
                    raise
            await anyio.sleep(delay)

    def forget_request(self) -> None:
        """Let the request go, which may be megabytes: after the first chunk none is sent again."""
        self._request = None

    def conceal_key(self, error: CometGemError) -> None:
        """Take the API key out of an error, where a server echoed it."""
        self._transport.conceal_key(error)

    def _too_long(self, delay: float) -> bool:
        now = asyncio.get_running_loop().time()
        return self._total_at is not None and now + delay >= self._total_at
