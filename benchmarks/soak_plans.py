"""What the server of the soak test does to each stream, determined by the seed and its number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from cometgem import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    CometGemError,
    EventTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_EVENT_SIZE", "PARTIAL", "Plan", "plan"]

MAX_EVENT_SIZE = 64 * 1024
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

LONG = Reply.text(*["x"] * 200)

# The caller reads only the beginning.
PARTIAL = {
    "left",
    "cancelled",
    "reset",
    "heartbeat left",
    "total",
    "total, slow caller",
    "client closed",
    "session, client closed",
}

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
    "slow caller": lambda good, _: good,
    "heartbeat": lambda good, reply: replace(good, replies=(reply.delay(headers=0.2, first=0.2),)),
    "heartbeat left": lambda good, reply: replace(good, replies=(reply.then_stall(),)),
    "total": broken(Reply.then_stall, APITimeoutError),
    "total, slow caller": broken(lambda r: r.then(LONG), APITimeoutError),
    "client closed": broken(Reply.then_stall, ClosedError),
    "client closed, single": refused(Reply.silence(), ClosedError),
    "client closed, retry": refused(Reply.error(503, retry_after=20), ClosedError),
    "session": lambda good, _: good,
    "session, client closed": broken(Reply.then_stall, ClosedError),
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
