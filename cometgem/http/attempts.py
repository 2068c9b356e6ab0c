"""The attempts of one call: its request, sent as often as the retry policy allows."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from typing import TYPE_CHECKING, Protocol, TypeVar

from cometgem.errors import (
    APITimeoutError,
    CometGemError,
    ContinuationUnsupportedError,
    RateLimitError,
    StreamError,
)
from cometgem.http.interrupt import Interrupt
from cometgem.request.continuation import with_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cometgem.http.response import HTTPResponse
    from cometgem.http.retry import RetryPolicy
    from cometgem.http.timeouts import Timeouts
    from cometgem.http.transport import Closable, Transport
    from cometgem.request.build import Request
    from cometgem.response.merge import ResponseMerger
    from cometgem.types.checkpoint import Checkpoint

__all__ = ["Attempts", "Gate"]

_T = TypeVar("_T")


class Gate(Protocol):
    """Decides when the requests of a call are sent, also after refusals (429)."""

    def admit_now(self) -> bool:
        """Return whether the next request may be sent, without a wait."""
        ...

    async def admit(self) -> None:
        """Wait until the next request may be sent."""
        ...

    def refused(self, error: RateLimitError) -> float | None:
        """Return the seconds to wait before the next ``admit``, or None to give up."""
        ...


class Attempts:
    """Sends the request of one call, counts the attempts and keeps to the call's total time.

    Args:
        transport: Sends it.
        request: The request of the first hop.
        timeouts: The limits, in seconds; ``total`` is for all attempts of all hops.
        retry: How often each hop is requested until its first chunk arrives.
        streamed: Whether the response is a stream of chunks or a single body.
        token: The continuation token in the request.
        gate: Admits each request. What is waited for it does not count toward the total time, and
            what it refuses does not count as an attempt.

    Attributes:
        total_at: The loop time at which the total time is over.
        token: The continuation token in the request of the current hop.
    """

    def __init__(  # noqa: PLR0913  one a line of the docstring
        self,
        transport: Transport,
        request: Request,
        timeouts: Timeouts,
        retry: RetryPolicy,
        *,
        streamed: bool,
        token: str | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._transport = transport
        self._request: Request | None = request
        self._timeouts = timeouts
        self._retry = retry
        self._streamed = streamed
        self._gate = gate
        self._sent = 0  # in this hop
        self._started = False
        self._interrupt = Interrupt()
        self._response: HTTPResponse | None = None
        self.total_at: float = math.inf
        self.token: str | None = token

    @property
    def can_send(self) -> bool:
        """Whether the request has been kept."""
        return self._request is not None

    def begin_hop(self, token: str) -> None:
        """Send the request with this token next; its attempts are counted anew."""
        if self._request is not None:
            self._request = with_token(self._request, token)
        self.token = token
        self._sent = 0

    async def send(self) -> HTTPResponse:
        """Send the request once."""
        if self._request is None:
            raise RuntimeError("the request cannot be sent again after the first chunk")
        if self._gate is not None and not self._gate.admit_now():
            await self._pass(self._gate)
        if not self._started and self._timeouts.total is not None:
            self.total_at = asyncio.get_running_loop().time() + self._timeouts.total
        self._started = True
        self._sent += 1
        self._response = response = await self._transport.send(
            self._request,
            self._timeouts,
            self.total_at,
            self._interrupt,
            streamed=self._streamed,
        )
        return response

    async def run(self, once: Callable[[], Awaitable[_T]]) -> _T:
        """Run ``once``, and run it again after transient errors, as the retry policy allows.

        A hop that has a token and is cut is not repeated here, but as ``Hops`` decides.
        """
        while True:
            try:
                return await once()
            except CometGemError as error:
                if self.token is not None and isinstance(error, StreamError):
                    raise
                if self._gate is not None and isinstance(error, RateLimitError):
                    await self._wait_refused(self._gate, error)
                    continue
                delay = self._retry.delay(error, self._sent, random.random())  # noqa: S311  jitter
                if delay is None or self._too_long(delay):
                    raise
            await self._transport.sleep(delay, self._interrupt)

    def wait_after(self, error: CometGemError, failures: int) -> float | None:
        """Return how long to wait before the answer goes on, in seconds, or None to give up.

        Args:
            error: The error that has cut the hop.
            failures: How many hops in a row were cut without progress, counting from 1.
        """
        wait = self._retry.wait(error, failures, random.random())  # noqa: S311  jitter
        return None if wait is None or self._too_long(wait) else wait

    async def sleep(self, seconds: float) -> None:
        """Wait before the answer goes on.

        Raises:
            ClosedError: The call or the client was closed.
        """
        await self._transport.sleep(seconds, self._interrupt)

    def interrupt(self, reason: str) -> None:
        """End the attempts; ``reason`` is the message of the ClosedError that ``run`` raises."""
        self._interrupt.set(reason)
        if self._response is not None:
            self._response.close()

    def watch(self, call: Closable) -> None:
        """Interrupt a call, of which these are the attempts, when the client is closed."""
        self._transport.watch(call)

    def run_in_loop(self, callback: Callable[[], object]) -> None:
        """Call it now, or by way of the client's event loop if that runs in another thread."""
        self._transport.run_in_loop(callback)

    def check_total(self) -> None:
        """Raise APITimeoutError if the total time of the call is over."""
        if asyncio.get_running_loop().time() >= self.total_at:
            raise APITimeoutError("total", self._timeouts.total or 0.0)

    def forget_request(self) -> None:
        """Release the request, which may hold megabytes, as it is not sent again."""
        self._request = None

    def describe(
        self,
        error: CometGemError,
        merger: ResponseMerger,
        response: HTTPResponse | None,
        *,
        handed_out: int = 0,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Attach what had arrived to an error, and remove the API key from it.

        Args:
            error: The error that is about to be raised to the caller.
            merger: Holds the chunks of the attempt that failed.
            response: The response of that attempt, or None if no headers came.
            handed_out: How many chunks the caller has received.
            checkpoint: Where the answer can go on.
        """
        if not isinstance(error, ContinuationUnsupportedError) and not merger.is_empty:
            error.partial = merger.response()
        if checkpoint is not None:
            error.checkpoint = checkpoint
        if isinstance(error, (StreamError, APITimeoutError)):
            error.chunks = handed_out
        if isinstance(error, StreamError) and response is not None:
            error.request_id = response.request_id
        self._transport.redact_key(error)

    async def _pass(self, gate: Gate) -> None:
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            async with self._interrupt.timeout(None):
                await gate.admit()
        self._interrupt.check()
        self._postpone(began)

    async def _wait_refused(self, gate: Gate, error: RateLimitError) -> None:
        began = asyncio.get_running_loop().time()
        if (delay := gate.refused(error)) is None:
            raise error
        self._sent -= 1
        if delay:
            await self._transport.sleep(delay, self._interrupt)
        self._postpone(began)

    def _postpone(self, began: float) -> None:
        if self._started:
            self.total_at += asyncio.get_running_loop().time() - began

    def _too_long(self, delay: float) -> bool:
        return asyncio.get_running_loop().time() + delay >= self.total_at
