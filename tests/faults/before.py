"""Faults before the headers of a response have arrived."""

from __future__ import annotations

from faults import places
from faults.raw_server import GOOD, Act, Drip, Flood
from faults.rows import IMPATIENT, ONE_ATTEMPT, TEXTS, Row, final, raises
from faults.wire import chunked, events, head

from cometgem import APIConnectionError, APITimeoutError, Timeouts
from cometgem.testing import Reply

__all__ = ["BEFORE"]

_HEAD = head("Transfer-Encoding: chunked")
_BODY = chunked(events(3, finish="STOP")) + b"0\r\n\r\n"
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
_ENDLESS_HEAD = head()[:-2]

# fmt: off
BEFORE = [
    Row(
        "nothing listens at the base URL", at=places.nothing,
        operation="both", requests=0, texts=(), connection="none",
        ends=raises(APIConnectionError, "refused"),
    ),
    Row(
        "the host name cannot be resolved", at=places.unknown_host,
        operation="both", requests=0, texts=(), connection="none",
        ends=raises(APIConnectionError, "the host name was not found"),
    ),
    Row(
        "the server's certificate was issued by an unknown authority",
        at=places.unknown_certificate,
        operation="both", requests=0, texts=(), connection="none",
        ends=raises(APIConnectionError, "the certificate was not accepted"),
    ),
    Row(
        "the base URL is https and the server does not speak TLS", at=places.no_tls,
        operation="both", requests=0, texts=(), connection="none",
        ends=raises(APIConnectionError, "TLS failed"),
    ),
    Row(
        "the server does not answer the TLS handshake", at=places.no_handshake,
        client={"timeouts": Timeouts(connect=0.2)},
        operation="both", requests=0, texts=(), connection="none",
        ends=raises(APITimeoutError, "no connection within 0.2 s", phase="connect"),
    ),
    Row(
        "the connection is reset as soon as it is open", ((Act.UNREAD, Act.RESET),) * 3,
        operation="both", requests=0, texts=(), connection="closed",
        ends=raises(APIConnectionError, "no response from"),
    ),
    Row(
        "the connection is closed as soon as it is open", ((Act.UNREAD, Act.CLOSE),) * 3,
        operation="both", requests=0, texts=(), connection="closed",
        ends=raises(APIConnectionError, "no response from"),
    ),
    Row(
        "the connection is reset after the request", (Reply.reset(),) * 3,
        operation="both", requests=3, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the connection was closed before the answer came"),
    ),
    Row(
        "the connection is closed after the request", ((Act.CLOSE,),) * 3,
        operation="both", requests=3, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the connection was closed before the answer came"),
    ),
    Row(
        "the connection is closed in the middle of the headers", ((_HEAD[:40], Act.CLOSE),) * 3,
        operation="both", requests=3, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the connection was closed before the answer came"),
    ),
    Row(
        "a request for a stream gets no response", (Reply.silence(),),
        client={"timeouts": IMPATIENT},
        operation="stream", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no first chunk within 0.5 s", phase="first_chunk"),
    ),
    Row(
        "a request for a single response gets none", (Reply.silence(),),
        client={"timeouts": IMPATIENT},
        operation="single", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no response within 0.5 s", phase="stall"),
    ),
    Row(
        "the headers arrive byte by byte", ((Drip(_HEAD, 0.001), _BODY),),
        operation="both", requests=1, texts=TEXTS[:3], connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "the headers of a stream arrive byte by byte without end",
        ((_ENDLESS_HEAD, Drip(b"x" * 4000, 0.02)),), client={"timeouts": IMPATIENT},
        operation="stream", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no first chunk within 0.5 s", phase="first_chunk"),
    ),
    Row(
        "the headers of a single response arrive byte by byte without end",
        ((_ENDLESS_HEAD, Drip(b"x" * 4000, 0.02)),), client={"timeouts": IMPATIENT},
        operation="single", requests=1, texts=(), connection="closed",
        ends=raises(APITimeoutError, "no response within 0.5 s", phase="stall"),
    ),
    Row(
        "headers arrive at full speed without end",
        ((_ENDLESS_HEAD, Flood(b"X-Filler: x\r\n" * 100, 100_000)),),
        operation="both", requests=1, texts=(), connection="closed", memory=8,
        ends=raises(APIConnectionError, "the server's response has too many headers"),
    ),
    Row(
        "a single header arrives at full speed without end",
        ((_ENDLESS_HEAD + b"X-Filler: ", Flood(b"x" * 1000, 100_000)),),
        operation="both", requests=1, texts=(), connection="closed", memory=8,
        ends=raises(APIConnectionError, "is larger than 65,536 bytes"),
    ),
    Row(
        "the server speaks another protocol",
        ((b"Welcome to the night shift\r\n\r\nlogin: ", Act.SILENCE),),
        operation="both", requests=1, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the server's response is not valid HTTP"),
    ),
    Row(
        "informational (1xx) responses precede the response",
        ((b"HTTP/1.1 100 Continue\r\n\r\n", _HINTS, _HINTS, _HEAD + _BODY),),
        operation="both", requests=1, texts=TEXTS[:3], connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "a reused connection is closed after the request",
        (GOOD, (Act.CLOSE,), (_HEAD + _BODY,)),
        after_a_call=True, client={"retry": ONE_ATTEMPT},
        operation="both", requests=2, texts=TEXTS[:3], connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "a reused connection is reset after the request",
        (GOOD, (Act.RESET,), (_HEAD + _BODY,)),
        after_a_call=True, client={"retry": ONE_ATTEMPT},
        operation="both", requests=2, texts=TEXTS[:3], connection="kept",
        ends=final("STOP"),
    ),
    Row(
        "a reused connection is closed after the request, and so is the new one",
        (GOOD, (Act.CLOSE,), (Act.CLOSE,)),
        after_a_call=True, client={"retry": ONE_ATTEMPT},
        operation="both", requests=2, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the connection was closed before the answer came"),
    ),
    Row(
        "a reused connection is closed in the middle of the headers",
        (GOOD, (_HEAD[:40], Act.CLOSE)),
        after_a_call=True, client={"retry": ONE_ATTEMPT},
        operation="both", requests=1, texts=(), connection="closed",
        ends=raises(APIConnectionError, "the connection was closed before the answer came"),
    ),
]
