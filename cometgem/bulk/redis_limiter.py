"""One rate for any number of processes, kept by a Redis server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING

from cometgem.bulk.law import Law
from cometgem.bulk.limiter import Lease
from cometgem.bulk.limits import Limits
from cometgem.bulk.rate import LONG_WAIT, OWN_WAIT, SHARE
from cometgem.bulk.shared_law import Ask, Away, SharedLaw
from cometgem.errors import ClosedError, ConfigurationError
from cometgem.request.arguments import shown
from cometgem.warn import warn_caller

if TYPE_CHECKING:
    from typing import Self

    from cometgem.bulk.shared_law import Reply

__all__ = ["RedisLimiter"]

# Seconds until a holder that is not heard of is dead, and between attempts to return to Redis.
_EXPIRES = 10.0
_RETRY = 1.0

# Seconds ahead of which requests are granted: processes ask so often at most, and a refusal seen by
# one of them slows the others down as late.
_AHEAD = 0.1

# How many requests of one process are granted in one round trip, at most.
_MOST = 500

# Seconds after which usage is reported if no request is to be granted meanwhile.
_REPORT = 0.5

_CLOSED = "the RedisLimiter is closed"


class RedisLimiter:
    """Limits the requests of all processes that use the same Redis server and name.

    The rate is kept, or found out, by a script in Redis, on its clock. A process that has not been
    heard of for 10 seconds no longer counts. If Redis cannot be reached, each process goes on at
    its last known share of the rate, with a warning, and returns to the shared rate when Redis is
    back. It can be pickled, for workers; the pickle contains the URL, with its password if any.

    Args:
        url: The server, such as "redis://localhost:6379/0".
        name: The name of the limit: one for each API key, or whatever else a limit applies to.
        limits: The limits of all processes together. ``concurrency`` is that of each.

    Raises:
        ConfigurationError: An argument is not usable, or the package redis is missing. ``acquire``
            raises it if Redis cannot be reached before any share is known.
    """

    def __init__(self, url: str, name: str, limits: Limits | None = None) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(
                f"RedisLimiter(name={shown(name)}): use a string that is not empty"
            )
        self._shared = SharedLaw(url, name)
        self._url, self._name = url, name
        self._limits = limits or Limits()
        self._holder = uuid.uuid4().hex
        self._waiting: deque[tuple[asyncio.Future[Lease], float]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._reporter: asyncio.TimerHandle | None = None
        # What is reported with the next round trip.
        self._refused: list[tuple[str, int, float, float, float]] = []
        self._unused: list[tuple[str, float]] = []
        self._settled = (0, 0.0, 0.0, 0.0)
        self._refusals = 0
        # Nothing is sent here before: the requests of a shared law were granted ahead.
        self._held_until = self._paused_until = 0.0
        self._last: Reply | None = None
        # While Redis is away: the law of this process, and the attempt to return.
        self._alone: Law | None = None
        self._returning: asyncio.Task[Reply] | None = None
        self._retry_at = 0.0
        self._warning: str | None = None

    def __repr__(self) -> str:
        return f"RedisLimiter({self._shared.where!r}, {self._name!r}, {self._limits!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, Limits]]:
        return type(self), (self._url, self._name, self._limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def limits(self) -> Limits:
        """The limits, of which ``concurrency`` is that of each run."""
        return self._limits

    @property
    def rate(self) -> float:
        """The present rate of all processes in requests a second; 0 before the first request.

        While Redis is away, that of this process.
        """
        if self._alone is not None:
            return self._alone.pace.rate
        return 0.0 if self._last is None else self._last.rate

    @property
    def refusals(self) -> int:
        """How many refusals were reported by this process."""
        return self._refusals

    @property
    def paused(self) -> float:
        """For how many seconds everything still waits; 0 if nothing does."""
        now = time.monotonic()
        if self._alone is not None:
            return self._alone.pace.pause_left(now)
        return max(0.0, self._paused_until - now)

    async def acquire(self, tokens: float = 0) -> Lease:
        """Wait until a request may be sent.

        Args:
            tokens: An estimate of the tokens of the prompt and the answer.

        Raises:
            ConfigurationError: Redis cannot be reached, and has not been before.
            ClosedError: The limiter is closed meanwhile.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._bind(loop)
        future: asyncio.Future[Lease] = loop.create_future()
        self._waiting.append((future, tokens))
        self._start()
        try:
            lease = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._give_back(future.result())
            raise
        if self._warning is not None:
            message, self._warning = self._warning, None
            warn_caller(message)
        return lease

    def settle(self, lease: Lease, tokens: float | None = None) -> None:
        """End a lease after any answer but a refusal, or after none.

        Args:
            lease: The lease.
            tokens: The tokens that were used, or None if that is not known.
        """
        if tokens is None:
            return
        if lease.law is not None:
            lease.law.settle(1, lease.estimate, lease.reserved, tokens)
            return
        if self._limits.tpm is None:
            return
        answers, estimates, reserved, used = self._settled
        self._settled = (
            answers + 1,
            estimates + lease.estimate,
            reserved + lease.reserved,
            used + tokens,
        )
        if self._reporter is None and self._loop is not None:
            self._reporter = self._loop.call_later(_REPORT, self._report)

    def refused(self, lease: Lease, retry_after: float | None = None) -> float:
        """End a lease after a refusal (429).

        Args:
            lease: The lease.
            retry_after: The seconds that the server asks to wait, or None.

        Returns:
            The seconds to wait before this request acquires another lease; 0 if ``acquire`` waits
            by itself, because everything does.
        """
        self._refusals += 1
        now = time.monotonic()
        took = now - lease.at
        if lease.law is not None:
            return lease.law.refused(now, lease.number, lease.reserved, took, retry_after)
        asked = -1.0 if retry_after is None else retry_after
        self._refused.append((lease.life, lease.number, lease.reserved, took, asked))
        self._held_until = max(self._held_until, now + min(took, 1.0))
        self._wake.set()
        self._start()
        return 0.0 if asked >= LONG_WAIT else (retry_after or OWN_WAIT)

    async def aclose(self) -> None:
        """Close the connection; requests that still wait get a ClosedError."""
        running = [task for task in (self._pump, self._returning) if task is not None]
        self._pump = self._returning = None
        for task in running:
            task.cancel()
        if self._reporter is not None:
            self._reporter.cancel()
            self._reporter = None
        try:
            await asyncio.gather(*running, return_exceptions=True)
        finally:
            self._fail(ClosedError(_CLOSED))
            self._loop = None
            await self._shared.aclose()

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget what belongs to another event loop, which has ended."""
        self._loop = loop
        self._shared.forget()
        self._pump = self._returning = self._reporter = None
        self._wake = asyncio.Event()
        self._waiting.clear()

    def _start(self) -> None:
        if self._pump is None and self._loop is not None:
            self._pump = self._loop.create_task(self._run())

    def _report(self) -> None:
        self._reporter = None
        self._start()

    async def _run(self) -> None:
        """Ask for what waits until nothing waits; several requests share a round trip."""
        try:
            while True:
                self._wake.clear()
                wait = await self._ask() if self._alone is None else self._go_alone(self._alone)
                if not self._waiting and not self._refused:
                    return
                if wait > 0:
                    await _until(self._wake, min(wait, 1.0))
        except asyncio.CancelledError:  # by aclose()
            self._fail(ClosedError(_CLOSED))
            raise
        except Exception as error:  # noqa: BLE001  whoever waits is told
            self._fail(error)
        finally:
            self._pump = None

    async def _ask(self) -> float:
        """Make one round trip; return the seconds until another one is worth it."""
        asking = self._next_waiting()
        ask = self._compose([tokens for _, tokens in asking])
        granted: list[tuple[int, float, float]] = []
        try:
            reply = await self._shared.ask(ask)
            self._take(reply)
            granted = reply.granted if isinstance(reply.granted, list) else []
        except Away as away:
            self._leave(away)
            return 0.0
        finally:
            # Before those that came meanwhile.
            self._waiting.extendleft(reversed(asking[len(granted) :]))
        now = time.monotonic()
        for (future, tokens), (number, delay, reserved) in zip(asking, granted, strict=False):
            lease = Lease(tokens, reserved, now + delay, number, life=reply.life)
            self._hand_out(future, lease)
        return reply.wait

    def _next_waiting(self) -> list[tuple[asyncio.Future[Lease], float]]:
        asking: list[tuple[asyncio.Future[Lease], float]] = []
        while self._waiting and len(asking) < _MOST:
            one = self._waiting.popleft()
            if not one[0].done():
                asking.append(one)
        return asking

    def _compose(self, want: list[float]) -> Ask:
        limits = self._limits
        ask = Ask(
            holder=self._holder,
            expires=_EXPIRES,
            life=uuid.uuid4().hex,
            ahead=_AHEAD,
            want=want,
            ceiling=None if limits.rpm is None else limits.rpm / 60 * SHARE,
            tokens=None if limits.tpm is None else limits.tpm / 60 * SHARE,
            start=None if self._last is None else self._last.rate,
            refused=self._refused,
            unused=self._unused,
            settled=self._settled if self._settled[0] else None,
        )
        self._refused, self._unused, self._settled = [], [], (0, 0.0, 0.0, 0.0)
        return ask

    def _take(self, reply: Reply) -> None:
        self._last = reply
        self._paused_until = time.monotonic() + reply.paused

    def _hand_out(self, future: asyncio.Future[Lease], lease: Lease) -> None:
        if future.done():
            self._give_back(lease)
            return
        now = time.monotonic()
        wait = max(lease.at, self._held_until) - now
        if wait > 0:
            future.get_loop().call_later(wait, self._hand_out, future, lease)
            return
        lease.at = now
        future.set_result(lease)

    def _give_back(self, lease: Lease) -> None:
        if lease.law is not None:
            lease.law.give_back(lease.reserved)
        else:
            self._unused.append((lease.life, lease.reserved))

    def _leave(self, away: Away) -> None:
        """Go on without Redis, at the last known share."""
        reason = f"Redis at {self._shared.where} cannot be used ({away})"
        if self._last is None:
            raise ConfigurationError(f"{reason}; start it, or correct the URL") from away
        holders = max(1, self._last.holders)
        now = time.monotonic()
        self._alone = Law(now, self._limits, share=1 / holders, start=self._last.rate / holders)
        self._retry_at = now + _RETRY
        share = self._alone.pace.rate
        self._warning = (
            f"{reason}; until it is back, this process goes on at its last known share of the"
            f" rate: {share:.3g} requests a second of {self._last.rate:.3g}"
        )

    def _go_alone(self, law: Law) -> float:
        """Grant what this process may send on its own; return the seconds until there is more."""
        now = time.monotonic()
        returning = self._returning
        if returning is not None and returning.done():
            self._returning = None
            if returning.cancelled() or returning.exception() is not None:
                self._retry_at = now + _RETRY
            else:
                self._take(returning.result())
                self._alone = self._warning = None
                return 0.0
        if self._returning is None and now >= self._retry_at and self._loop is not None:
            self._returning = self._loop.create_task(self._shared.ask(self._compose([])))
            self._returning.add_done_callback(self._has_returned)
        while self._waiting:
            future, tokens = self._waiting[0]
            if not future.done():
                if wait := law.wait(now, tokens):
                    return min(wait, _RETRY)
                number, reserved = law.take(now, tokens)
                future.set_result(Lease(tokens, reserved, now, number, law))
            self._waiting.popleft()
        return _RETRY

    def _has_returned(self, returning: asyncio.Task[Reply]) -> None:
        if not returning.cancelled():
            returning.exception()  # looked at, so that it is not reported as forgotten
        self._wake.set()

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(error)


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
