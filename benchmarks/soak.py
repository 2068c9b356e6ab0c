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
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from cometgem import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    Client,
    CometGemError,
    EventTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from cometgem import GenerateContentResponse
    from cometgem.testing import RecordedRequest

MODEL = "gemini-3.8-flash"
MAX_EVENT_SIZE = 64 * 1024
JOURNAL = 1000  # requests that the server keeps
MAX_GROWTH = 1.05  # after the first tenth of the time
WARM_UP = 30.0  # seconds; a tenth of a short run is less
WORDS = [
    "Far ",
    "lamps ",
    "that no one lit, ",
    "\U0001f600",
    "\u2028",
    "d\u00e9j\u00e0 ",
    "x" * 2000,
]
ARGS = {"city": "Paris", "days": [1, {"hot": True}], "note": None}


@dataclass(frozen=True)
class Plan:
    """What the server sends for one stream, and what the client must return."""

    kind: str
    replies: tuple[Reply, ...]  # one for each attempt; the last one is repeated
    texts: tuple[str, ...]  # of each chunk
    errors: tuple[type[CometGemError], ...] = ()
    args: object = None  # of the function call, if there is one


def plan(seed: int, number: int) -> Plan:
    """Return the plan of a stream."""
    random = Random(f"{seed} {number}")  # noqa: S311  reproducible
    words = random.choices(WORDS, k=random.randint(1, 12))
    thought = random.choice([None, "Hm."])
    kind = random.choice([*["good"] * len(KINDS), *KINDS])
    reply = Reply.text(*words, thought=thought, delay=random.choice([0, 0, 0.001, 0.02]))
    good = Plan(kind, (reply,), ("",) * bool(thought) + tuple(words))
    planned = KINDS[kind](good, reply) if kind in KINDS else good
    return replace(planned, replies=tuple(dressed(one, random) for one in planned.replies))


def broken(change: Callable[[Reply], Reply], *errors: type[CometGemError]) -> Callable[..., Plan]:
    """Plan a fault after the good chunks."""
    return lambda good, reply: replace(good, replies=(change(reply),), errors=errors)


def refused(refusal: Reply, error: type[CometGemError]) -> Callable[..., Plan]:
    """Plan a response without chunks."""
    return lambda good, _: replace(good, replies=(refusal,), texts=(), errors=(error,))


def again(failure: Reply) -> Callable[..., Plan]:
    """Plan a failure that succeeds on a retry."""
    return lambda good, reply: replace(good, replies=(failure, reply))


TOO_LARGE = b"data: " + b"x" * (MAX_EVENT_SIZE + 1) + b"\n\n"
CALL = Reply.call("f", ARGS, in_pieces=True)
IMAGE = Reply.image(bytes(range(256)) * 100)

KINDS: dict[str, Callable[[Plan, Reply], Plan]] = {
    "truncated": broken(Reply.then_end, StreamTruncatedError),
    "reset": broken(lambda r: r.then_reset(0.3), StreamInterruptedError, APIConnectionError),
    "stalled": broken(Reply.then_stall, APITimeoutError),
    "error event": broken(lambda r: r.then_error(503, dialect="google"), ServerError),
    "bare error": broken(lambda r: r.then_error(429, bare=True), RateLimitError),
    "malformed": broken(lambda r: r.then_raw(b"data: {oops\n\n"), ResponseDecodeError),
    "too large": broken(lambda r: r.then_raw(TOO_LARGE), EventTooLargeError),
    "400": refused(Reply.error(400), BadRequestError),
    "401": refused(Reply.error(401), AuthenticationError),
    "403": refused(Reply.error(403, dialect="bare"), PermissionDeniedError),
    "429": refused(Reply.error(429, retry_after=3600), RateLimitError),
    "page": refused(Reply.html(200), ResponseDecodeError),
    "502, good": again(Reply.html(502)),
    "503, good": again(Reply.error(503)),
    "429, good": again(Reply.error(429, retry_after=0)),
    "reset, good": again(Reply.reset()),
    "late": lambda good, reply: replace(good, replies=(reply.delay(headers=0.5, first=0.5),)),
    "call": lambda good, _: replace(
        good, replies=(CALL,), texts=("",) * len(CALL.steps), args=ARGS
    ),
    "image": lambda good, _: replace(good, replies=(IMAGE,), texts=("",)),
    "single": lambda good, _: good,
    "left": lambda good, reply: replace(good, replies=(reply.then_stall(),)),
    "cancelled": lambda good, reply: replace(good, replies=(reply.then_stall(),)),
}


def dressed(reply: Reply, random: Random) -> Reply:
    """Vary the framing of a reply as servers do."""

    def one_in(times: int) -> bool:
        return random.randrange(times) == 0

    reply = reply.framed(
        newline=random.choice(["\n", "\r\n", "\r"]),
        space=one_in(2),
        pretty=one_in(5),
        bom=one_in(5),
        done=one_in(5),
    )
    if one_in(3):
        reply = reply.pings(every=0.2)
    if one_in(3):
        reply = reply.cut(random.randint(100, 3000))
    return reply.gzip() if one_in(3) else reply


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


async def run(client: Client, planned: Plan, prompt: str) -> Outcome:
    """Read a stream, and leave it if that is the plan."""
    if planned.kind == "single":
        response = await client.generate_content(MODEL, prompt)
        return Outcome(list(planned.texts), response)
    outcome = Outcome([])
    stream = client.stream_generate_content(MODEL, prompt)
    try:
        async with asyncio.timeout(0.3 if planned.kind == "cancelled" else None):
            async for chunk in stream:
                outcome.texts.append(chunk.text)
                if planned.kind == "left" and len(outcome.texts) * 2 >= len(planned.texts):
                    break
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
    is_part = planned.kind in ("left", "cancelled", "reset")
    sent = planned.texts[: len(texts)] if is_part else planned.texts
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

    def __init__(self, client: Client, options: argparse.Namespace) -> None:
        self.problem: str = ""
        self._client = client
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
            outcome = await run(self._client, planned, str(number))
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
    async with Client(
        key,
        base_url=url,
        timeouts=Timeouts(stall=5.0, first_chunk=30.0),
        retry=RetryPolicy(attempts=3, initial=0.01),
        max_event_size=MAX_EVENT_SIZE,
    ) as client:
        running = Soak(client, options)
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
