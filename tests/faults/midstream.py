"""Streams that stop after k valid chunks, or never stop. Only k = 0 is retried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults.raw_server import Flood
from faults.rows import (
    IMPATIENT,
    IMPATIENT_AFTER_A_CHUNK,
    TEXTS,
    Row,
    after,
    final,
    k_chunks,
    raises,
)
from faults.wire import chunked, events, head

from cometgem import (
    APITimeoutError,
    EventTooLargeError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeouts,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.rows import Served

__all__ = ["ENDINGS", "FLOODS"]

_MIB = 1 << 20
_PINGS = b": keepalive\n\n" * 10_000
_HEAD = head("Transfer-Encoding: chunked")
_LINE = (chunked(b"data: "), Flood(chunked(b"x" * _MIB), 300))
_LINES = Flood(chunked(b"data: " + b"x" * 1000 + b"\n"), 300_000)
_COMMENT = (chunked(b": "), Flood(chunked(b"x" * _MIB), 100), chunked(b"\n"))


def _raw(*steps: Any) -> Callable[[int], Served]:
    """Return raw responses that take these steps after k chunks."""
    return lambda k: (_HEAD, chunked(events(k)) if k else b"", *steps)


# fmt: off
ENDINGS = [
    Row(
        "the connection is reset", lambda k: after(k).then_reset(), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "the body ends without a finish reason", lambda k: after(k).then_end(), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended without a finishReason"),
    ),
    Row(
        "the body ends in the middle of a chunk",
        lambda k: after(k).then_raw(b'data: {"candidates": [{"con').then_end(), after=(0, 1, 7),
        operation="stream", requests=(3, 1, 1), texts=k_chunks, connection="kept",
        ends=raises(StreamTruncatedError, "the stream ended in the middle of a chunk"),
    ),
    Row(
        "an event is not valid JSON",
        lambda k: after(k).then_raw(b"data: {oops}\n\n").then_stall(), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(ResponseDecodeError, "the server sent something that is not JSON: '{oops}'"),
    ),
    Row(
        "an event is JSON of another shape",
        lambda k: after(k).then_raw(b'data: {"candidates": [{"content": 7}]}\n\n').then_stall(),
        after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(ResponseDecodeError, "the server sent JSON of an unexpected shape",
                    path="$.candidates[0].content"),
    ),
    Row(
        "an event is JSON and not an object",
        lambda k: after(k).then_raw(b"data: 7\n\n").then_stall(), after=(0, 1, 7),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(ResponseDecodeError, "the server sent JSON of an unexpected shape", path="$"),
    ),
    Row(
        "nothing is sent (k = 0)", (after(0).then_stall(),), client={"timeouts": IMPATIENT},
        operation="stream", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no first chunk within 0.5 s", phase="first_chunk"),
    ),
    Row(
        "nothing more is sent", lambda k: after(k).then_stall(), after=(1, 7),
        client={"timeouts": IMPATIENT_AFTER_A_CHUNK},
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(APITimeoutError, "nothing arrived for 1 s", phase="stall"),
    ),
    Row(
        "only keep-alive comments are sent (k = 0)", (after(0).pings(every=0.02).then_stall(),),
        client={"timeouts": IMPATIENT},
        operation="stream", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no first chunk within 0.5 s", phase="first_chunk"),
    ),
    Row(
        "only keep-alive comments are sent", lambda k: after(k).pings(every=0.02).then_stall(),
        after=(1, 7), client={"timeouts": IMPATIENT_AFTER_A_CHUNK},
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(APITimeoutError, "nothing arrived for 1 s", phase="stall"),
    ),
    Row(
        "only 10,000 comments are sent, all at once (k = 0)",
        (after(0).then_raw(_PINGS).then_stall(),), client={"timeouts": IMPATIENT},
        operation="stream", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no first chunk within 0.5 s", phase="first_chunk"),
    ),
    Row(
        "only 10,000 comments are sent, all at once",
        lambda k: after(k).then_raw(_PINGS).then_stall(), after=(1, 7),
        client={"timeouts": IMPATIENT_AFTER_A_CHUNK},
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(APITimeoutError, "nothing arrived for 1 s", phase="stall"),
    ),
    Row(
        "`Timeouts(total=)` expires", lambda k: after(k).then_stall(), after=(0, 1),
        client={"timeouts": Timeouts(total=1.0)},
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        ends=raises(APITimeoutError, "not finished within 1 s", phase="total"),
    ),
    Row(
        "the connection is reset after the finish reason",
        (after(0).then_raw(events(2, finish="STOP")).then_reset(),),
        operation="stream", requests=1, texts=TEXTS[:2], connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "an error event follows the finish reason",
        (after(0).then_raw(events(2, finish="STOP")).then_error(429).then_stall(),),
        operation="stream", requests=1, texts=TEXTS[:2], connection="closed",
        ends=raises(RateLimitError, "429 rate_limit_exceeded: made-up error 429",
                    status=429, code="rate_limit_exceeded"),
    ),
    Row(
        "nothing follows the finish reason and the body does not end",
        (after(0).then_raw(events(2, finish="STOP")).then_stall(),),
        client={"timeouts": IMPATIENT_AFTER_A_CHUNK},
        operation="stream", requests=1, texts=TEXTS[:2], connection="closed",
        ends=raises(APITimeoutError, "nothing arrived for 1 s", phase="stall"),
    ),
]

FLOODS = [
    Row(
        "a line of 300 MiB is sent and the limit is 1 MiB", _raw(*_LINE), after=(0, 1, 7),
        client={"max_event_size": _MIB},
        operation="stream", requests=1, texts=k_chunks, connection="closed", memory=6, reads=32,
        ends=raises(EventTooLargeError, "expected no more than 1,048,576", limit=_MIB),
    ),
    Row(
        "a line of 300 MiB is sent and the limit is the default of 64 MiB", _raw(*_LINE),
        after=(1,),
        operation="stream", requests=1, texts=k_chunks, connection="closed",
        memory=64 + 6, reads=64 + 32,
        ends=raises(EventTooLargeError, "expected no more than 67,108,864", limit=64 * _MIB),
    ),
    Row(
        "an event of 300 MB in many lines is sent and the limit is 1 MiB", _raw(_LINES),
        after=(1,), client={"max_event_size": _MIB},
        operation="stream", requests=1, texts=k_chunks, connection="closed", memory=6, reads=32,
        ends=raises(EventTooLargeError, "expected no more than 1,048,576", limit=_MIB),
    ),
    Row(
        "a JSON document of 300 MiB is sent and the limit is 1 MiB",
        ((_HEAD, chunked(b"{"), Flood(chunked(b" " * _MIB), 300)),),
        client={"max_event_size": _MIB},
        operation="both", requests=1, texts=(), connection="closed", memory=6, reads=32,
        ends=raises(EventTooLargeError, "expected no more than 1,048,576", limit=_MIB),
    ),
    Row(
        "a comment of 100 MiB is sent and the limit is 1 MiB",
        ((_HEAD, *_COMMENT, chunked(events(1, finish="STOP")), b"0\r\n\r\n"),),
        client={"max_event_size": _MIB},
        operation="stream", requests=1, texts=TEXTS[:1], connection="kept", memory=6,
        ends=final("STOP"),
    ),
]
