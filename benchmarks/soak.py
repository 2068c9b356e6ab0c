"""A soak test: streams with random faults must give the right results, and memory must not grow.

python benchmarks/soak.py --minutes 20 --streams 100 --seed 1

The number of a stream, which is its prompt, and the seed determine what the server does, and so
what the client must return. One line is printed per minute. The first difference ends the run and
is reported with its number.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from soak_plans import MAX_EVENT_SIZE, PARTIAL, Plan, plan

from cometgem import Client, CometGemError, RetryPolicy, Timeouts
from cometgem.testing import FakeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from cometgem import GenerateContentResponse
    from cometgem.testing import RecordedRequest

MODEL = "gemini-3.8-flash"
JOURNAL = 1000  # requests that the server keeps
MAX_GROWTH = 1.05  # after the first tenth of the time
WARM_UP = 30.0  # seconds; a tenth of a short run is less


class PlannedServer(FakeServer):
    """Answers each request as planned, and keeps only the latest."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._attempts: Counter[int] = Counter()

    def _actions(self, request: RecordedRequest) -> Iterator[Any]:
        number = int(request.body["contents"][0]["parts"][0]["text"])
        replies = plan(self._seed, number).replies
        self.add(replies[min(self._attempts[number], len(replies) - 1)])
        self._attempts[number] += 1
        if len(self._requests) > JOURNAL:
            self._requests.clear()
            self._attempts = Counter(
                {n: a for n, a in self._attempts.items() if n > number - JOURNAL}
            )
        return super()._actions(request)


def serve(seed: int, pipe: Connection) -> None:
    """Run the server in this process until the other end of the pipe is closed."""
    with PlannedServer(seed) as server:
        pipe.send((server.url, server.api_key))
        with suppress(EOFError):
            pipe.recv()


@dataclass
class Outcome:
    """The outcome of a stream."""

    texts: list[str]
    response: GenerateContentResponse | None = None
    error: CometGemError | None = None


class Callers:
    """Those who call: with the common client, or with one of their own that is closed meanwhile.

    Args:
        new_client: Returns a new client, on a session if one is given.
    """

    def __init__(self, new_client: Callable[[aiohttp.ClientSession | None], Client]) -> None:
        self._new_client = new_client
        self._client = new_client(None)
        self._session = aiohttp.ClientSession()
        self._session_client = new_client(self._session)

    async def aclose(self) -> None:
        """Close the clients and the session."""
        await self._client.aclose()
        await self._session_client.aclose()
        await self._session.close()

    async def run(self, planned: Plan, prompt: str) -> Outcome:
        """Make a call as planned, and leave it or close its client if that is the plan."""
        if "client closed" not in planned.kind:
            client = self._session_client if planned.kind == "session" else self._client
            return await run(client, planned, prompt)
        own = self._new_client(self._session if "session" in planned.kind else None)
        async with own, asyncio.TaskGroup() as group:
            call = group.create_task(run(own, planned, prompt))
            await asyncio.wait([call], timeout=0.1)
            await own.aclose()
            async with asyncio.timeout(1):
                return await call


async def run(client: Client, planned: Plan, prompt: str) -> Outcome:
    """Read a stream, and leave it if that is the plan."""
    outcome = Outcome([])
    stream = client.stream_generate_content(
        MODEL, prompt, timeouts=Timeouts(total=0.3) if "total" in planned.kind else None
    )
    try:
        if "single" in planned.kind:
            response = await client.generate_content(MODEL, prompt)
            return Outcome(list(planned.texts), response)
        async with asyncio.timeout(0.3 if planned.kind == "cancelled" else None):
            chunks = stream.heartbeat(0.01) if "heartbeat" in planned.kind else stream
            async for chunk in chunks:
                if chunk is None:
                    continue
                outcome.texts.append(chunk.text)
                if "left" in planned.kind and len(outcome.texts) * 2 >= len(planned.texts):
                    break
                if "slow caller" in planned.kind:
                    await asyncio.sleep(0.01)
    except CometGemError as error:
        outcome.error = error.with_traceback(None)  # avoids a reference cycle with this frame
        outcome.response = error.partial
    except TimeoutError:
        outcome.response = stream.snapshot
    else:
        outcome.response = stream.snapshot
    return outcome


def differences(planned: Plan, outcome: Outcome) -> Iterator[str]:
    """Yield the differences from the plan."""
    texts, response, error = outcome.texts, outcome.response, outcome.error
    is_part = planned.kind in PARTIAL
    whole = planned.texts + ("x",) * 200 if planned.kind == "total, slow caller" else planned.texts
    sent = whole[: len(texts)] if is_part else whole
    if bool(error) != bool(planned.errors) or (error and not isinstance(error, planned.errors)):
        yield f"{error!r}, expected {planned.errors}"
    if tuple(texts) != sent:
        yield f"{len(texts)} chunks {texts}, expected {len(sent)} {sent}"
    if (response.text if response else "") != "".join(sent):
        yield f"merged to {response and response.text!r}, not {''.join(sent)!r}"
    if error or is_part or response is None:
        return
    calls = [call.args for call in response.function_calls]
    if calls != ([planned.args] if planned.args else []):
        yield f"merged to the calls {calls}"
    usage = response.usage_metadata
    if usage is None or usage.total_token_count != 8 + len(sent):
        yield f"{usage}, not {8 + len(sent)} tokens in all"
    if response.finish_reason != "STOP":
        yield f"finished by {response.finish_reason}"


