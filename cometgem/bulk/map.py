"""A bulk run: workers read rows, ask, and hand out results at the rate that the API allows.

There is a task for each request in flight, not for each row: a worker reads the next row when it
has a result. A worker that has got a row starts the next worker, until there are enough.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from cometgem.bulk.budget import Budget
from cometgem.bulk.ctrl_c import CtrlC
from cometgem.bulk.handout import Handout
from cometgem.bulk.judge import ends_run
from cometgem.bulk.limiter import MemoryLimiter
from cometgem.bulk.lines import (
    Fingerprints,
    error_of,
    line_of,
    response_of,
)
from cometgem.bulk.progress import Progress, Tally
from cometgem.bulk.result import Key, MapResult
from cometgem.bulk.results import Results
from cometgem.bulk.row import RowGate
from cometgem.bulk.source import Source
from cometgem.errors import CometGemError, ConfigurationError
from cometgem.request.arguments import shown
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cometgem.bulk.budget import Spending
    from cometgem.bulk.plan import Plan
    from cometgem.bulk.progress import StopReason
    from cometgem.request.build import Request

__all__ = ["MapRun"]

R = TypeVar("R")
T = TypeVar("T", bound=GenerateContentResponse)

# How many results may wait for the consumer, beyond the rows in flight.
_AHEAD = 64

_PROGRESS_EVERY = 1.0  # seconds


class MapRun(Generic[R, T]):
    """A bulk run, as ``Client.map`` returns it: ``async with`` starts it, ``async for`` follows it.

    Leaving the ``async with`` cancels what still runs. Results are in the results file by then.
    The first Ctrl-C stops the run, and leaving it raises KeyboardInterrupt; the second cancels it.
    """

    def __init__(self, plan: Plan[R]) -> None:
        self._plan = plan
        self._limiter = plan.limiter or MemoryLimiter(plan.limits)
        self._refused_before = self._limiter.refusals
        self._concurrency = plan.limits.concurrency
        self._source: Source[R] = Source(plan.rows)
        self._tally = Tally(time.monotonic(), self._source.total)
        room = 2 * self._concurrency if plan.ordered else self._concurrency + _AHEAD
        self._handout: Handout[MapResult[R, T]] = Handout(room, ordered=plan.ordered)
        self._results: Results | None = None
        self._fingerprints = Fingerprints(plan.model)
        self._workers: dict[asyncio.Task[None], RowGate | None] = {}
        self._stopped: StopReason | None = None
        self._error: BaseException | None = None
        self._ctrl_c = CtrlC(lambda: self._stop("interrupt", dropping=True))
        self._deadline: asyncio.TimerHandle | None = None
        self._reporter: asyncio.Task[None] | None = None
        self._state = "new"

    def __repr__(self) -> str:
        return f"<MapRun, {self._state}: {self.progress}>"

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self._tally.progress(
            time.monotonic(),
            rate=self._limiter.rate,
            paused=self._limiter.paused,
            refusals=self._limiter.refusals - self._refused_before,
            stopped=self._stopped,
        )

    def stop(self) -> None:
        """Send no more rows; the iteration ends when those that were sent have their results."""
        self._stop("stop", dropping=True)

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise RuntimeError("a MapRun can be entered once: call client.map() again")
        if self._plan.results is not None:
            self._results = Results(self._plan.results)
        self._state = "running"
        self._tally.began = time.monotonic()
        loop = asyncio.get_running_loop()
        if self._plan.deadline is not None:
            self._deadline = loop.call_later(
                self._plan.deadline, lambda: self._stop("deadline", dropping=True)
            )
        if self._plan.on_progress is not None:
            self._reporter = loop.create_task(self._report(self._plan.on_progress))
        self._ctrl_c.install()
        self._start_worker()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._workers:
            self._stopped = self._stopped or "stop"
        self._state = "closed"
        self._ctrl_c.remove()
        if self._deadline is not None:
            self._deadline.cancel()
        tasks = [*self._workers, *([self._reporter] if self._reporter is not None else [])]
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._source.aclose()
        finally:
            self._close()
        if self._stopped == "interrupt" and error is None:
            raise KeyboardInterrupt

    def _close(self) -> None:
        if self._results is not None:
            self._results.close()
        if self._tally.ended is None:
            self._tally.ended = time.monotonic()
        if self._plan.on_progress is not None:
            self._plan.on_progress(self.progress)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> MapResult[R, T]:
        """Return the next result.

        Raises:
            CometGemError: The rest of the rows would fail with the same error, such as a wrong key
                or an account without money.
            Exception: What ``rows``, ``prompt`` or ``key`` has raised, or an OSError of the
                results file. It is raised after the results of all rows that were sent.
        """
        if self._state == "new":
            raise RuntimeError("a MapRun is started by 'async with client.map(...) as run'")
        result = self._handout.get_now() or await self._handout.get()
        if result is not None:
            return result
        error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopAsyncIteration

    # Stopping

    def _stop(self, reason: StopReason, *, dropping: bool = False) -> None:
        """Read no more rows.

        Args:
            reason: Why; the first reason counts, but an interrupt always does.
            dropping: Whether rows that wait for the rate are not sent either.
        """
        if self._stopped is None or reason == "interrupt":
            self._stopped = reason
        self._handout.let_all_pass()
        current = asyncio.current_task()
        for worker, gate in self._workers.items():
            waits = gate is None or (dropping and gate.can_be_dropped)
            if waits and worker is not current:
                worker.cancel()
        if reason == "interrupt" and self._plan.on_progress is not None:
            self._plan.on_progress(self.progress)  # whoever waits should not wait a second more

    def _fail(self, error: BaseException, *, dropping: bool = False) -> None:
        if self._error is None:
            self._error = error
        self._stop("error", dropping=dropping)

    # Workers

    def _start_worker(self) -> None:
        task = asyncio.get_running_loop().create_task(self._work())
        self._workers[task] = None
        task.add_done_callback(self._worker_ended)

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        del self._workers[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)
        if not self._workers:
            self._tally.ended = time.monotonic()
            self._handout.end()

    async def _work(self) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        while (taken := await self._take()) is not None:
            asked = self._asked(*taken)
            if asked is None:
                continue
            # One worker is enough for rows that are not sent.
            if len(self._workers) < self._concurrency:
                self._start_worker()
            try:
                await self._run_row(task, *asked)
            finally:
                self._workers[task] = None

    async def _take(self) -> tuple[int, R] | None:
        """Return the next row, or None if there is none or the run has been stopped."""
        while self._stopped is None:
            if not self._handout.has_room:
                await self._handout.wait_for_room()
                continue
            if (budget := self._plan.budget) is not None and self._is_used_up(budget):
                self._stop("budget")
                return None
            self._handout.expect()
            try:
                if self._source.is_plain:
                    taken = self._source.next_plain()
                else:
                    taken = await self._source.next_async()
            except Exception as error:  # noqa: BLE001  of the caller's own code, raised at the end
                self._fail(error)
                return None
            if taken is None:
                self._handout.let_all_pass()
            return taken
        return None

    def _is_used_up(self, budget: Budget | Spending) -> bool:
        tally = self._tally
        if isinstance(budget, Budget):
            return budget.is_used_up(
                tokens=tally.tokens, finished=tally.finished, running=tally.running
            )
        return bool(budget(tally.usage))

    def _asked(self, index: int, row: R) -> tuple[MapResult[R, T], Any, Request, str] | None:
        """Return what a row needs to be sent, or None if it is not to be sent.

        Returns:
            Its result, without a response; what its prompt function has returned; the request; the
            fingerprint.
        """
        try:
            key = index if self._plan.key is None else _checked(self._plan.key(row), index)
            asked = self._plan.prompt(row)
        except Exception as error:  # noqa: BLE001  of the caller's own code, raised at the end
            error.add_note(f"cometgem: in the row with the index {index}")
            self._fail(error)
            return None
        try:
            request = self._plan.asker.request(asked)
        except ConfigurationError as error:
            self._end(MapResult(key, index, row, None, error), "", b"")
            return None
        fingerprint = ""
        if self._results is not None:
            fingerprint = self._fingerprints.of(request.body)
            at = self._results.claim(key)
            if at is None:
                twice = ConfigurationError(
                    f"the key {shown(key)} of the row with the index {index} is that of another"
                    " row: the keys of a run with results=... must differ"
                )
                self._hand_out(MapResult(key, index, row, None, twice))
                return None
            if (reused := self._reused(at, key, fingerprint, index, row)) is not None:
                self._hand_out(reused)
                return None
        return MapResult(key, index, row), asked, request, fingerprint

    async def _run_row(
        self,
        task: asyncio.Task[None],
        result: MapResult[R, T],
        asked: Any,
        request: Request,
        fingerprint: str,
    ) -> None:
        began = time.monotonic()
        gate = RowGate(self._limiter, len(request.body))
        self._workers[task] = gate
        self._tally.running += 1
        try:
            answered = await self._ask(gate, request, asked, result)
        finally:
            self._tally.running -= 1
        if answered is not None:
            answered.seconds = time.monotonic() - began
            self._tally.finished += 1
            self._end(answered, fingerprint, request.body)

    async def _ask(
        self, gate: RowGate, request: Request, asked: Any, result: MapResult[R, T]
    ) -> MapResult[R, T] | None:
        """Complete the result of a row; None if the run is over with it."""
        tokens: int | None = None
        try:
            response = await self._plan.asker.ask(request, asked, gate)
            result = MapResult(result.key, result.index, result.row, cast("T", response))
            tokens = self._spend(response)
        except CometGemError as error:
            if ends_run(error, succeeded=self._tally.done):
                self._fail(error, dropping=True)
                return None
            result.error = error
            if error.partial is not None:
                tokens = self._spend(error.partial)
        finally:
            gate.end(tokens)
        result.attempts = gate.sent
        return result

    def _spend(self, response: GenerateContentResponse) -> int | None:
        """Count the tokens of a row, and return them, or None if the server did not say."""
        usage = response.usage
        self._tally.spend(usage)
        return usage.total_tokens or None

    def _reused(
        self, at: int, key: Key, fingerprint: str, index: int, row: R
    ) -> MapResult[R, T] | None:
        """Return the result of an earlier run, if it counts."""
        if self._results is None or self._plan.rerun == "all":
            return None
        line = self._results.find(at, key, fingerprint)
        if line is None or (line.error and self._plan.rerun == "failed"):
            return None
        error: CometGemError | None = None
        response: Any = None
        read: Any = None
        if line.error:
            error = error_of(line)
        elif not line.response:
            return None
        elif not self._plan.asker.is_typed:
            read = partial(response_of, line.response)
        else:
            try:
                response = self._plan.asker.read(response_of(line.response))
            except CometGemError:
                return None  # the type has changed, but not its schema
        return MapResult(
            key,
            index,
            row,
            response,
            error,
            attempts=line.attempts,
            seconds=line.seconds,
            reused=True,
            read=read,
        )

    # Results

    def _end(self, result: MapResult[R, T], fingerprint: str, body: bytes) -> None:
        """Write a result, and hand it out."""
        if self._results is not None:
            kept = body if self._plan.save_prompts else b""
            self._results.add(line_of(result, fingerprint, kept))
        self._hand_out(result)

    def _hand_out(self, result: MapResult[R, T]) -> None:
        self._tally.add(result.error is not None, result.reused)
        self._handout.put(result.index, result)

    async def _report(self, on_progress: Callable[[Progress], object]) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            on_progress(self.progress)


def _checked(key: object, index: int) -> Key:
    if isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool)):
        return key
    raise ConfigurationError(
        f"key=... returned {shown(key)} for the row with the index {index}: return a str or an int"
    )