def resident() -> int:
    """Return the resident memory of this process in bytes, without malloc's free memory."""
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def descriptors() -> int:
    """Return the number of open files and sockets."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Soak:
    """Keeps a number of streams running, checks them, and monitors the process."""

    def __init__(self, callers: Callers, options: argparse.Namespace) -> None:
        self.problem: str = ""
        self._callers = callers
        self._seed: int = options.seed
        self._streams: int = options.streams
        self._start = time.monotonic()
        self._seconds: float = options.minutes * 60
        self._numbers = count()
        self._chunks = 0
        self._kinds: Counter[str] = Counter()
        self._at_first = 0  # bytes of resident memory

    async def run(self) -> None:
        """Run streams until the time is up or something is wrong."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: self._complain(str(context)))
        sys.unraisablehook = lambda raised: self._complain(str(raised))
        async with asyncio.TaskGroup() as group:
            for _ in range(self._streams):
                group.create_task(self._stream())
            group.create_task(self._watch())

    def report(self) -> None:
        """Print a line: the streams so far, and the resources of the process."""
        kinds = "  ".join(f"{kind} {times}" for kind, times in sorted(self._kinds.items()))
        print(
            f"{self._elapsed() / 60:5.1f} min  {self._kinds.total()} streams  {self._chunks} chunks"
            f"  {resident() / 1e6:.1f} MB  {descriptors()} descriptors"
            f"  {len(asyncio.all_tasks())} tasks  |  {kinds}",
            flush=True,
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _complain(self, what: str) -> None:
        self.problem = self.problem or what

    def _is_over(self) -> bool:
        return bool(self.problem) or self._elapsed() > self._seconds

    async def _stream(self) -> None:
        while not self._is_over():
            number = next(self._numbers)
            planned = plan(self._seed, number)
            outcome = await self._callers.run(planned, str(number))
            self._kinds[planned.kind] += 1
            self._chunks += len(outcome.texts)
            for found in differences(planned, outcome):
                self._complain(f"stream {number} of seed {self._seed} ({planned.kind}): {found}")

    async def _watch(self) -> None:
        minute = 1
        while not self._is_over():
            await asyncio.sleep(1)
            self._weigh()
            if self._elapsed() >= minute * 60:
                minute += 1
                self.report()

    def _weigh(self) -> None:
        if self._elapsed() < max(self._seconds / 10, WARM_UP):
            self._at_first = max(self._at_first, resident())
            return
        most = self._at_first * MAX_GROWTH
        if (now := resident()) > most:
            self._complain(f"grew to {now / 1e6:.1f} MB, over {most / 1e6:.1f} MB")


async def soak(url: str, key: str, options: argparse.Namespace) -> str:
    """Return what went wrong, or an empty string."""
    before = descriptors()

    def new_client(session: aiohttp.ClientSession | None) -> Client:
        return Client(
            key,
            base_url=url,
            session=session,
            timeouts=Timeouts(stall=5.0, first_chunk=30.0),
            retry=RetryPolicy(attempts=3, initial=0.01),
            max_event_size=MAX_EVENT_SIZE,
        )

    async with aclosing(Callers(new_client)) as callers:
        running = Soak(callers, options)
        await running.run()
    await asyncio.sleep(0.5)  # connections are closed in the next iterations of the event loop
    gc.collect()
    running.report()
    left = descriptors() - before
    tasks = len(asyncio.all_tasks()) - 1
    if not running.problem and (left or tasks):
        return f"{left} descriptors and {tasks} tasks are still open"
    return running.problem


def main() -> None:
    """Start the server and run the streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="how long to run (%(default)s)")
    parser.add_argument(
        "--streams", type=int, default=100, help="how many at the same time (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the seed of the random plan (%(default)s)"
    )
    options = parser.parse_args()
    if not Path("/proc/self/statm").exists():
        raise SystemExit("the soak test reads /proc: it runs on Linux")
    warnings.simplefilter("error", ResourceWarning)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(options.seed, theirs), daemon=True)
    server.start()
    theirs.close()
    url, key = ours.recv()
    problem = asyncio.run(soak(url, key, options))
    ours.close()
    server.join(5)
    if problem:
        raise SystemExit(f"FAILED: {problem}")


if __name__ == "__main__":
    main()
